"""The ground of one year while it is being drawn, and the frame in which one feature draws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landdamage.simulation.noise import Field, generator, spectral_noise

Window = tuple[slice, slice]


@dataclass
class Canvas:
    """Ground of one year on the padded grid.

    ``labels`` uint8 class ids, ``height`` metres without buildings, ``objects`` metres of buildings on top,
    ``albedo`` (4, H, W) reflectance BGRN, ``greens`` the season's grass and forest reflectance.
    """

    labels: NDArray[np.uint8]
    height: Field
    objects: Field
    albedo: Field
    gsd: float
    greens: tuple[Field, Field] = field(repr=False)

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return int(self.labels.shape[0])

    def lay(self, window: Window, cover: NDArray[Any], material: Field) -> None:
        """Blend a material in: ``cover`` (h, w) bool or 0-1, ``material`` (4,) or (4, h, w) reflectance."""
        target = self.albedo[:, window[0], window[1]]
        share = cover.astype(np.float32)
        colour = material[:, None, None] if material.ndim == 1 else material
        target += share * (colour - target)

    def level(self, window: Window, weight: Field, height: float) -> None:
        """Pull the relief towards one height by a weight 0-1 per pixel."""
        target = self.height[window]
        target += weight * (np.float32(height) - target)


class Feature:
    """Something drawn around a centre; every look it has comes from its own key.

    Args:
        key: what seeds its generators.
        row, col: centre on the padded grid, pixels.
        reach: half side in pixels of the square it may touch.
    """

    def __init__(self, key: tuple[int, ...], row: float, col: float, reach: float) -> None:
        self.key, self.row, self.col = key, row, col
        self.reach = int(np.ceil(reach))

    def frame(self, side: int) -> tuple[Window, Field, Field]:
        """Window on a grid of this side and the offsets (rows down, columns right) from the centre in pixels."""
        r, c = round(self.row), round(self.col)
        rows = slice(max(r - self.reach, 0), min(r + self.reach + 1, side))
        cols = slice(max(c - self.reach, 0), min(c + self.reach + 1, side))
        down, right = np.meshgrid(
            np.arange(rows.start, rows.stop, dtype=np.float32) - np.float32(self.row),
            np.arange(cols.start, cols.stop, dtype=np.float32) - np.float32(self.col),
            indexing="ij",
        )
        return (rows, cols), down, right

    def noise(self, side: int, name: int, beta: float, shortest: float = 2.0, longest: float | None = None) -> Field:
        """Fractal noise that belongs to this feature, cut to its window; another ``name`` is another field."""
        full = spectral_noise(generator(*self.key, name), 2 * self.reach + 1, beta, shortest, longest)
        r, c = round(self.row) - self.reach, round(self.col) - self.reach
        return full[max(-r, 0) : full.shape[0] - max(r + full.shape[0] - side, 0),
                    max(-c, 0) : full.shape[1] - max(c + full.shape[1] - side, 0)]  # fmt: skip

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Draw labels, relief and reflectance as they are at ``stage`` (0 first year, 1 last year)."""
        raise NotImplementedError


def rotated(down: Field, right: Field, angle: float) -> tuple[Field, Field]:
    """Coordinates along and across a direction (radians from the column axis towards increasing rows)."""
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return right * cos + down * sin, down * cos - right * sin
