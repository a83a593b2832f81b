"""Borders of components as arcs: walked once from the label raster, each between the two components it divides.

A *node* is a lattice point where three or more borders meet, or one that a neighbouring band needs; an *arc* runs from
node to node, or round an island. Whoever changes an arc changes it for both sides, so neighbours keep a common border.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landdamage.interpretation.components import VOID

# Directions are 0 north, 1 east, 2 south, 3 west; the edges that leave a lattice point are bits 1 << direction.
_NODE, _EAST_DONE, _SOUTH_DONE = 16, 32, 64


@dataclass(frozen=True, slots=True)
class Arcs:
    """All borders of a band; lattice coordinates, x = column and y = row.

    Attributes:
        x, y: (v,) float64 vertices of arc after arc; an island's first vertex is its last one too.
        starts: (n + 1,) first vertex of each arc.
        left, right: (n,) component on either side as one walks (rows grow downwards), or ``VOID``.
        following: (2 n,) the half that comes after each half of an arc around the component on its right. Half 2 k is
            arc k as it stands, half 2 k + 1 the same the other way.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    starts: NDArray[np.int64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    following: NDArray[np.int32]


def find_arcs(
    labels: NDArray[np.int32],
    observed: NDArray[np.bool_],
    above: NDArray[np.integer[Any]] | None,
    below: NDArray[np.integer[Any]] | None,
    *,
    anchored: bool,
) -> Arcs:
    """Walk all borders of a band of rows.

    Args:
        labels: (rows, width), 4-connected labels ≥ 0.
        observed: (labels,) False for those that are ``VOID``.
        above, below: (width,) what lies on the other side of the band's two long edges; None at the raster's edge.
            Wherever it changes there is a node, so that the bands' borders share their vertices on the line between.
        anchored: islands begin in the middle of their longest edge, a point that a smoother border passes through as
            well; else at a corner.
    """
    cuts = np.zeros((2, labels.shape[1] + 1), np.bool_)
    for line, other in zip(cuts, (above, below), strict=True):
        if other is not None:
            line[1:-1] = other[1:] != other[:-1]
    grid = _framed(labels, observed)
    edges, turns, halves = _find_edges(grid, cuts)
    return Arcs(*_walk(grid, edges, turns, halves, anchored))


@njit(nogil=True, cache=True, boundscheck=False)
def _framed(labels: NDArray[np.int32], observed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The labels with ``VOID`` for what is not observed, and around them."""
    rows, columns = labels.shape
    grid = np.full((rows + 2, columns + 2), np.int32(VOID))
    for y in range(rows):
        for x in range(columns):
            if observed[labels[y, x]]:
                grid[y + 1, x + 1] = labels[y, x]
    return grid


@njit(nogil=True, cache=True, boundscheck=False)
def _find_edges(grid: NDArray[np.int32], cuts: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], int, int]:
    """Bits of every lattice point, how many corners are no nodes, and how many edges leave nodes."""
    rows, columns = grid.shape[0] - 1, grid.shape[1] - 1
    edges = np.empty((rows, columns), np.uint8)
    turns = halves = 0
    for y in range(rows):
        upper, lower, out = grid[y], grid[y + 1], edges[y]
        for x in range(columns):
            north, east = upper[x] != upper[x + 1], upper[x + 1] != lower[x + 1]
            south, west = lower[x + 1] != lower[x], lower[x] != upper[x]
            out[x] = north | (east << 1) | (south << 2) | (west << 3)
        for x in range(columns):
            bits = out[x]
            if bits == 0:
                continue
            cut = (y == 0 and cuts[0, x]) or (y == rows - 1 and cuts[1, x])
            degree = (bits & 1) + (bits >> 1 & 1) + (bits >> 2 & 1) + (bits >> 3 & 1)
            if degree > 2 or cut:
                out[x] = bits | _NODE
                halves += degree
            elif bits != 5 and bits != 10:
                turns += 1
    return edges, turns, halves


@njit(nogil=True, cache=True, boundscheck=False)
def _walk(
    grid: NDArray[np.int32], edges: NDArray[np.uint8], turns: int, halves: int, anchored: bool
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
]:
    """The attributes of ``Arcs``."""
    rows, columns = edges.shape
    most = halves // 2 + turns // 4  # an island has at least four corners
    xs = np.empty(turns + halves + 2 * (turns // 4), np.float64)
    ys = np.empty_like(xs)
    starts = np.empty(most + 1, np.int64)
    left, right = np.empty(most, np.int32), np.empty(most, np.int32)
    # The half that leaves a node in each direction, found by the arc's two ends: node row by row, then direction.
    nodes = np.zeros(rows + 1, np.int64)
    for y in range(rows):
        count = 0
        for x in range(columns):
            count += edges[y, x] >= _NODE
        nodes[y + 1] = nodes[y] + count
    where = np.empty(nodes[rows], np.int32)
    k = 0
    for y in range(rows):
        for x in range(columns):
            if edges[y, x] >= _NODE:
                where[k] = x
                k += 1
    leaving = np.full((len(where), 4), -1, np.int32)
    arrived = np.empty((most, 2), np.int32)  # node and direction of the end of each arc
    begun = np.empty((most, 2), np.int32)
    arcs = v = 0
    for islands in (False, True):
        for y in range(rows):
            k = nodes[y]
            for x in range(columns):
                bits = edges[y, x]
                is_node = bits & _NODE != 0
                node = k
                k += is_node
                if islands:
                    # Every island has a highest, leftmost edge to the east, and begins with a corner there.
                    if is_node or bits & 2 == 0 or bits & _EAST_DONE != 0:
                        continue
                elif not is_node:
                    continue
                for first in range(4):
                    if islands:
                        if first != 1:
                            continue
                    elif bits >> first & 1 == 0 or leaving[node, first] >= 0:
                        continue
                    starts[arcs] = v
                    left[arcs], right[arcs] = _sides(grid, y, x, first)
                    xs[v], ys[v] = x, y
                    v += 1
                    cy, cx, heading = y, x, first
                    while True:
                        if heading == 0:
                            cy -= 1
                        elif heading == 1:
                            edges[cy, cx] |= _EAST_DONE
                            cx += 1
                        elif heading == 2:
                            cy += 1
                        else:
                            cx -= 1
                            edges[cy, cx] |= _EAST_DONE
                        here = edges[cy, cx]
                        if here & _NODE != 0 or (islands and cy == y and cx == x):
                            break
                        if here >> heading & 1 == 0:
                            xs[v], ys[v] = cx, cy
                            v += 1
                            heading = (heading + 1) % 4 if here >> (heading + 1) % 4 & 1 else (heading + 3) % 4
                    xs[v], ys[v] = cx, cy
                    v += 1
                    if islands:
                        arrived[arcs, 0] = -1
                        if anchored and left[arcs] != VOID and right[arcs] != VOID:
                            v = _anchor(xs, ys, starts[arcs], v)
                    else:
                        end = nodes[cy] + np.searchsorted(where[nodes[cy] : nodes[cy + 1]], cx)
                        leaving[node, first] = 2 * arcs
                        leaving[end, (heading + 2) % 4] = 2 * arcs + 1
                        begun[arcs, 0], begun[arcs, 1] = node, (first + 2) % 4
                        arrived[arcs, 0], arrived[arcs, 1] = end, heading
                    arcs += 1
    starts[arcs] = v
    following = np.empty(2 * arcs, np.int32)
    for arc in range(arcs):
        if arrived[arc, 0] < 0:
            following[2 * arc], following[2 * arc + 1] = 2 * arc, 2 * arc + 1
        else:
            following[2 * arc] = _turn(leaving, arrived[arc, 0], arrived[arc, 1], right[arc], left, right)
            following[2 * arc + 1] = _turn(leaving, begun[arc, 0], begun[arc, 1], left[arc], left, right)
    return xs[:v].copy(), ys[:v].copy(), starts[: arcs + 1].copy(), left[:arcs].copy(), right[:arcs].copy(), following


@njit(inline="always")
def _sides(grid: NDArray[np.int32], y: int, x: int, heading: int) -> Any:
    """Components on the left and on the right of the edge that leaves a lattice point."""
    if heading == 0:
        return grid[y, x], grid[y, x + 1]
    if heading == 1:
        return grid[y, x + 1], grid[y + 1, x + 1]
    if heading == 2:
        return grid[y + 1, x + 1], grid[y + 1, x]
    return grid[y + 1, x], grid[y, x]


@njit(nogil=True, cache=True, boundscheck=False)
def _turn(
    leaving: NDArray[np.int32],
    node: int,
    heading: int,
    owner: int,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
) -> int:
    """The half that goes on around ``owner``, on the right, for one that arrives at a node.

    Where a component meets itself diagonally one walks on to its other part, so that no ring touches itself.
    """
    across = leaving[node, (heading + 3) % 4]
    if across >= 0 and leaving[node].min() >= 0:
        beyond = right[across >> 1] if across & 1 == 0 else left[across >> 1]
        if beyond == owner:
            return across
    if leaving[node, (heading + 1) % 4] >= 0:
        return leaving[node, (heading + 1) % 4]
    if leaving[node, heading] >= 0:
        return leaving[node, heading]
    return across


@njit(nogil=True, cache=True, boundscheck=False)
def _anchor(x: NDArray[np.float64], y: NDArray[np.float64], start: int, end: int) -> int:
    """Let a closed ring, vertices [start, end), begin in the middle of its longest edge; its new end."""
    longest, best = -1.0, start
    for i in range(start, end - 1):
        length = abs(x[i + 1] - x[i]) + abs(y[i + 1] - y[i])
        if length > longest:
            longest, best = length, i
    count = end - 1 - start
    middle_x, middle_y = (x[best] + x[best + 1]) / 2, (y[best] + y[best + 1]) / 2
    ring_x, ring_y = x[start : end - 1].copy(), y[start : end - 1].copy()
    for i in range(count):
        source = (best + 1 - start + i) % count
        x[start + 1 + i], y[start + 1 + i] = ring_x[source], ring_y[source]
    x[start], y[start] = middle_x, middle_y
    x[start + count + 1], y[start + count + 1] = middle_x, middle_y
    return start + count + 2
