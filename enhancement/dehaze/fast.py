"""Dehazing for use: the same numbers as ``reference`` within a 255th, in float32, in two passes over the pixels.

The dark channel, the sky and the last step are computed at full size. Between them the guided filter works on sums over
blocks of ``step`` pixels (after He, Sun: Fast guided filter, 2015, but with sums instead of samples): its lines vary
over its radius, which is several blocks, so block by block is exact enough. Loops are compiled (``kernels``).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from enhancement.dehaze import kernels
from enhancement.dehaze.pixels import Frame, full_scale
from enhancement.dehaze.settings import SKY_CLIP, VEIL_BRIGHTNESS, Settings
from enhancement.dehaze.sky import connected_sky
from minegis.errors import Finding

Array = np.ndarray[Any, np.dtype[np.float32]]
NIGHT_LUMA, NIGHT_DARK = 0.25, 0.15  # point 16: below either of them the prior does not hold
CELLS_IN_RADIUS = 4  # at least so many blocks to the guided filter's radius
_NO_SKY = np.empty((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Light:
    """What a frame says of the haze: ``airlight`` (B, G, R) 0..1, mean luma and mean dark channel 0..1."""

    airlight: Array
    luma: float
    dark: float

    @property
    def night(self) -> bool:
        """Whether the frame is too dark, or too clear, for the dark channel to mean haze (point 16)."""
        return not (self.luma > NIGHT_LUMA and self.dark > NIGHT_DARK)


@dataclass(frozen=True, slots=True)
class Lines:
    """The refined transmission as lines over grey: t = slope · grey + offset in each cell of ``step`` pixels.

    ``grey`` is each cell's mean, 0..1.
    """

    slope: Array
    offset: Array
    step: int
    grey: Array

    def blend(self, before: Lines, share: Array) -> Lines:
        """These lines with ``share`` (0..1, one number or one per cell) of earlier ones."""
        slope = self.slope + share * (before.slope - self.slope)
        offset = self.offset + share * (before.offset - self.offset)
        return Lines(slope, offset, self.step, self.grey)


@dataclass(frozen=True, slots=True)
class Result:
    """A dehazed frame, the air light used, what was remarkable, and whether it was passed through untouched."""

    image: Frame
    light: Light
    findings: list[Finding]
    passed_through: bool = False


class Dehazer:
    """Dehazes frames with fixed settings; ``threads`` share each frame by bands of rows. Safe to use from threads.

    Raises:
        EnhancementError: E-ENH-02, a setting is no number or an unknown mode.
    """

    def __init__(self, settings: Settings | None = None, *, threads: int = 1) -> None:
        self.settings, self.findings = (settings or Settings()).clamped()
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def measure(self, frame: Frame, *, bits: int | None = None) -> Light:
        """Air light, luma and dark channel of a frame, exactly as the reference has them.

        Raises:
            EnhancementError: E-ENH-03, see ``full_scale``.
        """
        full = full_scale(frame, bits)
        frame = np.ascontiguousarray(frame)
        dark = np.empty(frame.shape[:2], frame.dtype)
        window = self.settings.window(*frame.shape[:2])
        self._bands(frame.shape[0], lambda first, last: kernels.dark_channel(frame, window, first, last, dark))
        number = max(1, dark.size // 1000)
        if full > 1:
            counts = kernels.histogram(dark, int(full) + 1)
            least = int(full) - int(np.searchsorted(np.cumsum(counts[::-1]), number))
            mean_dark = float(counts @ np.arange(int(full) + 1)) / dark.size
        else:
            least = np.partition(dark, -number, axis=None)[-number]
            mean_dark = float(dark.mean())
        candidates = kernels.pixels_from(frame, dark, dark.dtype.type(least)).astype(np.float64) / full
        if self.settings.airlight == "seed":
            light = candidates[candidates.mean(axis=1).argmax()]
        else:
            lamps = (candidates > 0.98).all(axis=1)
            kept = candidates if 2 * lamps.sum() > lamps.size else candidates[~lamps]
            light = np.median(kept, axis=0)
            if self.settings.airlight == "veil":
                least = kernels.block_minima(frame, max(1, min(frame.shape[:2]) // 10))
                colour = least / least.max() if least.max() > 0 else np.ones(3)
                light = np.quantile(kept.max(axis=1), VEIL_BRIGHTNESS) * colour
        luma = float(kernels.mean_luma(frame)) / full
        return Light(np.clip(light, 0.05, 1).astype(np.float32), luma, mean_dark / full)

    def lines(self, frame: Frame, airlight: Array, *, full: float, sky: Array = _NO_SKY) -> Lines:
        """The refined transmission of a frame as lines per cell."""
        height, width = frame.shape[:2]
        s = self.settings
        window = s.window(height, width)
        radius = s.filter_radius(window)
        step = next(k for k in (8, 4, 2, 1) if k == 1 or radius >= CELLS_IN_RADIUS * k)
        rows, columns = -(-height // step), -(-width // step)
        sums = np.empty((4, rows, columns), np.float32)
        one = np.float32
        self._bands(
            rows,
            lambda first, last: kernels.statistics(
                frame, one(1 / full), airlight, one(s.omega), one(s.sky_thresh), one(s.sky_trans), one(SKY_CLIP),
                one(s.non_sky_gain), window, step, sky, first, last, sums,
            ),
        )  # fmt: skip
        reach = np.float32((2 * radius + 1) / (2 * step) - 0.5)
        counts, weight = _pixels_of_cells(height, width, step, float(reach))
        slope, offset = np.empty((2, rows, columns), np.float32)
        kernels.regress(sums, reach, weight, one(s.eps), counts, slope, offset)
        return Lines(slope, offset, step, sums[0] / counts)

    def recover(
        self, frame: Frame, airlight: Array, lines: Lines, *, full: float, sky: Array = _NO_SKY, shift: float = 0.0
    ) -> Frame:
        """The frame without its haze, given air light and transmission; ``shift`` is taken off its colours first."""
        s, one = self.settings, np.float32
        out = np.empty_like(frame)
        self._bands(
            frame.shape[0],
            lambda first, last: kernels.recover(
                frame, one(1 / full), airlight, one(shift), lines.slope, lines.offset, lines.step, one(s.sky_thresh),
                one(s.sky_trans), one(s.t0), sky, first, last, out,
            ),
        )  # fmt: skip
        return out

    def __call__(self, frame: Frame, *, bits: int | None = None, airlight: Array | None = None) -> Result:
        """Dehaze one frame (H, W, 3), B, G, R: uint8, uint16 (of ``bits``) or floats in [0, 1]; the type is kept.

        Raises:
            EnhancementError: E-ENH-03, the array is no such frame.
        """
        full = full_scale(frame, bits)
        pixels = np.ascontiguousarray(frame, np.float32 if full == 1 else frame.dtype)
        light = self.measure(pixels, bits=bits)
        if self.settings.night_gate and light.night:
            code = "E-ENH-04" if light.luma <= NIGHT_LUMA else "E-ENH-05"
            values = {"luma": f"{light.luma:.2f}", "dark": f"{light.dark:.2f}"}
            return Result(frame, light, [*self.findings, Finding(code, values=values)], passed_through=True)
        used = light.airlight if airlight is None else np.clip(airlight, 0.05, 1).astype(np.float32)
        sky = connected_sky(pixels, full, self.settings) if self.settings.sky_connected else _NO_SKY
        image = self.recover(pixels, used, self.lines(pixels, used, full=full, sky=sky), full=full, sky=sky)
        return Result(image.astype(frame.dtype, copy=False), Light(used, light.luma, light.dark), self.findings)

    def _bands(self, rows: int, work: Any) -> None:
        """Call ``work(first, last)`` for bands of rows, in threads if there are any."""
        if self._pool is None:
            work(0, rows)
            return
        edges = np.linspace(0, rows, self.threads + 1).astype(int)
        list(self._pool.map(work, edges[:-1], edges[1:]))


@lru_cache(maxsize=8)
def _pixels_of_cells(height: int, width: int, step: int, reach: float) -> tuple[Array, Array]:
    """Pixels in each cell, fewer at the right and lower border, and in the box around it."""
    rows = np.minimum(step, height - step * np.arange(-(-height // step)))
    columns = np.minimum(step, width - step * np.arange(-(-width // step)))
    counts = np.outer(rows, columns).astype(np.float32)
    return counts, kernels.box_sums(counts, np.float32(reach))
