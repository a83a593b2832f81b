"""Blur of the lens: generalised Gaussians, round or stretched."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

Picture = np.ndarray[Any, np.dtype[Any]]
SIZES = (7, 21)
SPREAD = (0.2, 3.0)
SHAPE = (0.5, 4.0)


def kernel(size: int, spread: tuple[float, float], angle: float, shape: float) -> Picture:
    """exp(-½ (xᵀ Σ⁻¹ x)^β) on size x size pixels, of sum 1; β = 1 is a Gaussian, larger ones have flatter tops.

    Args:
        size: odd.
        spread: standard deviations along the two axes, pixels.
        angle: of the first axis, radians.
        shape: β.
    """
    y, x = np.mgrid[0:size, 0:size] - size // 2
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = (along / spread[0]) ** 2 + (across / spread[1]) ** 2
    weights = np.exp(-0.5 * distance**shape)
    return (weights / weights.sum()).astype(np.float32)


def draw(rng: np.random.Generator) -> Picture:
    """A kernel of random size 7-21, spreads 0.2-3 and shape 0.5-4, half of them round (Real-ESRGAN's ranges)."""
    size = int(rng.integers(SIZES[0] // 2, SIZES[1] // 2 + 1)) * 2 + 1
    first, second = rng.uniform(*SPREAD, 2)
    if rng.random() < 0.5:
        second = first
    return kernel(size, (float(first), float(second)), float(rng.uniform(0, np.pi)), float(rng.uniform(*SHAPE)))


def blur(light: Picture, weights: Picture) -> Picture:
    """A linear picture through a lens: convolution of every channel, edges repeated."""
    side = weights.shape[0] // 2
    picture = torch.from_numpy(np.ascontiguousarray(light, np.float32)).permute(2, 0, 1)[:, None]
    padded = F.pad(picture, (side, side, side, side), "replicate")
    weights_t = torch.from_numpy(np.ascontiguousarray(weights[::-1, ::-1]))[None, None]
    return F.conv2d(padded, weights_t)[:, 0].permute(1, 2, 0).numpy()
