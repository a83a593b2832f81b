"""Steady air light for a video: smoothed over time, reset at scene cuts and gaps, deaf to flashes.

Frames are measured one by one (``Meter``), which any number of workers can do for their own part; the recursion over
the measurements (``Course``) takes next to no time, so all workers get the air light that one alone would.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from enhancement.dehaze.fast import NIGHT_DARK, NIGHT_LUMA, Array, Dehazer
from enhancement.dehaze.settings import Settings
from enhancement.video.encode import scaled

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
        found = self._dehazer.measure(scaled(frame, frame.width // shrink, frame.height // shrink))
        b, g, r = (float(x) for x in found.airlight)
        return Measure(time, differs, second, (b, g, r), found.luma, found.dark)


class Course:
    """The recursion over measures: A += (1 - exp(-dt / tau)) (Â - A), at most 0.02 per frame and channel.

    A frame that differs from both neighbours while these are alike is a flash and changes nothing. A frame that
    differs from the one before otherwise is a cut: the air light is the newly measured one at once, as after a gap.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._light, self._goal = np.ones(3), np.ones(3)
        self._luma = self._dark = 1.0
        self._night = self._flash_before = False
        self._time: float | None = None

    def step(self, now: Measure, following: Measure | None) -> Air:
        """The air of a frame, given its measure and the next frame's (None at the end)."""
        first = self._time is None
        since = 0.0 if self._time is None else max(now.time - self._time, 0.0)
        gap = self._time is not None and now.time - self._time > GAP
        flash = (
            not first
            and now.differs
            and following is not None
            and following.differs
            and not following.differs_from_second
        )
        fresh = first or gap or (now.differs and not flash and not self._flash_before)
        if now.light is not None and not flash:
            self._goal = np.array(now.light)
        if fresh:
            self._light = self._goal.copy()
        elif not flash:
            share = 1 - np.exp(-since / TAU)
            self._light = self._light + np.clip(share * (self._goal - self._light), -STEP, STEP)
        if now.light is not None and not flash:
            share = 1.0 if fresh else 1 - np.exp(-EVERY * since / TAU)
            self._luma += share * (now.luma - self._luma)
            self._dark += share * (now.dark - self._dark)
            margin = 0.0 if fresh else HYSTERESIS if self._night else -HYSTERESIS
            self._night = not (self._luma > NIGHT_LUMA + margin and self._dark > NIGHT_DARK + margin)
        self._flash_before, self._time = flash, now.time
        return Air(self._light.astype(np.float32), fresh, self._settings.night_gate and self._night)


def course_of(measures: Iterable[Measure], settings: Settings) -> Iterator[Air]:
    """The air of every frame of a clip, one after the other; see ``Course``."""
    course = Course(settings)
    now: Measure | None = None
    for following in measures:
        if now is not None:
            yield course.step(now, following)
        now = following
    if now is not None:
        yield course.step(now, None)


def timeline(measures: Iterable[Measure], settings: Settings) -> list[Air]:
    """The air of every frame of a clip; see ``Course``."""
    return list(course_of(measures, settings))


class Airs(Mapping[int, Air]):
    """The air of every frame by timestamp, in order of showing, in 30 bytes each: a day has two million frames."""

    def __init__(self, airs: Iterable[tuple[int, Air]]) -> None:
        pts, light, fresh, night = array("q"), array("f"), bytearray(), bytearray()
        for at, air in airs:
            pts.append(at)
            light.extend(air.light)
            fresh.append(air.fresh)
            night.append(air.night)
        self._pts, self._light = np.frombuffer(pts, np.int64), np.frombuffer(light, np.float32).reshape(-1, 3)
        self._order = self._pts.argsort(kind="stable")  # a damaged file may have them out of order
        self.fresh, self.night = np.frombuffer(fresh, np.bool_), np.frombuffer(night, np.bool_)

    def __getitem__(self, pts: int) -> Air:
        place = int(self._pts.searchsorted(pts, sorter=self._order))
        index = int(self._order[place]) if place < len(self._pts) else -1
        if index < 0 or self._pts[index] != pts:
            raise KeyError(pts)
        return Air(self._light[index], bool(self.fresh[index]), bool(self.night[index]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._pts.tolist())

    def __len__(self) -> int:
        return len(self._pts)
