"""Pieces of patches joined over the edges of bands by cancelling the edges they have in common.

``shapely.coverage_union_all`` does the same for one patch at a time; for a patch of millions of vertices it needs
several times the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from landdamage.interpretation.tracing import ragged_polygons

_NONE = -1


def join_pieces(polygons: NDArray[Any], patches: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """One polygon per patch.

    Args:
        polygons: (n,) pieces, shells counter-clockwise; where two pieces of a patch meet, it is along a row, and their
            vertices there are the same to the bit. All pieces of a patch hang together.
        patches: (n,) the patch of each.

    Returns:
        Polygons ascending by patch, and the patch of each.
    """
    _, coordinates, (ring_offsets, polygon_offsets) = shapely.to_ragged_array(polygons)
    sizes = np.diff(ring_offsets) - 1
    open_ring = np.ones(len(coordinates), bool)
    open_ring[ring_offsets[1:] - 1] = False  # the closing vertex repeats the first
    x, y = np.ascontiguousarray(coordinates[open_ring].T)
    del coordinates
    patch = np.repeat(np.repeat(patches, np.diff(polygon_offsets)), sizes)
    starts = np.cumsum(sizes) - sizes
    following = np.arange(1, len(x) + 1, dtype=np.int32)
    following[starts + sizes - 1] = starts
    twin = _twins(x, y, patch, following)
    kept = np.flatnonzero(twin == _NONE)
    successor = following[kept]
    while len(cut := np.flatnonzero(twin[successor] != _NONE)):  # on along the piece on the other side
        successor[cut] = following[twin[successor[cut]]]
    number = np.empty(len(x), np.int32)
    number[kept] = np.arange(len(kept))
    successor, x, y, patch = number[successor], x[kept], y[kept], patch[kept]
    order, sizes, hole = _walk(successor, x, y)
    if _part_at_pinches(successor, x, y, order, sizes):
        order, sizes, hole = _walk(successor, x, y)
    owner = patch[order[np.cumsum(sizes) - sizes]]
    by_patch = np.lexsort((hole, owner))
    ends = np.append(0, np.cumsum(sizes[by_patch] + 1))
    place = np.repeat((np.cumsum(sizes) - sizes)[by_patch] - ends[:-1], np.diff(ends)) + np.arange(ends[-1])
    place[ends[1:] - 1] -= sizes[by_patch]  # back to the first
    place = order[place]
    return ragged_polygons(np.column_stack([x[place], y[place]]), ends, owner[by_patch])


@njit(nogil=True, cache=True, boundscheck=False)
def _walk(
    successor: NDArray[np.int32], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    """The cycles of a permutation: vertices ring after ring as one walks, sizes, and which rings are holes."""
    n = len(successor)
    seen = np.zeros(n, np.bool_)
    order, sizes, hole = np.empty(n, np.int32), np.empty(n, np.int64), np.empty(n, np.bool_)
    k = rings = 0
    for start in range(n):
        if seen[start]:
            continue
        first, i, twice_area = k, start, 0.0
        while not seen[i]:
            seen[i] = True
            order[k] = i
            k += 1
            j = successor[i]
            twice_area += (x[i] - x[start]) * (y[j] - y[start]) - (x[j] - x[start]) * (y[i] - y[start])
            i = j
        sizes[rings], hole[rings] = k - first, twice_area < 0
        rings += 1
    return order, sizes[:rings].copy(), hole[:rings].copy()


def _twins(
    x: NDArray[np.float64], y: NDArray[np.float64], patch: NDArray[np.int32], following: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The edge between the same vertices on the other side of a line of the same patch, for edge i from vertex i."""
    level = np.flatnonzero(y == y[following])
    ends = x[level], x[following[level]]
    keys = np.stack([np.maximum(*ends), np.minimum(*ends), y[level], patch[level]])
    order = np.lexsort(keys)
    equal = (keys[:, order[1:]] == keys[:, order[:-1]]).all(axis=0)
    first, second = level[order[:-1][equal]], level[order[1:][equal]]
    twin = np.full(len(x), _NONE, np.int32)
    twin[first], twin[second] = second, first
    return twin


def _part_at_pinches(
    successor: NDArray[np.int32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    order: NDArray[np.int32],
    sizes: NDArray[np.int64],
) -> bool:
    """Where a ring comes through a vertex twice, make two rings of it that touch there; whether there were any.

    Pixels meet there diagonally, so it is a vertex of the stairs that smoothing left alone.
    """
    ring = np.empty(len(x), np.int32)
    ring[order] = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    corner = np.flatnonzero((x == np.floor(x)) & (y == np.floor(y)))
    keys = np.stack([x[corner], y[corner], ring[corner]])
    by_place = np.lexsort(keys)
    again = (keys[:, by_place[1:]] == keys[:, by_place[:-1]]).all(axis=0)
    first, second = corner[by_place[:-1][again]], corner[by_place[1:][again]]
    before = np.empty_like(successor)
    before[successor] = np.arange(len(successor), dtype=np.int32)
    successor[before[first]], successor[before[second]] = second, first
    return bool(len(first))
