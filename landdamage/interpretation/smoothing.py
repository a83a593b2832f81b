"""Stairs of pixels made smooth, arc by arc, without changing the area on either side.

Four vertices in a row become three, the new one placed so that the area is exactly what it was (Kronenfeld,
Stanislawski, Buttenfield, Brockmeyer 2020, "Simplification of polylines by segment collapse: minimizing areal
displacement while preserving area"), those that displace least first, as long as the arc stays within the tolerance of
its own stairs (Fréchet distance). Different arcs are a pixel apart except near a node that they share, so at less than
half a pixel they cannot reach each other elsewhere; what comes too close there or to itself gets its stairs back, and
is tried again. Stairs of pixels never cross, therefore this ends, and ends with a valid coverage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from landdamage.interpretation.arcs import Arcs
from landdamage.interpretation.components import VOID

CLEARANCE = 1 / 32  # pixels between borders: a place rounded to 0.1 mm cannot cross over
SHORTEST = 1 / 16  # of an edge, in pixels
_CELL = 8.0  # pixels of the grid that finds what is near


def smooth(arcs: Arcs, tolerance: float, rows: int, columns: int) -> tuple[NDArray[Any], ...]:
    """Smooth all arcs between two components; those along ``VOID`` stay as they are.

    Args:
        arcs: with anchored islands.
        tolerance: pixels that no point of a border moves further than, 0 < tolerance < 0.5.
        rows, columns: of the band.

    Returns:
        x, y: (v,) float64 vertices, each arc from the place where it begins in ``arcs``, fewer of them; and the number
        of vertices of each arc, (n,) int64.
    """
    fixed = (arcs.left == VOID) | (arcs.right == VOID)
    dirty = np.ones(len(fixed), np.bool_)
    locked = np.zeros(len(arcs.x), np.bool_)
    x, y = arcs.x.copy(), arcs.y.copy()
    low = np.empty(len(x), np.int32)
    high = np.empty(len(x), np.int32)
    lengths = np.diff(arcs.starts)
    while dirty.any():
        _smooth_arcs(arcs.x, arcs.y, arcs.starts, fixed, dirty, locked, tolerance, x, y, low, high, lengths)
        dirty = _too_close(arcs.starts, lengths, x, y, low, high, dirty, locked, rows, columns)
    return x, y, lengths


@njit(nogil=True, cache=True, boundscheck=False)
def _push(keys: NDArray[np.float64], items: NDArray[np.int64], n: int, key: float, item: int) -> int:
    """Put an item into the binary heap of n items; its new size."""
    i = n
    while i > 0:
        parent = (i - 1) >> 1
        if keys[parent] <= key:
            break
        keys[i], items[i] = keys[parent], items[parent]
        i = parent
    keys[i], items[i] = key, item
    return n + 1


@njit(nogil=True, cache=True, boundscheck=False)
def _pop(keys: NDArray[np.float64], items: NDArray[np.int64], n: int) -> int:
    """Take the first item out, which the caller has read; the new size."""
    n -= 1
    key, item = keys[n], items[n]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[i], items[i] = keys[child], items[child]
        i = child
    keys[i], items[i] = key, item
    return n


@njit(nogil=True, cache=True, boundscheck=False)
def _follows(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    ax: float,
    ay: float,
    bx: float,
    by: float,
    begin: float,
    end: float,
    reach: float,
) -> bool:
    """Whether the Fréchet distance of a segment to the stretch [begin, end] of an arc is below ``reach``.

    The ends are known to be near each other. Vertex after vertex is given the first place on the segment that is
    within reach and not before the last one's (Alt, Godau 1995).
    """
    ux, uy = bx - ax, by - ay
    length2 = ux * ux + uy * uy
    if length2 < SHORTEST * SHORTEST:
        return False
    at, reach2 = 0.0, reach * reach * length2
    for k in range(int(begin) + 1, int(np.ceil(end))):
        vx, vy = x[k] - ax, y[k] - ay
        across = ux * vy - uy * vx
        rest = reach2 - across * across
        if rest <= 0:
            return False
        along, half = ux * vx + uy * vy, np.sqrt(rest)
        at = max(at, along - half)
        if at > along + half or at > length2 or along + half < 0:
            return False
    return True


@njit(nogil=True, cache=True, boundscheck=False)
def _nearest(
    x: NDArray[np.float64], y: NDArray[np.float64], begin: float, end: float, px: float, py: float
) -> tuple[float, float]:
    """The place on the stretch [begin, end] of an arc that is nearest to a point, and its squared distance."""
    best, place = np.inf, begin
    for k in range(int(begin), int(np.ceil(end))):
        ux, uy = x[k + 1] - x[k], y[k + 1] - y[k]
        t = ((px - x[k]) * ux + (py - y[k]) * uy) / (ux * ux + uy * uy)
        t = min(max(t, max(0.0, begin - k)), min(1.0, end - k))
        dx, dy = x[k] + t * ux - px, y[k] + t * uy - py
        distance = dx * dx + dy * dy
        if distance < best:
            best, place = distance, k + t
    return place, best


@njit(nogil=True, cache=True, boundscheck=False)
def _smooth_arcs(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    starts: NDArray[np.int64],
    fixed: NDArray[np.bool_],
    dirty: NDArray[np.bool_],
    locked: NDArray[np.bool_],
    reach: float,
    out_x: NDArray[np.float64],
    out_y: NDArray[np.float64],
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    lengths: NDArray[np.int64],
) -> None:
    """Smooth every dirty arc from its stairs on, leaving locked vertices where they are.

    ``out_x``, ``out_y``: the result; ``low``, ``high``: first and last vertex of the stairs that each of its vertices
    stands for; ``lengths``: how many there are.
    """
    most = 0
    for arc in range(len(fixed)):
        if dirty[arc]:
            most = max(most, starts[arc + 1] - starts[arc])
    at = np.empty(most, np.float64)  # the place on the stairs that belongs to a vertex
    before, after, stamp = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int64)
    new_x, new_y = np.empty(most, np.float64), np.empty(most, np.float64)
    keys, items = np.empty(5 * most, np.float64), np.empty(5 * most, np.int64)  # item: vertex and stamp
    for arc in range(len(fixed)):
        if not dirty[arc]:
            continue
        first, n = starts[arc], starts[arc + 1] - starts[arc]
        ox, oy = x[first : first + n], y[first : first + n]
        px, py = out_x[first : first + n], out_y[first : first + n]
        begin, end, lock = low[first : first + n], high[first : first + n], locked[first : first + n]
        for i in range(n):
            px[i], py[i], at[i] = ox[i], oy[i], i
            begin[i] = end[i] = i
            before[i], after[i], stamp[i] = i - 1, i + 1, 0
        lengths[arc] = n
        if fixed[arc] or n < 4:
            continue
        heap = 0
        for b in range(1, n - 2):
            cost = _collapse(px, py, before, after, lock, n, b, new_x, new_y)
            if cost >= 0:
                heap = _push(keys, items, heap, cost, b)
        while heap:
            item = items[0]
            heap = _pop(keys, items, heap)
            b = item & 0xFFFFFFFF
            if item >> 32 != stamp[b]:
                continue
            a, c = before[b], after[b]
            d = after[c]
            ex, ey = new_x[b], new_y[b]
            if (ex == px[a] and ey == py[a]) or (ex == px[d] and ey == py[d]):
                if not _follows(ox, oy, px[a], py[a], px[d], py[d], at[a], at[d], reach):
                    continue
                after[a], before[d] = d, a
                stamp[b] = -1
                lengths[arc] -= 2
            else:
                place, distance = _nearest(ox, oy, at[a], at[d], ex, ey)
                if (
                    distance >= reach * reach
                    or not _follows(ox, oy, px[a], py[a], ex, ey, at[a], place, reach)
                    or not _follows(ox, oy, ex, ey, px[d], py[d], place, at[d], reach)
                ):
                    continue
                px[b], py[b], at[b], end[b] = ex, ey, place, end[c]
                after[b], before[d] = d, b
                lengths[arc] -= 1
            stamp[c] = -1
            for near in (np.int64(before[a]), np.int64(a), np.int64(b), np.int64(d)):
                if near > 0 and stamp[near] >= 0:
                    stamp[near] += 1
                    cost = _collapse(px, py, before, after, lock, n, int(near), new_x, new_y)
                    if cost >= 0:
                        heap = _push(keys, items, heap, cost, stamp[near] << 32 | near)
        i, k = 0, 0
        while k < n:  # what is left moves up
            px[i], py[i], begin[i], end[i] = px[k], py[k], begin[k], end[k]
            i += 1
            k = after[k]


@njit(nogil=True, cache=True, boundscheck=False)
def _collapse(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    before: NDArray[np.int32],
    after: NDArray[np.int32],
    locked: NDArray[np.bool_],
    n: int,
    b: int,
    new_x: NDArray[np.float64],
    new_y: NDArray[np.float64],
) -> float:
    """Where one vertex may stand for vertex b and the next, c, and what area changes sides, there and back.

    On the line through the one before and the one after, a and d, that keeps the area, where it meets ab or cd,
    whichever displaces less. At a or d itself it stands for nothing: both b and c may go.

    Returns:
        The displaced area, or -1 where they cannot be replaced.
    """
    a, c = before[b], after[b]
    if a < 0 or c >= n - 1 or locked[b] or locked[c]:
        return -1.0
    d = after[c]
    ux, uy = x[d] - x[a], y[d] - y[a]
    of_b = ux * (y[b] - y[a]) - uy * (x[b] - x[a])
    of_c = ux * (y[c] - y[a]) - uy * (x[c] - x[a])
    area = (x[c] - x[a]) * (y[b] - y[a]) - (y[c] - y[a]) * (x[b] - x[a]) + of_c
    if ux * ux + uy * uy < SHORTEST * SHORTEST:
        return -1.0
    # The farther of b and c, or where they lie on either side, the one on the side of the new vertex.
    on_first = abs(of_b) > abs(of_c) if of_b * of_c > 0 else of_b * area > 0 or (area == 0 and of_b != 0)
    if on_first:
        t = area / of_b
        ex, ey = x[a] + t * (x[b] - x[a]), y[a] + t * (y[b] - y[a])
        px, py, qx, qy, rx, ry = x[b], y[b], x[c], y[c], x[d], y[d]
    elif of_c != 0:
        t = area / of_c
        ex, ey = x[d] + t * (x[c] - x[d]), y[d] + t * (y[c] - y[d])
        px, py, qx, qy, rx, ry = x[c], y[c], x[b], y[b], x[a], y[a]
    elif of_b != 0:
        return -1.0
    else:  # all on one line
        ex, ey = x[a], y[a]
        px, py, qx, qy, rx, ry = x[b], y[b], x[c], y[c], x[d], y[d]
    new_x[b], new_y[b] = ex, ey
    # Two triangles of equal area lie between p-q-r and p-e-r; s is where er cuts pq.
    vx, vy = rx - ex, ry - ey
    down = (qx - px) * vy - (qy - py) * vx
    if down == 0:
        return 0.0
    s = ((ex - px) * vy - (ey - py) * vx) / down
    return abs(s * ((ex - px) * (qy - py) - (ey - py) * (qx - px)))


@njit(inline="always")
def _gap(px: float, py: float, ax: float, ay: float, bx: float, by: float) -> Any:
    """Squared distance of a point to a segment."""
    ux, uy = bx - ax, by - ay
    t = ((px - ax) * ux + (py - ay) * uy) / (ux * ux + uy * uy)
    t = min(max(t, 0.0), 1.0)
    dx, dy = ax + t * ux - px, ay + t * uy - py
    return dx * dx + dy * dy


@njit(nogil=True, cache=True, boundscheck=False)
def _meet(ax: float, ay: float, bx: float, by: float, cx: float, cy: float, dx: float, dy: float) -> bool:
    """Whether segments ab and cd come closer than the clearance; ends that are equal may meet, but not fold back."""
    least = CLEARANCE * CLEARANCE
    if ax == cx and ay == cy:
        return _gap(bx, by, cx, cy, dx, dy) < least or _gap(dx, dy, ax, ay, bx, by) < least
    if ax == dx and ay == dy:
        return _gap(bx, by, cx, cy, dx, dy) < least or _gap(cx, cy, ax, ay, bx, by) < least
    if bx == cx and by == cy:
        return _gap(ax, ay, cx, cy, dx, dy) < least or _gap(dx, dy, ax, ay, bx, by) < least
    if bx == dx and by == dy:
        return _gap(ax, ay, cx, cy, dx, dy) < least or _gap(cx, cy, ax, ay, bx, by) < least
    ux, uy, vx, vy = bx - ax, by - ay, dx - cx, dy - cy
    of_c, of_d = ux * (cy - ay) - uy * (cx - ax), ux * (dy - ay) - uy * (dx - ax)
    of_a, of_b = vx * (ay - cy) - vy * (ax - cx), vx * (by - cy) - vy * (bx - cx)
    if of_c * of_d < 0 and of_a * of_b < 0:
        return True
    return (
        _gap(ax, ay, cx, cy, dx, dy) < least
        or _gap(bx, by, cx, cy, dx, dy) < least
        or _gap(cx, cy, ax, ay, bx, by) < least
        or _gap(dx, dy, ax, ay, bx, by) < least
    )


@njit(nogil=True, cache=True, boundscheck=False)
def _too_close(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    low: NDArray[np.int32],
    high: NDArray[np.int32],
    dirty: NDArray[np.bool_],
    locked: NDArray[np.bool_],
    rows: int,
    columns: int,
) -> NDArray[np.bool_]:
    """Lock the stairs of every segment that comes too close to another; the arcs that must be smoothed anew.

    Pairs of segments are found in a grid of square cells. Two edges of stairs cannot meet, and what has been looked at
    before and is not dirty is in order.
    """
    across = int(columns / _CELL) + 1
    cells = across * (int(rows / _CELL) + 1)
    first = np.zeros(cells + 1, np.int64)
    total = 0
    for arc in range(len(lengths)):
        total += lengths[arc] - 1
    arc_of, vertex = np.empty(total, np.int32), np.empty(total, np.int64)
    k = 0
    for arc in range(len(lengths)):
        for i in range(starts[arc], starts[arc] + lengths[arc] - 1):
            arc_of[k], vertex[k] = arc, i
            k += 1
            left, right, top, bottom = _cells_of(x, y, i, across)
            for row in range(top, bottom + 1):
                for cell in range(row * across + left, row * across + right + 1):
                    first[cell + 1] += 1
    for cell in range(cells):
        first[cell + 1] += first[cell]
    inside = np.empty(first[cells], np.int32)
    fill = first[:cells].copy()
    for k in range(total):
        left, right, top, bottom = _cells_of(x, y, vertex[k], across)
        for row in range(top, bottom + 1):
            for cell in range(row * across + left, row * across + right + 1):
                inside[fill[cell]] = k
                fill[cell] += 1
    again = np.zeros(len(lengths), np.bool_)
    for cell in range(cells):
        for p in range(first[cell], first[cell + 1]):
            i, arc = vertex[inside[p]], arc_of[inside[p]]
            plain = high[i + 1] - low[i] <= 1
            ax, ay, bx, by = x[i], y[i], x[i + 1], y[i + 1]
            west, east = min(ax, bx) - CLEARANCE, max(ax, bx) + CLEARANCE
            north, south = min(ay, by) - CLEARANCE, max(ay, by) + CLEARANCE
            for q in range(p + 1, first[cell + 1]):
                j, other = vertex[inside[q]], arc_of[inside[q]]
                cx, cy, dx, dy = x[j], y[j], x[j + 1], y[j + 1]
                if max(cx, dx) < west or min(cx, dx) > east or max(cy, dy) < north or min(cy, dy) > south:
                    continue
                if not (dirty[arc] or dirty[other]) or (plain and high[j + 1] - low[j] <= 1):
                    continue
                if _meet(ax, ay, bx, by, cx, cy, dx, dy):
                    for segment, owner in ((i, arc), (j, other)):
                        if high[segment + 1] - low[segment] > 1:
                            locked[starts[owner] + low[segment] : starts[owner] + high[segment + 1] + 1] = True
                            again[owner] = True
    return again


@njit(inline="always")
def _cells_of(x: NDArray[np.float64], y: NDArray[np.float64], i: int, across: int) -> Any:
    """First and last column and row of the cells that segment i touches."""
    left, right = min(x[i], x[i + 1]) - CLEARANCE, max(x[i], x[i + 1]) + CLEARANCE
    top, bottom = min(y[i], y[i + 1]) - CLEARANCE, max(y[i], y[i + 1]) + CLEARANCE
    return int(max(left, 0.0) / _CELL), int(right / _CELL), int(max(top, 0.0) / _CELL), int(bottom / _CELL)
