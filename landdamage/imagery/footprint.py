"""The valid-data polygon of an image, not its bounding box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import shapely
from rasterio import Affine
from rasterio.features import shapes, sieve
from shapely.geometry import MultiPolygon, Polygon, shape

from landdamage.imagery.bands import alpha_is_mask, data_indexes
from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import decimated_shape, read_pixels
from minegis.errors import SceneError
from minegis.units import CGCS2000_EPSG, reproject

LONGEST_SIDE = 2048
SPECK_PIXELS = 64  # of the decimated image: smaller holes are dark pixels, smaller islands are noise


def valid_footprint(path: Path | str) -> MultiPolygon:
    """Outline of the valid pixels in longitude, latitude (EPSG:4490).

    Read decimated to at most 2048 pixels a side; holes and islands under 64 of these pixels are dropped (unless
    nothing else is valid) and edges simplified by one of them.

    Raises:
        SceneError: the file cannot be opened; E-GEO-01 no CRS; E-RAD-03 no valid pixel.
    """
    with open_raster(path) as dataset:
        if not dataset.crs:
            raise SceneError("E-GEO-01")
        rows, columns = decimated_shape(dataset, LONGEST_SIDE)
        _, valid = read_pixels(dataset, data_indexes(dataset), out_shape=(rows, columns), mask=alpha_is_mask(dataset))
        transform = dataset.transform * Affine.scale(dataset.width / columns, dataset.height / rows)
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
    if not valid.any():
        raise SceneError("E-RAD-03")
    if min(rows, columns) > 1:
        clean = sieve(valid.astype(np.uint8), SPECK_PIXELS).astype(bool)
        valid = clean if clean.any() else valid
    parts = [shape(geometry) for geometry, value in shapes(valid.astype(np.uint8), mask=valid) if value]
    outline = shapely.simplify(shapely.union_all(parts), 1.0)  # in pixels of the decimated image
    placed = shapely.transform(outline, lambda xy: np.column_stack(transform * (xy[:, 0], xy[:, 1])))
    step = 0.01 if crs.is_geographic else 1000.0 / crs.axis_info[0].unit_conversion_factor
    lonlat = reproject(shapely.segmentize(placed, step), crs, CGCS2000_EPSG)
    polygons = [part for part in shapely.get_parts(shapely.make_valid(lonlat)) if isinstance(part, Polygon)]
    return MultiPolygon(polygons)
