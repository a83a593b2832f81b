"""Reading pixels together with their validity, in windows that follow the file's blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags, Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

# Fill values that producers leave without a nodata tag; a pixel is fill only when every band has the value.
_FILLS: dict[str, tuple[float, ...]] = {
    "i": (-9999, -32768),
    "u": (65535, 256),
    "f": (-9999, 65535),
}
_ABSURD = 1e30  # float fills such as -3.4e38, with or without a tag


def valid_mask(
    pixels: NDArray[Any],
    nodata: float | Sequence[float | None] | None = None,
    mask: NDArray[Any] | None = None,
) -> NDArray[np.bool_]:
    """Which pixels hold a measurement.

    Invalid are: masked pixels (mask or alpha 0); NaN, infinite or absurd (over 1e30) in any band; and pixels that are
    nodata, 0 or a customary fill value (-9999, 65535, 256) in every band. A single band at 0 is a dark pixel.

    Args:
        pixels: (bands, ...) digital numbers.
        nodata: the declared value, one for all bands or one per band.
        mask: mask band or alpha of the trailing shape; 0 means invalid.

    Returns:
        Boolean mask of the trailing shape.
    """
    kind = pixels.dtype.kind
    valid = np.any(pixels != 0, axis=0)
    if kind == "f":
        with np.errstate(invalid="ignore"):
            valid &= np.all(np.abs(pixels) < _ABSURD, axis=0)  # False for NaN and infinity too
    fills = [value for value in _FILLS.get(kind, ()) if kind == "f" or _holds(pixels.dtype, value)]
    for fill in fills:
        valid &= ~np.all(pixels == pixels.dtype.type(fill), axis=0)
    values = list(nodata) if isinstance(nodata, Sequence) else [nodata] * pixels.shape[0]
    declared = [value for value in values if value is not None]
    if len(declared) == len(pixels):
        hit = np.ones(pixels.shape[1:], bool)
        for band, value in zip(pixels, declared, strict=True):
            hit &= np.isnan(band) if kind == "f" and np.isnan(value) else band == value
        valid &= ~hit
    if mask is not None:
        valid &= mask != 0
    return valid


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    info = np.iinfo(dtype)
    return bool(info.min <= value <= info.max)


def has_mask(dataset: DatasetReader) -> bool:
    """Whether the file carries a mask band or an alpha band (not merely a nodata value)."""
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags or MaskFlags.alpha in flags


def read_pixels(
    dataset: DatasetReader,
    indexes: Sequence[int],
    window: Window | None = None,
    out_shape: tuple[int, int] | None = None,
    mask: bool = True,
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read bands and their validity.

    Args:
        dataset: an open raster.
        indexes: 1-based band numbers.
        window: part to read; None reads all.
        out_shape: (rows, columns) to decimate to, nearest neighbour, from overviews where there are any.
        mask: honour the file's mask or alpha band.

    Returns:
        (bands, H, W) in the file's data type and (H, W) validity.

    Raises:
        rasterio.errors.RasterioIOError: a block cannot be decoded.
    """
    shape = None if out_shape is None else (len(indexes), *out_shape)
    pixels = dataset.read(list(indexes), window=window, out_shape=shape, resampling=Resampling.nearest)
    band = None
    if mask and has_mask(dataset):
        band = dataset.read_masks(indexes[0], window=window, out_shape=out_shape, resampling=Resampling.nearest)
    nodata = [dataset.nodatavals[i - 1] for i in indexes]
    return pixels, valid_mask(pixels, nodata, band)


def decimated_shape(dataset: DatasetReader, longest: int) -> tuple[int, int]:
    """(rows, columns) of the whole image with its longer side at most ``longest``, never enlarged."""
    scale = min(1.0, longest / max(dataset.width, dataset.height))
    return max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale))


def block_windows(dataset: DatasetReader, pixels: int = 1 << 22) -> Iterator[Window]:
    """Windows of about ``pixels`` pixels in row order that cover the image once and decode each block once."""
    rows, columns = dataset.block_shapes[0]
    rows, columns = min(rows, dataset.height), min(columns, dataset.width)
    wide = min(dataset.width, columns * max(1, pixels // max(1, columns * rows)))
    high = min(dataset.height, rows * max(1, pixels // max(1, wide * rows)))
    for top in range(0, dataset.height, high):
        for left in range(0, dataset.width, wide):
            yield Window(left, top, min(wide, dataset.width - left), min(high, dataset.height - top))
