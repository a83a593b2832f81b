"""Where an image lies, and every way in which that can be wrong.

Codes E-CRS-*, E-GEO-*. Rules: old Chinese datums have only a null transform in PROJ, so they would be about 100 m off
in silence and are refused; CGCS2000 and WGS 84 agree within decimetres.
"""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import rasterio.crs
import rasterio.errors
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from minegis.errors import Finding
from minegis.units import CGCS2000_EPSG, GEOD

Bounds = tuple[float, float, float, float]
GSD_RESTRICTED_M = (0.02, 120.0)  # what drones and Landsat deliver
GSD_REFUSED_M = (0.002, 1000.0)
SQUARE_TOLERANCE = 0.01
REGISTRATION_WARN_PX = 2.0  # customary limit in mountains; beyond it a scene is used with care
REGISTRATION_BLOCK_PX = 3.0  # beyond it no scene is compared with another
_OLD_DATUMS = ("beijing", "xian", "xi'an", "xi_an", "北京54", "西安80")
_OLD_GEOGRAPHIC = (4214, 4555, 4610)
_OLD_ELLIPSOIDS = ((6378245.0, 298.3), (6378140.0, 298.257))  # Krassowsky 1940, IAG 1975
CHINA = box(73.0, 17.0, 136.0, 54.5)
_WEB_MERCATOR_EDGE_M = 20_037_509.0
_LARGEST_EASTING_M = 61e6  # zone number 60 before the easting
_TRANSVERSE_REACH_M = 500_000.0  # half a 6-degree zone is 334 km at the equator


def registration_finding(rmse_m: float | None, gsd_m: float | None) -> Finding | None:
    """What a registration error means for a scene: nothing up to 2 pixels, a warning up to 3, beyond that an error.

    Args:
        rmse_m: root mean square error against the reference, metres; None where nobody measured it.
        gsd_m: the scene's pixel on the ground, metres.
    """
    if rmse_m is None or not gsd_m or rmse_m <= REGISTRATION_WARN_PX * gsd_m:
        return None
    values = {"value": f"{rmse_m / gsd_m:.1f}"}
    return Finding("E-GEO-06", "georef_rmse_m", values, None if rmse_m > REGISTRATION_BLOCK_PX * gsd_m else "warn")


def parse_crs(text: str | int) -> rasterio.crs.CRS:
    """A CRS chosen by a person: an EPSG number, ``EPSG:4538`` or WKT.

    Nothing else is tried: GDAL would take a file name or a web address here.

    Raises:
        rasterio.errors.CRSError: neither, or not known.
    """
    found = re.fullmatch(r"(?:EPSG:)?(\d{4,6})", str(text).strip(), re.IGNORECASE)
    if found:
        return rasterio.crs.CRS.from_epsg(int(found[1]))
    if not re.match(r"\s*[A-Z]{4,}(?:CRS|CS)?\[", str(text)):
        raise rasterio.errors.CRSError("neither an EPSG code nor WKT")
    return rasterio.crs.CRS.from_wkt(str(text))


def is_placed(transform: Affine) -> bool:
    """Whether a transform says anything: identity, or zero pixel size, is what GDAL gives when there is none."""
    flipped = Affine(1, 0, 0, 0, -1, 0)
    return transform not in (Affine.identity(), flipped) and abs(transform.determinant) > 0


def is_north_up_square(transform: Affine) -> bool:
    """North up, not rotated, width and height of a pixel equal within 1 %."""
    straight = abs(transform.b) < 1e-9 * abs(transform.a) and abs(transform.d) < 1e-9 * abs(transform.e)
    return straight and transform.a > 0 > transform.e and abs(transform.a / -transform.e - 1) <= SQUARE_TOLERANCE


def corners(transform: Affine, width: int, height: int) -> list[tuple[float, float]]:
    """Outer corners of the image in its CRS: upper left, upper right, lower right, lower left."""
    return [transform * corner for corner in ((0, 0), (width, 0), (width, height), (0, height))]


@lru_cache(maxsize=64)
def to_lonlat(crs: CRS) -> Transformer:
    """From a CRS to longitude, latitude on CGCS2000; kept, because PROJ takes a tenth of a second to find the way."""
    return Transformer.from_crs(crs, CRS.from_epsg(CGCS2000_EPSG), always_xy=True)


def ground_size(crs: CRS, transform: Affine, width: int, height: int) -> tuple[float, float] | None:
    """Width and height of the central pixel in metres on the ellipsoid, whatever the CRS; None where it has no place.

    Measured as geodesics on CGCS2000, so degrees and Web Mercator (1.37 times too long at 43°N) come out right.
    """
    column, row = width / 2, height / 2
    points = [transform * p for p in ((column, row), (column + 1, row), (column, row + 1))]
    try:
        lon, lat = to_lonlat(crs).transform([p[0] for p in points], [p[1] for p in points], errcheck=True)
    except (ProjError, CRSError):
        return None
    if not np.all(np.isfinite([*lon, *lat])) or max(map(abs, lat)) > 90:
        return None
    across = GEOD.inv(lon[0], lat[0], lon[1], lat[1])[2]
    down = GEOD.inv(lon[0], lat[0], lon[2], lat[2])[2]
    return across, down


def crs_finding(crs: CRS) -> Finding | None:
    """Whether a CRS can be used at all: on Earth, tied to the Earth, and on a datum that PROJ can carry to CGCS2000."""
    name = crs.name
    if (
        crs.type_name in ("Engineering CRS", "Vertical CRS")
        or crs.is_geocentric
        or not (crs.is_geographic or crs.is_projected)
    ):
        return Finding("E-CRS-05", "crs", {"value": name})
    ellipsoid = crs.ellipsoid
    if ellipsoid is None or not 6.35e6 < ellipsoid.semi_major_metre < 6.40e6:
        return Finding("E-CRS-05", "crs", {"value": name})
    geodetic = crs.geodetic_crs
    names = f"{name} {geodetic.name if geodetic else ''} {crs.datum.name if crs.datum else ''}".lower()
    old_code = geodetic is not None and geodetic.to_epsg() in _OLD_GEOGRAPHIC
    if old_code or (any(word in names for word in _OLD_DATUMS) and "beijing 2" not in names):
        return Finding("E-CRS-04", "crs")
    return None


def old_ellipsoid(crs: CRS) -> bool:
    """An unnamed datum on the ellipsoid of Beijing-54 or Xi'an-80."""
    datum = (crs.datum.name if crs.datum else "").lower()
    shape = crs.ellipsoid
    if shape is None:
        return False
    unnamed = any(
        word in datum for word in ("unknown", "unnamed", "based on", "not_specified", "undefined", "d_krasovsky")
    )
    return unnamed and any(
        abs(shape.semi_major_metre - a) < 0.5 and abs(shape.inverse_flattening - rf) < 5e-3 for a, rf in _OLD_ELLIPSOIDS
    )


def place_findings(
    crs: CRS, transform: Affine, width: int, height: int, monitored: Bounds | BaseGeometry | None
) -> list[Finding]:
    """Faults of position of an image with a usable CRS and a transform.

    Args:
        crs: a CRS that ``crs_finding`` accepts.
        transform: pixel to CRS.
        width, height: in pixels.
        monitored: west, south, east, north or a polygon in longitude, latitude; None skips that check.
    """
    xy = corners(transform, width, height)
    x, y = transform * (width / 2, height / 2)
    axis = axis_finding(crs, x, y)
    if axis is not None:
        return [axis]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            eastings, northings = zip(*xy, (x, y), strict=True)
            lon, lat = to_lonlat(crs).transform(list(eastings), list(northings), errcheck=True)
    except (ProjError, CRSError, Warning):
        return [Finding("E-CRS-06", "crs", {"value": f"{x:.1f}, {y:.1f}"})]
    if not np.all(np.isfinite([*lon, *lat])):
        return [Finding("E-CRS-06", "crs", {"value": f"{x:.1f}, {y:.1f}"})]
    findings = []
    centre = f"{lon[4]:.3f}, {lat[4]:.3f}"
    small = max(lon) - min(lon) < 10 and max(lat) - min(lat) < 10
    if small and abs(lon[4]) < 0.5 and abs(lat[4]) < 0.5:
        return [Finding("E-GEO-08", "crs", {"value": centre})]
    if old_ellipsoid(crs) and CHINA.covers(box(lon[4], lat[4], lon[4], lat[4])):
        findings.append(Finding("E-CRS-04", "crs"))
    region: Any = box(*monitored) if isinstance(monitored, tuple) else monitored
    if region is not None and not region.intersects(box(min(lon), min(lat), max(lon), max(lat))):
        swapped = box(min(lat), min(lon), max(lat), max(lon))
        if crs.is_geographic and region.intersects(swapped):
            findings.append(Finding("E-CRS-02", "crs"))
        else:
            findings.append(Finding("E-GEO-03", "crs", {"value": centre}))
    size = ground_size(crs, transform, width, height)
    if size is None:
        findings.append(Finding("E-CRS-06", "crs", {"value": centre}))
    else:
        findings += _gsd_findings(math.sqrt(size[0] * size[1]))
    return findings


def _gsd_findings(gsd: float) -> list[Finding]:
    low, high = GSD_RESTRICTED_M
    if low <= gsd <= high:
        return []
    refused = not GSD_REFUSED_M[0] <= gsd <= GSD_REFUSED_M[1]
    return [Finding("E-GEO-04", "gsd_m", {"value": f"{gsd:.4g}"}, "error" if refused else None)]


def axis_finding(crs: CRS, x: float, y: float) -> Finding | None:
    """Coordinates of the centre against what the CRS can hold: range of degrees, zone of the easting, swapped axes."""
    if crs.is_geographic:
        degrees = math.degrees(crs.axis_info[0].unit_conversion_factor)
        lon, lat = x * degrees, y * degrees
        if abs(lat) <= 90 and abs(lon) <= 360:
            return None
        if abs(lon) <= 90 < abs(lat) <= 180:
            return Finding("E-CRS-02", "crs")
        return Finding("E-CRS-06", "crs", {"value": f"{x:.6g}, {y:.6g}"})
    metre = crs.axis_info[0].unit_conversion_factor
    operation = crs.coordinate_operation
    method = operation.method_name if operation else ""
    if max(abs(x), abs(y)) * metre > (_WEB_MERCATOR_EDGE_M if "Pseudo Mercator" in method else _LARGEST_EASTING_M):
        return Finding("E-CRS-06", "crs", {"value": f"{x:.1f}, {y:.1f}"})
    if operation is None or "Transverse Mercator" not in method:
        return None
    false_easting = next(
        (float(p.value) * p.unit_conversion_factor for p in operation.params if p.name == "False easting"), 500_000.0
    )
    easting, northing = x * metre, y * metre
    if abs(easting - false_easting) <= _TRANSVERSE_REACH_M and abs(northing) <= 1.1e7:
        return None
    # Chinese lists print X = northing first, so a swapped image has a northing where its easting belongs.
    if abs(northing - false_easting) <= _TRANSVERSE_REACH_M and 1.5e6 <= easting <= 6.5e6:
        return Finding("E-CRS-02", "crs")
    return Finding("E-CRS-01", "crs", {"value": f"{x:.1f}"})
