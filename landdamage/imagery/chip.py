"""A small picture of one place, cut from a scene with the scene's own stretch, the outline drawn over it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw
from rasterio.crs import CRS
from rio_tiler.io import Reader
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.radiometry import Stretch
from minegis import units

MARGIN = 0.35  # ground around the outline, as a share of its longer side
LEAST_PIXELS = 48  # an outline of two pixels still needs ground around it to be recognised


def chip_window(geometry: BaseGeometry, gsd_m: float) -> tuple[tuple[float, float, float, float], int]:
    """The square of ground around an outline.

    Args:
        geometry: polygonal, EPSG:4490.
        gsd_m: pixel size of the coarsest scene that is to be shown, so that two chips show the same ground.

    Returns:
        West, south, east, north in metres, and the EPSG code of the Gauss-Kruger zone they are given in.
    """
    epsg = units.gauss_kruger_epsg(shapely.centroid(geometry).x)
    west, south, east, north = units.reproject(geometry, units.CGCS2000_EPSG, epsg).bounds
    side = max(max(east - west, north - south) * (1 + 2 * MARGIN), LEAST_PIXELS * gsd_m)
    x, y = (west + east) / 2, (south + north) / 2
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2), epsg


def chip(
    path: Path | str,
    geometry: BaseGeometry,
    *,
    stretch: Stretch,
    indexes: Sequence[int],
    window: tuple[float, float, float, float],
    epsg: int,
    size: int = 384,
    colour: str = "#D0006F",
) -> bytes:
    """Cut a window out of a scene.

    Args:
        path: a COG of the product.
        geometry: the outline to draw, EPSG:4490.
        stretch: the scene's stretch of the three bands.
        indexes: three 1-based bands for red, green, blue.
        window: west, south, east, north in metres of ``epsg``; ground the scene does not show stays transparent.
        epsg: see ``window``.
        size: pixels of a side.
        colour: of the outline, which gets a white seam so that it shows on any ground.

    Returns:
        A PNG.
    """
    with Reader(str(path)) as reader:
        image = reader.part(
            window, bounds_crs=CRS.from_epsg(epsg), dst_crs=CRS.from_epsg(epsg), indexes=tuple(indexes),
            width=size, height=size, resampling_method="bilinear",
        )  # fmt: skip
    picture = np.moveaxis(stretch.display(np.nan_to_num(image.data.astype(np.float64))), 0, -1)
    drawn = Image.fromarray(np.dstack([picture, image.mask.astype(np.uint8)]))
    west, _, east, north = window
    metres = (east - west) / size
    pen = ImageDraw.Draw(drawn)
    parts = shapely.get_parts(
        units.reproject(geometry, units.CGCS2000_EPSG, epsg)
    )  # get_rings is blind to multipolygons
    rings = shapely.get_rings(parts)
    lines = [[((x - west) / metres, (north - y) / metres) for x, y in shapely.get_coordinates(ring)] for ring in rings]
    for width, ink in ((4, "#FFFFFF"), (2, colour)):
        for line in lines:
            pen.line(line, fill=ink, width=width, joint="curve")
    out = io.BytesIO()
    drawn.save(out, format="PNG")
    return out.getvalue()
