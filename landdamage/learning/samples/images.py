"""Images as sources of tiles: which bands, seen when and by what, and their pixels on the grid of the set."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.bands import alpha_is_mask
from landdamage.imagery.checks import inspect_scene
from landdamage.imagery.open import READ_ERRORS, open_raster
from landdamage.imagery.pixels import read_pixels
from landdamage.imagery.radiometry import Stretch, scene_stretch
from landdamage.learning.samples.grid import Grid
from minegis.errors import SampleSetError, SceneError

_MARGIN: Final = 2  # native pixels beyond a window, so that its edge is resampled like its middle


@dataclass(frozen=True)
class ImageSource:
    """One image that tiles may be cut from.

    Attributes:
        name: unique within a set; part of the tiles' names.
        path: an orthorectified image.
        bands: names of its bands.
        indexes: their 1-based numbers.
        sensor: satellite and sensor, empty where unknown.
        acquired: date, None where unknown.
        observed: ground it shows (EPSG:4490); None means all of it. Elsewhere nothing is labelled.
        sha256: of the file.
    """

    name: str
    path: Path
    bands: tuple[str, ...]
    indexes: tuple[int, ...]
    sensor: str = ""
    acquired: dt.date | None = None
    observed: BaseGeometry | None = None
    sha256: str = ""

    def indexes_of(self, bands: Sequence[str]) -> tuple[int, ...]:
        """Numbers of the wanted bands in their order.

        Raises:
            SampleSetError: E-SET-20, one is missing.
        """
        missing = [band for band in bands if band not in self.bands]
        if missing:
            raise SampleSetError("E-SET-20", value=self.name, bands=", ".join(missing))
        return tuple(self.indexes[self.bands.index(band)] for band in bands)


def safe_name(text: str) -> str:
    """A text as part of a file's name: letters (Chinese ones too), digits, dots and dashes, at most 80 characters."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:80] or "image"


def image_of_file(path: Path, bands: Sequence[str] | None = None, name: str = "") -> ImageSource:
    """Check a file as an upload is checked and describe it.

    Args:
        path: an orthorectified image.
        bands: which band is which, where the file does not say.
        name: of the source; defaults to the file's.

    Raises:
        SceneError: the first error the checks find.
    """
    meta = inspect_scene(path, bands=bands).usable()
    sensor = " ".join(part for part in (meta.satellite.replace("OTHER", ""), meta.sensor) if part)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ImageSource(
        safe_name(name or path.stem), path, meta.bands, meta.band_indexes, sensor, meta.acquired_on, sha256=digest
    )


@dataclass(frozen=True)
class OpenImage:
    """An image being read, on the grid of the set."""

    source: ImageSource
    dataset: DatasetReader
    grid: Grid
    indexes: tuple[int, ...]

    @cached_property
    def stretch(self) -> Stretch:
        """The one stretch of the whole image, for the wanted bands."""
        return scene_stretch(self.source.path, self.indexes)

    def tile(self, row: int, column: int, side: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels (bands, side, side) in the image's data type, and (side, side) validity.

        What lies beyond the image is 0 and invalid. Resampling averages where it shrinks and is bilinear where it
        enlarges; invalid pixels take no part in it.

        Raises:
            SceneError: E-FMT-02, a block cannot be decoded.
        """
        height, width = min(side, self.grid.height - row), min(side, self.grid.width - column)
        pixels = np.zeros((len(self.indexes), side, side), self.dataset.dtypes[self.indexes[0] - 1])
        valid = np.zeros((side, side), bool)
        read = self._resampled if self.grid.resampled else self._native
        try:
            pixels[:, :height, :width], valid[:height, :width] = read(row, column, height, width)
        except READ_ERRORS:
            raise SceneError("E-FMT-02", row=row) from None
        pixels[:, ~valid] = 0
        return pixels, valid

    def _native(self, row: int, column: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        window = Window(column, row, width, height)
        return read_pixels(self.dataset, self.indexes, window, mask=alpha_is_mask(self.dataset))

    def _resampled(self, row: int, column: int, height: int, width: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        down, across = self.dataset.height / self.grid.height, self.dataset.width / self.grid.width
        top, left = max(0, int(row * down) - _MARGIN), max(0, int(column * across) - _MARGIN)
        bottom = min(self.dataset.height, int(np.ceil((row + height) * down)) + _MARGIN)
        right = min(self.dataset.width, int(np.ceil((column + width) * across)) + _MARGIN)
        window = Window(left, top, right - left, bottom - top)
        pixels, valid = read_pixels(self.dataset, self.indexes, window, mask=alpha_is_mask(self.dataset))
        source = np.where(valid, pixels, np.nan).astype(np.float32)
        target = np.full((len(source), height, width), np.nan, np.float32)
        reproject(
            source,
            target,
            src_transform=self.grid.native * Affine.translation(left, top),
            dst_transform=self.grid.at(row, column),
            src_crs=self.dataset.crs,
            dst_crs=self.dataset.crs,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling.average if min(down, across) > 1 else Resampling.bilinear,
        )
        seen = np.isfinite(target).all(axis=0)
        target = np.where(seen, target, 0)
        if pixels.dtype.kind in "iu":
            limits = np.iinfo(pixels.dtype)
            target = np.clip(np.rint(target), limits.min, limits.max)
        return target.astype(pixels.dtype), np.asarray(seen)


@contextmanager
def open_image(source: ImageSource, gsd_m: float, bands: Sequence[str]) -> Iterator[OpenImage]:
    """Open an image on the grid of a set.

    Args:
        source: which.
        gsd_m: sampling distance of the set.
        bands: wanted, in their order.

    Raises:
        SceneError: it cannot be opened, or has no place (E-GEO-01).
        SampleSetError: E-SET-20, a band is missing.
    """
    indexes = source.indexes_of(bands)
    with open_raster(source.path) as dataset, rasterio.Env(GDAL_NUM_THREADS="1"):
        yield OpenImage(source, dataset, Grid.of(dataset, gsd_m), indexes)
