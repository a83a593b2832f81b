"""Join cells into connected patches."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def connected_patches(cells: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join touching cells of a group into patches.

    A cell is never split: where one cell lies in two places, they are one patch of several parts.

    Args:
        cells: (n,) polygons or multipolygons that do not overlap.
        group: (n,) integers; only cells of one group are joined.

    Returns:
        (n,) number of each cell's patch, counted from 0 without gaps, and the outlines of the patches.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    number = np.empty(len(cells), int)
    outlines: list[shapely.Geometry] = []
    for members in np.split(order, starts[1:]):
        local, shapes = _join(cells[members])
        number[members] = local + len(outlines)
        outlines += shapes
    return number, np.array(outlines, dtype=object)


def _join(cells: np.ndarray) -> tuple[np.ndarray, list[shapely.Geometry]]:
    if len(cells) == 1:
        return np.zeros(1, int), [cells[0]]
    areas = shapely.get_parts(shapely.union_all(cells))
    areas = areas[shapely.get_dimensions(areas) == 2]
    pieces, owner = shapely.get_parts(cells, return_index=True)
    # A cell too thin for the union to keep stands for itself.
    lost = ~np.isin(np.arange(len(cells)), owner[shapely.STRtree(areas).query(shapely.point_on_surface(pieces))[0]])
    areas = np.concatenate([areas, shapely.get_parts(cells[lost])])
    inside, within = shapely.STRtree(areas).query(shapely.point_on_surface(pieces), predicate="intersects")
    # Cells and connected areas are the two sides of a graph; its components are the patches.
    links = coo_array(
        (np.ones(len(inside)), (owner[inside], len(cells) + within)), shape=(len(cells) + len(areas),) * 2
    )
    _, label = connected_components(links, directed=False)
    _, number = np.unique(label[: len(cells)], return_inverse=True)
    patch_of_area = dict(zip(label[: len(cells)], number, strict=True))
    parts: list[list[shapely.Geometry]] = [[] for _ in range(number.max() + 1)]
    for area, name in zip(areas, label[len(cells) :], strict=True):
        if name in patch_of_area:
            parts[patch_of_area[name]].append(area)
    return number, [shapely.multipolygons(shapes) if len(shapes) > 1 else shapes[0] for shapes in parts]
