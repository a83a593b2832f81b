"""Connected components of a class raster that is read block by block, and the sieve that hands specks to a neighbour.

The raster is never whole in memory: a block of rows is labelled by itself, its components are joined to those of the
block above, and what remains is a graph (components, sizes, lengths of shared borders) on which the sieve works. The
result is therefore the same however the rows are cut into blocks.
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

Ids = NDArray[np.int64]


def _join(count: int, first: NDArray[Any], second: NDArray[Any]) -> tuple[int, NDArray[np.int32]]:
    """Number of groups and the group of each of ``count`` items when the pairs (first, second) belong together."""
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    groups, member = connected_components(links, directed=False)
    return groups, member


def label_block(classes: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int32], int]:
    """4-connected components of equal class.

    Args:
        classes: (rows, width); every value is a class of its own, ``IGNORE`` included.

    Returns:
        Component of each pixel, (rows, width) int32 from 0, and the number of components. Works on runs: pixels of a
        row that follow each other with the same class.
    """
    starts = np.ones(classes.shape, bool)
    np.not_equal(classes[:, 1:], classes[:, :-1], out=starts[:, 1:])
    run = np.cumsum(starts.ravel(), dtype=np.int32).reshape(classes.shape) - 1
    same = classes[1:] == classes[:-1]
    # Two runs on top of each other are linked once: where their common stretch begins.
    begins = same & (starts[1:] | starts[:-1])
    count, component = _join(int(run[-1, -1]) + 1, run[:-1][begins], run[1:][begins])
    return component[run], count


def _count_pairs(first: NDArray[Any], second: NDArray[Any], count: int) -> tuple[Ids, Ids, Ids]:
    """Distinct unordered pairs of different ids below ``count`` and how often each occurs."""
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    key, times = np.unique(low * count + high, return_counts=True)
    return key // count, key % count, times.astype(np.int64)


@dataclass(frozen=True)
class Components:
    """The components of a whole raster before or after sieving.

    Attributes:
        classes: class of each component, (n,) uint8.
        pixels: size of each component, (n,) int64.
        left, right, border: neighbours left[k] < right[k] share border[k] pixel edges.
        of_block: for each block, the component of each of its local labels.
    """

    classes: NDArray[np.uint8]
    pixels: Ids
    left: Ids
    right: Ids
    border: Ids
    of_block: tuple[NDArray[np.int32], ...]

    def merged(self, classes: NDArray[np.uint8]) -> Components:
        """The components after each got a new class: neighbours of equal class become one."""
        same = classes[self.left] == classes[self.right]
        count, member = _join(len(classes), self.left[same], self.right[same])
        new_classes = np.zeros(count, np.uint8)
        new_classes[member] = classes
        pixels = np.zeros(count, np.int64)
        np.add.at(pixels, member, self.pixels)
        left, right, border = _sum_pairs(member[self.left[~same]], member[self.right[~same]], self.border[~same], count)
        return Components(new_classes, pixels, left, right, border, tuple(member[of] for of in self.of_block))


def _sum_pairs(first: NDArray[Any], second: NDArray[Any], weight: Ids, count: int) -> tuple[Ids, Ids, Ids]:
    """Distinct unordered pairs of ids and the sum of their weights."""
    low, high = np.minimum(first, second).astype(np.int64), np.maximum(first, second).astype(np.int64)
    key, place = np.unique(low * count + high, return_inverse=True)
    total = np.zeros(len(key), np.int64)
    np.add.at(total, place, weight)
    return key // count, key % count, total


def find_components(blocks: Iterable[NDArray[np.uint8]]) -> Components:
    """Label a raster given as blocks of rows from top to bottom.

    Args:
        blocks: (rows, width) arrays of one width; at least one.
    """
    above: NDArray[np.int64] | None = None
    above_classes: NDArray[np.uint8] | None = None
    counts: list[int] = []
    classes: list[NDArray[np.uint8]] = []
    pixels: list[Ids] = []
    joins: list[tuple[NDArray[Any], NDArray[Any]]] = []
    borders: list[tuple[Ids, Ids, Ids]] = []
    offset = 0
    for block in blocks:
        label, count = label_block(block)
        of_label = np.zeros(count, np.uint8)
        of_label[label] = block
        classes.append(of_label)
        pixels.append(np.bincount(label.ravel(), minlength=count))
        beside = block[:, 1:] != block[:, :-1]
        below = block[1:] != block[:-1]
        low, high, times = _count_pairs(
            np.concatenate([label[:, :-1][beside], label[:-1][below]]),
            np.concatenate([label[:, 1:][beside], label[1:][below]]),
            count,
        )
        borders.append((low + offset, high + offset, times))
        top = label[0].astype(np.int64) + offset
        if above is not None and above_classes is not None:
            same = above_classes == block[0]
            joins.append((above[same], top[same]))
            borders.append(_count_pairs(above[~same], top[~same], offset + count))
        above, above_classes = label[-1].astype(np.int64) + offset, block[-1].copy()
        counts.append(count)
        offset += count
    no_ids = np.zeros(0, np.int64)
    parts = Components(
        np.concatenate(classes),
        np.concatenate(pixels),
        np.concatenate([no_ids, *(j[0] for j in joins), *(b[0] for b in borders)]),
        np.concatenate([no_ids, *(j[1] for j in joins), *(b[1] for b in borders)]),
        np.concatenate([np.zeros(sum(len(j[0]) for j in joins), np.int64), *(b[2] for b in borders)]),
        tuple(np.split(np.arange(offset, dtype=np.int32), np.cumsum(counts)[:-1])),
    )
    return parts.merged(parts.classes)


def sieve(components: Components, min_pixels: int) -> Components:
    """Give every component below the minimum mapping unit the class of the neighbour it shares the longest border with.

    Neighbours that are large enough count first; specks enclosed by specks follow in later rounds. Unobserved pixels
    (``IGNORE``) neither change nor take anything. Specks that touch nothing large, such as islands in nodata, stay.

    Args:
        components: of the whole raster.
        min_pixels: smallest component that stays as it is.
    """
    n = len(components.classes)
    observed = components.classes != IGNORE
    settled = observed & (components.pixels >= min_pixels)
    small = observed & ~settled
    root = np.arange(n)
    source = np.concatenate([components.left, components.right])
    target = np.concatenate([components.right, components.left])
    border = np.concatenate([components.border, components.border])
    keep = small[source] & observed[target]
    source, target, border = source[keep], target[keep], border[keep]
    while True:
        ready = ~settled[source] & settled[target]
        if not ready.any():
            break
        key, place = np.unique(source[ready] * n + root[target[ready]], return_inverse=True)
        shared = np.zeros(len(key), np.int64)
        np.add.at(shared, place, border[ready])
        speck, taker = key // n, key % n
        # Last of each speck after sorting: longest border, then larger area, then lower number.
        order = np.lexsort((-taker, components.pixels[taker], shared, speck))
        last = order[np.append(speck[order][1:] != speck[order][:-1], True)]
        root[speck[last]] = taker[last]
        settled[speck[last]] = True
    return components.merged(components.classes[root])
