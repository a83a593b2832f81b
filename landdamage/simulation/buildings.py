"""Camps and industrial squares: roofs, yards, tanks and conveyors on a turned grid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from landdamage import taxonomy
from landdamage.simulation import materials
from landdamage.simulation.canvas import Canvas, Feature, rotated
from landdamage.simulation.noise import Field, generator, smoothstep

SKIRT = 24.0  # pixels over which levelled ground meets the slope
LIVING = taxonomy.BY_CODE["living_area"].id
INDUSTRIAL = taxonomy.BY_CODE["industrial_square"].id


class _Compound(Feature):
    """A rectangle of built-up ground, half sizes in pixels along and across a turned axis."""

    def __init__(self, key: tuple[int, ...], row: float, col: float, half_x: float, half_y: float) -> None:
        super().__init__(key, row, col, np.hypot(half_x, half_y) + SKIRT)
        self.half_x, self.half_y = half_x, half_y
        rng = generator(*key, 0)
        self.angle = rng.uniform(0, np.pi)
        self.notch = rng.uniform(0.15, 0.9, 2)  # a corner that stays unbuilt

    def _ground(self, canvas: Canvas) -> tuple[tuple[slice, slice], Field, Field, NDArray[np.bool_]]:
        window, down, right = self.frame(canvas.side)
        x, y = rotated(down, right, self.angle)
        inside = (np.abs(x) < self.half_x) & (np.abs(y) < self.half_y)
        inside &= (x < self.half_x * self.notch[0]) | (y > -self.half_y * self.notch[1])
        edge = np.minimum(self.half_x - np.abs(x), self.half_y - np.abs(y)) + SKIRT
        canvas.level(window, smoothstep(edge, 0, SKIRT).astype(np.float32), float(canvas.height[window][inside].mean()))
        return window, x, y, inside


class Camp(_Compound):
    """Living area: rows of small regular roofs, lanes, yards and planted plots; it grows by some rows."""

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Build the camp as far as ``stage``."""
        gsd = canvas.gsd
        window, x, y, inside = self._ground(canvas)
        inside &= y < self.half_y * (0.72 + 0.28 * stage)
        rough = self.noise(canvas.side, 1, 1.5, 2.0, 60 / gsd)
        canvas.lay(window, inside, (materials.YARD[:, None, None] * np.exp(0.07 * rough)).astype(np.float32))
        rng = generator(*self.key, 2)
        row_px, house_px = 17.0 / gsd, rng.uniform(27, 36) / gsd
        rows, houses = int(2 * self.half_y / row_px) + 2, int(2 * self.half_x / house_px) + 2
        j = np.clip(((y + self.half_y) / row_px).astype(int), 0, rows - 1)
        i = np.clip(((x + self.half_x) / house_px).astype(int), 0, houses - 1)
        v = np.mod(y + self.half_y, row_px) * gsd
        u = np.mod(x + self.half_x, house_px) * gsd
        street = ((j % 5 == 4) & (v < 11)) | ((i % 6 == 5) & (u < 11))
        kind = rng.choice(4, p=[0.40, 0.22, 0.26, 0.12], size=(rows, houses))
        kind[rng.random((rows, houses)) < 0.25] = int(rng.choice([0, 1, 2]))
        built = rng.random((rows, houses)) < 0.80
        length = rng.uniform(0.66, 0.86, size=(rows, houses))
        roof = (
            inside
            & ~street
            & (j % 5 != 4)
            & (i % 6 != 5)
            & built[j, i]
            & (v > 3)
            & (v < 13)
            & (u > 3)
            & (u < 3 + length[j, i] * house_px * gsd)
        )
        tint = rng.uniform(0.88, 1.1, size=(rows, houses))
        colours = np.stack(materials.ROOFS)[kind[j, i]].transpose(2, 0, 1)
        ridge = np.where(v < 8, 1.08, 0.92)
        canvas.lay(window, inside & street, materials.ASPHALT * np.float32(1.25))
        crown = self.noise(canvas.side, 3, 0.8, 2.6, 12 / gsd)
        plot = inside & ~street & ~built[j, i]
        trees = plot & (crown > -0.2)
        canvas.lay(window, trees * np.float32(0.85), (canvas.greens[0][:, None, None] * np.exp(0.2 * crown)).astype(
            np.float32))  # fmt: skip
        canvas.lay(window, roof, (colours * tint[j, i] * ridge).astype(np.float32))
        canvas.objects[window] = np.where(roof, 4.5, np.where(trees, 3.0, canvas.objects[window]))
        canvas.labels[window][inside] = LIVING


class IndustrialSquare(_Compound):
    """Plant yard: concrete, a few large blue or bright roofs, round thickeners, conveyors between them."""

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Build the plant; every hall stands from the first year on but the last."""
        gsd = canvas.gsd
        window, x, y, inside = self._ground(canvas)
        rng = generator(*self.key, 2)
        rough = self.noise(canvas.side, 1, 1.7, 2.0, 80 / gsd)
        slabs = (np.mod(x * gsd, 24) < 1.5) | (np.mod(y * gsd, 24) < 1.5)
        tone = np.exp(0.055 * rough) * np.where(slabs, 0.93, 1.0)
        canvas.lay(window, inside, (materials.CONCRETE[:, None, None] * tone).astype(np.float32))
        lane = inside & (np.abs(y) < 5 / gsd)
        canvas.lay(window, lane, materials.ASPHALT * np.float32(1.2))
        halls = self._halls(rng, gsd)
        centres = []
        for k, (cx, cy, hx, hy) in enumerate(halls):
            if k == len(halls) - 1 and stage < 0.4:
                continue
            hall = inside & (np.abs(x - cx) < hx) & (np.abs(y - cy) < hy)
            roof = materials.ROOFS[int(rng.choice(3, p=[0.25, 0.2, 0.55]))]
            sheets = np.where(np.mod((x - cx) * gsd, 8) < 2, 0.94, 1.0) * np.where(y < cy, 1.09, 0.93)
            canvas.lay(window, hall, (roof[:, None, None] * sheets).astype(np.float32))
            canvas.objects[window][hall] = 11.0
            centres.append((cx, cy))
        for _ in range(int(rng.integers(2, 5))):
            radius = rng.uniform(8, 14) / gsd
            cx = rng.uniform(-self.half_x + 2 * radius, self.half_x - 2 * radius)
            cy = rng.choice([-1, 1]) * (self.half_y - 1.4 * radius)
            away = np.hypot(x - cx, y - cy)
            tank = inside & (away < radius) & (canvas.objects[window] == 0)
            canvas.lay(window, tank, materials.ROOFS[1])
            canvas.lay(window, tank & (away < radius * 0.78), materials.TAILINGS_WATER * np.float32(0.8))
            canvas.objects[window][tank] = 3.0
        for (ax, ay), (bx, by) in pairwise(sorted(centres)[:4]):
            gap = np.hypot(bx - ax, by - ay) + 1e-6
            t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / gap**2, 0, 1)
            belt = inside & (np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) < 2.2 / gsd)
            canvas.lay(window, belt, materials.ROOFS[0])
            canvas.objects[window][belt] = 12.0
        canvas.labels[window][inside] = INDUSTRIAL

    def _halls(self, rng: np.random.Generator, gsd: float) -> list[tuple[float, float, float, float]]:
        """Halls (centre x, y, half sizes, pixels) that keep apart, in two ranks along the lane."""
        halls = []
        for sign in (-1, 1):
            x = -self.half_x + 10 / gsd
            while x < self.half_x - 30 / gsd:
                hx = min(rng.uniform(18, 42) / gsd, (self.half_x - 6 / gsd - x) / 2)
                hy = rng.uniform(0.24, 0.34) * self.half_y
                halls.append((x + hx, sign * (self.half_y * 0.48), hx, hy))
                x += 2 * hx + rng.uniform(10, 26) / gsd
        return [halls[i] for i in rng.permutation(len(halls))]
