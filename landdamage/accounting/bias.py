"""The guard against mistaking another sensor for a changed landscape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final, Literal

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from scipy.stats import t as student
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.observation import SceneView
from landdamage.accounting.planar import Geometries, geometries, to_albers
from landdamage.accounting.states import DAMAGE, State

GSD_RATIO: Final = 2.0
MONTHS: Final = 2
MIN_CONTROLS: Final = 20
BIAS_LIMIT: Final = 0.20  # of the reported new area
SUBPIXELS: Final = 8  # per side, when the share of a coarse pixel is measured
CONFIDENCE: Final = 0.95

Reason = Literal["gsd", "satellite", "season"]


def mixed_sensor(before: Sequence[SceneView], now: Sequence[SceneView]) -> list[Reason]:
    """Why the scenes of two years are no like-for-like pair; empty when they are.

    "gsd": some pair of ground sample distances differs by more than a factor of 2. "satellite": the years were not
    seen by the same satellites (only where all are known). "season": some pair of acquisition months lies more than 2
    apart, counted round the year.
    """
    pairs = list(product(before, now))
    reasons: list[Reason] = []
    if any(max(a.gsd_m, b.gsd_m) > GSD_RATIO * min(a.gsd_m, b.gsd_m) for a, b in pairs):
        reasons.append("gsd")
    if (
        pairs
        and all(s.satellite for s in (*before, *now))
        and {s.satellite for s in before} != {s.satellite for s in now}
    ):
        reasons.append("satellite")
    apart = [abs(a.acquired_on.month - b.acquired_on.month) for a, b in pairs]
    if any(min(months, 12 - months) > MONTHS for months in apart):
        reasons.append("season")
    return reasons


def confirmed_on_coarse_grid(
    changes: Sequence[BaseGeometry] | Geometries, gsd_m: float, min_area_m2: float
) -> NDArray[np.bool_]:
    """Which changes would also show on the coarser of two grids.

    Each change is resampled by majority to pixels of ``gsd_m`` on a grid fixed to the Albers origin; it is confirmed
    when the pixels it wins still measure ``min_area_m2``. What only the finer image could show is not a change between
    the two images.

    Args:
        changes: polygonal pieces in Albers.
        gsd_m: the coarser ground sample distance, metres.
        min_area_m2: the mapping unit at that distance.
    """
    return np.array([_majority_pixels(change, gsd_m) * gsd_m**2 >= min_area_m2 for change in geometries(changes)], bool)


def _majority_pixels(shape: BaseGeometry, gsd_m: float) -> int:
    if shape.is_empty:
        return 0
    low_x, low_y, high_x, high_y = shape.bounds
    left, top = np.floor(low_x / gsd_m), np.ceil(high_y / gsd_m)
    width, height = int(np.ceil(high_x / gsd_m) - left), int(top - np.floor(low_y / gsd_m))
    fine = gsd_m / SUBPIXELS
    grid = Affine(fine, 0, left * gsd_m, 0, -fine, top * gsd_m)
    drawn = rasterize([shape], out_shape=(height * SUBPIXELS, width * SUBPIXELS), transform=grid, dtype="uint8")
    share = drawn.reshape(height, SUBPIXELS, width, SUBPIXELS).mean(axis=(1, 3))
    return int((share > 0.5).sum())


@dataclass(frozen=True, slots=True)
class Bias:
    """Change that the account would report on ground known not to change, in m², with 95 % half-intervals.

    ``false_new`` is estimated for all observed ground without damage in last year's book, ``false_released`` for all
    observed ground with damage. ``share`` is false_new over the reported new area (None when that is 0).
    """

    controls: int
    control_m2: float
    false_new_m2: float
    false_new_half_m2: float
    false_released_m2: float
    false_released_half_m2: float
    reported_new_m2: float
    enough_controls: bool
    exceeds_limit: bool

    @property
    def share(self) -> float | None:
        """The estimated false part of the reported new area."""
        return self.false_new_m2 / self.reported_new_m2 if self.reported_new_m2 else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the edition's results."""
        return asdict(self) | {"share": self.share}


def pseudo_change(cells: gpd.GeoDataFrame, controls: Sequence[BaseGeometry], reported_new_m2: float) -> Bias:
    """Measure the change seen on control polygons and project it on the whole account.

    A ratio estimator over the control polygons (Cochran 1977, chapter 6): false area over comparable area, times the
    comparable area of the account, with a Student interval over the polygons.

    Args:
        cells: of an account, Albers: geometry, prev_state, obs_state (numbers), filtered (bool). What the filter
            reverted counts as unchanged; decisions play no part.
        controls: stable ground (unmined, inactive pits), EPSG:4490, disjoint.
        reported_new_m2: the new damage that is to be published.

    Returns:
        The bias; without comparable control ground the estimates are NaN and the limit counts as exceeded.
    """
    before, seen = cells["prev_state"].to_numpy(), cells["obs_state"].to_numpy()
    changed = ~cells["filtered"].to_numpy(bool)
    comparable = (seen != State.NOOBS) & (before != State.UNKNOWN)
    was, now = np.isin(before, DAMAGE), np.isin(seen, DAMAGE)
    shapes, grounds = geometries(cells.geometry), shapely.make_valid(to_albers(controls))
    control, cell = shapely.STRtree(shapes).query(grounds, predicate="intersects")
    cut = shapely.area(shapely.intersection(shapes[cell], grounds[control]))

    def estimate(ground: NDArray[np.bool_], false: NDArray[np.bool_]) -> tuple[float, float]:
        x = np.bincount(control, cut * ground[cell], len(grounds))
        y = np.bincount(control, cut * false[cell], len(grounds))
        x, y = x[x > 0], y[x > 0]
        total = float(shapely.area(shapes[ground]).sum())
        if not len(x):
            return (0.0, 0.0) if total == 0 else (float("nan"), float("nan"))
        rate, n = y.sum() / x.sum(), len(x)
        if n == 1:
            return rate * total, float("nan")
        error = np.sqrt(n / (n - 1) * ((y - rate * x) ** 2).sum()) / x.sum()
        return float(rate * total), float(student.ppf((1 + CONFIDENCE) / 2, n - 1) * error * total)

    sound, damaged = comparable & ~was, comparable & was
    new, new_half = estimate(sound, sound & now & changed)
    released, released_half = estimate(damaged, damaged & ~now & changed)
    used = np.unique(control[comparable[cell] & (cut > 0)])
    return Bias(
        controls=len(used),
        control_m2=float(cut[comparable[cell]].sum()),
        false_new_m2=new,
        false_new_half_m2=new_half,
        false_released_m2=released,
        false_released_half_m2=released_half,
        reported_new_m2=reported_new_m2,
        enough_controls=len(used) >= MIN_CONTROLS,
        exceeds_limit=not new <= BIAS_LIMIT * reported_new_m2,
    )
