"""Ground cut into faces: outlines noded together on one grid, so that no overlay leaves a gap or an overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from minegis.units import CGCS2000_EPSG, reproject

# Equal-area over all of Xinjiang: one reference system for every zone, planar areas are true.
ALBERS: Final = "+proj=aea +lat_1=25 +lat_2=47 +lat_0=0 +lon_0=105 +x_0=0 +y_0=0 +a=6378137 +rf=298.257222101 +units=m"
GRID_M: Final = 0.01
LONGEST_EDGE_DEGREES: Final = 0.01  # a straight edge of 1 km in degrees lies within 2 cm of one in Albers

Geometries = NDArray[np.object_]


def geometries(items: Iterable[BaseGeometry | None]) -> Geometries:
    """An object array of geometries (N,), however numpy would like to unpack them."""
    listed = list(items)
    array = np.empty(len(listed), object)
    array[:] = listed
    return array


def to_albers(items: Iterable[BaseGeometry | None], crs: Any = CGCS2000_EPSG) -> Geometries:
    """Geometries (N,) in ``ALBERS``, vertices on the grid; long edges in degrees are densified. None stays None."""
    array = geometries(items)
    if crs == CGCS2000_EPSG:
        array = shapely.segmentize(array, LONGEST_EDGE_DEGREES)
    array = geometries(None if item is None else reproject(item, crs, ALBERS) for item in array)
    return shapely.transform(array, lambda xy: np.rint(xy * 100) / 100)


def polygons_of(geometry: BaseGeometry) -> Geometries:
    """The polygons a geometry is made of; lines and points are left out."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]


def multipolygon(geometry: BaseGeometry) -> shapely.MultiPolygon:
    """The polygonal part of a geometry as a MultiPolygon."""
    return shapely.MultiPolygon(list(polygons_of(geometry)))


def faces(outlines: Sequence[BaseGeometry] | Geometries) -> Geometries:
    """The faces that outlines cut the plane into, on the grid; together they are a valid coverage.

    All outlines are noded in one step (snap rounding), so every border between two faces is one line for both.

    Args:
        outlines: polygons (their boundaries are taken) or lines, metres.

    Returns:
        Polygons (F,), also those of ground inside no outline (holes).
    """
    items = geometries(outlines)
    items = items[~(shapely.is_missing(items) | shapely.is_empty(items))]
    areal = shapely.get_dimensions(items) == 2
    items[areal] = shapely.boundary(items[areal])
    noded = shapely.union_all(items, grid_size=GRID_M)
    return shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))


def lying_in(
    places: Geometries, areas: Sequence[BaseGeometry] | Geometries
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (area, place) of all points that lie inside an area; missing areas hold nothing."""
    pairs = shapely.STRtree(places).query(geometries(areas), predicate="contains_properly")
    return pairs[0], pairs[1]


def first_of(size: int, item: NDArray[Any], value: NDArray[Any], *keys: NDArray[Any]) -> NDArray[np.int64]:
    """For each item 0..size-1 the value whose keys come first, -1 for an item without any.

    Args:
        size: number of items.
        item: (N,) which item each candidate belongs to.
        value: (N,) candidates.
        keys: (N,) each, the most important one first.
    """
    best = np.full(size, -1, np.int64)
    last_to_first = np.lexsort(tuple(reversed(keys)))[::-1]  # written in this order, the first comes last
    best[item[last_to_first]] = value[last_to_first]
    return best
