"""The ground that a scene really shows: its footprint without clouds and their shadows.

Without a thermal or a cirrus band, brightness alone takes white rock, salt and roofs for clouds. So an object counts
as a cloud when it is bright, white and soft at its edge, and casts a shadow where the sun of that day puts it; only
what no ground matches goes without the shadow. In doubt it is ground: a missed cloud leads to changes that a reviewer
sees, whereas ground wrongly masked would hide new damage from everybody.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.features import shapes
from rasterio.io import DatasetReader
from scipy import ndimage
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.bands import alpha_is_mask, found_order
from landdamage.imagery.cloud_objects import Candidate, Field, Mask, Sky, above_dark, candidates, match_shadows
from landdamage.imagery.footprint import valid_footprint
from landdamage.imagery.georeference import ground_size
from landdamage.imagery.names import parse_name
from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import read_pixels
from minegis.errors import SceneError
from minegis.sun import sun_position
from minegis.units import CGCS2000_EPSG, reproject

METHOD = "shadow-matched-objects-1"  # written into every mask, so that a later method can be told from this one
CELL_M = 10.0
LONGEST_SIDE = 3072  # cells; larger scenes are judged on coarser ones, so that memory stays below 1 GB
COARSEST_M = 30.0  # pixels beyond this hold cloud and ground together
SMALLEST_SIDE = 24  # cells; less shows neither a cloud nor its surroundings
MARGIN_M = 30.0  # soft edges around what was found
LOCAL_HOURS = np.arange(9.5, 12.01, 0.5)  # local solar time at which satellites of the optical bands pass
CLOUD_HEIGHTS_M = (150.0, 4000.0)
HIGHEST_SUN = 75.0

# A cloud without any doubt; a cloud whose shadow must be found.
SURE = {"brightness": 7.0, "whiteness": 0.92, "edge": 0.35}
LIKELY = {"brightness": 6.0, "whiteness": 0.87, "edge": 0.35}
PALE_GROUND = {"brightness": 3.5, "whiteness": 0.95, "edge": 0.30}  # whiter than rock where the ground itself is bright
SHADOW = 0.45  # share of the place of a shadow that is dark, less that of the ring around it
SURE_SHADOW = 0.30  # enough to believe where the shadow of an undoubted cloud lies
LONELY_SHADOW = 0.60  # the same where no object of the scene is beyond doubt: then it is probably clear


@dataclass(frozen=True, slots=True)
class ObservedGround:
    """What a scene shows of its ground.

    ``geometry`` in longitude, latitude (EPSG:4490); shares 0-1 of the footprint, a cell under a cloud is no shadow;
    ``detected`` is False where the image does not allow the search (``params["reason"]``: bands, pixel size, extent,
    position), and the geometry then is the footprint.
    """

    geometry: MultiPolygon
    cloud_share: float
    shadow_share: float
    detected: bool
    params: dict[str, Any]


def observed_ground(
    path: Path | str,
    *,
    footprint: BaseGeometry | None = None,
    acquired_on: dt.date | None = None,
    sun_azimuth: float | None = None,
) -> ObservedGround:
    """Find clouds and their shadows and take them off the footprint.

    Args:
        path: an image file, best a COG of the product (its overviews make this a matter of seconds).
        footprint: valid-data outline in EPSG:4490; None measures it.
        acquired_on: day, from which the directions of shadows follow; without it all directions are searched.
        sun_azimuth: degrees clockwise from north where the metadata has it; wins over the day.

    Raises:
        SceneError: the file cannot be opened; E-GEO-01 no CRS; E-RAD-03 no valid pixel.
    """
    ground = valid_footprint(path) if footprint is None else footprint
    with open_raster(path) as dataset:
        if not dataset.crs:
            raise SceneError("E-GEO-01")
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
        size = ground_size(crs, dataset.transform, dataset.width, dataset.height)
        if size is None:
            return _footprint_only(ground, "position")
        wide, high = size
        order = found_order(dataset, parse_name(Path(path).name))
        chosen = {name: i for name, i in zip(order.names, order.indexes, strict=True) if name in "BGRN"}
        cell = max(CELL_M, wide, high, max(wide * dataset.width, high * dataset.height) / LONGEST_SIDE)
        rows, columns = (max(1, round(n * m / cell)) for n, m in ((dataset.height, high), (dataset.width, wide)))
        reason = _unfit(chosen, max(wide, high), min(rows, columns))
        if reason:
            return _footprint_only(ground, reason)
        bands, valid = _read(dataset, chosen, (rows, columns))
        transform = dataset.transform * Affine.scale(dataset.width / columns, dataset.height / rows)
    if not valid.any():
        raise SceneError("E-RAD-03")
    sky = shadow_sky(ground.centroid.y, acquired_on, sun_azimuth)
    cloud, shadow, params = find_clouds(bands, valid, cell, sky)
    hidden = _outline(cloud | shadow, transform, crs)
    total = int(valid.sum())
    params |= {"method": METHOD, "cell_m": round(cell, 2), "bands": sorted(chosen), "margin_m": MARGIN_M}
    return ObservedGround(
        _multi(shapely.difference(ground, hidden)) if not hidden.is_empty else _multi(ground),
        float((cloud & valid).sum() / total),
        float((shadow & valid & ~cloud).sum() / total),
        True,
        params,
    )


def shadow_sky(latitude: float, day: dt.date | None, azimuth: float | None = None) -> Sky:
    """Where shadows can lie on a day.

    Args:
        latitude: degrees, north positive.
        day: None searches every direction.
        azimuth: of the sun where it is known, degrees clockwise from north.
    """
    suns = [sun_position(day, float(hour), latitude) for hour in LOCAL_HOURS] if day else []
    elevation = min(max([sun.elevation for sun in suns], default=60.0), HIGHEST_SUN)
    low, high = (height / math.tan(math.radians(elevation)) for height in CLOUD_HEIGHTS_M)
    distances = np.arange(low, max(high, low + 100.0), 20.0)
    if azimuth is not None:
        return Sky(np.arange(azimuth - 5.0, azimuth + 5.1, 2.5) % 360, distances)
    # Near the zenith the sun turns too fast for a date to tell its direction.
    if not suns or elevation == HIGHEST_SUN:
        return Sky(np.arange(0.0, 360.0, 5.0), distances)
    towards = np.unwrap(np.radians([sun.azimuth for sun in suns]))
    return Sky(np.degrees(np.arange(towards.min(), towards.max() + 0.087, 0.087)) % 360, distances)


def find_clouds(bands: dict[str, Field], valid: Mask, cell_m: float, sky: Sky) -> tuple[Mask, Mask, dict[str, Any]]:
    """Clouds and cloud shadows, margins included, as masks (H, W); and what was found, for the record.

    Args:
        bands: fields (H, W) by letter B, G, R, N; at least two of B, G, R.
        valid: cells that hold a measurement, at least one.
        cell_m: side of a cell in metres.
        sky: where shadows can lie.
    """
    found = candidates(above_dark(bands, valid), valid, cell_m, sky, _likely)
    likely = [one for one in found if _likely(one)]
    sure = [one for one in likely if _at_least(one, SURE)]
    azimuth = match_shadows(likely, sure or likely, sky)
    needed = SHADOW if sure else LONELY_SHADOW
    clouds = [one for one in likely if one in sure or one.shadow >= needed]
    matched = [one for one in clouds if one.shadow >= (SURE_SHADOW if one in sure else needed)]
    usual = float(np.median([one.distance for one in matched])) if matched else None
    cloud, shadow = np.zeros(valid.shape, bool), np.zeros(valid.shape, bool)
    for one in clouds:
        cloud[one.window] |= one.mask
        if one in matched:
            _cast(shadow, one, one.azimuth, one.distance, cell_m)
        elif usual is not None:
            _cast(shadow, one, azimuth, usual, cell_m)
    disc = _disc(MARGIN_M / cell_m)
    cloud, shadow = (ndimage.binary_dilation(mask, disc) if mask.any() else mask for mask in (cloud, shadow))
    params: dict[str, Any] = {"candidates": len(found), "clouds": len(clouds), "shadows": len(matched)}
    if usual is not None:
        params |= {"sun_azimuth": round(azimuth, 1), "shadow_m": round(usual)}
    return cloud, shadow, params


def _likely(one: Candidate) -> bool:
    return _at_least(one, LIKELY) or _at_least(one, PALE_GROUND)


def _at_least(one: Candidate, bound: dict[str, float]) -> bool:
    return one.brightness >= bound["brightness"] and one.whiteness >= bound["whiteness"] and one.edge <= bound["edge"]


def _cast(shadow: Mask, one: Candidate, azimuth: float, distance: float, cell_m: float) -> None:
    """Draw a cloud's mask shifted away from the sun."""
    angle, steps = math.radians(azimuth), distance / cell_m
    rows, columns = np.nonzero(one.mask)
    rows = rows + one.window[0].start + round(math.cos(angle) * steps)
    columns = columns + one.window[1].start + round(-math.sin(angle) * steps)
    inside = (rows >= 0) & (rows < shadow.shape[0]) & (columns >= 0) & (columns < shadow.shape[1])
    shadow[rows[inside], columns[inside]] = True


def _disc(radius: float) -> NDArray[np.bool_]:
    reach = max(1, round(radius))
    down, right = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    return down**2 + right**2 <= reach**2 + 0.5


def _footprint_only(ground: BaseGeometry, reason: str) -> ObservedGround:
    return ObservedGround(_multi(ground), 0.0, 0.0, False, {"method": METHOD, "reason": reason})


def _unfit(chosen: dict[str, int], pixel_m: float, side: int) -> str:
    """Why an image does not allow the search; empty where it does."""
    if len(chosen) < 3 or sum(name in chosen for name in "BGR") < 2:
        return "bands"
    if pixel_m > COARSEST_M:
        return "pixel size"
    return "extent" if side < SMALLEST_SIDE else ""


def _read(dataset: DatasetReader, chosen: dict[str, int], size: tuple[int, int]) -> tuple[dict[str, Field], Mask]:
    """Bands averaged to the cells, 0 where invalid, and which cells are valid."""
    indexes = list(chosen.values())
    _, valid = read_pixels(dataset, indexes, out_shape=size, mask=alpha_is_mask(dataset))
    pixels = dataset.read(indexes, out_shape=(len(indexes), *size), resampling=Resampling.average)
    lifted = np.where(valid, pixels, 0).astype(np.float32)
    return dict(zip(chosen, lifted, strict=True)), valid


def _outline(mask: Mask, transform: Affine, crs: pyproj.CRS) -> BaseGeometry:
    """Outline of a mask in EPSG:4490, edges of cells kept."""
    parts = [shape(geometry) for geometry, _ in shapes(mask.astype(np.uint8), mask=mask, transform=transform)]
    if not parts:
        return Polygon()
    smooth = shapely.simplify(shapely.union_all(parts), abs(transform.a))
    return shapely.make_valid(reproject(smooth, crs, CGCS2000_EPSG))


def _multi(geometry: BaseGeometry) -> MultiPolygon:
    return MultiPolygon([part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)])
