"""Haze whose truth is known: pictures put into fog or dust of known depth, and mining scenes drawn for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import ndimage

Picture = np.ndarray[Any, np.dtype[Any]]
Kind = Literal["light", "dense", "dust"]
KINDS: tuple[Kind, ...] = ("light", "dense", "dust")
# Scattering per unit of depth, and the air light in B, G, R, each between two values.
SCATTERING = {"light": (0.5, 1.0), "dense": (1.0, 2.0), "dust": (0.6, 1.6)}
FOG = (0.75, 1.0)
DUST = ((0.50, 0.62), (0.66, 0.76), (0.78, 0.90))


@dataclass(frozen=True, slots=True)
class Hazy:
    """``clear`` (H, W, 3) B, G, R floats in [0, 1]; ``hazy`` uint8; transmission (H, W) and air light that made it."""

    clear: Picture
    hazy: Picture
    transmission: Picture
    airlight: Picture


def depth(height: int, width: int, rng: np.random.Generator) -> Picture:
    """Depth in 0.05..1: ground that recedes towards a horizon, with soft rises; it follows nothing in the picture."""
    rows = np.linspace(1, 0, height)[:, None]
    ramp = np.clip(rows / (1 - 0.5 * rng.uniform(0.1, 0.4)), 0, 1)
    coarse = rng.random((4, 5))
    rises = ndimage.zoom(coarse, (height / 4, width / 5), order=3, mode="nearest", grid_mode=True)[:height, :width]
    return np.clip(0.15 + 0.6 * ramp + 0.4 * (rises - 0.5), 0.05, 1)


def add_haze(clear: Picture, kind: Kind, seed: int) -> Hazy:
    """Put a picture (floats in [0, 1]) into haze: I = J t + A (1 - t), t = exp(-scattering · depth), as bytes."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    t = np.exp(-rng.uniform(*SCATTERING[kind]) * depth(clear.shape[0], clear.shape[1], rng))
    if kind == "dust":
        light = np.array([rng.uniform(*limits) for limits in DUST])
    else:
        light = np.clip(rng.uniform(*FOG) + rng.uniform(-0.02, 0.02, 3), 0, 1)
    picture = clear * t[..., None] + light * (1 - t[..., None])
    return Hazy(clear, np.floor(picture * 255 + 0.5).astype(np.uint8), t, light)


def mining_scene(seed: int, *, height: int = 270, width: int = 480) -> Picture:
    """A drawn mine: benches of a pit, a road, trucks, soil with texture. Floats in [0, 1], B, G, R."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    soil = np.array([0.22, 0.32, 0.42])
    grain = ndimage.gaussian_filter(rng.normal(size=(height, width)), 1) + 0.5 * rng.normal(size=(height, width))
    centre = rng.uniform(0.3, 0.7, 2) * [height / max(height, width), width / max(height, width)]
    distance = np.hypot((y - centre[0]) * 1.8, x - centre[1])
    bench = 0.75 + 0.25 * np.sign(np.sin(distance * 70))
    shade = (bench + 0.12 * grain)[..., None]
    picture = soil * shade
    picture[np.abs(y - 0.1 - 0.3 * x) < 0.012] = [0.45, 0.52, 0.58]
    for _ in range(8):
        top, left = rng.integers(0, height - 12), rng.integers(0, width - 16)
        colour = [[0.05, 0.6, 0.8], [0.5, 0.2, 0.1], [0.75, 0.75, 0.75]][rng.integers(3)]
        picture[top : top + rng.integers(4, 10), left : left + rng.integers(6, 14)] = colour
        picture[top + 6 : top + 10, left : left + 12] = 0.03
    return np.clip(picture, 0, 1)


def scene(seed: int, kind: Kind, *, height: int = 270, width: int = 480) -> Hazy:
    """A drawn mine in haze."""
    return add_haze(mining_scene(seed, height=height, width=width), kind, seed)
