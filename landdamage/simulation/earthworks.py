"""Open pits, waste dumps and tailings ponds: ground that mining digs, heaps and impounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landdamage import taxonomy
from landdamage.simulation import materials
from landdamage.simulation.canvas import Canvas, Feature, rotated
from landdamage.simulation.noise import Field, Wobble, generator, smoothstep

WATER = taxonomy.BY_CODE["water"].id
STOCKPILE = taxonomy.BY_CODE["stockpile"].id
TAILINGS = taxonomy.BY_CODE["tailings_pond"].id
PIT = taxonomy.BY_CODE["open_pit"].id
VEGETATION = taxonomy.BY_CODE["vegetation"].id
BACKGROUND = taxonomy.BY_CODE["background"].id


def from_edge(mask: NDArray[np.bool_], smooth: float) -> tuple[Field, NDArray[np.intp]]:
    """Distance in pixels to the nearest point outside, smoothed inside, and the (2, h, w) index of that point."""
    far, nearest = ndimage.distance_transform_edt(mask, return_indices=True)
    soft = ndimage.gaussian_filter(far.astype(np.float32), smooth)
    return np.where(mask, np.maximum(np.minimum(soft, far * 1.2), 0.3), 0).astype(np.float32), nearest


def one_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece with its holes filled."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(pieces == sizes.argmax())


class Blob:
    """A lobed round shape: how deep a point lies inside it, in pixels (negative outside)."""

    def __init__(self, rng: np.random.Generator, stretch: float, wobble: float, offset: tuple[float, float]) -> None:
        self.angle = rng.uniform(0, np.pi)
        self.stretch = np.sqrt(rng.uniform(1.0, stretch))
        self.size = wobble
        self.edge = Wobble(rng)
        self.offset = offset

    def inside(self, down: Field, right: Field, radius: float) -> Field:
        """(h, w) pixels inside the edge for a blob of this mean radius."""
        x, y = rotated(down - np.float32(self.offset[0]), right - np.float32(self.offset[1]), self.angle)
        x, y = x / np.float32(self.stretch), y * np.float32(self.stretch)
        reach = np.float32(radius) * (1 + np.float32(self.size) * self.edge(np.arctan2(y, x)))
        return reach - np.hypot(x, y)


class OpenPit(Feature):
    """A benched pit that grows: steep faces and flat benches down to a floor, a spiral haul road, maybe pit water.

    Args:
        radius: final mean radius in pixels.
        water: whether water stands on the floor.
    """

    def __init__(self, key: tuple[int, ...], row: float, col: float, radius: float, gsd: float, water: bool) -> None:
        super().__init__(key, row, col, radius * 1.75)
        rng = generator(*key)
        self.radius, self.water = radius, water
        self.main = Blob(rng, 1.5, 0.10, (0.0, 0.0))
        turn = rng.uniform(0, 2 * np.pi)
        far = 0.72 * radius
        self.lobe = Blob(rng, 1.3, 0.10, (far * np.sin(turn), far * np.cos(turn)))
        self.period_m = rng.uniform(26, 36) * (1.0 if radius * gsd > 250 else 0.75)
        self.bench_m = rng.uniform(9, 12) * self.period_m / 30
        self.rock_index = int(rng.integers(len(materials.PIT_ROCKS)))
        self.turn = rng.uniform(-np.pi, np.pi)

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Dig the pit as far as ``stage``."""
        side, gsd = canvas.side, canvas.gsd
        window, down, right = self.frame(side)
        inner = np.maximum(
            self.main.inside(down, right, self.radius * (0.84 + 0.16 * stage)),
            self.lobe.inside(down, right, self.radius * (0.38 + 0.20 * stage)),
        )
        inner += np.float32(7 / gsd) * self.noise(side, 1, 3.0, 14 / gsd, 140 / gsd)
        pit = one_piece(inner > 0)
        away, nearest = from_edge(pit, 5 / gsd)
        metres = away * np.float32(gsd)
        bends = np.float32(4.0) * self.noise(side, 2, 3.0, 14 / gsd, 160 / gsd)
        lean = 1 + np.float32(0.30 / self.radius) * (down * np.sin(self.turn) + right * np.cos(self.turn))
        along = np.maximum((metres + bends * np.minimum(metres / 20, 1)) * np.clip(lean, 0.65, 1.35), 0.0)
        levels = max(2, min(9, int(0.80 * float(along.max()) / self.period_m)))
        step = np.minimum(along / self.period_m, levels).astype(np.float32)
        whole = np.floor(step)
        face = (step - whole < 0.42) & (step < levels) & pit
        depth = (whole + smoothstep((step - whole) / 0.42)) * self.bench_m
        depth = np.where(step >= levels, levels * self.bench_m, depth).astype(np.float32)

        turn = np.mod(np.arctan2(down, right) - self.turn, 2 * np.pi).astype(np.float32)
        ramp_at = turn / np.float32(2 * np.pi) * np.float32(levels * self.period_m)
        ramp = pit & (np.abs(along - ramp_at) < 8.0) & (step < levels)
        depth = np.where(ramp, ramp_at / self.period_m * self.bench_m, depth)

        base = canvas.height[window]
        rim = float(base[pit].mean())
        canvas.level(window, np.minimum(metres / 60, 1).astype(np.float32), rim)
        canvas.height[window] -= np.where(pit, depth, 0).astype(np.float32)

        rough = self.noise(side, 3, 1.8, 2.0, 120 / gsd)
        strata = self.noise(side, 4, 2.5, 30 / gsd, 300 / gsd)
        rills = self.noise(side, 6, 0.2, 2.5, 20 / gsd)[nearest[0], nearest[1]]
        rock = materials.PIT_ROCKS[self.rock_index][:, None, None]
        tone = np.exp(0.10 * rough + 0.10 * np.sin(depth / 9.0 + 2 * strata)).astype(np.float32)
        tone *= np.where(face, 0.84 + 0.07 * rills, 1.04).astype(np.float32)
        tone *= 1 + np.float32(0.26) * (1 - smoothstep(metres, 6.0, 18.0)).astype(np.float32)
        tone = np.where(ramp, tone * 0.4 + 0.78, tone)
        colour = (rock * tone).astype(np.float32)
        if self.rock_index == len(materials.PIT_ROCKS) - 1:  # a coal mine shows its seam low down
            seam = smoothstep(step / levels + 0.22 * strata, 0.72, 0.86).astype(np.float32) * np.float32(0.85)
            colour += seam * (materials.COAL[:, None, None] * tone - colour)
        canvas.lay(window, pit, colour)
        canvas.labels[window][pit] = PIT
        if self.water:
            self._flood(canvas, window, pit & (step >= levels), metres, stage)

    def _flood(self, canvas: Canvas, window: tuple[slice, slice], floor: NDArray[np.bool_], metres: Field,
               stage: float) -> None:  # fmt: skip
        shore = metres + 6.0 * self.noise(canvas.side, 5, 3.2, 16 / canvas.gsd, 120 / canvas.gsd)
        if floor.sum() * canvas.gsd**2 < 1500:
            return
        cut = np.quantile(shore[floor], 0.45 - 0.15 * stage)
        lake = one_piece(floor & (shore > cut))
        lake = ndimage.binary_opening(lake, iterations=2)
        lake = one_piece(lake)
        if lake.sum() * canvas.gsd**2 < 800:
            return
        canvas.lay(window, lake, materials.PIT_WATER)
        canvas.level(window, lake.astype(np.float32), float(canvas.height[window][lake].mean()))
        canvas.labels[window][lake] = WATER


class WasteDump(Feature):
    """A dump of overlapping fans in terraces; it grows, or is restored from a given stage on.

    Args:
        radius: final overall radius in pixels.
        restored: None, "vegetation" (planted) or "background" (regraded) at the last stage.
    """

    def __init__(
        self, key: tuple[int, ...], row: float, col: float, radius: float, restored: str | None = None
    ) -> None:
        super().__init__(key, row, col, radius * 1.45)
        rng = generator(*key)
        self.radius, self.restored = radius, restored
        heading = rng.uniform(0, 2 * np.pi)
        self.fans: list[tuple[Blob, float]] = []
        for k in range(int(rng.integers(4, 7))):
            turn = heading + (k - 2.0) * rng.uniform(0.5, 0.85)
            far = radius * rng.uniform(0.44, 0.60)
            self.fans.append(
                (Blob(rng, 1.25, 0.045, (far * np.sin(turn), far * np.cos(turn))), rng.uniform(0.33, 0.45))
            )
        self.core = Blob(rng, 1.3, 0.05, (0.0, 0.0))
        self.rock = materials.DUMP_ROCKS[int(rng.integers(len(materials.DUMP_ROCKS)))]
        self.lift_m = rng.uniform(13, 19)
        self.lifts = int(rng.integers(2, 5))

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Heap the dump as far as ``stage``, or restore it."""
        side, gsd = canvas.side, canvas.gsd
        window, down, right = self.frame(side)
        grown = 1.0 if self.restored else 0.80 + 0.20 * stage
        inner = self.core.inside(down, right, self.radius * 0.50 * grown)
        for blob, size in self.fans:
            inner = np.maximum(inner, blob.inside(down, right, self.radius * size * grown))
        inner += np.float32(2.5 / gsd) * self.noise(side, 1, 2.8, 10 / gsd, 80 / gsd)
        dump = one_piece(inner > 0)
        away, nearest = from_edge(dump, 3 / gsd)
        metres = away * np.float32(gsd)
        if self.restored and stage > 0.75:
            self._restore(canvas, window, dump, metres)
            return
        deepest = max(float(metres.max()), 1.0)
        berm = min(46.0, 0.62 * deepest / self.lifts)
        slope = min(22.0, 0.6 * berm)
        rise = np.zeros_like(metres)
        face = np.zeros_like(metres)
        crest = np.zeros_like(metres)
        for k in range(self.lifts):
            t = (metres - np.float32(k * berm)) / np.float32(slope)
            rise += smoothstep(t) * np.float32(self.lift_m)
            face = np.maximum(face, ((t > 0) & (t < 1)).astype(np.float32))
            crest = np.maximum(crest, ((t > 1) & (t < 1.25)).astype(np.float32))
        rough = self.noise(side, 2, 1.7, 2.0, 90 / gsd)
        heaps = self.noise(side, 3, 0.3, 3.4, 14 / gsd)
        top = dump & (metres > (self.lifts - 1) * berm + slope)
        canvas.height[window] += np.where(dump, rise + top * heaps * 0.55 + rough * 0.25, 0).astype(np.float32)
        streak = self.noise(side, 4, 0.4, 2.6, 40 / gsd)[nearest[0], nearest[1]]  # rills run down the faces
        tone = np.exp(0.085 * rough + face * (0.13 * streak - 0.13) + 0.14 * crest + 0.05 * top * heaps)
        canvas.lay(window, dump, (self.rock[:, None, None] * tone).astype(np.float32))
        canvas.labels[window][dump] = STOCKPILE

    def _restore(self, canvas: Canvas, window: tuple[slice, slice], dump: NDArray[np.bool_], metres: Field) -> None:
        gsd = canvas.gsd
        canvas.height[window] += np.where(dump, 14 * smoothstep(metres, 0, 120), 0).astype(np.float32)
        rough = self.noise(canvas.side, 2, 1.8, 2.0, 90 / gsd)
        rows = np.sin(metres * np.float32(2 * np.pi / 11)) * 0.10  # planting rows and rip lines follow the contour
        if self.restored == "vegetation":
            tone = np.exp(0.14 * rough + rows).astype(np.float32)
            canvas.lay(window, dump * np.float32(0.86), (canvas.greens[0][:, None, None] * tone).astype(np.float32))
            canvas.labels[window][dump] = VEGETATION
            return
        soil = materials.mixed(materials.COUNTRY_ROCKS[0], materials.ALLUVIUM, 0.35)
        canvas.lay(window, dump, (soil[:, None, None] * np.exp(0.11 * rough + 0.5 * rows)).astype(np.float32))
        canvas.labels[window][dump] = BACKGROUND


class TailingsPond(Feature):
    """Tailings behind a straight dam: stepped dam face, pale beach with flow lines, water at the far end.

    Args:
        half: half length of the dam in pixels.
        length: length behind the dam in pixels at the last stage.
        wet: share of the beach under water, 0-0.6.
    """

    def __init__(self, key: tuple[int, ...], row: float, col: float, half: float, length: float, wet: float) -> None:
        super().__init__(key, row, col, np.hypot(half, length) * 0.92 + 30)
        rng = generator(*key)
        self.half, self.length, self.wet = half, length, wet
        self.angle = rng.uniform(0, 2 * np.pi)
        self.beach = materials.BEACHES[int(rng.integers(len(materials.BEACHES)))]
        self.shape = rng.uniform(0.38, 0.6)
        self.dam_m = rng.uniform(46, 62)
        self.edge = Wobble(rng, 2, 9)

    def paint(self, canvas: Canvas, stage: float) -> None:
        """Raise the dam and fill the pond as far as ``stage``."""
        side, gsd = canvas.side, canvas.gsd
        window, down, right = self.frame(side)
        x, y = rotated(down, right, self.angle)
        y = y + np.float32(self.length / 2)
        dam = np.float32(min(self.dam_m / gsd, 0.3 * self.length))
        length = np.float32(self.length * (0.86 + 0.14 * stage))
        bank = np.clip(1 - (x / np.float32(self.half)) ** 2, 0, 1) ** np.float32(self.shape)
        far = length * bank * (1 + 0.045 * self.edge(np.clip(x / self.half, -1, 1) * np.float32(2.5)))
        shore = np.float32(4 / gsd) * self.noise(side, 1, 3.0, 16 / gsd, 120 / gsd)
        pond = one_piece((np.abs(x) < self.half) & (y > 0) & (y < far + shore))
        wall = pond & (y < dam)
        flat = pond & ~wall

        base = canvas.height[window]
        crest = float(base[pond].mean()) + 10.0
        lift = smoothstep(y / dam)
        outside = ndimage.distance_transform_edt(~pond) * gsd
        skirt = np.where(pond, 1, 1 - smoothstep(outside, 0, 56)).astype(np.float32)  # it leans on the valley sides
        canvas.height[window] = base + skirt * ((crest - 16 * (1 - lift)).astype(np.float32) - base)

        steps = np.mod(y * gsd, 15.0) / 15.0
        rough = self.noise(side, 2, 1.9, 2.0, 100 / gsd)
        dam_tone = np.exp(0.06 * rough) * np.where(steps < 0.28, 1.28, 0.92) * np.where(y > dam - 8 / gsd, 1.25, 1.0)
        canvas.lay(window, wall, (materials.DAM[:, None, None] * dam_tone).astype(np.float32))

        flow = self.noise(side, 3, 2.4, 8 / gsd, 260 / gsd)
        fans = np.sin(x * np.float32(2 * np.pi * gsd / 60) + 2.6 * flow) * 0.05
        damp = smoothstep((y - dam) / np.maximum(far - dam, 1) + 0.12 * flow, 0.1, 1.0).astype(np.float32)
        tone = np.exp(0.06 * flow + fans + 0.025 * rough).astype(np.float32) * (1 - 0.22 * damp)
        canvas.lay(window, flat, (self.beach[:, None, None] * tone).astype(np.float32))
        if self.wet > 0:
            reach = (y - dam) / np.maximum(far - dam, 1) + 0.07 * flow
            pool = flat & (reach > 1 - self.wet * (1.1 - 0.2 * stage))
            deep = ndimage.gaussian_filter(pool.astype(np.float32), 5 / gsd) * pool
            canvas.lay(window, deep, materials.TAILINGS_WATER * np.float32(1.0))
        canvas.labels[window][pond] = TAILINGS
