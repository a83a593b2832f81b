"""Areas and units: one ellipsoidal area on CGCS2000, integer cm² atoms, hm² / mu / km², closing of rounded tables.

Everything reported is a sum of integer cm²; each piece is measured once and rounded once, so sums agree exactly
however the pieces are grouped. No Django here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from pyproj import CRS, Geod, Transformer
from shapely.geometry.base import BaseGeometry

CGCS2000_EPSG = 4490
CM2_PER_M2 = 10_000
DENSIFY_M = 100.0  # longest edge before the geodesic is used, so that a straight grid line stays where it was drawn

# Ellipsoid of CGCS2000 (GB 22021): a = 6378137 m, 1/f = 298.257222101.
GEOD = Geod(a=6378137.0, rf=298.257222101)


def gauss_kruger_epsg(lon: float) -> int:
    """EPSG code of the un-prefixed CGCS2000 3-degree Gauss-Kruger zone that holds a longitude.

    Args:
        lon: degrees east, 73.5-136.5.

    Raises:
        ValueError: no CGCS2000 3-degree zone covers the longitude.
    """
    zone = int(np.floor(lon / 3 + 0.5))
    if not 25 <= zone <= 45:
        raise ValueError(f"longitude {lon} lies outside the CGCS2000 3-degree zones (75E to 135E)")
    return 4534 + (zone - 25)


@lru_cache(maxsize=64)
def transformer(source: Any, target: Any = CGCS2000_EPSG) -> Transformer:
    """A cached coordinate transformer with x = easting or longitude first on both sides."""
    return Transformer.from_crs(CRS.from_user_input(source), CRS.from_user_input(target), always_xy=True)


def reproject(geometry: BaseGeometry, source: Any, target: Any = CGCS2000_EPSG) -> BaseGeometry:
    """Transform every vertex of a geometry; x is easting or longitude in and out."""
    step = transformer(source, target)

    def apply(xy: np.ndarray) -> np.ndarray:
        x, y = step.transform(xy[:, 0], xy[:, 1])
        return np.column_stack([x, y])

    return shapely.transform(geometry, apply)


@lru_cache(maxsize=64)
def _is_degrees(crs: CRS) -> bool:
    """Whether coordinates are CGCS2000 degrees; 4326 may be relabelled, PROJ knows only a null step between them.

    Cached because PROJ searches its whole register for the code of a system that has none.
    """
    return crs.to_epsg() in (CGCS2000_EPSG, 4326)


def areas_m2(geometries: np.ndarray, crs: Any = CGCS2000_EPSG) -> np.ndarray:
    """Ellipsoidal areas on CGCS2000 in m² of polygonal geometries.

    Edges longer than 100 m are densified in the geometries' own CRS first, because a straight edge of a projected map
    is not a geodesic. Statutory Chinese areas are ellipsoidal: no slope or height correction.

    Args:
        geometries: (n,) polygons or multipolygons, x = easting or longitude.
        crs: anything pyproj understands; EPSG:4490 by default.

    Returns:
        (n,) float64, not negative; 0.0 for an empty geometry.
    """
    crs = CRS.from_user_input(crs)
    step = DENSIFY_M / 111_320.0 if crs.is_geographic else DENSIFY_M / crs.axis_info[0].unit_conversion_factor
    dense = shapely.segmentize(geometries, step)
    if not _is_degrees(crs):
        there = transformer(crs, CGCS2000_EPSG)
        dense = shapely.transform(dense, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])))
    # Orientation decides the sign ring by ring, so holes must run against their shell.
    parts, of_part = shapely.get_parts(shapely.orient_polygons(dense), return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    ends = np.cumsum(np.bincount(ring, minlength=len(rings))) if len(rings) else np.zeros(0, np.int64)
    lon, lat = np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1])
    signed = np.zeros(len(geometries))
    begin = 0
    for owner, end in zip(of_part[of_ring].tolist(), ends.tolist(), strict=True):
        if end > begin:
            signed[owner] += GEOD.polygon_area_perimeter(lon[begin:end], lat[begin:end])[0]
        begin = end
    return np.abs(signed)


def area_m2(geometry: BaseGeometry, crs: Any = CGCS2000_EPSG) -> float:
    """Ellipsoidal area on CGCS2000 in m² of one polygonal geometry, see `areas_m2`."""
    return float(areas_m2(np.array([geometry], object), crs)[0])


def areas_cm2(geometries: np.ndarray, crs: Any = CGCS2000_EPSG) -> np.ndarray:
    """Areas (n,) as integer numbers of cm², int64, each measured and rounded once."""
    return np.rint(areas_m2(geometries, crs) * CM2_PER_M2).astype(np.int64)


def area_cm2(geometry: BaseGeometry, crs: Any = CGCS2000_EPSG) -> int:
    """The area as an integer number of cm² of ground, rounded once: the atom of every account.

    One unit is 10⁻⁴ m² (1 cm²), as ``round(area_m2 * 10 000)``.
    """
    return round(area_m2(geometry, crs) * CM2_PER_M2)


def _quantise(value: Fraction, digits: int) -> Decimal:
    scaled = value * 10**digits
    whole = round(scaled)  # Fraction.__round__ is exact half-to-even
    return (Decimal(whole) / Decimal(10) ** digits).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)


def to_m2(cm2: int, digits: int = 2) -> Decimal:
    """Square metres from cm², rounded half to even once."""
    return _quantise(Fraction(cm2, CM2_PER_M2), digits)


def to_hm2(cm2: int, digits: int = 2) -> Decimal:
    """Hectares (公顷) from cm²: 1 hm² = 10 000 m²."""
    return _quantise(Fraction(cm2, CM2_PER_M2 * 10_000), digits)


def to_mu(cm2: int, digits: int = 1) -> Decimal:
    """Mu (亩) from cm²: 1 mu = 2000/3 m² exactly, hence cm² x 3 / 20 000 000."""
    return _quantise(Fraction(cm2 * 3, 20_000_000), digits)


def to_km2(cm2: int, digits: int = 2) -> Decimal:
    """Square kilometres from cm²."""
    return _quantise(Fraction(cm2, CM2_PER_M2 * 1_000_000), digits)


def close_table(parts_cm2: Sequence[int], unit_cm2: int) -> list[int]:
    """Round parts so that they add up to the rounded total (largest remainder).

    Args:
        parts_cm2: non-negative exact parts.
        unit_cm2: size of one displayed unit in cm² (0.01 hm² is 1 000 000).

    Returns:
        One integer number of units per part; each is the floor or the ceiling of its part.
        Ties go to the larger part, then to the earlier row.
    """
    total = round(Fraction(sum(parts_cm2), unit_cm2))
    floors = [part // unit_cm2 for part in parts_cm2]
    missing = total - sum(floors)
    order = sorted(range(len(parts_cm2)), key=lambda i: (-(parts_cm2[i] % unit_cm2), -parts_cm2[i], i))
    for i in order[:missing]:
        floors[i] += 1
    return floors


def reference_square() -> shapely.Polygon:
    """The 10 km² square at 43°N, 87°E (sides √10 km on the authalic plane there) in EPSG:4490 longitude, latitude.

    Its geodesic area on CGCS2000 is 10 000 000.31 m².
    """
    half = 10_000_000**0.5 / 2
    plane = "+proj=laea +lat_0=43 +lon_0=87 +a=6378137 +rf=298.257222101 +units=m"
    return shapely.Polygon(reproject(shapely.box(-half, -half, half, half), plane).exterior.coords)


def self_test() -> str | None:
    """Measure the reference square; return what is wrong when it is off by more than 0.5 m², else None."""
    found = area_m2(reference_square())
    if abs(found - 10_000_000.31) > 0.5:
        return f"the reference square measures {found:.2f} m2 instead of 10000000.31 m2"
    return None
