"""Steady air light for a video: smoothed over time, reset at scene cuts and gaps, deaf to flashes.

Frames are measured one by one (``Meter``), which any number of workers can do for their own part; the recursion over
the measurements (``timeline``) takes next to no time, so all workers get the air light that one alone would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from enhancement.dehaze.fast import NIGHT_DARK, NIGHT_LUMA, Array, Dehazer
from enhancement.dehaze.settings import Settings

TAU = 2.0  # seconds
STEP = 0.02  # most that a channel of the air light moves per frame
EVERY = 5  # frames between measurements of the air light
THUMB = (64, 36)
CUT_LUMA, CUT_HISTOGRAM = 0.12, 0.4  # mean difference of thumbnails; Bhattacharyya distance of 32-bin histograms
GAP = 1.0  # seconds without a frame after which nothing is known any more
HYSTERESIS = 0.02


@dataclass(frozen=True, slots=True)
class Measure:
    """A frame's part in the recursion: time in seconds, whether it differs from the frame before and from the one
    before that, and, if they were measured, air light (B, G, R), luma and dark channel."""

    time: float
    differs: bool
    differs_from_second: bool
    light: tuple[float, float, float] | None
    luma: float
    dark: float


@dataclass(frozen=True, slots=True)
class Air:
    """What a frame is dehazed with: air light; whether it begins something new; whether it passes through (night)."""

    light: Array
    fresh: bool
    night: bool


def thumbnail(frame: Any) -> Array:
    """Grey thumbnail (36, 64) of an av.VideoFrame, 0..1."""
    small = frame.reformat(width=THUMB[0], height=THUMB[1], format="gray", interpolation="AREA")
    return small.to_ndarray().astype(np.float32) / 255


def differ(a: Array, b: Array) -> bool:
    """Whether two thumbnails show different scenes, or one a flash."""
    if float(np.abs(a - b).mean()) > CUT_LUMA:
        return True
    p, q = (np.histogram(x, 32, (0, 1))[0] / x.size for x in (a, b))
    return float(np.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum())))) > CUT_HISTOGRAM


class Meter:
    """Measures frames in order; the first two of a part only serve the comparison if they precede it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._before: list[Array] = []
        self._dehazer: Dehazer | None = None

    def __call__(self, frame: Any, time: float, index: int) -> Measure:
        """Measure one av.VideoFrame, shown at ``time`` seconds; ``index`` counts the video's frames."""
        thumb = thumbnail(frame)
        differs = bool(self._before) and differ(thumb, self._before[-1])
        second = len(self._before) > 1 and differ(thumb, self._before[0])
        self._before = [*self._before[-1:], thumb]
        if index % EVERY and not differs:
            return Measure(time, differs, second, None, 0.0, 0.0)
        shrink = max(1, min(4, min(frame.width, frame.height) // 90))
        if self._dehazer is None:
            window = self._settings.window(frame.height, frame.width)
            self._dehazer = Dehazer(replace(self._settings, window_size=max(5, window // shrink | 1)))
        small = frame.reformat(frame.width // shrink, frame.height // shrink, "bgr24", interpolation="AREA")
        found = self._dehazer.measure(small.to_ndarray())
        b, g, r = (float(x) for x in found.airlight)
        return Measure(time, differs, second, (b, g, r), found.luma, found.dark)


def timeline(measures: Sequence[Measure], settings: Settings) -> list[Air]:
    """The air of every frame: A += (1 - exp(-dt / tau)) (Â - A), at most 0.02 per frame and channel.

    A frame that differs from both neighbours while these are alike is a flash and changes nothing. A frame that
    differs from the one before otherwise is a cut: the air light is the newly measured one at once, as after a gap.
    """
    airs: list[Air] = []
    light, goal, luma, dark, night = np.ones(3), np.ones(3), 1.0, 1.0, False
    flash_before = False
    for i, now in enumerate(measures):
        following = measures[i + 1] if i + 1 < len(measures) else None
        flash = (
            i > 0 and now.differs and following is not None and following.differs and not following.differs_from_second
        )
        gap = i > 0 and now.time - measures[i - 1].time > GAP
        fresh = i == 0 or gap or (now.differs and not flash and not flash_before)
        if now.light is not None and not flash:
            goal = np.array(now.light)
        if fresh:
            light = goal.copy()
        elif not flash:
            share = 1 - np.exp(-max(now.time - measures[i - 1].time, 0.0) / TAU)
            light = light + np.clip(share * (goal - light), -STEP, STEP)
        if now.light is not None and not flash:
            share = 1.0 if fresh else 1 - np.exp(-EVERY * max(now.time - measures[i - 1].time, 0.0) / TAU)
            luma, dark = luma + share * (now.luma - luma), dark + share * (now.dark - dark)
            margin = 0.0 if fresh else HYSTERESIS if night else -HYSTERESIS
            night = not (luma > NIGHT_LUMA + margin and dark > NIGHT_DARK + margin)
        airs.append(Air(light.astype(np.float32), fresh, settings.night_gate and night))
        flash_before = flash
    return airs
