"""Which region a place belongs to: what lies in one region never parts between two sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry.base import BaseGeometry

DEGREE_M: Final = 111_320.0  # on a great circle; the raster of cells needs no more

Footprints = NDArray[np.object_]


def cell_keys(lon: NDArray[Any], lat: NDArray[Any], side_m: float) -> NDArray[np.str_]:
    """Names (N,) of the cells of about ``side_m`` that hold places in degrees.

    Rows of equal height; in each row columns of the width that ``side_m`` has at its middle latitude.
    """
    step = side_m / DEGREE_M
    row = np.floor(np.asarray(lat) / step)
    across = step / np.maximum(np.cos(np.radians((row + 0.5) * step)), 1e-6)
    column = np.floor(np.asarray(lon) / across)
    return np.array([f"cell:{int(r)}:{int(c)}" for r, c in zip(row, column, strict=True)], np.str_)


def degree_m(latitude: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres on the ground of one degree of longitude and of latitude; the usual series, good to a centimetre."""
    phi = np.radians(latitude)
    across = 111_412.88 * np.cos(phi) - 93.50 * np.cos(3 * phi) + 0.12 * np.cos(5 * phi)
    return across, 111_132.95 - 559.85 * np.cos(2 * phi) + 1.18 * np.cos(4 * phi)


class Regions:
    """Regions given as polygons (mines), cells elsewhere."""

    def __init__(self, cell_m: float, named: Sequence[tuple[str, BaseGeometry]] = ()) -> None:
        """Keep the polygons.

        Args:
            cell_m: side of the cells for whatever lies in no polygon.
            named: (key, polygon in EPSG:4490); where they overlap the smaller one counts.
        """
        order = sorted(named, key=lambda item: (item[1].area, item[0]))
        self.cell_m = cell_m
        self._keys = np.array([key for key, _ in order], np.str_)
        self._tree = shapely.STRtree([shape for _, shape in order])

    def keys_of(self, lon: NDArray[Any], lat: NDArray[Any]) -> NDArray[np.str_]:
        """Region (N,) of places in degrees."""
        keys = cell_keys(lon, lat, self.cell_m).astype(object)
        if len(self._keys):
            place, shape = self._tree.query(shapely.points(lon, lat), predicate="intersects")
            order = np.argsort(-shape, kind="stable")  # written last, the smallest polygon wins
            keys[place[order]] = self._keys[shape[order]]
        return keys.astype(np.str_)


def near_pairs(
    footprints: Footprints, keys: NDArray[Any], gap_m: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Pairs of footprints with different keys that overlap or lie less than ``gap_m`` apart, and their distance.

    Args:
        footprints: (N,) polygons in EPSG:4490.
        keys: (N,) anything comparable; pairs of equal keys are left out.
        gap_m: metres; with 0 only pairs that share ground are found.

    Returns:
        (K,) left, (K,) right with left < right, (K,) metres, 0 where they share ground.
    """
    none = np.empty(0, np.intp)
    if len(footprints) < 2:
        return none, none, np.empty(0)
    west, south, east, north = shapely.bounds(footprints).T
    across, up = degree_m((south + north) / 2)
    aside, above = gap_m / np.maximum(across, 1.0), gap_m / up
    boxes = shapely.box(west - aside, south - above, east + aside, north + above)
    left, right = shapely.STRtree(footprints).query(boxes, predicate="intersects")
    chosen = (left < right) & (keys[left] != keys[right])
    left, right = left[chosen], right[chosen]
    if not left.size:
        return none, none, np.empty(0)
    latitude = (south[left] + north[left]) / 2
    one, other = _plane(footprints[left], latitude), _plane(footprints[right], latitude)
    metres = shapely.distance(one, other)
    # Without a gap a pair must share ground, at least a square metre: neighbours share an edge.
    shared = shapely.area(shapely.intersection(one, other)) > 1.0
    close = metres < (1 - 1e-3) * gap_m if gap_m > 0 else shared
    return left[close], right[close], metres[close]


def _plane(shapes: Footprints, latitude: NDArray[np.float64]) -> Footprints:
    """Degrees as metres on a plane that is true at one latitude (N,) for each shape."""
    coordinates, index = shapely.get_coordinates(shapes, return_index=True)
    scale = np.column_stack(degree_m(latitude))[index]
    return np.asarray(shapely.set_coordinates(shapes.copy(), coordinates * scale))


def joined(keys: NDArray[np.str_], footprints: Footprints, gap_m: float) -> dict[str, str]:
    """Regions that come within ``gap_m`` of each other become one: region -> the first name of its group."""
    names, number = np.unique(keys, return_inverse=True)
    left, right, _ = near_pairs(footprints, number, gap_m)
    links = coo_array((np.ones(len(left)), (number[left], number[right])), shape=(len(names), len(names)))
    count, group = connected_components(links, directed=False)
    first = [str(names[np.flatnonzero(group == g)[0]]) for g in range(count)]
    return {str(name): first[g] for name, g in zip(names, group, strict=True)}
