"""A window of an image as superpixels: small compact pieces of like pixels, numbered from the upper left.

SLIC (Achanta et al. 2012: k-means in colour and place) of scikit-image; where the image has no data, its masked form
(Irving 2016), which keeps the pieces off the empty ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window
from rasterio.windows import transform as window_transform
from scipy import ndimage
from skimage.segmentation import slic

from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import read_pixels
from landdamage.imagery.radiometry import Stretch
from minegis.errors import MineGISError

LEAST_WINDOW: Final = 64  # pixels of a side
MOST_WINDOW: Final = 1024
LEAST_SIDE: Final = 8  # pixels across a superpixel
MOST_SIDE: Final = 64
LARGEST: Final = 3  # times the intended area
MOST_PIECES: Final = 4096  # what a map draws without lag
_COMPACTNESS: Final = 0.25  # weight of place against colour, bands running from 0 to 1; 0.1 makes ragged pieces
_SIGMA: Final = 1.0  # pixels: noise of single pixels makes no outline


@dataclass(frozen=True, slots=True)
class Place:
    """A window of an image in its pixels: first column and row, width and height."""

    column: int
    row: int
    width: int
    height: int

    def within(self, width: int, height: int) -> Place:
        """The same window moved into an image of a size, and no larger than it.

        Raises:
            MineGISError: E-LAB-01, a side is not allowed.
        """
        wide, high = min(self.width, width), min(self.height, height)
        if not all(LEAST_WINDOW <= side <= MOST_WINDOW for side in (wide, high)):
            raise MineGISError("E-LAB-01", value=f"{wide} × {high} px", known=f"{LEAST_WINDOW}–{MOST_WINDOW} px")
        return Place(min(max(self.column, 0), width - wide), min(max(self.row, 0), height - high), wide, high)

    @property
    def window(self) -> Window:
        """As rasterio reads it."""
        return Window(self.column, self.row, self.width, self.height)


def around(dataset: DatasetReader, x: float, y: float, side: int) -> Place:
    """The square window of an image with a place (x, y in its CRS) in the middle, moved inside where it reaches out.

    Raises:
        MineGISError: E-LAB-01 the side is not allowed, E-LAB-06 the place lies outside the image.
    """
    column, row = ~dataset.transform * (x, y)
    if not (0 <= column < dataset.width and 0 <= row < dataset.height):
        raise MineGISError("E-LAB-06", value=f"{x:.6g}, {y:.6g}")
    half = side // 2
    return Place(int(column) - half, int(row) - half, side, side).within(dataset.width, dataset.height)


def check_side(side_px: int, pixels: int) -> None:
    """Refuse superpixels that are too small, too large or too many for a window of so many pixels.

    Raises:
        MineGISError: E-LAB-01.
    """
    least = max(LEAST_SIDE, math.ceil((pixels / MOST_PIECES) ** 0.5))
    if not least <= side_px <= MOST_SIDE:
        raise MineGISError("E-LAB-01", value=f"{side_px} px", known=f"{least}–{MOST_SIDE} px")


def segment(pixels: NDArray[Any], valid: NDArray[np.bool_], side_px: int) -> NDArray[np.int32]:
    """Cut a window into superpixels; the same input gives the same pieces and numbers.

    Args:
        pixels: (C,H,W) 8-bit or 0-255, as displayed.
        valid: (H,W) where the image has data.
        side_px: intended side of a superpixel in pixels; every piece has at most ``LARGEST`` times its area.

    Returns:
        (H,W) number of the superpixel, 1.. in the order of their first pixels; 0 where the image has no data.

    Raises:
        MineGISError: E-LAB-01 the side is not allowed, E-LAB-02 there are no data.
    """
    check_side(side_px, valid.size)
    seen = int(valid.sum())
    if not seen:
        raise MineGISError("E-LAB-02")
    image = np.moveaxis(pixels, 0, -1).astype(np.float32) / 255.0
    image[~valid] = image[valid].mean(axis=0)  # so that the smoothing brings no false edge to the border
    found = slic(
        image,
        n_segments=max(1, round(seen / side_px**2)),
        compactness=_COMPACTNESS,
        sigma=_SIGMA,
        start_label=1,
        enforce_connectivity=True,
        channel_axis=-1,
        convert2lab=False,
        mask=None if valid.all() else valid,
    )
    return in_order(_bounded(np.where(valid, found, 0).astype(np.int32), LARGEST * side_px**2))


def _bounded(segments: NDArray[np.int32], most: int) -> NDArray[np.int32]:
    """Halve pieces of more than ``most`` pixels across their longer side: SLIC lets small scraps join a neighbour."""
    out = segments.copy()
    last = int(out.max(initial=0))
    todo = [int(n) for n in np.flatnonzero(np.bincount(out.ravel()) > most) if n]
    while todo:
        rows, columns = np.nonzero(out == todo.pop())
        along = rows if np.ptp(rows) >= np.ptp(columns) else columns
        halves = np.zeros((np.ptp(rows) + 1, np.ptp(columns) + 1), np.int32)
        halves[rows - rows.min(), columns - columns.min()] = 1 + (along > np.median(along))
        for half in (1, 2):
            pieces, count = ndimage.label(halves == half)
            for piece in range(1, count + 1):
                last += 1
                here = pieces[rows - rows.min(), columns - columns.min()] == piece
                out[rows[here], columns[here]] = last
                if int(here.sum()) > most:
                    todo.append(last)
    return out


def in_order(segments: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pieces (H,W) numbered 1.. without gaps in the order of their first pixels; 0 stays."""
    flat = segments.ravel()
    numbers, first, place = np.unique(flat, return_index=True, return_inverse=True)
    rank = np.zeros(len(numbers), np.int32)
    real = numbers != 0
    rank[np.flatnonzero(real)[np.argsort(first[real], kind="stable")]] = np.arange(1, real.sum() + 1)
    return rank[place].reshape(segments.shape)


def cut_window(
    path: Path, place: Place, side_px: int, *, indexes: Sequence[int], stretch: Stretch
) -> tuple[NDArray[np.int32], Affine, Any]:
    """Superpixels of a window of an image.

    Args:
        path: of the image.
        place: the window, inside it.
        side_px: intended side of a superpixel.
        indexes: 1-based bands that count.
        stretch: of these bands.

    Returns:
        Numbers (H,W) as of ``segment``, the window's transform, and the image's CRS.

    Raises:
        MineGISError: E-LAB-01 the side is not allowed, E-LAB-02 there are no data.
    """
    with open_raster(path) as dataset:
        pixels, valid = read_pixels(dataset, list(indexes), place.window)
        where = window_transform(place.window, dataset.transform)
        return segment(stretch.display(np.nan_to_num(pixels)), valid, side_px), where, dataset.crs


def write_segments(path: Path, segments: NDArray[np.int32], transform: Affine, crs: Any) -> None:
    """Keep the pieces as a GeoTIFF (int32, 0 = no data): whatever a library does later, these numbers stay."""
    layout = {"driver": "GTiff", "count": 1, "dtype": "int32", "nodata": 0, "compress": "deflate", "predictor": 2}
    height, width = segments.shape
    with rasterio.open(path, "w", height=height, width=width, transform=transform, crs=crs, **layout) as target:
        target.write(segments, 1)


def read_segments(path: Path) -> NDArray[np.int32]:
    """Pieces (H,W) as ``write_segments`` kept them."""
    with open_raster(path, max_pixels=MOST_WINDOW**2) as dataset:
        return np.asarray(dataset.read(1), np.int32)
