"""Camera response: from what is shown to the light that made it, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Picture = np.ndarray[Any, np.dtype[Any]]
SMOOTHNESS = 50.0  # of a recovered curve, Debevec and Malik's λ


class Response(Protocol):
    """A monotone curve between light and what is shown, both in [0, 1]."""

    def to_linear(self, shown: Picture) -> Picture:
        """Light of a shown picture."""
        ...

    def to_shown(self, linear: Picture) -> Picture:
        """What is shown of light; above 1 it saturates."""
        ...


class SRGB:
    """The piecewise curve of IEC 61966-2-1."""

    def to_linear(self, shown: Picture) -> Picture:
        """x / 12.92 up to 0.04045, ((x + 0.055) / 1.055)^2.4 above."""
        shown = np.asarray(shown, np.float32)
        high = ((shown + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
        return np.where(shown <= 0.04045, shown / np.float32(12.92), high)

    def to_shown(self, linear: Picture) -> Picture:
        """The inverse; light outside [0, 1] is clipped."""
        linear = np.clip(np.asarray(linear, np.float32), 0, 1)
        high = np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)
        return np.where(linear <= 0.0031308, linear * np.float32(12.92), high)


class Gamma:
    """A power law, 2.2 by default."""

    def __init__(self, exponent: float = 2.2) -> None:
        self.exponent = np.float32(exponent)

    def to_linear(self, shown: Picture) -> Picture:
        """x^γ."""
        return np.clip(np.asarray(shown, np.float32), 0, 1) ** self.exponent

    def to_shown(self, linear: Picture) -> Picture:
        """x^(1/γ), clipped."""
        return np.clip(np.asarray(linear, np.float32), 0, 1) ** (1 / self.exponent)


class Curve:
    """A measured response: the light of each of 256 levels, rising from 0 to 1."""

    def __init__(self, light: Sequence[float]) -> None:
        table = np.maximum.accumulate(np.asarray(light, np.float32))
        if table.shape != (256,) or not np.isfinite(table).all() or table[-1] <= table[0]:
            raise ValueError("a response has 256 rising values")
        self.table = (table - table[0]) / (table[-1] - table[0])

    def to_linear(self, shown: Picture) -> Picture:
        """By linear interpolation between levels."""
        return np.interp(np.clip(shown, 0, 1) * 255, np.arange(256), self.table).astype(np.float32)

    def to_shown(self, linear: Picture) -> Picture:
        """The inverse."""
        rising = self.table + np.arange(256, dtype=np.float32) * 1e-9  # flat parts have no inverse
        return (np.interp(np.clip(linear, 0, 1), rising, np.arange(256)) / 255).astype(np.float32)


def recover(bracket: Sequence[Picture], exposures: Sequence[float], places: int = 200, seed: int = 0) -> Curve:
    """The response of a camera from pictures of one still scene at several exposure times (Debevec and Malik 1997).

    Least squares over the log response g(z) and the log light of some places: w(z)(g(z) - ln E - ln Δt), and
    λ w(z) g''(z).

    Args:
        bracket: two or more grey or colour pictures of one size, bytes.
        exposures: their exposure times in seconds.
        places: pixels used.
        seed: which.
    """
    levels = np.stack([x.reshape(x.shape[0] * x.shape[1], -1).mean(1).round().astype(int) for x in bracket])
    chosen = np.random.default_rng(seed).choice(levels.shape[1], min(places, levels.shape[1]), replace=False)
    levels = levels[:, chosen]
    weight = np.minimum(np.arange(256), 255 - np.arange(256)) + 1.0
    images, n = levels.shape
    rows = np.zeros((images * n + 255, 256 + n))
    right = np.zeros(len(rows))
    for j in range(images):
        for i in range(n):
            z, k = levels[j, i], j * n + i
            rows[k, z], rows[k, 256 + i], right[k] = weight[z], -weight[z], weight[z] * np.log(exposures[j])
    rows[images * n, 127] = 1.0  # g(127) = 0 fixes the unit
    for z in range(1, 255):
        rows[images * n + z, z - 1 : z + 2] = SMOOTHNESS * weight[z] * np.array([1.0, -2.0, 1.0])
    g = np.linalg.lstsq(rows, right, rcond=None)[0][:256]
    return Curve(np.exp(g))
