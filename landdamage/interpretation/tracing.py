"""Borders of components traced into polygons that form a valid coverage: shared borders are shared vertex by vertex.

Every lattice point where a border turns or where three or more components meet becomes a vertex of *all* polygons
around it, so neighbours have the same vertices and ``shapely.coverage_simplify`` leaves neither gaps nor overlaps.
(GDAL's polygons lack the vertex where a neighbour's border ends on their straight side.) Lattice points are taken from
rows as they pass; memory grows with the number of vertices, not with the raster.
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


class BoundaryTracer:
    """Collects the vertices of component borders row by row, then links them into rings and polygons."""

    def __init__(self, width: int) -> None:
        self._above: NDArray[np.int32] = np.full(width, VOID, np.int32)
        self._row = 0
        self._parts: list[tuple[NDArray[Any], ...]] = []

    def add(self, components: NDArray[np.int32]) -> None:
        """Take the next rows of the raster: (rows, width) component numbers ≥ 0, or ``VOID``."""
        self._collect(np.concatenate([self._above[None], components]))
        self._above = components[-1].copy()

    def _collect(self, rows: NDArray[np.int32]) -> None:
        """Record one border passage per vertex and component around it.

        At each lattice point the four pixels are nw, ne, sw, se; an edge leaves it to the north when nw and ne
        differ, and so on. Walking with the component on the right, the passage of the component clockwise of edge d
        leaves along d and has arrived along the next edge clockwise.
        """
        grid = np.pad(rows, ((0, 0), (1, 1)), constant_values=VOID)
        nw, ne, sw, se = grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]
        vertex = ((nw != ne) | (sw != se)) & ((nw != sw) | (ne != se))
        y, x = np.nonzero(vertex)
        nw, ne, sw, se = nw[vertex], ne[vertex], sw[vertex], se[vertex]
        edge = np.stack([nw != ne, ne != se, se != sw, sw != nw])  # north, east, south, west
        clockwise_of = (ne, se, sw, nw)
        crossing = edge.all(axis=0)
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
            self._parts.append(
                (
                    (y[keep] + self._row).astype(np.int32),
                    x[keep].astype(np.int32),
                    np.full(len(heading), leaves, np.int8),
                    heading,
                    clockwise_of[leaves][keep],
                )
            )
        self._row += rows.shape[0] - 1

    def polygons(self) -> tuple[NDArray[Any], NDArray[np.int32]]:
        """Close the raster and return one polygon per component.

        Returns:
            Polygons in lattice coordinates (x = column, y = row, integers), ascending by component, and the component
            of each.
        """
        self._collect(np.stack([self._above, np.full_like(self._above, VOID)]))
        y, x, leaves, heading, component = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        self._parts.clear()
        if len(y) == 0:
            return np.zeros(0, object), np.zeros(0, np.int32)
        successors = _successors(y, x, leaves, heading)
        del leaves, heading  # tens of millions of passages: what is done with must go
        order, sizes = _rings(successors)
        x, y, component = x[order], y[order], component[order]
        del successors, order
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
        del x, y, following, component, place
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


def _rings(following: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
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
