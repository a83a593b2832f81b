"""How good an enhanced picture is: beside a clear one (PSNR, SSIM, MAE; LPIPS in ``lpips``) or without, and flicker.

Pictures are (H, W, 3), B, G, R, floats in [0, 1] unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from minegis.errors import EnhancementError

Picture = np.ndarray[Any, np.dtype[Any]]
GREY = np.array([0.114, 0.587, 0.299])  # BT.601 luma of B, G, R


def _pair(a: Picture, b: Picture) -> tuple[Picture, Picture]:
    if a.shape != b.shape:
        raise EnhancementError("E-ENH-03", value=f"{a.shape} / {b.shape}")
    return np.asarray(a, np.float64), np.asarray(b, np.float64)


def psnr(a: Picture, b: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite for equal pictures."""
    a, b = _pair(a, b)
    error = float(np.mean((a - b) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def mae(a: Picture, b: Picture) -> float:
    """Mean absolute error, 0..1."""
    a, b = _pair(a, b)
    return float(np.mean(np.abs(a - b)))


def ssim(a: Picture, b: Picture) -> float:
    """Structural similarity of the grey pictures (Wang et al. 2004): Gaussian of sd 1.5, 11 pixels, K 0.01 and 0.03."""
    a, b = (x @ GREY for x in _pair(a, b))

    def mean(x: Picture) -> Picture:
        return ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    index = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    index /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    inside = index[5:-5, 5:-5]  # windows that lie in the picture, as the authors count them
    return float((inside if inside.size else index).mean())


@dataclass(frozen=True, slots=True)
class HazeReading:
    """What can be said of a dehazed picture without a clear one beside it.

    ``residual``: mean dark channel of the result (0 is clear). ``contrast_gain``: ratio of the mean gradients of grey,
    result over input. ``colour_shift``: change of the mean chromaticity, 0..1. ``saturated``: share of pixels with a
    channel at 0 or 1 that had none there.
    """

    residual: float
    contrast_gain: float
    colour_shift: float
    saturated: float


def read_haze(before: Picture, after: Picture, window: int = 15) -> HazeReading:
    """Measure a dehazed picture against the hazy one."""
    before, after = _pair(before, after)

    def gradient(x: Picture) -> float:
        return float(np.hypot(*np.gradient(x @ GREY)).mean())

    def chromaticity(x: Picture) -> Picture:
        mean = x.mean(axis=(0, 1))
        return mean / max(float(mean.sum()), 1e-6)

    def full(x: Picture) -> Picture:
        return np.any((x <= 0) | (x >= 1), axis=2)

    dark = ndimage.minimum_filter(after.min(axis=2), size=window, mode="nearest")
    return HazeReading(
        residual=float(dark.mean()),
        contrast_gain=gradient(after) / max(gradient(before), 1e-6),
        colour_shift=float(np.abs(chromaticity(after) - chromaticity(before)).sum() / 2),
        saturated=float((full(after) & ~full(before)).mean()),
    )


def flicker(frames: Iterable[Picture]) -> float:
    """Standard deviation over time of the frames' means: of a static scene, how much the whole picture flickers."""
    return float(np.std([float(frame.mean()) for frame in frames]))
