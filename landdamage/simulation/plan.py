"""The layout of a district: which mines, pits, dumps, ponds, camps and plants lie where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landdamage.simulation.buildings import Camp, IndustrialSquare
from landdamage.simulation.canvas import Feature
from landdamage.simulation.earthworks import OpenPit, TailingsPond, WasteDump
from landdamage.simulation.noise import generator
from landdamage.simulation.terrain import River, make_river

# Invented names: a place, and what is dug there in the order of materials.PIT_ROCKS.
PLACES = (
    ("红石沟", "Hongshigou"), ("黑山", "Heishan"), ("阿克苏沟", "Aksu Gully"), ("铁门", "Tiemen"),
    ("白杨河", "Baiyanghe"), ("库尔滩", "Kurtan"), ("松树沟", "Songshugou"), ("大泉", "Daquan"),
    ("石门子", "Shimenzi"), ("乌兰坡", "Ulanpo"), ("沙尔湖", "Sharhu"), ("骆驼岭", "Luotuoling"),
)  # fmt: skip
ORES = (
    ("石灰岩矿", "Limestone Mine"),
    ("铜矿", "Copper Mine"),
    ("铁矿", "Iron Mine"),
    ("露天煤矿", "Open-cast Coal Mine"),
)

Cell = tuple[float, float, float, float]  # first row, first column, last row, last column


@dataclass
class Site:
    """One mine: its names, what it is made of, in pixels of the padded grid."""

    code: str
    name_zh: str
    name_en: str
    cell: Cell
    features: list[Feature]


@dataclass
class Plan:
    """The whole layout of a district."""

    river: River
    sites: list[Site]
    camps: list[Feature]

    @property
    def features(self) -> list[Feature]:
        """Everything to be drawn."""
        return [f for site in self.sites for f in site.features] + self.camps


def _cells(rng: np.random.Generator, size: int) -> tuple[int, int]:
    """Rows and columns of mines: one to a small district, four or six to 2048 pixels, more to larger ones."""
    if size < 900:
        return 1, 1
    across = max(1, round(size / 1024))
    return across, across + (1 if size >= 1536 and rng.random() < 0.5 else 0)


class _Packer:
    """Finds room for circles so that nothing overlaps, shrinking what does not fit."""

    def __init__(self, rng: np.random.Generator, river: River, side: int, gap: float) -> None:
        self.rng, self.river, self.side, self.gap = rng, river, side, gap
        self.circles: list[tuple[float, float, float]] = []

    def _off_river(self, row: float, col: float) -> float:
        along, across = (col, row) if self.river.across else (row, col)
        near = int(np.clip(along, 0, self.side - 1))
        low, high = max(near - 150, 0), min(near + 150, self.side)
        line = np.arange(low, high, 8)
        return float(np.hypot(line - along, self.river.centre[low:high:8] - across).min()) - self.river.width * 1.5

    def place(self, cell: Cell, radius: float) -> tuple[float, float, float] | None:
        """Centre and the radius that fitted; None when not even 45 % of the radius fits."""
        wanted = radius
        while radius > 0.45 * wanted:
            low = np.array([cell[0], cell[1]]) + radius * 0.8
            high = np.array([cell[2], cell[3]]) - radius * 0.8
            for row, col in self.rng.uniform(low, np.maximum(high, low + 1), size=(90, 2)):
                if self._off_river(row, col) < radius + self.gap:
                    continue
                if all(np.hypot(row - r, col - c) > radius + size + self.gap for r, c, size in self.circles):
                    self.circles.append((row, col, radius))
                    return float(row), float(col), radius
            radius *= 0.92
        return None


def make_plan(seed: int, size: int, pad: int, gsd: float) -> Plan:
    """Lay out a district of ``size`` pixels with a border of ``pad`` pixels; deterministic by seed."""
    rng = generator(seed, 21)
    side = size + 2 * pad
    rows, cols = _cells(rng, size)
    across = bool(rng.random() < 0.5)
    if rows * cols == 1:
        edge = rng.uniform(0.05, 0.08)
        place = edge if rng.random() < 0.5 else 1 - edge
    else:
        lanes = rows if across else cols
        place = int(rng.integers(1, lanes)) / lanes if lanes > 1 else 0.08
    river = make_river(seed, side, place, across, gsd)
    packer = _Packer(rng, river, side, 13.0 / gsd)
    names = rng.permutation(len(PLACES))
    height, width = size / rows, size / cols
    scale = float(np.clip(np.sqrt(height * width) / 1024, 0.30, 1.0))
    sites, camps = [], []
    idle = int(rng.integers(rows * cols)) if rows * cols in (4, 6) and rng.random() < 0.3 else -1
    for k in range(rows * cols):
        r, c = divmod(k, cols)
        cell = (pad + r * height, pad + c * width, pad + (r + 1) * height, pad + (c + 1) * width)
        if k == idle:
            camps += _camps(packer, (seed, 30 + k), cell, scale, rng)
            continue
        place_zh, place_en = PLACES[int(names[k % len(PLACES)])]
        lot = "" if k < len(PLACES) else str(k // len(PLACES) + 1)
        parts = _parts(cell, packer, (seed, 100 + k), scale, gsd, rng, k)
        rock = next((p.rock_index for p in parts if isinstance(p, OpenPit)), 0)
        ore_zh, ore_en = ORES[rock]
        english = " ".join(word for word in (place_en, lot, ore_en) if word)
        sites.append(Site(f"M{k + 1:02d}", f"{place_zh}{lot}{ore_zh}", english, cell, parts))
    return Plan(river, sites, camps)


def _camps(packer: _Packer, key: tuple[int, ...], cell: Cell, scale: float,
           rng: np.random.Generator) -> list[Feature]:  # fmt: skip
    out: list[Feature] = []
    for n in range(2):
        spot = packer.place(cell, rng.uniform(100, 140) * max(scale, 0.5))
        if spot:
            out.append(Camp((*key, n), spot[0], spot[1], spot[2] * 0.80, spot[2] * 0.58))
    return out


def _parts(
    cell: Cell, packer: _Packer, key: tuple[int, ...], scale: float, gsd: float, rng: np.random.Generator, number: int
) -> list[Feature]:
    """Place the parts of one mine, the large ones first."""
    built = max(scale, 0.5)
    parts: list[Feature] = []
    wants = [
        ("pit", rng.uniform(225, 290) * scale),
        ("dump", rng.uniform(160, 205) * scale),
        ("tailings", rng.uniform(150, 195) * scale),
        ("old_dump", rng.uniform(100, 130) * scale),
        ("plant", rng.uniform(110, 140) * built),
        ("camp", rng.uniform(105, 135) * built),
        ("camp", rng.uniform(75, 105) * built),
    ]
    for part, (name, radius) in enumerate(wants):
        spot = packer.place(cell, radius)
        if spot is None:
            continue
        row, col, fitted = spot
        own = (*key, part)
        feature: Feature
        if name == "pit":
            water = number == 0 or rng.random() < 0.6
            feature = OpenPit(own, row, col, fitted * 0.80, gsd, water)
        elif name == "dump":
            feature = WasteDump(own, row, col, fitted * 0.98)
        elif name == "tailings":
            wet = rng.uniform(0.3, 0.55) if rng.random() < 0.8 else 0.0
            feature = TailingsPond(own, row, col, fitted * 0.80, fitted * 1.15, wet)
        elif name == "old_dump":
            restored = ("vegetation", "background", None)[number % 3]
            feature = WasteDump(own, row, col, fitted * 0.98, restored)
        elif name == "plant":
            feature = IndustrialSquare(own, row, col, fitted * 0.84, fitted * 0.52)
        else:
            feature = Camp(own, row, col, fitted * 0.80, fitted * 0.58)
        parts.append(feature)
    return parts
