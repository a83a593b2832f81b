"""What a restoration invents: halos and ringing along edges, blocks, structure in flat dark frames.

Scenes are drawn here; pictures are (H, W, 3), B, G, R, floats in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from enhancement.lednet.degradation import coding, noise
from enhancement.lednet.degradation.response import SRGB

Picture = np.ndarray[Any, np.dtype[Any]]
Method = Callable[[Picture], Picture]
SIDE = 128
BLOCK = 8  # of JPEG
RIM, NEAR, FAR = 2, 10, 16  # pixels from an edge: its own slope, where a halo lies, what is not touched by it
FLAT_LEVELS = (0.02, 0.05, 0.10)


@dataclass(frozen=True, slots=True)
class Artefacts:
    """Smaller is better for all three.

    ``halo``: overshoot near straight edges, as a share of the edge's height. ``blocking``: steps of grey at the borders
    of 8 x 8 blocks over steps elsewhere, 1 when blocks cannot be told. ``invented``: structure coarser than the noise
    in flat dark frames, its standard deviation over the mean.
    """

    halo: float
    blocking: float
    invented: float


def measure(method: Method) -> Artefacts:
    """Measure a method."""
    return Artefacts(
        halo=float(np.mean([halo(method(scene), bright) for scene, bright in edges()])),
        blocking=float(np.mean([blocking(method(scene)) for scene in blocked()])),
        invented=float(np.mean([invented(method(scene)) for scene in flat()])),
    )


def edges() -> list[tuple[Picture, Picture]]:
    """Dark scenes with one straight, slightly soft edge, and where they are bright."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2 + 0.5
    found = []
    for angle, low, high in ((0.0, 0.03, 0.12), (np.pi / 2, 0.05, 0.25), (0.6, 0.02, 0.3)):
        bright = x * np.cos(angle) + y * np.sin(angle) > 0
        scene = ndimage.gaussian_filter(np.where(bright, high, low), 0.8, mode="nearest")
        found.append((np.repeat(scene[..., None], 3, 2).astype(np.float32), bright))
    return found


def halo(result: Picture, bright: Picture) -> float:
    """Mean overshoot between 2 and 10 pixels from the edge, beyond the medians farther off, over their difference."""
    grey = result.mean(axis=2)
    share = []
    distance = [ndimage.distance_transform_edt(side) for side in (bright, ~bright)]
    levels = [float(np.median(grey[d > FAR])) for d in distance]
    height = max(levels[0] - levels[1], 1e-3)
    for d, level, sign in zip(distance, levels, (1, -1), strict=True):
        near = (d > RIM) & (d <= NEAR)
        share.append(float(np.maximum(sign * (grey[near] - level), 0).mean()) / height)
    return float(np.mean(share))


def blocked() -> list[Picture]:
    """Dark slopes of grey after JPEG of quality 40."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    found = []
    for slope in (x, y, (x + y) / 2):
        picture = coding.quantised(np.repeat((0.04 + 0.12 * slope)[..., None], 3, 2))
        found.append(coding.jpeg(picture, 40).astype(np.float32) / np.float32(255))
    return found


def blocking(result: Picture) -> float:
    """Mean step of grey across the borders of blocks over the mean step elsewhere, both ways."""
    grey = result.mean(axis=2)
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        border = np.arange(1, len(steps) + 1) % BLOCK == 0
        ratios.append(float(steps[border].mean()) / max(float(steps[~border].mean()), 1e-4))
    return float(np.mean(ratios))


def flat() -> list[Picture]:
    """Flat dark frames with the noise of a sensor."""
    found = []
    for k, level in enumerate(FLAT_LEVELS):
        light = SRGB().to_linear(np.full((SIDE, SIDE, 3), level, np.float32))
        read = noise.noisy(light, noise.Sensor(1e-3, 1e-6), np.random.default_rng(k))
        found.append(coding.quantised(SRGB().to_shown(read)).astype(np.float32) / np.float32(255))
    return found


def invented(result: Picture) -> float:
    """Standard deviation of grey after a Gaussian of σ 4, away from the borders, over its mean."""
    smooth = ndimage.gaussian_filter(result.mean(axis=2), 4)[8:-8, 8:-8]
    return float(smooth.std()) / max(float(smooth.mean()), 1e-3)
