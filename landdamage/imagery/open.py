"""Open a raster of unknown origin: allow-listed drivers, a hardened GDAL, limits before the first pixel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError  # some GDAL errors reach Python as this, which has no public name
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from landdamage.imagery.preflight import identify
from minegis.errors import SceneError

# 200 000 x 200 000: a prefecture of 400 km at 2 m or a 3 cm drone mosaic of 6 km; more is a mistake or an attack.
MAX_PIXELS = 40_000_000_000
# Deflate, the best honest packer of empty collars, cannot exceed 1032:1; sparse, LERC or JP2 bombs have no limit.
MAX_EXPANSION = 1100
HARMLESS_BYTES = 256 << 20  # whatever its ratio, this much is read in blocks within a second
# What a damaged file makes rasterio raise; text that is not UTF-8 fails to decode wherever it is asked for.
READ_ERRORS = (RasterioError, CPLE_BaseError, UnicodeDecodeError)
CACHE_BYTES = 256 << 20  # GDAL's own default is 5 % of the machine, for each process
LEAST_CACHE_BYTES = 32 << 20
MAX_BLOCK_BYTES = 1 << 30  # GDAL holds a compressed block in memory as a whole


def hardened_env(driver: str) -> rasterio.Env:
    """GDAL settings for one untrusted file.

    Sidecar files (.ovr, .msk, .aux.xml) are opened by GDAL with any driver, so none is looked for; ENVI alone must
    probe for its header, which ``preflight`` has checked for dangerous neighbours.
    """
    return rasterio.Env(
        GDAL_DISABLE_READDIR_ON_OPEN="TRUE" if driver == "ENVI" else "EMPTY_DIR",
        GDAL_PAM_ENABLED="NO",
        GDAL_CACHEMAX=CACHE_BYTES,
        CPL_VSIL_CURL_ALLOWED_EXTENSIONS=".none",
        GDAL_VRT_ENABLE_RAWRASTERBAND="NO",
        GDAL_VRT_ENABLE_PYTHON="NO",
        GDAL_ERROR_ON_LIBJPEG_WARNING="YES",  # else a cut JPEG block reads as grey without an error
        PROJ_NETWORK="OFF",
    )


@contextmanager
def open_raster(path: Path | str, *, name: str | None = None, max_pixels: int = MAX_PIXELS) -> Iterator[DatasetReader]:
    """Open a local raster for reading; the only door through which image files enter the product.

    Args:
        path: a local file; its content, not its name, decides the driver.
        name: the name its owner gave it; helps to say what an unknown content was meant to be.
        max_pixels: refuse larger width x height before reading any pixel.

    Raises:
        SceneError: as ``preflight.identify``; E-FMT-02 the header is corrupt; E-FMT-06 too many pixels;
            E-FMT-07 declares far more data than its bytes can hold; E-FMT-08 points to other files.
    """
    path = Path(path).absolute()
    form = identify(path, name)
    with hardened_env(form.driver):
        try:
            dataset = rasterio.open(path, driver=form.driver)
        except READ_ERRORS:
            raise SceneError("E-FMT-02", row=0) from None
        with dataset:
            _check_size(dataset, form.stored_bytes, max_pixels)
            # GDAL opens whatever file these tags name, with any driver, on the first decimated read.
            for namespace in ("OVERVIEWS", "ProxyOverviewRequest"):
                if _namespace_in_use(dataset, namespace):
                    raise SceneError("E-FMT-08", value=namespace)
            yield dataset


def cache_for(dataset: DatasetReader, rows: float, columns: float) -> int:
    """Bytes of GDAL's cache that hold the blocks which so many pixels touch, 32 to 256 MB.

    Who reads a raster from top to bottom needs no more; else all of it would be in memory for nothing.
    """
    block_rows, block_columns = dataset.block_shapes[0]
    pixels = (rows + 2 * block_rows) * min(dataset.width + block_columns, columns + 2 * block_columns)
    pixel_bytes = dataset.count * _item_bytes(dataset.dtypes[0])
    return min(max(int(pixels) * pixel_bytes, LEAST_CACHE_BYTES), CACHE_BYTES)


def read_tags(dataset: DatasetReader, band: int = 0) -> dict[str, str]:
    """Tags of the file (band 0) or of a band; empty where they are not UTF-8.

    Chinese software often writes descriptions in GBK; the product's own tags are ASCII and lose nothing.
    """
    try:
        return dict(dataset.tags(band))
    except UnicodeDecodeError:
        return {}


def read_descriptions(dataset: DatasetReader) -> tuple[str, ...]:
    """Description of every band; all empty where one is not UTF-8."""
    try:
        return tuple(text or "" for text in dataset.descriptions)
    except UnicodeDecodeError:
        return ("",) * dataset.count


def _namespace_in_use(dataset: DatasetReader, namespace: str) -> bool:
    try:
        return bool(dataset.tags(ns=namespace))
    except UnicodeDecodeError:
        return True


def _check_size(dataset: DatasetReader, stored_bytes: int, max_pixels: int) -> None:
    pixels = dataset.width * dataset.height
    if pixels > max_pixels:
        raise SceneError("E-FMT-06", value=pixels, limit=max_pixels)
    items = [_item_bytes(name) for name in dataset.dtypes]
    declared = pixels * sum(items)
    if declared > HARMLESS_BYTES and declared > MAX_EXPANSION * stored_bytes:
        raise SceneError("E-FMT-07", value=f"{declared / 1e9:.1f} GB", size=f"{stored_bytes / 1e6:.1f} MB")
    rows, columns = max(dataset.block_shapes, key=lambda shape: shape[0] * shape[1])
    together = len(items) if dataset.interleaving is not None and dataset.interleaving.value == "PIXEL" else 1
    if dataset.compression is not None and rows * columns * max(items) * together > MAX_BLOCK_BYTES:
        raise SceneError("E-FMT-06", value=rows * columns, limit=MAX_BLOCK_BYTES // (max(items) * together))


def _item_bytes(name: str) -> int:
    """Bytes of one sample; rasterio names a complex integer type that numpy does not know."""
    return 4 if name == "complex_int16" else np.dtype(name).itemsize
