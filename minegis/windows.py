"""Overlapping windows over a raster of any size, and the seamless joining of what a network says about each.

A network sees the raster through square windows that overlap. Their results are joined as a weighted mean with linear
ramps, so no seam shows; rows are final as soon as no later window touches them, so only one strip of results is held
in memory however tall the raster is, and *panels* (ranges of columns) bound it however wide the raster is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW = 512
OVERLAP = 128
PANEL_WIDTH = 8192  # 8 classes x 512 rows x 8192 columns of float32 are 134 MB


def window_starts(length: int, window: int, overlap: int) -> tuple[int, ...]:
    """First pixel of every window along one axis, ascending.

    The last window is pulled back so that it ends on the last pixel; an axis shorter than the window has one window,
    whose missing part is filled by reflection.

    Args:
        length: pixels of the axis, ≥ 1.
        window: pixels of a window, ≥ 1.
        overlap: pixels that neighbours share at least, 0 ≤ overlap < window.

    Raises:
        ValueError: an argument is out of its range.
    """
    if length < 1 or window < 1 or not 0 <= overlap < window:
        raise ValueError(f"no windows of {window} pixels with overlap {overlap} on an axis of {length}")
    last = max(length - window, 0)
    return (*range(0, last, window - overlap), last)


def ramp(window: int, overlap: int) -> NDArray[np.float32]:
    """Weights along one axis of a window, shape (window,), in (0, 1].

    They rise linearly over the overlap at both ends. The outermost weight is half a step, never zero: a zero there
    would leave the frame of the whole raster without any result.
    """
    if overlap == 0:
        return np.ones(window, np.float32)
    distance = np.minimum(np.arange(window), np.arange(window)[::-1]) + 0.5
    return np.minimum(distance / overlap, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Panel:
    """Output columns [left, right) and the window columns (first pixels) that touch them."""

    index: int
    left: int
    right: int
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Windows over a raster of height x width pixels.

    Strip *k* is the row of windows that starts at ``rows[k]``; once it is added, the pixel rows ``final_rows(k)`` are
    complete. The windows are the same with and without panels: one that touches two panels is computed for both.
    """

    height: int
    width: int
    window: int = WINDOW
    overlap: int = OVERLAP
    panel_width: int = PANEL_WIDTH

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """First pixel row of every strip."""
        return window_starts(self.height, self.window, self.overlap)

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """First pixel column of every window."""
        return window_starts(self.width, self.window, self.overlap)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Ranges of columns no wider than ``panel_width``, left to right, together covering the width."""
        count = -(-self.width // self.panel_width)
        edges = [self.width * k // count for k in range(count + 1)]
        return tuple(
            Panel(k, left, right, tuple(c for c in self.columns if c < right and c + self.window > left))
            for k, (left, right) in enumerate(itertools.pairwise(edges))
        )

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """``ramp`` of this plan, for rows and columns alike."""
        return ramp(self.window, self.overlap)

    def final_rows(self, strip: int) -> tuple[int, int]:
        """Pixel rows [first, last) that are complete once the strip is added."""
        first = self.rows[strip]
        return first, self.rows[strip + 1] if strip + 1 < len(self.rows) else self.height

    def _weight_sum(self, starts: tuple[int, ...], length: int) -> NDArray[np.float32]:
        total = np.zeros(max(length, self.window), np.float32)
        for start in starts:
            total[start : start + self.window] += self.weights
        return total[:length]

    @cached_property
    def row_weight_sums(self) -> NDArray[np.float32]:
        """Sum of the weights of all windows over each pixel row, shape (height,), > 0."""
        return self._weight_sum(self.rows, self.height)

    @cached_property
    def column_weight_sums(self) -> NDArray[np.float32]:
        """Sum of the weights of all windows over each pixel column, shape (width,), > 0."""
        return self._weight_sum(self.columns, self.width)


def pad_window(pixels: NDArray[Any], window: int) -> NDArray[Any]:
    """Fill a window that the raster is too small for by reflection at its lower and right end.

    Args:
        pixels: (..., h, w) with h, w ≤ window.

    Returns:
        (..., window, window); the same array when nothing is missing.
    """
    height, width = pixels.shape[-2:]
    if (height, width) == (window, window):
        return pixels
    missing = [(0, 0)] * (pixels.ndim - 2) + [(0, window - height), (0, window - width)]
    return np.pad(pixels, missing, mode="reflect")


class StripBlender:
    """Weighted mean of the windows of one panel, holding one strip: (channels, window, panel width) float32.

    For every strip in order: ``add`` its windows, take ``finished``, then ``advance``. Who adds and finishes in passes
    of their own take ``sums`` and ``span`` instead.

    Attributes:
        sums: (channels, window, panel width) float32, C-contiguous: weighted sums from the strip's first row on.
    """

    def __init__(self, plan: Plan, panel: Panel, channels: int) -> None:
        self.plan, self.panel = plan, panel
        self.sums = np.zeros((channels, plan.window, panel.right - panel.left), np.float32)
        self._weights = plan.weights[:, None] * plan.weights[None, :]

    def span(self, column: int) -> tuple[int, int, int]:
        """Where a window lies: its first column in ``sums``, its own first column that counts, how many count."""
        left, right = max(column, self.panel.left), min(column + self.plan.window, self.panel.right)
        return left - self.panel.left, left - column, right - left

    def add(self, column: int, values: NDArray[np.float32]) -> None:
        """Add a window of the current strip.

        Args:
            column: first pixel column of the window, one of ``panel.columns``.
            values: (channels, window, window).
        """
        left, first, count = self.span(column)
        inside = slice(first, first + count)
        self.sums[:, :, left : left + count] += values[:, :, inside] * self._weights[:, inside]

    def finished(self, strip: int) -> NDArray[np.float32]:
        """The complete rows of a strip: a view (channels, rows, panel width), valid until ``advance``.

        Call it once per strip. Pixels that no window was added for are 0.
        """
        first, last = self.plan.final_rows(strip)
        rows = self.sums[:, : last - first]
        rows /= self.plan.row_weight_sums[first:last, None]
        rows /= self.plan.column_weight_sums[self.panel.left : self.panel.right]
        return rows

    def advance(self, strip: int) -> None:
        """Drop the finished rows and make room for the next strip."""
        first, last = self.plan.final_rows(strip)
        kept = self.plan.window - (last - first)
        for sums in self.sums:  # one channel after the other: the copy is smaller
            sums[:kept] = sums[last - first :].copy()
            sums[kept:] = 0.0

    def carry(self, strip: int) -> NDArray[np.float32]:
        """Sums of rows that the next strip still adds to: a view taken before ``advance``, for ``restore``."""
        first, last = self.plan.final_rows(strip)
        return self.sums[:, last - first :]

    def restore(self, carry: NDArray[np.float32]) -> None:
        """Go on after the strip whose ``carry`` was saved, exactly as if it had just been advanced over."""
        self.sums[:] = 0.0
        self.sums[:, : carry.shape[1]] = carry
