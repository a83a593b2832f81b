"""Checks of polygons from outside: where they lie, whether they are polygons, whether they overlap."""

from __future__ import annotations

from typing import Final

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from landdamage.imagery.georeference import CHINA, Bounds, axis_finding, crs_finding, old_ellipsoid, to_lonlat
from minegis.errors import Finding
from minegis.units import area_m2

LISTED: Final = 20  # faults of one kind that are named one by one
OVERLAP_M2: Final = 0.01  # below the grid of the books
_POLYGONAL: Final = (3, 6)
_LINEAR: Final = (1, 5)


def place_findings(
    crs: CRS, bounds: tuple[float, float, float, float], monitored: Bounds | BaseGeometry | None
) -> list[Finding]:
    """Faults of position of a vector layer.

    Args:
        crs: as the file or the user names it.
        bounds: west, south, east, north in it.
        monitored: west, south, east, north or a polygon in degrees where the ground is expected; None skips that check.
    """
    fault = crs_finding(crs)
    if fault is not None:
        return [fault]
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    for corner in ((x, y), (bounds[0], bounds[1]), (bounds[2], bounds[3])):
        fault = axis_finding(crs, *corner)
        if fault is not None:
            return [fault]
    try:
        lon, lat = to_lonlat(crs).transform([x, bounds[0], bounds[2]], [y, bounds[1], bounds[3]], errcheck=True)
    except (ProjError, CRSError):
        return [Finding("E-CRS-06", "crs", {"value": f"{x:.1f}, {y:.1f}"})]
    if not np.all(np.isfinite([*lon, *lat])):
        return [Finding("E-CRS-06", "crs", {"value": f"{x:.1f}, {y:.1f}"})]
    found = []
    centre = f"{lon[0]:.3f}, {lat[0]:.3f}"
    if abs(lon[0]) < 0.5 and abs(lat[0]) < 0.5:
        return [Finding("E-GEO-08", "crs", {"value": centre})]
    if old_ellipsoid(crs) and CHINA.covers(box(lon[0], lat[0], lon[0], lat[0])):
        found.append(Finding("E-CRS-04", "crs"))
    region = box(*monitored) if isinstance(monitored, tuple) else monitored
    if region is not None and not region.intersects(box(min(lon), min(lat), max(lon), max(lat))):
        swapped = region.intersects(box(min(lat), min(lon), max(lat), max(lon)))
        found.append(
            Finding("E-CRS-02", "crs")
            if crs.is_geographic and swapped
            else Finding("E-VEC-18", "crs", {"value": centre})
        )
    return found


def missing_crs_finding(bounds: tuple[float, float, float, float]) -> Finding:
    """What to say of a layer without CRS: metres without zone number cannot be placed at all."""
    x, y = (bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2
    if 1e5 <= x < 1e6 and 1.5e6 <= y <= 6.5e6:
        return Finding("E-CRS-03", "crs")
    return Finding("E-VEC-15", "crs")


def polygon_findings(
    shapes: np.ndarray, crs: CRS | None, *, repaired: bool = False, lines: bool = False
) -> list[Finding]:
    """Empty, not polygonal and self-intersecting features, by their number counted from 1.

    A self-intersection names its place and what a repair would change (m²); with ``repaired`` it is a warning, because
    the user has chosen the repair. With ``lines`` lines are no fault.
    """
    found: list[Finding] = []
    empty = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    found += _listed("E-VEC-04", np.flatnonzero(empty))
    kinds = shapely.get_type_id(shapes)
    welcome = _POLYGONAL + (_LINEAR if lines else ())
    found += _listed("E-VEC-07", np.flatnonzero(~empty & ~np.isin(kinds, welcome)))
    invalid = np.flatnonzero(~empty & np.isin(kinds, _POLYGONAL) & ~shapely.is_valid(shapes))
    for index in invalid[:LISTED]:
        values = {"value": int(index) + 1, "where": explain_validity(shapes[index])}
        if crs is not None and not _off_earth(shapes[index], crs):
            before, after = area_m2(shapes[index], crs), area_m2(repair(shapes[index]), crs)
            values |= {"before_m2": f"{before:.2f}", "difference_m2": f"{after - before:+.2f}"}
        found.append(Finding("E-VEC-03", f"feature {index + 1}", values, "warn" if repaired else None))
    if len(invalid) > LISTED:
        found.append(Finding("E-VEC-03", "", {"value": f"… ({len(invalid)})"}, "warn" if repaired else None))
    return found


def _off_earth(shape: BaseGeometry, crs: CRS) -> bool:
    """Degrees that no point of the Earth has: told by the check of the place, and nothing to measure."""
    _, south, _, north = shape.bounds
    return bool(crs.is_geographic and (south < -90 or north > 90))


def _listed(code: str, indexes: np.ndarray) -> list[Finding]:
    named = [Finding(code, f"feature {index + 1}", {"value": int(index) + 1}) for index in indexes[:LISTED]]
    if len(indexes) > LISTED:
        named.append(Finding(code, "", {"value": f"… ({len(indexes)})"}))
    return named


def repair(shape: BaseGeometry) -> BaseGeometry:
    """A valid polygon with the same vertices: rings are rebuilt as what they enclose; lines and points fall away."""
    valid = shapely.make_valid(shape, method="structure", keep_collapsed=False)
    parts = shapely.get_parts(valid)
    parts = shapely.get_parts(parts[np.isin(shapely.get_type_id(parts), _POLYGONAL)])
    return shapely.multipolygons(parts) if len(parts) != 1 else parts[0]


def overlap(shapes: np.ndarray, crs: CRS) -> tuple[float, np.ndarray]:
    """Ground that lies under more than one polygon, in m², and the pairs that share it.

    Args:
        shapes: (n,) valid polygons.
        crs: theirs.

    Returns:
        Area in m² counted once however many polygons cover it, and (k, 2) positions of the pairs.
    """
    left, right = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    keep = left < right
    left, right = left[keep], right[keep]
    shared = shapely.intersection(shapes[left], shapes[right])
    thick = np.array([area_m2(_polygons(shape), crs) > OVERLAP_M2 for shape in shared], bool)
    if not thick.any():
        return 0.0, np.empty((0, 2), int)
    union = _polygons(shapely.union_all(shared[thick]))
    return area_m2(union, crs), np.column_stack([left[thick], right[thick]])


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = shapely.get_parts(shape)
    return shapely.multipolygons(shapely.get_parts(parts[np.isin(shapely.get_type_id(parts), _POLYGONAL)]))


def cut_by_rank(shapes: np.ndarray, rank: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Take shared ground away from the polygon of the higher rank number (ties: the later one).

    Args:
        shapes: (n,) valid polygons.
        rank: (n,) integers, 0 wins.
        pairs: (k, 2) positions of polygons that overlap, as ``overlap`` gives them.

    Returns:
        (n,) polygons without overlaps; swallowed ones are empty.
    """
    out = shapes.copy()
    winners: dict[int, list[int]] = {}
    for a, b in pairs:
        low, high = (a, b) if (rank[a], a) < (rank[b], b) else (b, a)
        winners.setdefault(int(high), []).append(int(low))
    for loser, above in winners.items():
        out[loser] = _polygons(shapely.difference(shapes[loser], shapely.union_all(shapes[above])))
    return out
