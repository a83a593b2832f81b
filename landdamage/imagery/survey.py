"""One pass over every block of an image: is it readable, how much is valid, what values does it hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from landdamage.imagery.open import READ_ERRORS
from landdamage.imagery.pixels import block_windows, read_pixels


@dataclass(frozen=True, slots=True)
class Survey:
    """Result of the pass: valid and total pixels, least and largest valid value per band (NaN where none).

    ``failed_row`` is the first row that could not be decoded (0-based), None when all could; the counts then cover
    only what came before it.
    """

    valid_pixels: int
    total_pixels: int
    least: NDArray[np.float64]
    largest: NDArray[np.float64]
    failed_row: int | None

    @property
    def valid_share(self) -> float:
        """Valid pixels over all pixels, 0-1."""
        return self.valid_pixels / self.total_pixels

    @property
    def constant_bands(self) -> list[int]:
        """Positions (0-based) of bands with one value only or none."""
        return [i for i, (low, high) in enumerate(zip(self.least, self.largest, strict=True)) if not high > low]


def survey(
    dataset: DatasetReader,
    indexes: Sequence[int],
    *,
    mask: bool = True,
    progress: Callable[[float], object] = lambda fraction: None,
) -> Survey:
    """Read the whole image once, block by block, in bounded memory.

    Args:
        dataset: an open raster of real numbers.
        indexes: 1-based numbers of the data bands.
        mask: honour the file's mask or alpha band.
        progress: called with the fraction read, 0-1, after every window; what it raises ends the pass.
    """
    least = np.full(len(indexes), np.inf)
    largest = np.full(len(indexes), -np.inf)
    count, failed = 0, None
    for window in block_windows(dataset, pixels=1 << 21):
        try:
            pixels, valid = read_pixels(dataset, indexes, window, mask=mask)
        except READ_ERRORS:
            failed = _failed_row(dataset, window)
            break
        progress((window.row_off + window.height) / dataset.height)
        count += int(valid.sum())
        if not valid.any():
            continue
        for band in range(len(indexes)):
            values: NDArray[Any] = pixels[band][valid]
            least[band] = min(least[band], values.min())
            largest[band] = max(largest[band], values.max())
    nothing = least > largest
    least[nothing] = largest[nothing] = np.nan
    return Survey(count, dataset.width * dataset.height, least, largest, failed)


def _failed_row(dataset: DatasetReader, window: Window) -> int:
    """First row of blocks within a window that cannot be decoded."""
    step = dataset.block_shapes[0][0]
    for row in range(window.row_off, window.row_off + window.height, step):
        part = Window(window.col_off, row, window.width, min(step, window.row_off + window.height - row))
        try:
            dataset.read(window=part)
        except READ_ERRORS:
            return row
    return int(window.row_off)
