"""How right the map is: a stratified random sample, its error matrix, and areas adjusted for the map's errors.

The strata are what the edition says about observed ground: damage kind before > damage kind now (``none>exc`` is newly
damaged by excavation). Labels use the same alphabet, so that stock, new and restored areas all get an estimate. The
estimators are the stratified ones of Olofsson et al. (2014), "Good practices for estimating area and assessing
accuracy of land change", Remote Sensing of Environment 148; the limits of the intervals are not, see ``intervals``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from landdamage.accounting.intervals import Share, part, weighted
from landdamage.accounting.states import KIND_OF, Flow, State

SHORT = {"excavation": "exc", "occupation": "occ", "subsidence": "sub", "": "none"}
KIND_CODES = ("none", "exc", "occ", "sub")
UNSURE = "unsure"  # a label: the image does not show it, the point leaves the sample
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
        weighted(right, per_row, weights),
        {code: weighted(right[[i]], per_row[[i]], np.ones(1)) if per_row[i] > 1 else None for code, i in place.items()},
        {code: _producers(matrix[:, i], per_row, weights, i) for code, i in place.items()},
        {code: _adjusted(matrix, codes, [i], areas_cm2) for code, i in place.items()},
    )


def _producers(
    hits: NDArray[np.int64], points: NDArray[np.int64], weights: NDArray[np.float64], column: int
) -> Share | None:
    """Producer's accuracy (Olofsson et al. eq. 3): of the ground that is of a class, the share that the map shows."""
    own = np.arange(len(weights)) == column
    found, missed = (weighted(hits[where], points[where], weights[where]) for where in (own, ~own))
    return part(found, missed) if found.value + missed.value else None


def _adjusted(
    matrix: NDArray[np.int64], codes: Sequence[str], columns: Sequence[int], areas_cm2: Mapping[str, int]
) -> Area:
    """Adjusted area of the union of some reference classes."""
    areas = np.array([areas_cm2.get(code, 0) for code in codes], np.float64)
    adjusted, low, high = weighted(matrix[:, columns].sum(axis=1), matrix.sum(axis=1), areas)
    mapped = sum(int(areas_cm2.get(codes[i], 0)) for i in columns)
    return Area(round(adjusted), round(low), round(high), mapped)


def figures(points: list[tuple[str, str, str, str]], strata: list[dict[str, Any]]) -> dict[str, Any]:
    """What a sample says, as its ``results`` hold it.

    There is no error matrix before every stratum has two agreed points: fewer say nothing about it. Accuracies are
    [share 0-1, low, high], areas [adjusted, low, high, mapped] in cm², with the limits of their 95 % intervals.

    Args:
        points: stratum, first, second and agreed label of each; empty where there is none yet.
        strata: ``code`` and ``area_cm2`` of each.
    """
    agreed = [(stratum, label) for stratum, _, _, label in points if label and label != UNSURE]
    areas = {stratum["code"]: stratum["area_cm2"] for stratum in strata}
    same, kappa = agreement([(first, second) for _, first, second, _ in points if first and second])
    results: dict[str, Any] = {
        "points": len(points),
        "labelled_twice": sum(bool(first and second) for _, first, second, _ in points),
        "agreed": len(agreed),
        "unsure": sum(label == UNSURE for *_, label in points),
        "agreement": same,
        "kappa": kappa,
    }
    counts = Counter(stratum for stratum, _ in agreed)
    if all(counts[code] >= 2 for code in areas):
        found = assess(agreed, areas)
        results |= {
            "codes": list(found.codes),
            "matrix": found.matrix.tolist(),
            "overall": found.overall,
            "users": found.users,
            "producers": found.producers,
            "adjusted_cm2": found.adjusted_cm2,
            "kinds": {
                short: {f"{flow}_cm2": found.group(codes, areas) for flow, codes in measures(short).items()}
                for short in KIND_CODES[1:]
            },
        }
    return results


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
