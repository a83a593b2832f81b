"""Borders of components traced into polygons that form a valid coverage: shared borders are shared vertex by vertex.

Every lattice point where a border turns or where three or more components meet becomes a vertex of *all* polygons
around it, so neighbours have the same vertices and ``shapely.coverage_simplify`` leaves neither gaps nor overlaps.
(GDAL's polygons lack the vertex where a neighbour's border ends on their straight side.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

VOID = -1  # outside the raster, or not observed
_NORTH, _EAST, _SOUTH, _WEST = range(4)


def trace(
    labels: NDArray[np.int32],
    above: NDArray[np.integer[Any]] | None = None,
    below: NDArray[np.integer[Any]] | None = None,
    first_row: int = 0,
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """One polygon per label of a band of rows.

    Args:
        labels: (rows, width), 4-connected labels ≥ 0, or ``VOID``.
        above, below: (width,) what lies on the other side of the band's two long edges; None at the raster's edge.
            Wherever it changes there is a vertex, so the bands' polygons share their vertices on the line between.
        first_row: row of the raster the band begins with.

    Returns:
        Polygons in lattice coordinates (x = column, y = row, integers), ascending by label, and the label of each.
    """
    y, x, leaves, heading, component = _passages(labels, above, below)
    if len(y) == 0:
        return np.zeros(0, object), np.zeros(0, np.int32)
    y += first_row
    successors = _successors(y, x, leaves, heading)
    del leaves, heading  # millions of passages: what is done with must go
    order, sizes = find_rings(successors)
    x, y, component = x[order], y[order], component[order]
    del successors, order
    return ring_polygons(x, y, component, sizes)


def _passages(
    labels: NDArray[np.int32], above: NDArray[np.integer[Any]] | None, below: NDArray[np.integer[Any]] | None
) -> tuple[NDArray[Any], ...]:
    """Passages of borders through vertices: y, x, edge it leaves along, direction it comes in, component on its right.

    At each lattice point the four pixels are nw, ne, sw, se; an edge leaves it to the north when nw and ne differ, and
    so on. Walking with the component on the right, the passage of the component clockwise of edge d leaves along d and
    has arrived along the next edge clockwise.
    """
    grid = np.pad(labels, 1, constant_values=VOID)
    nw, ne, sw, se = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
    vertex = ((nw != ne) | (sw != se)) & ((nw != sw) | (ne != se))
    for row, other in ((0, above), (-1, below)):
        if other is not None:
            vertex[row, 1:-1] |= other[1:] != other[:-1]
    y, x = (index.astype(np.int32) for index in np.nonzero(vertex))
    nw, ne, sw, se = nw[vertex], ne[vertex], sw[vertex], se[vertex]
    edge = np.stack([nw != ne, ne != se, se != sw, sw != nw])  # north, east, south, west
    clockwise_of = (ne, se, sw, nw)
    crossing = edge.all(axis=0)
    parts: list[tuple[NDArray[Any], ...]] = []
    for leaves in range(4):
        arrived = np.full(len(y), leaves, np.int8)
        for step in (3, 2, 1):
            along = (leaves + step) % 4
            arrived[edge[along]] = along
        # Where a component meets itself diagonally its two passages swap, so that the ring does not touch itself.
        partner = {_NORTH: (sw, _WEST), _EAST: (nw, _NORTH), _SOUTH: (ne, _EAST), _WEST: (se, _SOUTH)}[leaves]
        arrived[crossing & (clockwise_of[leaves] == partner[0])] = partner[1]
        keep = edge[leaves] & (clockwise_of[leaves] != VOID)
        heading = ((arrived[keep] + 2) % 4).astype(np.int8)
        parts.append((y[keep], x[keep], np.full(len(heading), leaves, np.int8), heading, clockwise_of[leaves][keep]))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def ring_polygons(
    x: NDArray[np.int32], y: NDArray[np.int32], component: NDArray[np.int32], sizes: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Rings as polygons: one per component, which has one shell and any number of holes.

    Args:
        x, y, component: (n,) vertices of ring after ring, and the component they belong to.
        sizes: number of vertices of each ring.

    Returns:
        Polygons ascending by component, and the component of each.
    """
    starts = np.cumsum(sizes) - sizes
    following = np.arange(1, len(x) + 1, dtype=np.int32)
    following[starts + sizes - 1] = starts
    twice_area = np.add.reduceat(
        x.astype(np.int64) * y[following] - x[following].astype(np.int64) * y.astype(np.int64), starts
    )
    # Clockwise on the image (rows grow downwards) is the shell; it comes first, its holes follow.
    by_polygon = np.lexsort((twice_area < 0, component[starts]))
    closed = sizes[by_polygon] + 1
    ends = np.cumsum(closed)
    place = np.repeat(starts[by_polygon] - (ends - closed), closed) + np.arange(ends[-1])
    place[ends - 1] = starts[by_polygon]
    owner = component[starts][by_polygon]
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    coordinates = np.empty((len(place), 2))
    coordinates[:, 0], coordinates[:, 1] = x[place], y[place]
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, coordinates, (np.append(0, ends), np.append(first, len(owner)))
    )
    return polygons, owner[first]


def _successors(y: NDArray[Any], x: NDArray[Any], leaves: NDArray[Any], heading: NDArray[Any]) -> NDArray[np.int32]:
    """The passage that follows each passage along its border.

    On one lattice line the stretches with a component on their right do not overlap, so the k-th departure in a
    direction belongs to the k-th arrival.
    """
    following = np.empty(len(y), np.int32)
    span = np.int64(max(int(y.max()), int(x.max())) + 1)
    for direction in range(4):
        line, along = (x, y) if direction in (_NORTH, _SOUTH) else (y, x)
        departs, arrives = np.flatnonzero(leaves == direction), np.flatnonzero(heading == direction)
        key = line.astype(np.int64) * span + along
        following[departs[np.argsort(key[departs], kind="stable")]] = arrives[np.argsort(key[arrives], kind="stable")]
    return following


def find_rings(following: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Split a permutation into its cycles, each in the order of walking.

    Returns:
        The items ring after ring in walking order, and the length of each ring.
    """
    n = len(following)
    count, ring = connected_components(
        coo_array((np.ones(n, np.int8), (np.arange(n, dtype=np.int32), following)), shape=(n, n)), directed=False
    )
    sizes = np.bincount(ring, minlength=count)
    leader = np.empty(count, np.int32)
    leader[ring[::-1]] = np.arange(n, dtype=np.int32)[::-1]
    # List ranking by pointer doubling: steps from each item on to the leader of its ring.
    jump, steps = following.copy(), np.ones(n, np.int32)
    jump[leader], steps[leader] = leader, 0
    active = np.flatnonzero(jump != leader[ring])
    while len(active):
        middle = jump[active]
        steps[active] += steps[middle]
        jump[active] = jump[middle]
        active = active[jump[active] != leader[ring[active]]]
    position = (sizes[ring] - steps) % sizes[ring]
    order = np.empty(n, np.int32)
    order[(np.cumsum(sizes) - sizes)[ring] + position] = np.arange(n, dtype=np.int32)
    return order, sizes
