"""The result rasters: tiled, compressed GeoTIFFs with overviews, written from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.io import DatasetWriter
from rasterio.windows import Window

from landdamage.taxonomy import CLASSES, IGNORE

_ZLEVEL = 1  # a tenth larger than at 6, in a fraction of the time
_OVERVIEW_PIXELS = 512  # the coarsest overview is about this large


class RowWriter:
    """Writes blocks of rows one below the other into band 1."""

    def __init__(self, dataset: DatasetWriter) -> None:
        self._dataset, self._row = dataset, 0

    def add(self, rows: NDArray[np.uint8]) -> None:
        """Append (rows, width)."""
        height, width = rows.shape
        self._dataset.write(rows, 1, window=Window(0, self._row, width, height))
        self._row += height


@contextmanager
def result_raster(
    path: Path,
    size: tuple[int, int],
    crs: CRS,
    transform: Affine,
    tags: dict[str, Any],
    *,
    classes: bool,
    scale: float = 1.0,
) -> Iterator[RowWriter]:
    """Create a uint8 raster with nodata 255; it gets its overviews and its name when the block ends without error.

    Args:
        path: the final file.
        size: height, width.
        crs, transform: place.
        tags: recorded in the file.
        classes: a class raster: palette and names of the taxonomy, overviews by majority; else by mean.
        scale: value of one step, recorded in the file (1/200 for probabilities).
    """
    partial = path.with_suffix(".partial.tif")
    profile = {
        "driver": "GTiff", "height": size[0], "width": size[1], "count": 1, "dtype": "uint8", "nodata": IGNORE,
        "crs": crs.to_wkt(), "transform": transform, "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "deflate", "zlevel": _ZLEVEL, "bigtiff": "if_safer",
    }  # fmt: skip
    with rasterio.open(partial, "w", **profile) as dataset:
        dataset.update_tags(**tags)
        if classes:
            dataset.write_colormap(1, {c.id: (*c.rgb, 255) for c in CLASSES} | {IGNORE: (0, 0, 0, 0)})
            dataset.update_tags(1, **{f"CLASS_{c.id}": c.code for c in CLASSES})
        else:
            dataset.scales = (scale,)
        yield RowWriter(dataset)
    factors = [2**k for k in range(1, 12) if max(size) / 2 ** (k - 1) > _OVERVIEW_PIXELS]
    if factors:
        # Overviews do not inherit the level of compression; at GDAL's own they cost more than all the rest.
        with rasterio.Env(ZLEVEL_OVERVIEW=_ZLEVEL), rasterio.open(partial, "r+") as dataset:
            dataset.build_overviews(factors, Resampling.mode if classes else Resampling.average)
    partial.replace(path)
