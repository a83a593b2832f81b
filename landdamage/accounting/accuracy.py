"""How right the map is: a stratified random sample, its error matrix, and areas adjusted for the map's errors.

The strata are what the edition says about observed ground: damage kind before > damage kind now (``none>exc`` is newly
damaged by excavation). Labels use the same alphabet, so that stock, new and restored areas all get an estimate. The
estimators are the stratified ones of Olofsson et al. (2014), "Good practices for estimating area and assessing
accuracy of land change", Remote Sensing of Environment 148; the limits of the intervals are not, see ``_sum``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.special import betaincinv

from landdamage.accounting.states import KIND_OF, Flow, State

SHORT = {"excavation": "exc", "occupation": "occ", "subsidence": "sub", "": "none"}
KIND_CODES = ("none", "exc", "occ", "sub")
TAIL = 0.025  # beyond each limit of a 95 % interval
MIN_POINTS = 30  # per stratum; a stratum with fewer says nothing about itself
EXPECTED_USERS_ACCURACY = 0.8
TARGET_STANDARD_ERROR = 0.015  # of the overall accuracy


@dataclass(frozen=True, slots=True)
class Stratum:
    """One stratum: its code, mapped area in cm² and number of points."""

    code: str
    area_cm2: int
    points: int


def transition(prev_state: str, new_state: str) -> str:
    """The stratum of a cell: short damage kind before > short damage kind now, e.g. ``none>exc``."""
    return f"{SHORT[KIND_OF.get(State.of(prev_state), '')]}>{SHORT[KIND_OF.get(State.of(new_state), '')]}"


def measures(kind: str) -> dict[str, list[str]]:
    """The codes that make up a damage kind's ``stock``, ``new`` and ``restored`` area; the kind in short, e.g. exc."""
    return {
        "stock": [f"{before}>{kind}" for before in KIND_CODES],
        "new": [f"none>{kind}"],
        "restored": [f"{kind}>none"],
    }


def strata_of(cells: gpd.GeoDataFrame) -> NDArray[Any]:
    """The stratum of every cell, empty for ground this year's imagery did not show.

    Args:
        cells: with ``prev_state``, ``new_state`` and ``flow`` codes.
    """
    codes = [
        "" if flow in (Flow.CARRIED, Flow.EXIT) else transition(prev, new)
        for prev, new, flow in zip(cells["prev_state"], cells["new_state"], cells["flow"], strict=True)
    ]
    return np.array(codes, dtype=object)


def plan(areas_cm2: Mapping[str, int], total: int | None = None, minimum: int = MIN_POINTS) -> list[Stratum]:
    """How many points each stratum gets.

    The total follows Cochran's formula (Olofsson et al. eq. 13) with an expected user's accuracy of 0.8 and a standard
    error of the overall accuracy of 0.015; every stratum gets at least ``minimum``, the rest goes by area.

    Args:
        areas_cm2: mapped area of every stratum.
        total: number of points; None computes it.
        minimum: points of the smallest stratum.
    """
    present = {code: area for code, area in sorted(areas_cm2.items()) if area > 0}
    if not present:
        return []
    if total is None:
        spread = math.sqrt(EXPECTED_USERS_ACCURACY * (1 - EXPECTED_USERS_ACCURACY))
        total = math.ceil((spread / TARGET_STANDARD_ERROR) ** 2)
    rest = max(0, total - minimum * len(present))
    whole = sum(present.values())
    return [Stratum(code, area, minimum + rest * area // whole) for code, area in present.items()]


def draw(cells: gpd.GeoDataFrame, strata: Sequence[Stratum], seed: int) -> list[tuple[str, shapely.Point]]:
    """Random points, uniform over the ground of each stratum, in an order that does not give the stratum away.

    Args:
        cells: EPSG:4490 with ``area_cm2`` and what ``strata_of`` needs.
        strata: from ``plan``.
        seed: the same seed draws the same points.

    Returns:
        Stratum and point (EPSG:4490) of each.
    """
    random = np.random.default_rng(seed)
    codes, areas = strata_of(cells), cells["area_cm2"].to_numpy(np.float64)
    shapes = cells.geometry.to_numpy()
    drawn: list[tuple[str, shapely.Point]] = []
    for stratum in strata:
        members = np.flatnonzero((codes == stratum.code) & (areas > 0))
        chosen = random.choice(members, size=stratum.points, p=areas[members] / areas[members].sum())
        drawn += [(stratum.code, _point_in(shapes[i], random)) for i in chosen]
    return [drawn[i] for i in random.permutation(len(drawn))]


def _point_in(shape: shapely.Geometry, random: np.random.Generator) -> shapely.Point:
    """Uniform by rejection; over one cell a degree is the same length everywhere, to 1 in 10 000."""
    shapely.prepare(shape)
    west, south, east, north = shape.bounds
    for _ in range(200):
        x, y = random.uniform(west, east, 64), random.uniform(south, north, 64)
        inside = np.flatnonzero(shapely.contains_xy(shape, x, y))
        if len(inside):
            return shapely.Point(x[inside[0]], y[inside[0]])
    return shape.representative_point()  # a thread of a cell: any place in it will do


class Share(NamedTuple):
    """An accuracy 0-1 with the limits of its 95 % interval."""

    value: float
    low: float
    high: float


class Area(NamedTuple):
    """An area adjusted for the map's errors with the limits of its 95 % interval, and the mapped area; all in cm²."""

    adjusted: int
    low: int
    high: int
    mapped: int


@dataclass(frozen=True)
class Accuracy:
    """What a labelled sample says.

    Attributes:
        codes: rows (map) and columns (reference) of the matrix.
        matrix: (n, n) int64 counts of points.
        overall: share of ground mapped right.
        users, producers: per code; None where the sample cannot say.
        adjusted_cm2: per code.
    """

    codes: tuple[str, ...]
    matrix: NDArray[np.int64]
    overall: Share
    users: dict[str, Share | None]
    producers: dict[str, Share | None]
    adjusted_cm2: dict[str, Area]

    def group(self, wanted: Iterable[str], areas_cm2: Mapping[str, int]) -> Area:
        """The areas of several codes taken together."""
        columns = [self.codes.index(code) for code in wanted if code in self.codes]
        return _adjusted(self.matrix, self.codes, columns, areas_cm2)


def assess(labelled: Iterable[tuple[str, str]], areas_cm2: Mapping[str, int]) -> Accuracy:
    """Error matrix and adjusted areas of a labelled sample.

    Args:
        labelled: stratum on the map and agreed label of every point.
        areas_cm2: mapped area of every stratum.

    Raises:
        ValueError: a stratum with ground has fewer than two labelled points.
    """
    pairs = list(labelled)
    codes = tuple(sorted({code for code, area in areas_cm2.items() if area > 0} | {label for _, label in pairs}))
    place = {code: i for i, code in enumerate(codes)}
    matrix = np.zeros((len(codes), len(codes)), np.int64)
    for mapped, label in pairs:
        matrix[place[mapped], place[label]] += 1
    per_row = matrix.sum(axis=1)
    weights = np.array([areas_cm2.get(code, 0) for code in codes], np.float64)
    if thin := [code for code, n, w in zip(codes, per_row, weights, strict=True) if w > 0 and n < 2]:
        raise ValueError(f"fewer than two labelled points in {', '.join(thin)}")
    weights /= weights.sum()
    right = np.diag(matrix)
    return Accuracy(
        codes,
        matrix,
        Share(*_sum(right, per_row, weights)),
        {
            code: Share(*_sum(right[[i]], per_row[[i]], np.ones(1))) if per_row[i] > 1 else None
            for code, i in place.items()
        },
        {code: _producers(matrix[:, i], per_row, weights, i) for code, i in place.items()},
        {code: _adjusted(matrix, codes, [i], areas_cm2) for code, i in place.items()},
    )


def _limits(hits: NDArray[np.int64], points: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % limits of binomial shares: Jeffreys' interval, 0 where nothing was hit and 1 where everything was.

    Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion", Statistical Science 16.
    """
    misses = points - hits
    low = np.where(hits == 0, 0.0, betaincinv(hits + 0.5, misses + 0.5, TAIL))
    return low, np.where(misses == 0, 1.0, betaincinv(hits + 0.5, misses + 0.5, 1 - TAIL))


def _sum(
    hits: NDArray[np.int64], points: NDArray[np.int64], weights: NDArray[np.float64]
) -> tuple[float, float, float]:
    """A weighted sum of the strata's shares, and the limits of its 95 % interval.

    The estimate is the stratified one (Olofsson et al. eq. 9). Their symmetric interval takes a stratum in which the
    sample met no error for one without errors, and so covers too little where errors are rare; the limits here come
    from the limits of every stratum's share: Zou, Huang and Zhang (2009), "A note on confidence interval estimation
    for a linear function of binomial proportions", Computational Statistics & Data Analysis 53.
    """
    share = hits / np.maximum(points, 1)
    low, high = _limits(hits, points)
    total = float((weights * share).sum())
    below = math.sqrt(float(((weights * (share - low)) ** 2).sum()))
    above = math.sqrt(float(((weights * (high - share)) ** 2).sum()))
    return total, max(total - below, 0.0), min(total + above, float(weights.sum()))


def _producers(
    hits: NDArray[np.int64], points: NDArray[np.int64], weights: NDArray[np.float64], column: int
) -> Share | None:
    """Producer's accuracy (Olofsson et al. eq. 3): of the ground that is of a class, the share that the map shows.

    It is found / (found + missed) with independent terms, so its limits follow from those of missed / found: Donner
    and Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard deviation",
    Statistical Methods in Medical Research 21, eq. 9.
    """
    own = np.arange(len(weights)) == column
    found, found_low, found_high = _sum(hits[own], points[own], weights[own])
    missed, missed_low, missed_high = _sum(hits[~own], points[~own], weights[~own])
    if found + missed == 0:
        return None

    def least(part: float, low: float, rest: float, high: float) -> float:
        """The lower limit of part / (part + rest), from the lower limit of the part and the upper one of the rest."""
        if low == 0:
            return 0.0
        product, own = part * rest, low * (2 * part - low)
        root = math.sqrt(max(product**2 - own * high * (2 * rest - high), 0.0))
        return own / (own + product + root)

    return Share(
        found / (found + missed),
        least(found, found_low, missed, missed_high),
        1 - least(missed, missed_low, found, found_high),
    )


def _adjusted(
    matrix: NDArray[np.int64], codes: Sequence[str], columns: Sequence[int], areas_cm2: Mapping[str, int]
) -> Area:
    """Adjusted area of the union of some reference classes."""
    areas = np.array([areas_cm2.get(code, 0) for code in codes], np.float64)
    limits = _sum(matrix[:, columns].sum(axis=1), matrix.sum(axis=1), areas)
    return Area(*(round(area) for area in limits), mapped=sum(int(areas_cm2.get(codes[i], 0)) for i in columns))


def agreement(labels: Iterable[tuple[str, str]]) -> tuple[float, float]:
    """Share of points two labellers agree on, and Cohen's kappa (1.0 for a sample of a single label)."""
    pairs = list(labels)
    if not pairs:
        return 0.0, 0.0
    same = sum(a == b for a, b in pairs) / len(pairs)
    names = {name for pair in pairs for name in pair}
    chance = sum(
        (sum(a == name for a, _ in pairs) / len(pairs)) * (sum(b == name for _, b in pairs) / len(pairs))
        for name in names
    )
    return same, 1.0 if chance == 1 else (same - chance) / (1 - chance)
