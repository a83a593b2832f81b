"""The natural ground: relief, country rock, river and steppe vegetation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landdamage.simulation import materials
from landdamage.simulation.noise import Field, generator, smoothstep, spectral_noise

SMALLEST_PATCH_M2 = 600.0


@dataclass(frozen=True)
class River:
    """A meandering river that crosses the district from the upper to the lower edge (or left to right)."""

    centre: Field  # (side,) pixels: column of each row, or row of each column when ``across``
    width: float  # pixels
    across: bool

    def distance(self, side: int) -> Field:
        """(side, side) distance from the centre line in pixels, good near the line."""
        bend = np.gradient(self.centre)
        line = np.arange(side, dtype=np.float32)
        off = np.abs(line[None, :] - self.centre[:, None]) / np.sqrt(1 + bend * bend)[:, None]
        return (off.T if self.across else off).astype(np.float32)


def make_river(seed: int, side: int, place: float, across: bool, gsd: float) -> River:
    """A river near ``place`` (0-1 of the side) with meanders of some hundred metres."""
    rng = generator(seed, 11)
    line = np.arange(side) / side
    centre = np.full(side, place * side)
    reach = min(side, 1400.0)
    for order, size in ((1.3, 0.018), (3.1, 0.012), (6.3, 0.006)):
        centre += reach * size * np.sin(2 * np.pi * order * line * max(side / 1400.0, 0.6) + rng.uniform(0, 2 * np.pi))
    width = rng.uniform(34, 54) / gsd
    return River(centre.astype(np.float32), width, across)


def relief(seed: int, side: int, gsd: float, river: River) -> Field:
    """Heights in metres: fractal hills, gullies by ridged noise, a valley along the river."""
    rng = generator(seed, 12)
    longest = 1500 / gsd
    hills = spectral_noise(rng, side, 3.7, 3.0, longest) * np.float32(rng.uniform(24, 38))
    main = np.abs(spectral_noise(rng, side, 3.6, 40 / gsd, 520 / gsd))
    minor = np.abs(spectral_noise(rng, side, 3.2, 16 / gsd, 170 / gsd))
    gullies = (1.0 - main.clip(0, 1)) ** 2 + np.float32(0.20) * (1.0 - minor.clip(0, 1)) ** 2
    strength = smoothstep(spectral_noise(rng, side, 4.0, 40.0, longest), -1.0, 1.2)
    valley = np.exp(-((river.distance(side) * gsd / 170) ** 2))
    height = 1500 + hills - (21 * strength + 2) * gullies
    height = height * (1 - 0.6 * valley) + 0.6 * valley * np.float32(1500 - 26)
    return height.astype(np.float32)


def country_rock(seed: int, height: Field, gsd: float, river: River) -> Field:
    """(4, side, side) reflectance of bare natural ground: rock units, gully fill, pebble speckle, gravel banks."""
    rng = generator(seed, 13)
    side = height.shape[0]
    pick = rng.permutation(len(materials.COUNTRY_ROCKS))[:3]
    first, second, third = (materials.COUNTRY_ROCKS[i][:, None, None] for i in pick)
    unit = smoothstep(spectral_noise(rng, side, 3.2, 3.0, 700 / gsd), -0.6, 0.6) * np.float32(0.65)
    bands = smoothstep(spectral_noise(rng, side, 3.0, 3.0, 500 / gsd), 0.2, 1.0) * np.float32(0.7)
    albedo = first * (1 - unit) + second * unit
    albedo += bands * (third - albedo)
    hollow = ndimage.gaussian_filter(height, 16 / gsd) - height
    fill = smoothstep(hollow, 0.3, 2.0) * np.float32(0.45)
    albedo += fill * (materials.ALLUVIUM[:, None, None] - albedo)
    gravel = smoothstep(-(river.distance(side) - river.width * (1.5 + 0.35 * unit)), -3.0, 3.0).astype(np.float32)
    albedo += np.float32(0.8) * gravel * (materials.ALLUVIUM[:, None, None] * np.float32(1.08) - albedo)
    rugged = np.float32(0.55) + np.float32(0.65) * smoothstep(
        ndimage.gaussian_filter(np.abs(hollow), 60 / gsd), 0.2, 1.3
    )
    texture = spectral_noise(rng, side, 1.9, 2.0, 260 / gsd) * np.float32(0.15) * rugged
    texture += spectral_noise(rng, side, 0.6, 2.0, 14 / gsd) * np.float32(0.055)
    albedo *= np.exp(texture)
    shrubs = spectral_noise(rng, side, 0.4, 2.6, 10 / gsd)
    dots = smoothstep(shrubs, 2.0, 2.6).astype(np.float32) * np.float32(0.45)
    albedo *= 1 - dots
    return albedo.astype(np.float32)


def without_small(mask: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """A mask whose pieces and holes all have at least ``smallest`` pixels (8-neighbour pieces, 4-neighbour holes)."""
    out = mask
    for value in (True, False):
        pieces, count = ndimage.label(out == value, structure=np.ones((3, 3)) if value else None)
        small = np.bincount(pieces.ravel(), minlength=count + 1) < smallest
        small[0] = False
        out = np.where(small[pieces], not value, out)
    return out


def plant_density(seed: int, height: Field, gsd: float, river: River) -> Field:
    """How well plants grow, (side, side), standard deviation near 1: hollows and river banks better than crests."""
    rng = generator(seed, 14)
    density = spectral_noise(rng, height.shape[0], 3.1, 26 / gsd, 520 / gsd)
    hollow = ndimage.gaussian_filter(height, 120 / gsd) - height
    density += np.float32(0.55) * ndimage.gaussian_filter(hollow, 8 / gsd) / np.float32(hollow.std() + 1e-6)
    away = river.distance(height.shape[0]) - river.width * 2.0
    density += np.float32(1.6) * np.exp(-((away * gsd / 90) ** 2)).astype(np.float32)
    return ndimage.gaussian_filter(density, 6 / gsd)


def vegetation(seed: int, year: int, density: Field, gsd: float) -> tuple[NDArray[np.bool_], Field]:
    """Where plants cover the ground in a year: the best 30-42 % of it, a little more or less from year to year.

    Returns:
        Exact mask (side, side) and density (side, side), 0 at the edge of the mask and about 1 in thick stands.
    """
    share = generator(seed, 17).uniform(0.30, 0.42) + float(generator(seed, 15, year).uniform(-0.02, 0.02))
    above = density - np.float32(np.quantile(density[::4, ::4], 1 - share))
    return without_small(above > 0, int(SMALLEST_PATCH_M2 / gsd**2)), above


def plant_cover(seed: int, mask: NDArray[np.bool_], density: Field, greens: tuple[Field, Field], gsd: float) -> tuple[
    Field, Field
]:  # fmt: skip
    """Cover share (side, side) and reflectance (4, side, side) of the vegetation of one date."""
    rng = generator(seed, 16)
    side = mask.shape[0]
    clump = spectral_noise(rng, side, 1.4, 2.2, 60 / gsd)
    crown = spectral_noise(rng, side, 0.6, 2.6, 12 / gsd)
    forest = smoothstep(density + np.float32(0.25) * clump, 1.05, 1.5).astype(np.float32)
    grass, trees = (g[:, None, None] for g in greens)
    meadow = spectral_noise(rng, side, 2.8, 6.0, 300 / gsd)
    tint = np.array([1.08, 1.02, 1.16, 0.92], np.float32)[:, None, None]
    colour = grass * (1 + (tint - 1) * np.clip(meadow, -1.6, 1.6))
    colour = colour + forest * (trees - colour)
    colour = colour * np.exp(np.float32(0.13) * clump + (0.08 + 0.22 * forest) * np.minimum(crown, 1.3))
    solid = ndimage.gaussian_filter(mask.astype(np.float32), 1.6 / gsd)
    cover = solid * np.clip(0.80 + 0.10 * clump + 0.2 * smoothstep(density, 0.0, 0.5), 0.5, 1.0)
    return cover.astype(np.float32), colour.astype(np.float32)
