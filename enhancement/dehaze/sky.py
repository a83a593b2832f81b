"""Sky as a place: what is bright and hangs together with the upper border (optional, point 10)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from enhancement.dehaze.kernels import BLUE, BLUE_RAMP, SKY_RAMP, shrink
from enhancement.dehaze.pixels import Frame
from enhancement.dehaze.settings import Settings

CELL = 8  # pixels: finer than any sky, coarse enough to cost nothing
STEEP = 0.06  # difference between neighbouring cells that the sky does not have


def connected_sky(frame: Frame, full: float, settings: Settings) -> np.ndarray[Any, np.dtype[np.float32]]:
    """1 where a pixel lies in a smooth, bright area that reaches the upper border, else 0: (H, W) float32."""
    height, width = frame.shape[:2]
    if height < 2 * CELL or width < 2 * CELL:
        return np.ones((height, width), np.float32)
    cells = shrink(np.ascontiguousarray(frame), CELL, np.float32(0.5 if full > 1 else 0)).astype(np.float64) / full
    mean = cells.mean(axis=2)
    bright = mean > settings.sky_thresh - SKY_RAMP
    bluish = cells[..., BLUE] - mean > -BLUE_RAMP / 2
    smooth = np.hypot(*np.gradient(mean)) < STEEP
    labels, _ = ndimage.label(bright & bluish & smooth)
    upper = np.unique(labels[0])
    sky = np.isin(labels, upper[upper > 0])
    sky = ndimage.binary_dilation(sky)  # the cells on its edge hold sky too; their pixels are weighed one by one
    rows = np.minimum(np.arange(height) // CELL, sky.shape[0] - 1)
    columns = np.minimum(np.arange(width) // CELL, sky.shape[1] - 1)
    return sky[np.ix_(rows, columns)].astype(np.float32)
