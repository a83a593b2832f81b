"""A scene as the network reads it: the model's bands, one stretch, validity, and the grid results are written on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from landdamage.imagery.bands import alpha_is_mask
from landdamage.imagery.georeference import ground_size, is_placed
from landdamage.imagery.open import cache_for, open_raster
from landdamage.imagery.pixels import read_pixels
from landdamage.imagery.radiometry import dataset_stretch
from landdamage.interpretation.ground import Ground, inside
from landdamage.interpretation.models import ModelCard
from minegis.errors import ModelError, SceneError
from minegis.windows import PANEL_WIDTH

# A scene this much finer than the model's range is read at the model's own resolution; below that the network copes.
FINER_THAN_RANGE = 1.5


class SceneSource:
    """An open scene on its working grid.

    The grid is the scene's own, except for scenes much finer than the model was trained on: those are averaged down
    to the model's resolution, and their results lie on that coarser grid. A coarser scene is never enlarged.

    Attributes:
        height, width: of the working grid in pixels.
        transform: working grid to CRS.
        crs: of the scene.
        gsd_m: working ground sampling distance in metres.
        decimated: whether the working grid is coarser than the scene's.
        stretch: of the model's bands that the scene has, in the model's order; one for the whole scene.
    """

    def __init__(
        self, dataset: DatasetReader, card: ModelCard, bands: Sequence[str], ground: Ground | None = None
    ) -> None:
        """Fit a model to a scene.

        Args:
            dataset: an open raster.
            card: the model.
            bands: names of the file's bands in their order; those the model lacks are not read.
            ground: what is wanted of it; None means all.

        Raises:
            SceneError: E-GEO-01 the scene has no place on Earth; E-AOI-02 nothing of it is wanted.
            ModelError: E-MOD-04 a required band is missing.
        """
        if dataset.crs is None or not is_placed(dataset.transform):
            raise SceneError("E-GEO-01")
        self.crs = CRS.from_user_input(dataset.crs)
        size = ground_size(self.crs, dataset.transform, dataset.width, dataset.height)
        if size is None:
            raise SceneError("E-GEO-01")
        lacking = [band for band in card.required_bands if band not in bands]
        if lacking:
            raise ModelError("E-MOD-04", value=", ".join(lacking))
        self._dataset = dataset
        self._present = [k for k, band in enumerate(card.bands) if band in bands]
        self._indexes = [list(bands).index(card.bands[k]) + 1 for k in self._present]
        self._channels = len(card.bands)
        self._mask = alpha_is_mask(dataset)
        self.stretch = dataset_stretch(dataset, self._indexes, mask=self._mask)
        self.gsd_m = math.sqrt(size[0] * size[1])
        self.height, self.width = dataset.height, dataset.width
        self.decimated = self.gsd_m * FINER_THAN_RANGE < card.gsd_range_m[0]
        if self.decimated:
            self.height = max(1, round(dataset.height * self.gsd_m / card.gsd_m))
            self.width = max(1, round(dataset.width * self.gsd_m / card.gsd_m))
        self._step_y, self._step_x = dataset.height / self.height, dataset.width / self.width
        self.transform = dataset.transform @ Affine.scale(self._step_x, self._step_y)
        self.gsd_m *= math.sqrt(self._step_x * self._step_y)
        self._ground = None if ground is None else ground.on_grid(self.crs, self.transform, self.height, self.width)

    def wanted(self, valid: NDArray[np.bool_], top: int, left: int) -> NDArray[np.bool_]:
        """What results are for: the valid pixels whose centre lies on the wanted ground.

        Args:
            valid: (rows, columns) as ``read`` gave it from row ``top`` and column ``left`` on.
        """
        return valid if self._ground is None else valid & inside(self._ground, top, left, valid.shape)

    def read(self, top: int, bottom: int, left: int, right: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels of the present bands and validity for rows [top, bottom) and columns [left, right) of the grid.

        Returns:
            (bands, rows, columns) in the file's data type, (rows, columns) bool.

        Raises:
            SceneError: E-FMT-02 the file cannot be read there.
        """
        window = Window(
            left * self._step_x, top * self._step_y, (right - left) * self._step_x, (bottom - top) * self._step_y
        )
        shape = (bottom - top, right - left) if self.decimated else None
        try:
            pixels, valid = read_pixels(self._dataset, self._indexes, window, shape, mask=self._mask)
            if self.decimated:  # a mean of the fine pixels is what a coarser sensor would have measured
                pixels = self._dataset.read(
                    self._indexes, window=window, out_shape=pixels.shape, resampling=Resampling.average
                )
        except RasterioError as error:
            raise SceneError("E-FMT-02", row=round(top * self._step_y)) from error
        return pixels, valid

    def cache_bytes(self, window: int) -> int:
        """Bytes of GDAL's cache that hold what the windows of one strip of a panel touch, within reason."""
        return cache_for(self._dataset, window * self._step_y, (PANEL_WIDTH + 2 * window) * self._step_x)

    def network_input(self, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Normalised input of the network, (channels, rows, columns); missing bands and invalid pixels are 0."""
        out = np.zeros((self._channels, *valid.shape), np.float32)
        out[self._present] = self.stretch.network_input(pixels, valid)
        return out


@contextmanager
def open_scene(
    path: Path, card: ModelCard, bands: Sequence[str], ground: Ground | None = None
) -> Iterator[SceneSource]:
    """Open a scene for a model; see ``SceneSource`` and ``landdamage.imagery.open.open_raster`` for the errors."""
    with open_raster(path) as dataset:
        source = SceneSource(dataset, card, bands, ground)
        with rasterio.Env(GDAL_CACHEMAX=source.cache_bytes(card.window)):
            yield source
