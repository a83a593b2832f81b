"""Intervals of shares, sums and parts: published limits, the edges, and how often they hold the truth."""

import numpy as np
import pytest

from landdamage.accounting.intervals import Share, limits, part, weighted


def test_limits_are_those_of_jeffreys():
    """As tabulated by Brown, Cai and DasGupta (2001) for seven points."""
    low, high = limits(np.array([0, 1, 2, 3, 7]), np.full(5, 7))
    assert low == pytest.approx([0.0, 0.016, 0.065, 0.139, 0.708], abs=0.001)
    assert high == pytest.approx([0.292, 0.501, 0.648, 0.766, 1.0], abs=0.001)


def test_nothing_found_is_no_proof_that_nothing_is_there():
    found = weighted(np.array([0, 0]), np.array([30, 300]), np.array([10.0, 90.0]))
    assert found.value == found.low == 0
    alone = weighted(np.array([0]), np.array([300]), np.array([90.0]))
    assert alone.high == pytest.approx(90 * limits(np.array([0]), np.array([300]))[1][0])
    assert alone.high < found.high < alone.high + 10
    everything = weighted(np.array([30]), np.array([30]), np.array([10.0]))
    assert everything.value == everything.high == 10
    assert 9 < everything.low < 10


def test_a_part_of_nothing_else_is_the_whole():
    whole = Share(0.9, 0.7, 0.97)
    assert part(whole, Share(0.0, 0.0, 0.0)) == (1.0, 1.0, 1.0)
    assert part(Share(0.0, 0.0, 0.0), whole) == (0.0, 0.0, 0.0)
    unproven = part(whole, Share(0.0, 0.0, 0.3))
    assert unproven.value == unproven.high == 1.0
    assert 0.7 < unproven.low < 1.0


def test_the_part_of_independent_terms_is_held_as_often_as_told():
    """On average over shares: for a single rare one the steps of the binomial leave a percent or two."""
    random = np.random.default_rng(8)
    weights, points = np.array([3.0, 97.0]), np.array([60, 400])
    held = []
    for missed in (0.003, 0.005, 0.01, 0.02, 0.04):
        mean = weights * (0.9, missed)
        for hits in random.binomial(points, (0.9, missed), (200, 2)):
            share = part(*(weighted(hits[[i]], points[[i]], weights[[i]]) for i in (0, 1)))
            held.append(share.low <= mean[0] / mean.sum() <= share.high)
    assert 0.93 <= np.mean(held) <= 0.985
