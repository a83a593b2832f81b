"""Dust in the air and dirt on the lens."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

Picture = np.ndarray[Any, np.dtype[Any]]
THICKNESS = (0.3, 2.0)
WARM = ((0.50, 0.75), (0.65, 0.82), (0.70, 0.90))  # air light in B, G, R
COAL = (0.2, 0.4)
OPAQUE = 0.7  # from this share of cover on nothing behind can be restored


def fractal(height: int, width: int, rng: np.random.Generator, octaves: int = 4) -> Picture:
    """Noise of several scales in [0, 1], (H, W)."""
    total = np.zeros((height, width), np.float32)
    for k in range(octaves):
        cells = 2 ** (k + 1)
        coarse = rng.random((cells + 1, cells + 1)).astype(np.float32)
        zoom = (height / (cells + 1), width / (cells + 1))
        fine = ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)[:height, :width]
        total += fine / 2**k
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def depth(height: int, width: int, rng: np.random.Generator) -> Picture:
    """Ground that recedes upwards, uneven: 0.05..1, (H, W)."""
    ramp = np.linspace(1, rng.uniform(0.1, 0.6), height, dtype=np.float32)[:, None]
    return np.clip(ramp * (0.6 + 0.8 * fractal(height, width, rng)), 0.05, 1)


def dusty(light: Picture, rng: np.random.Generator) -> Picture:
    """A linear picture in dust: I = J t + A (1 - t), t = exp(-b d), b ~ U(0.3, 2), A warm grey or coal's dark grey.

    A is as bright as the scene is, so that dust of the night stays dark.
    """
    air = np.array([rng.uniform(*limits) for limits in WARM], np.float32)
    if rng.random() < 0.25:
        air[:] = rng.uniform(*COAL)
    brightness = float(np.percentile(light.mean(axis=2), 95))
    t = np.exp(-rng.uniform(*THICKNESS) * depth(light.shape[0], light.shape[1], rng))[..., None]
    return light * t + air * np.float32(min(brightness, 1.0)) * (1 - t)


def dirty(light: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """A linear picture through a lens with 1-6 blurred drops or streaks of a wiper, cover 0.2-0.8.

    Returns:
        The picture, and where something behind can still be seen, (H, W) bool.
    """
    height, width = light.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cover = np.zeros((height, width), np.float32)
    side = max(height, width)
    for _ in range(int(rng.integers(1, 7))):
        top, left = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.02, 0.10) * side
        angle, stretch = rng.uniform(0, np.pi), rng.choice([1.0, rng.uniform(4, 10)])
        along = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
        across = (y - top) * np.cos(angle) - (x - left) * np.sin(angle)
        distance = np.sqrt((along / (radius * stretch)) ** 2 + (across / radius) ** 2)
        soft = np.clip((1.3 - distance) / 0.6, 0, 1)
        cover = np.maximum(cover, np.float32(rng.uniform(0.2, 0.8)) * soft * soft * (3 - 2 * soft))
    drop = light.mean(axis=(0, 1)) * np.float32(rng.uniform(0.2, 1.2))
    alpha = cover[..., None]
    return light * (1 - alpha) + drop * alpha, cover < OPAQUE
