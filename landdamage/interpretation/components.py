"""Connected components of a class raster that is read block by block, and the sieve that hands specks to a neighbour.

The raster is never whole in memory: a block of rows is labelled by itself, its components are joined to those of the
block above, and what remains is a graph (components, sizes, lengths of shared borders) on which the sieve works. The
result is therefore the same however the rows are cut into blocks. The graph takes some tens of bytes per component.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from landdamage.taxonomy import IGNORE

Ids = NDArray[np.int32]
VOID = -1  # no component: outside the raster, or not observed
_SPECKS_AT_ONCE = 1 << 18


def join(count: int, first: NDArray[Any], second: NDArray[Any]) -> tuple[int, Ids]:
    """Number of groups and the group of each of ``count`` items when the pairs (first, second) belong together."""
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    groups, member = connected_components(links, directed=False)
    return groups, member


def label_block(classes: NDArray[np.uint8]) -> tuple[Ids, int]:
    """4-connected components of equal class.

    Args:
        classes: (rows, width); every value is a class of its own, ``IGNORE`` included.

    Returns:
        Component of each pixel, (rows, width) int32 from 0 in the order of their first pixels, and the number of
        components.
    """
    from landdamage.interpretation.kernels import label_components  # Numba loads where a scene is read

    return label_components(np.ascontiguousarray(classes))


def _count_pairs(first: NDArray[Any], second: NDArray[Any], count: int) -> tuple[Ids, Ids, Ids]:
    """Distinct unordered pairs of different ids below ``count`` and how often each occurs."""
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second)
    key, times = np.unique(low * count + high, return_counts=True)
    return (key // count).astype(np.int32), (key % count).astype(np.int32), times.astype(np.int32)


@dataclass(frozen=True)
class Components:
    """The components of a whole raster.

    Attributes:
        classes: class of each component, (n,) uint8.
        pixels: size of each component, (n,) int64.
        left, right, border: neighbours left[k] and right[k] share border[k] pixel edges; a pair may occur repeatedly.
        of_block: for each block, the component of each of its local labels.
    """

    classes: NDArray[np.uint8]
    pixels: NDArray[np.int64]
    left: Ids
    right: Ids
    border: Ids
    of_block: tuple[Ids, ...]


def find_components(blocks: Iterable[NDArray[np.uint8]]) -> Components:
    """Label a raster given as blocks of rows from top to bottom.

    Args:
        blocks: (rows, width) arrays of one width; at least one.
    """
    from landdamage.interpretation.kernels import count_borders, measure_components

    above: Ids | None = None
    above_classes: NDArray[np.uint8] | None = None
    counts: list[int] = []
    classes: list[NDArray[np.uint8]] = []
    pixels: list[Ids] = []
    joins: list[NDArray[Any]] = [np.zeros((2, 0), np.int32)]
    pairs: list[NDArray[np.int32]] = [np.zeros((3, 0), np.int32)]
    offset = 0
    for block in blocks:
        label, count = label_block(block)
        of_label, sizes = np.empty(count, np.uint8), np.zeros(count, np.int32)
        measure_components(np.ascontiguousarray(block), label, of_label, sizes)
        classes.append(of_label)
        pixels.append(sizes)
        pairs.append(count_borders(label))
        pairs[-1][:2] += offset
        top = label[0] + offset
        if above is not None and above_classes is not None:
            same = above_classes == block[0]
            joins.append(np.stack([above[same], top[same]]))
            pairs.append(np.stack(_count_pairs(above[~same], top[~same], offset + count)))
        above, above_classes = label[-1] + offset, block[-1].copy()
        counts.append(count)
        offset += count
    n, member = join(offset, *np.concatenate(joins, axis=1))
    of_component = np.zeros(n, np.uint8)
    of_component[member] = np.concatenate(classes)
    whole = np.bincount(member, weights=np.concatenate(pixels), minlength=n).astype(np.int64)
    left, right, border = np.concatenate(pairs, axis=1)
    of_block = tuple(np.split(member, np.cumsum(counts)[:-1]))
    return Components(of_component, whole, member[left], member[right], border, of_block)


def sieve(components: Components, min_pixels: int) -> NDArray[np.uint8]:
    """Give every component below the minimum mapping unit the class of the neighbour it shares the longest border with.

    Neighbours that are large enough count first; specks enclosed by specks follow in later rounds. Unobserved pixels
    (``IGNORE``) neither change nor take anything. Specks that touch nothing large, such as islands in nodata, stay.

    Args:
        components: of the whole raster.
        min_pixels: smallest component that stays as it is.

    Returns:
        The new class of each component, (n,).
    """
    n = len(components.classes)
    observed = components.classes != IGNORE
    settled = ~observed | (components.pixels >= min_pixels)  # unobserved ones are never asked, nor do they take
    root = np.arange(n, dtype=np.int32)
    left, right, border = components.left, components.right, components.border
    while True:
        open_pairs = (settled[left] != settled[right]) | ~settled[left]
        open_pairs &= observed[left] & observed[right]
        left, right, border = left[open_pairs], right[open_pairs], border[open_pairs]
        ready = settled[left] != settled[right]
        if not ready.any():
            return components.classes[root]
        flipped = settled[left[ready]]
        speck = np.where(flipped, right[ready], left[ready])
        taker = root[np.where(flipped, left[ready], right[ready])]
        shared = border[ready]
        decided = [
            _takers(speck[part], taker[part], shared[part], components.pixels, n)
            for first in range(0, n, _SPECKS_AT_ONCE)
            if (part := (speck >= first) & (speck < first + _SPECKS_AT_ONCE)).any()
        ]
        for specks, takers in decided:
            root[specks] = takers
            settled[specks] = True


def _takers(
    speck: Ids, taker: Ids, border: Ids, pixels: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each speck once, and who takes it: longest border in all, then larger area, then lower number."""
    key, place = np.unique(speck.astype(np.int64) * count + taker, return_inverse=True)
    shared = np.bincount(place, weights=border)
    speck_of, taker_of = key // count, key % count
    order = np.lexsort((-taker_of, pixels[taker_of], shared, speck_of))
    last = order[np.append(speck_of[order][1:] != speck_of[order][:-1], True)]
    return speck_of[last], taker_of[last]
