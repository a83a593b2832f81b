"""Polygons of the components of a band that form a valid coverage: shared borders are shared vertex by vertex.

Borders are arcs between nodes, walked and smoothed once for both sides; rings are put together from them, so neighbours
have the same vertices whatever became of an arc. (GDAL's polygons lack the vertex where a neighbour's border ends on
their straight side.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from landdamage.interpretation.arcs import find_arcs
from landdamage.interpretation.smoothing import smooth

NEARLY_HALF = 0.499  # pixels: as far as a border moves at a simplification by one pixel


def trace(
    labels: NDArray[np.int32],
    above: NDArray[np.integer[Any]] | None = None,
    below: NDArray[np.integer[Any]] | None = None,
    first_row: int = 0,
    *,
    simplify_pixels: float = 0.0,
    observed: NDArray[np.bool_] | None = None,
    wanted: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """One polygon per label of a band of rows.

    Args:
        labels: (rows, width), 4-connected labels ≥ 0.
        above, below: (width,) what lies on the other side of the band's two long edges; None at the raster's edge.
            Wherever it changes there is a vertex, so the bands' polygons share their vertices on the line between.
        first_row: row of the raster the band begins with.
        simplify_pixels: width of the strip in which borders between labels may be smoothed, 0 to 1 pixels: half of it
            to either side. 0 keeps the stairs. The edges of the band and of what is not observed always stay.
        observed: (labels,) which of them are ground that was observed; None for all.
        wanted: (labels,) which of those get a polygon; None for all. The others shape the borders all the same.

    Returns:
        Polygons in lattice coordinates (x = column, y = row), shells counter-clockwise there, ascending by label, and
        the label of each. The area of each is the number of its pixels, smoothed or not.
    """
    if observed is None:
        observed = np.ones(int(labels.max()) + 1, np.bool_)
    arcs = find_arcs(labels, observed, above, below, anchored=simplify_pixels > 0)
    if simplify_pixels > 0:
        x, y, lengths = smooth(arcs, NEARLY_HALF * min(simplify_pixels, 1.0), *labels.shape)
    else:
        x, y, lengths = arcs.x, arcs.y, np.diff(arcs.starts)
    half, owner, size, hole = _find_rings(
        x, y, arcs.starts, lengths, arcs.left, arcs.right, arcs.following, observed if wanted is None else wanted
    )
    if len(half) == 0:
        return np.zeros(0, object), np.zeros(0, np.int32)
    order = np.lexsort((hole, owner))
    half, owner, ends = half[order], owner[order], np.append(0, np.cumsum(size[order] + 1))
    coordinates = np.empty((ends[-1], 2))
    _fill(half, ends, x, y, arcs.starts, lengths, arcs.following, first_row, coordinates)
    return ragged_polygons(coordinates, ends, owner)


def ragged_polygons(
    coordinates: NDArray[np.float64], ends: NDArray[np.int64], owner: NDArray[np.int32]
) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Closed rings as polygons: one per owner, ascending, the shell before its holes.

    Args:
        coordinates: (v, 2) of ring after ring.
        ends: (n + 1,) first vertex of each ring.
        owner: (n,) whose ring it is.

    Returns:
        Polygons and the owner of each.
    """
    first = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, coordinates, (ends, np.append(first, len(owner)))
    )
    return polygons, owner[first]


@njit(nogil=True, cache=True, boundscheck=False)
def _find_rings(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    following: NDArray[np.int32],
    wanted: NDArray[np.bool_],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64], NDArray[np.bool_]]:
    """First half, owner, number of vertices of each ring, and whether it is a hole; see ``arcs.Arcs`` for halves."""
    halves = len(following)
    seen = np.zeros(halves, np.bool_)
    first, owner = np.empty(halves, np.int32), np.empty(halves, np.int32)
    size, hole = np.empty(halves, np.int64), np.empty(halves, np.bool_)
    rings = 0
    for start in range(halves):
        whose = left[start >> 1] if start & 1 else right[start >> 1]
        if seen[start] or whose < 0 or not wanted[whose]:
            continue
        count, twice_area, half = 0, 0.0, start
        while not seen[half]:
            seen[half] = True
            arc = half >> 1
            begin, n = starts[arc], lengths[arc]
            part = 0.0  # from the arc's own begin, for the sake of the last digits
            for i in range(begin + 1, begin + n - 1):
                part += (x[i] - x[begin]) * (y[i + 1] - y[begin]) - (x[i + 1] - x[begin]) * (y[i] - y[begin])
            end = begin + n - 1
            part += x[begin] * y[end] - x[end] * y[begin]
            twice_area += -part if half & 1 else part
            count += n - 1
            half = following[half]
        # Clockwise on the image (rows grow downwards) is the shell.
        first[rings], owner[rings], size[rings], hole[rings] = start, whose, count, twice_area < 0
        rings += 1
    return first[:rings].copy(), owner[:rings].copy(), size[:rings].copy(), hole[:rings].copy()


@njit(nogil=True, cache=True, boundscheck=False)
def _fill(
    first: NDArray[np.int32],
    ends: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    following: NDArray[np.int32],
    row: int,
    out: NDArray[np.float64],
) -> None:
    """Write the coordinates of closed rings, given their first halves, one after the other."""
    for ring in range(len(first)):
        k, half = ends[ring], first[ring]
        while True:
            begin, n = starts[half >> 1], lengths[half >> 1]
            for i in range(n - 1):
                vertex = begin + n - 1 - i if half & 1 else begin + i
                out[k, 0], out[k, 1] = x[vertex], y[vertex] + row
                k += 1
            half = following[half]
            if half == first[ring]:
                break
        out[k] = out[ends[ring]]
