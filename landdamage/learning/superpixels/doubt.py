"""Where a model is least sure: one minus its margin, times the area, so that labels go where they teach most.

A run keeps the probability p of the winning class of every pixel. The second class has at most 1 - p, so the margin is
at least 2p - 1; where there are only two candidates, as at most borders, it is just that.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader

from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import decimated_shape
from landdamage.learning.superpixels.cut import Place

_LONGEST: Final = 1024  # pixels of the reduced raster in which a place is looked for


def pixel_doubt(steps: NDArray[Any], scale: float) -> NDArray[np.float32]:
    """One minus the least possible margin of each pixel, 0-1; 0 where the run saw nothing.

    Args:
        steps: probabilities of the winning class in steps, 255 = not observed.
        scale: value of a step.
    """
    doubt = np.clip(2.0 * (1.0 - steps.astype(np.float32) * scale), 0.0, 1.0)
    return np.where(steps == 255, 0.0, doubt).astype(np.float32)


def doubt_of(segments: NDArray[np.int32], confidence: Path, place: Place) -> NDArray[np.float64]:
    """Sum of the doubt over the pixels of each piece: mean doubt times area, in pixels.

    Args:
        segments: (H,W) numbers 1..n, 0 = none.
        confidence: a run's confidence raster on the grid of the image.
        place: the window of the pieces.

    Returns:
        (n,) in the order of the numbers.
    """
    with open_raster(confidence) as dataset:
        doubt = pixel_doubt(dataset.read(1, window=place.window), dataset.scales[0])
    sums = np.bincount(segments.ravel(), doubt.ravel(), int(segments.max(initial=0)) + 1)
    return sums[1:].astype(np.float64)


def least_sure(confidence: Path, side: int) -> Place:
    """The square window of a run in which its doubt adds up to most, found to within a reduced pixel.

    Raises:
        MineGISError: E-LAB-01, the side is not allowed.
    """
    with open_raster(confidence) as dataset:
        shape = decimated_shape(dataset, _LONGEST)
        steps = dataset.read(1, out_shape=shape, resampling=Resampling.nearest)
        return _densest(pixel_doubt(steps, dataset.scales[0]), dataset, side)


def _densest(doubt: NDArray[np.float32], dataset: DatasetReader, side: int) -> Place:
    step_y, step_x = dataset.height / doubt.shape[0], dataset.width / doubt.shape[1]
    box = (min(doubt.shape[0], max(1, round(side / step_y))), min(doubt.shape[1], max(1, round(side / step_x))))
    total = np.pad(doubt.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    high, wide = box
    sums = total[high:, wide:] - total[:-high, wide:] - total[high:, :-wide] + total[:-high, :-wide]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return Place(round(column * step_x), round(row * step_y), side, side).within(dataset.width, dataset.height)


def middle(path: Path, side: int) -> Place:
    """The square window in the middle of an image.

    Raises:
        MineGISError: E-LAB-01, the side is not allowed.
    """
    with open_raster(path) as dataset:
        return Place((dataset.width - side) // 2, (dataset.height - side) // 2, side, side).within(
            dataset.width, dataset.height
        )
