"""Proof that no set knows the ground of another: by region, by distance on the ground, by looks."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import shapely

from landdamage.learning.samples.likeness import twins
from landdamage.learning.samples.regions import Footprints, near_pairs
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import Tile
from minegis.errors import SampleSetError


def check(sample_set: SampleSet) -> None:
    """Look for every kind of leak between the sets.

    Raises:
        SampleSetError: E-SET-11 a region (or an original and its copy) lies in two sets; E-SET-12 tiles of two sets
            overlap or lie nearer than the set's gap; E-SET-13 tiles of two sets are nearly the same picture.
    """
    check_regions(sample_set.tiles)
    check_ground(sample_set.tiles, sample_set.params.gap_m)
    check_likeness(sample_set.tiles)


def check_regions(tiles: Sequence[Tile]) -> None:
    """No region, and no original, has tiles in two sets (E-SET-11)."""
    for kind in ("region", "origin"):
        home: dict[str, str] = {}
        for tile in tiles:
            key = getattr(tile, kind)
            if home.setdefault(key, tile.set) != tile.set:
                raise SampleSetError("E-SET-11", value=key, sets=", ".join(sorted({home[key], tile.set})))


def check_ground(tiles: Sequence[Tile], gap_m: float) -> None:
    """Tiles of two sets keep their distance (E-SET-12)."""
    sets = np.array([tile.set for tile in tiles])
    left, right, metres = near_pairs(footprints_of(tiles), sets, gap_m)
    if left.size:
        worst = int(np.argmin(metres))
        raise SampleSetError(
            "E-SET-12",
            value=tiles[left[worst]].id,
            other=tiles[right[worst]].id,
            distance=f"{metres[worst]:.0f}",
            least=f"{gap_m:.0f}",
        )


def check_likeness(tiles: Sequence[Tile]) -> None:
    """No picture has a twin in another set (E-SET-13)."""
    for one, other in twin_pairs(tiles):
        raise SampleSetError("E-SET-13", value=one.id, other=other.id)


def twin_pairs(tiles: Sequence[Tile]) -> list[tuple[Tile, Tile]]:
    """Tiles of two sets that are nearly the same picture, or have the very same content."""
    by_set: dict[str, list[Tile]] = {}
    for tile in tiles:
        by_set.setdefault(tile.set, []).append(tile)
    found = []
    for one, other in itertools.combinations(by_set.values(), 2):
        pairs = set(twins([t.fingerprint for t in one], [t.fingerprint for t in other]))
        where: dict[str, list[int]] = {}
        for j, tile in enumerate(other):
            where.setdefault(tile.sha256, []).append(j)
        pairs |= {(i, j) for i, tile in enumerate(one) for j in where.get(tile.sha256, ())}
        found += [(one[i], other[j]) for i, j in sorted(pairs)]
    return found


def footprints_of(tiles: Sequence[Tile]) -> Footprints:
    """Outlines (N,) in EPSG:4490."""
    return np.array([shapely.Polygon(tile.footprint) for tile in tiles], object)
