"""Frames of one scene dehazed one after the other, with a transmission that does not flicker."""

from __future__ import annotations

import numpy as np

from enhancement.dehaze.fast import Dehazer, Lines
from enhancement.dehaze.pixels import Frame
from enhancement.video.atmosphere import Air

KEPT = 0.8  # share of the former transmission where nothing moves
MOVED = 0.05  # change of grey at which it has fallen by a factor e
RESTLESS = 0.01  # most that a frame's brightness is corrected
LEAD = 24  # frames after which what was before no longer counts: 0.8^24 is half a percent


class SteadyDehazer:
    """Dehazes bytes (H, W, 3), B, G, R in their order of time.

    The transmission is smoothed where it is cheap, in the cells of the guided filter's lines:
    lines = rho · before + (1 - rho) · now, rho = 0.8 exp(-(dY / 0.05)²), dY the cell's change of grey.
    Because 1 / t would enlarge every tremble of the exposure, what a frame's mean grey has beside its smoothed course
    (same 0.8) is taken off before, at most 0.01.
    """

    def __init__(self, dehazer: Dehazer) -> None:
        self._dehazer = dehazer
        self._before: Lines | None = None
        self._grey = self._shift = 0.0

    def forget(self) -> None:
        """What comes next has nothing before it."""
        self._before = None

    def watch(self, frame: Frame, air: Air) -> Lines | None:
        """Take a frame into account; returns its lines, None at night."""
        if air.night:
            self.forget()
            return None
        lines = self._dehazer.lines(frame, air.light, full=255.0)
        before, grey = self._before, float(lines.grey.mean())
        if before is not None and not air.fresh:
            rho = KEPT * np.exp(-(((lines.grey - before.grey) / MOVED) ** 2), dtype=np.float32)
            lines = lines.blend(before, rho)
            self._grey = KEPT * self._grey + (1 - KEPT) * grey
        else:
            self._grey = grey
        self._shift = min(max(grey - self._grey, -RESTLESS), RESTLESS)
        self._before = lines
        return lines

    def __call__(self, frame: Frame, air: Air) -> Frame:
        """The frame without its haze; at night the frame itself."""
        lines = self.watch(frame, air)
        if lines is None:
            return frame
        return self._dehazer.recover(frame, air.light, lines, full=255.0, shift=self._shift)
