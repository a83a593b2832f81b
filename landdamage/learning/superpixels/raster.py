"""Labels of superpixels as a raster on the grid of their image, which the sample sets read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from landdamage.imagery.open import open_raster
from landdamage.learning.superpixels.cut import Place
from landdamage.learning.superpixels.sheet import NONE, agreed
from landdamage.taxonomy import CLASSES, IGNORE

_BLOCK = 256


def label_raster(image: Path, target: Path, windows: Sequence[tuple[Place, NDArray[np.uint8]]]) -> None:
    """Write labels over the whole grid of an image; what no window covers stays 255 and takes no room in the file.

    Args:
        image: whose grid and CRS the raster takes.
        target: the GeoTIFF to write: uint8, class ids, nodata 255.
        windows: window and painted labels (H,W) of each plate and person; pixels on which they differ become 255.
    """
    with open_raster(image) as source:
        profile = {
            "driver": "GTiff", "dtype": "uint8", "count": 1, "nodata": IGNORE, "height": source.height,
            "width": source.width, "crs": source.crs, "transform": source.transform, "compress": "deflate",
            "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "sparse_ok": True, "bigtiff": "if_safer",
        }  # fmt: skip
    with rasterio.open(target, "w", **profile) as out:
        out.write_colormap(1, {c.id: (*c.rgb, 255) for c in CLASSES} | {IGNORE: (0, 0, 0, 0)})
        out.update_tags(1, **{f"CLASS_{c.id}": c.code for c in CLASSES})
        for window in _blocks(windows, out.width, out.height):
            layers = [_clipped(place, labels, window) for place, labels in windows]
            out.write(agreed(layers), 1, window=window)


def _blocks(windows: Sequence[tuple[Place, NDArray[np.uint8]]], width: int, height: int) -> list[Window]:
    """Blocks of the file that any window touches."""
    touched = {
        (top, left)
        for place, _ in windows
        for top in range(place.row // _BLOCK * _BLOCK, place.row + place.height, _BLOCK)
        for left in range(place.column // _BLOCK * _BLOCK, place.column + place.width, _BLOCK)
    }
    return [Window(left, top, min(_BLOCK, width - left), min(_BLOCK, height - top)) for top, left in sorted(touched)]


def _clipped(place: Place, labels: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """Painted labels of a window as one block of the file sees them."""
    out = np.full((int(window.height), int(window.width)), NONE, np.uint8)
    top, left = max(place.row, window.row_off), max(place.column, window.col_off)
    bottom = min(place.row + place.height, window.row_off + window.height)
    right = min(place.column + place.width, window.col_off + window.width)
    if top < bottom and left < right:
        out[top - window.row_off : bottom - window.row_off, left - window.col_off : right - window.col_off] = labels[
            top - place.row : bottom - place.row, left - place.column : right - place.column
        ]
    return out
