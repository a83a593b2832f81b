"""Dehazing written as the formulas are, in float64 at full size: the oracle the fast path is held against.

He, Sun, Tang: Single image haze removal using dark channel prior (2009); He, Sun, Tang: Guided image filtering (2010);
soft sky and the rules named "point n" come from the audit of the source report in docs/dehaze.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from enhancement.dehaze.kernels import BLUE, BLUE_RAMP, GREY, SKY_FLOOR, SKY_RAMP
from enhancement.dehaze.pixels import Frame, full_scale
from enhancement.dehaze.settings import SKY_CLIP, VEIL_BRIGHTNESS, Settings
from enhancement.dehaze.sky import connected_sky

Plane = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Dehazed:
    """The result with what it was made from: ``image`` in the frame's type, ``airlight`` (B, G, R) and transmission."""

    image: Frame
    airlight: Plane
    transmission: Plane


def dark_channel(image: Plane, window: int) -> Plane:
    """Least value of any channel within a square of ``window`` pixels; nothing outside the image counts."""
    return ndimage.minimum_filter(image.min(axis=2), size=window, mode="constant", cval=np.inf)


def airlight(image: Plane, window: int, mode: str = "robust") -> Plane:
    """Colour of the haze (B, G, R), 0.05..1, from the 0.1 % of the pixels with the largest dark channel.

    All pixels as dark as the last of them count, so that ties have no order. "robust" (point 6): the median of these
    without pixels above 0.98 in all channels, unless that are more than half; "seed": the one with the largest mean;
    "veil": in the colour of ``veil_colour``, as bright as 97 % of those that "robust" takes the median of. In thin haze
    and in fog the air light is brighter than nearly everything it lies over: their median is too dark.
    """
    dark = dark_channel(image, window)
    number = max(1, dark.size // 1000)  # point 5: never none, which would mean all
    candidates = image[dark >= np.partition(dark, -number, axis=None)[-number]]
    if mode == "seed":
        chosen = candidates[candidates.mean(axis=1).argmax()]
    else:
        lamps = (candidates > 0.98).all(axis=1)
        kept = candidates if 2 * lamps.sum() > lamps.size else candidates[~lamps]
        chosen = np.median(kept, axis=0)
        if mode == "veil":
            chosen = veil_colour(image) * np.quantile(kept.max(axis=1), VEIL_BRIGHTNESS)
    return np.clip(chosen, 0.05, 1.0)  # point 4: a channel without light would divide by zero


def veil_colour(image: Plane) -> Plane:
    """Colour (B, G, R, the largest 1) of what is left of the light in each channel's darkest pixel of every block.

    Where something black in a channel lies in a block of a tenth of the shorter side, its least value is A (1 - t):
    haze alone. The haziest pixels of a dusty scene, in contrast, are often white ones, and hide the dust's colour.
    """
    height, width = image.shape[:2]
    side = max(1, min(height, width) // 10)
    blocks = image[: height // side * side, : width // side * side].reshape(
        height // side, side, width // side, side, 3
    )
    least = blocks.min(axis=(1, 3)).mean(axis=(0, 1))
    return least / least.max() if least.max() > 0 else np.ones(3)


def sky_weight(image: Plane, settings: Settings) -> Plane:
    """How much of sky each pixel is, 0..1 (points 7 and 10)."""
    mean = image.mean(axis=2)
    weight = np.clip((mean - settings.sky_thresh) / SKY_RAMP, 0, 1)
    weight *= np.clip((image[..., BLUE] - mean) / BLUE_RAMP + 0.5, 0, 1)
    return weight


def guided_filter(guide: Plane, p: Plane, radius: int, eps: float) -> Plane:
    """Edge-preserving mean of p after the guide, windows of (2 radius + 1)² pixels cut off at the border (point 11)."""
    size = 2 * radius + 1

    def total(x: Plane) -> Plane:
        return ndimage.uniform_filter(x, size, mode="constant")

    inside = total(np.ones_like(guide))

    def mean(x: Plane) -> Plane:
        return total(x) / inside

    mean_guide, mean_p = mean(guide), mean(p)
    variance = np.maximum(mean(guide * guide) - mean_guide**2, 0)  # point 12
    a = (mean(guide * p) - mean_guide * mean_p) / (variance + eps)
    b = mean_p - a * mean_guide
    return mean(a) * guide + mean(b)


def raw_transmission(image: Plane, light: Plane, weight: Plane, settings: Settings) -> Plane:
    """Transmission before refinement: 1 - omega · dark(I / A), sky and the rest each treated as theirs."""
    window = settings.window(*image.shape[:2])
    dark = dark_channel(image / light, window)
    t = 1 - settings.omega * dark
    sky = np.clip(t, settings.sky_trans, SKY_CLIP)  # point 9: the later version of the step
    return weight * sky + (1 - weight) * settings.non_sky_gain * t


def dehaze(frame: Frame, settings: Settings, *, bits: int | None = None, light: Plane | None = None) -> Dehazed:
    """Dehaze one frame; ``light`` (B, G, R) is estimated from it unless given. No night gate: this is the formula.

    Raises:
        EnhancementError: E-ENH-02 or E-ENH-03, see ``Settings.clamped`` and ``full_scale``.
    """
    settings, _ = settings.clamped()
    full = full_scale(frame, bits)
    image = frame.astype(np.float64) / full  # points 1 and 3
    window = settings.window(*image.shape[:2])
    light = airlight(image, window, settings.airlight) if light is None else np.clip(light, 0.05, 1.0)
    weight = sky_weight(image, settings)
    if settings.sky_connected:
        weight = weight * connected_sky(frame, full, settings)
    grey = image @ np.array(GREY)  # point 13
    p = raw_transmission(image, light, weight, settings)
    t = guided_filter(grey, p, settings.filter_radius(window), settings.eps)
    t = np.maximum(np.clip(t, settings.t0, 1), weight * SKY_FLOOR * settings.sky_trans)  # point 14
    clear = np.clip((image - light) / t[..., None] + light, 0, 1)
    if full == 1:
        return Dehazed(clear.astype(frame.dtype), light, t)
    return Dehazed(np.floor(clear * full + 0.5).astype(frame.dtype), light, t)
