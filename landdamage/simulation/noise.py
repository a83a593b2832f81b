"""Random fields with a chosen spectrum, and the few smooth functions the ground is drawn with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Field = NDArray[np.float32]


def generator(*key: int) -> np.random.Generator:
    """The random generator of one part of a district: the same key gives the same numbers on every run."""
    return np.random.default_rng(np.random.SeedSequence(list(key)))


def spectral_noise(
    rng: np.random.Generator, side: int, beta: float, shortest: float = 2.0, longest: float | None = None
) -> Field:
    """Fractal noise by filtering white noise: radial power falls as ``frequency ** -beta``.

    Args:
        rng: source of the white noise.
        side: height and width in pixels.
        beta: exponent of the two-dimensional power spectrum (natural images are near 2, relief near 3.5).
        shortest: wavelength in pixels below which the power is cut smoothly.
        longest: wavelength in pixels above which the power is flat; the side by default.

    Returns:
        (side, side) float32 with mean 0 and standard deviation 1.
    """
    length = scipy.fft.next_fast_len(side, real=True)
    spectrum = scipy.fft.rfft2(rng.standard_normal((length, length), dtype=np.float32))
    fy = scipy.fft.fftfreq(length).astype(np.float32)[:, None]
    fx = scipy.fft.rfftfreq(length).astype(np.float32)[None, :]
    square = fy * fy + fx * fx
    lowest = np.float32(1.0 / (longest or length))
    gain = np.maximum(square, lowest * lowest) ** np.float32(-beta / 4)
    gain *= np.exp(-square * np.float32((shortest / 2) ** 2))
    gain[0, 0] = 0.0
    spectrum *= gain
    field = scipy.fft.irfft2(spectrum, s=(length, length))[:side, :side].astype(np.float32)
    field -= field.mean()
    field /= field.std()
    return field


def smoothstep(x: Any, low: float = 0.0, high: float = 1.0) -> Any:
    """Cubic step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class Wobble:
    """A smooth random function of an angle, period 2 pi, standard deviation near 1."""

    def __init__(self, rng: np.random.Generator, low: int = 2, high: int = 14, decay: float = 1.0) -> None:
        order = np.arange(low, high + 1)
        size = rng.normal(size=order.size) * order ** (-decay)
        phase = rng.uniform(0, 2 * np.pi, order.size)
        self._angle = np.linspace(-np.pi, np.pi, 1441)
        table = (size[:, None] * np.cos(order[:, None] * self._angle + phase[:, None])).sum(axis=0)
        self._table = table / max(float(table.std()), 1e-6)

    def __call__(self, angle: NDArray[Any]) -> Field:
        """Value at ``angle`` in radians, -pi to pi, any shape."""
        return np.interp(angle, self._angle, self._table).astype(np.float32)
