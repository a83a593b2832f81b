"""The overlay: boundaries noded on a 0.01 m grid in one equal-area plane, and the faces they make.

Everything is snapped to one grid in Albers, because there areas are true over several Gauss-Kruger zones and a line
that was noded once is found again to the last digit: next year's overlay passes through the same grid points.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.planar import ALBERS
from landdamage.accounting.planar import GRID_M as GRID
from minegis.units import CGCS2000_EPSG, reproject, transformer

PER_METRE = 100  # grid steps
NEAR = 2 * GRID  # what is narrower lies between two versions of one line


def snapped(geometries: Any) -> Any:
    """Geometries with every vertex on the 0.01 m grid; shapes may touch themselves afterwards, noding repairs that."""
    return shapely.transform(geometries, lambda xy: np.rint(xy * PER_METRE) / PER_METRE)


def to_albers(geometry: BaseGeometry, crs: Any = CGCS2000_EPSG) -> BaseGeometry:
    """A geometry in Albers on the grid, vertex by vertex."""
    return snapped(reproject(geometry, crs, ALBERS))


def from_albers(geometries: Any) -> Any:
    """Geometries in EPSG:4490 longitude, latitude; `to_albers` finds the same grid points again."""
    step = transformer(ALBERS, CGCS2000_EPSG)
    return shapely.transform(geometries, lambda xy: np.column_stack(step.transform(xy[:, 0], xy[:, 1])))


def frame_to_albers(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A table in Albers on the grid; one that is in Albers already is only snapped.

    Raises:
        ValueError: the table names no coordinate system.
    """
    if frame.crs is None:
        raise ValueError("the table names no coordinate system")
    shapes = frame.geometry.to_numpy()
    if frame.crs != CRS.from_user_input(ALBERS):
        step = transformer(frame.crs, ALBERS)
        shapes = shapely.transform(shapes, lambda xy: np.column_stack(step.transform(xy[:, 0], xy[:, 1])))
    return frame.set_geometry(gpd.GeoSeries(snapped(shapes), index=frame.index, crs=ALBERS))


def polygons(geometries: Any) -> np.ndarray:
    """The polygons of any mixture of geometries; lines and points in it bound no ground."""
    parts = shapely.get_parts(shapely.get_parts(np.atleast_1d(np.asarray(geometries, object))))
    return parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]


def repaired(geometries: np.ndarray) -> np.ndarray:
    """Polygonal geometries, made valid where reprojection or rounding let an outline cross itself by a hair."""
    wrong = ~shapely.is_valid(geometries)
    geometries[wrong] = shapely.make_valid(geometries[wrong], method="structure", keep_collapsed=False)
    return geometries


def edges(geometries: Any, window: tuple[float, float, float, float] | None = None) -> np.ndarray:
    """The boundary edges of polygons as grid coordinates.

    Args:
        geometries: polygonal geometries in Albers.
        window: bounds in metres; edges that lie beyond them are left out.

    Returns:
        (n, 4) int64 x, y, x, y in grid steps, each edge once, its smaller end first.
    """
    rings = shapely.get_rings(polygons(geometries))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    grid = np.rint(xy * PER_METRE).astype(np.int64)
    start, end = grid[:-1], grid[1:]
    use = (ring[:-1] == ring[1:]) & (start != end).any(axis=1)
    if window is not None:
        low, high = np.minimum(start, end) / PER_METRE, np.maximum(start, end) / PER_METRE
        use &= (
            (low[:, 0] <= window[2]) & (high[:, 0] >= window[0]) & (low[:, 1] <= window[3]) & (high[:, 1] >= window[1])
        )
    start, end = start[use], end[use]
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    start[swap], end[swap] = end[swap], start[swap].copy()
    return _unique_rows(np.hstack([start, end]))


def _unique_rows(rows: np.ndarray) -> np.ndarray:
    order = np.lexsort(rows.T[::-1])
    rows = rows[order]
    return rows[np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)]] if len(rows) else rows


def faces_of(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Node all edges together on the grid and return the faces they bound.

    Args:
        parts: edge arrays of `edges`; their order is irrelevant.

    Returns:
        (n,) polygons that share whole edges, corners on the grid, in an order that depends on their places only.
    """
    lines = _unique_rows(np.vstack(list(parts)))
    single = shapely.multilinestrings(shapely.linestrings((lines / PER_METRE).reshape(-1, 2, 2)))
    # Edges joined to long lines are noded six times as fast as edges one by one.
    noded = shapely.union_all(shapely.get_parts(shapely.line_merge(single)), grid_size=GRID)
    return in_place_order(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))


def in_place_order(geometries: np.ndarray) -> np.ndarray:
    """Geometries sorted by their bounds, so that results do not depend on the order of the input."""
    return geometries[place_order(geometries)]


def place_order(geometries: np.ndarray) -> np.ndarray:
    """The permutation that sorts geometries by bounds, then area."""
    bounds = shapely.bounds(geometries)
    return np.lexsort((shapely.area(geometries), *bounds.T[::-1]))


def representative_points(faces: np.ndarray) -> np.ndarray:
    """One point inside each face."""
    return shapely.point_on_surface(faces)


def look_up(shapes: np.ndarray, points: np.ndarray, astray: np.ndarray | None = None) -> np.ndarray:
    """Which polygon holds each point.

    Args:
        shapes: (m,) polygons without overlaps (of overlapping ones the first counts).
        points: (n,) points.
        astray: (n,) bool: these points take the nearest shape within 2 cm when none holds them.

    Returns:
        (n,) index into shapes, -1 for none.
    """
    found = np.full(len(points), -1, np.int64)
    if not len(shapes):
        return found
    # Polygons ask a tree of points: the asking side is prepared, which matters for outlines of 100 000 vertices.
    shape, point = shapely.STRtree(points).query(shapes, predicate="contains")
    order = np.lexsort((shape, point))[::-1]
    found[point[order]] = shape[order]
    lost = np.flatnonzero((found < 0) & astray) if astray is not None else np.empty(0, np.int64)
    if len(lost):
        asked, nearest = shapely.STRtree(shapes).query_nearest(points[lost], max_distance=NEAR, all_matches=False)
        found[lost[asked]] = nearest
    return found


def neighbours(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces that share an edge: (n, 2) pairs, one per edge, and (n,) lengths of the edges in metres."""
    rings, owner = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if not len(xy):
        return np.empty((0, 2), np.int64), np.empty(0)
    grid = np.rint(xy * PER_METRE).astype(np.int64)
    grid -= grid.min(axis=0)
    point = (grid[:, 0] << 32) | grid[:, 1]  # a unit is far less than 40 000 km wide
    use = np.flatnonzero(ring[:-1] == ring[1:])
    low, high = np.minimum(point[use], point[use + 1]), np.maximum(point[use], point[use + 1])
    length = np.hypot(*(xy[use + 1] - xy[use]).T)
    order = np.lexsort((high, low))
    low, high, face = low[order], high[order], owner[ring[use[order]]]
    same = np.flatnonzero((low[1:] == low[:-1]) & (high[1:] == high[:-1]))
    return np.column_stack([face[same], face[same + 1]]), length[order[same]]


def broad_neighbour(faces: np.ndarray, pairs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """For each sliver the broader face it shares most boundary with, for every other face itself.

    Slivers narrower than 2 cm (mean width 2 · area / perimeter) lie between two versions of one line; on their own
    they would be cells that next year's noding may swallow.

    Returns:
        (n,) face numbers.
    """
    thin = 2 * shapely.area(faces) < NEAR * shapely.length(faces)
    both = np.vstack([pairs, pairs[:, ::-1]])
    length = np.r_[lengths, lengths]
    use = thin[both[:, 0]] & ~thin[both[:, 1]]
    border, inverse = np.unique(both[use], axis=0, return_inverse=True)
    shared = np.bincount(inverse.ravel(), length[use], len(border))
    order = np.lexsort((-border[:, 1], shared))  # the longest comes last and stays
    instead = np.arange(len(faces))
    instead[border[order, 0]] = border[order, 1]
    return instead


def components(count: int, pairs: np.ndarray) -> np.ndarray:
    """(count,) number of the connected component of each item, given (n, 2) pairs that hang together."""
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def dissolve(faces: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Join faces that share edges: one geometry per group number 0..count-1 (empty where a group has no face)."""
    order = np.argsort(group, kind="stable")
    ends = np.searchsorted(group[order], np.arange(count + 1))
    joined = np.empty(count, object)
    for number in range(count):
        rows = order[ends[number] : ends[number + 1]]
        joined[number] = faces[rows[0]] if len(rows) == 1 else shapely.coverage_union_all(faces[rows])
    return joined
