"""Pieces of patches joined over the edges of bands by cancelling the edges they have in common.

``shapely.coverage_union_all`` does the same for one patch at a time; for a patch of millions of vertices it needs
several times the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landdamage.interpretation.tracing import find_rings, ring_polygons

_NONE = -1


def join_pieces(polygons: NDArray[Any], patches: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """One polygon per patch.

    Args:
        polygons: (n,) pieces with integer coordinates, shells counter-clockwise; where two pieces of a patch meet, it
            is along a row, and their vertices there are the same. All pieces of a patch hang together.
        patches: (n,) the patch of each.

    Returns:
        Polygons ascending by patch, and the patch of each.
    """
    _, coordinates, (ring_offsets, polygon_offsets) = shapely.to_ragged_array(polygons)
    sizes = np.diff(ring_offsets) - 1
    open_ring = np.ones(len(coordinates), bool)
    open_ring[ring_offsets[1:] - 1] = False  # the closing vertex repeats the first
    x, y = coordinates[open_ring].T.astype(np.int32)
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
    order, sizes = find_rings(successor)
    if _part_at_pinches(successor, x, y, order, sizes):
        order, sizes = find_rings(successor)
    return ring_polygons(x[order], y[order], patch[order], sizes)


def _twins(
    x: NDArray[np.int32], y: NDArray[np.int32], patch: NDArray[np.int32], following: NDArray[np.int32]
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
    x: NDArray[np.int32],
    y: NDArray[np.int32],
    order: NDArray[np.int32],
    sizes: NDArray[np.int64],
) -> bool:
    """Where a ring comes through a vertex twice, make two rings of it that touch there; whether there were any."""
    ring = np.empty(len(x), np.int32)
    ring[order] = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    keys = np.stack([x, y, ring])
    by_place = np.lexsort(keys)
    again = (keys[:, by_place[1:]] == keys[:, by_place[:-1]]).all(axis=0)
    first, second = by_place[:-1][again], by_place[1:][again]
    before = np.empty_like(successor)
    before[successor] = np.arange(len(successor), dtype=np.int32)
    successor[before[first]], successor[before[second]] = second, first
    return bool(len(first))
