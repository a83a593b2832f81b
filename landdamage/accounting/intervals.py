"""95 % intervals of sampled shares that hold the truth where errors are rare, unlike ± 1.96 standard errors.

A symmetric interval takes a stratum in which the sample met no error for one without errors. Here every stratum's share
has Jeffreys limits (Brown, Cai and DasGupta 2001, "Interval estimation for a binomial proportion", Statistical Science
16), and the limits of sums and ratios are recovered from those.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

TAIL = 0.025  # beyond each limit


class Share(NamedTuple):
    """An estimate with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


def limits(hits: NDArray[np.int64], points: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper limits of binomial shares 0-1: 0 where nothing was hit, 1 where everything was."""
    misses = points - hits
    low = np.where(hits == 0, 0.0, betaincinv(hits + 0.5, misses + 0.5, TAIL))
    return low, np.where(misses == 0, 1.0, betaincinv(hits + 0.5, misses + 0.5, 1 - TAIL))


def weighted(hits: NDArray[np.int64], points: NDArray[np.int64], weights: NDArray[np.float64]) -> Share:
    """The weighted sum of independent strata's shares, in the unit of the weights.

    Zou, Huang and Zhang (2009), "A note on confidence interval estimation for a linear function of binomial
    proportions", Computational Statistics & Data Analysis 53.

    Args:
        hits, points: (n,) per stratum.
        weights: (n,) ≥ 0.
    """
    share = hits / np.maximum(points, 1)
    low, high = limits(hits, points)
    total = float((weights * share).sum())
    below = math.sqrt(float(((weights * (share - low)) ** 2).sum()))
    above = math.sqrt(float(((weights * (high - share)) ** 2).sum()))
    return Share(total, max(total - below, 0.0), min(total + above, float(weights.sum())))


def part(one: Share, rest: Share) -> Share:
    """one / (one + rest) of independent estimates ≥ 0 that are not both 0.

    Its limits follow from those of the ratio of the two: Donner and Zou (2012), "Closed-form confidence intervals for
    functions of the normal mean and standard deviation", Statistical Methods in Medical Research 21, eq. 9.
    """
    return Share(one.value / (one.value + rest.value), _least(one, rest), 1 - _least(rest, one))


def _least(one: Share, rest: Share) -> float:
    """The lower limit of one / (one + rest)."""
    if one.low == 0:
        return 0.0
    product, own = one.value * rest.value, one.low * (2 * one.value - one.low)
    root = math.sqrt(max(product**2 - own * rest.high * (2 * rest.value - rest.high), 0.0))
    return own / (own + product + root)
