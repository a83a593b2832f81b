"""Whose water it is: a proposal per water patch (pit water, tailings water, natural, unknown).

Water is damage only when it is mine water; the proposal follows the neighbours of the patch and the mines' zones, and
a reviewer may override it.
"""

from __future__ import annotations

from collections.abc import Sequence

import shapely
from shapely.geometry.base import BaseGeometry

from landdamage.taxonomy import WaterOrigin

HALF = 0.5  # share of the shore that must touch a class


def propose_water_origin(
    water: Sequence[BaseGeometry],
    pits: Sequence[BaseGeometry],
    ponds: Sequence[BaseGeometry],
    zones: BaseGeometry | None,
    touch: float = 0.0,
    hydrography: Sequence[BaseGeometry] = (),
) -> list[WaterOrigin]:
    """Propose an origin for each water polygon.

    In this order: at least half of the shore touches an open pit -> ``pit_water``; at least half touches a tailings
    pond -> ``tailings_water``; meets a known river, lake or reservoir, or lies outside every mine's influence zone ->
    ``natural``; else ``unknown``.

    Args:
        water: water polygons of one interpretation.
        pits: open-pit polygons of the same interpretation, same CRS, sharing borders with ``water``.
        ponds: tailings-pond polygons, likewise.
        zones: union of the influence zones, same CRS; None when the register knows no mine here.
        touch: gap in CRS units that still counts as touching (0 for coverages with shared borders).
        hydrography: rivers, lakes and reservoirs as areas or lines, same CRS.
    """
    pit_tree, pond_tree, mapped = shapely.STRtree(pits), shapely.STRtree(ponds), shapely.STRtree(hydrography)
    if zones is not None:
        shapely.prepare(zones)
    origins: list[WaterOrigin] = []
    for patch in water:
        if _touching_share(patch, pit_tree, touch) >= HALF:
            origins.append("pit_water")
        elif _touching_share(patch, pond_tree, touch) >= HALF:
            origins.append("tailings_water")
        elif zones is None or not zones.intersects(patch) or len(mapped.query(patch, predicate="intersects")):
            origins.append("natural")
        else:
            origins.append("unknown")
    return origins


def shore_share(water: BaseGeometry, neighbours: Sequence[BaseGeometry], touch: float = 0.0) -> float:
    """The share 0-1 of a water's shore that touches its neighbours; arguments as for ``propose_water_origin``."""
    return _touching_share(water, shapely.STRtree(neighbours), touch)


def _touching_share(patch: BaseGeometry, tree: shapely.STRtree, touch: float) -> float:
    shore = patch.boundary
    near = (
        tree.query(patch, predicate="dwithin", distance=touch) if touch else tree.query(patch, predicate="intersects")
    )
    if len(near) == 0 or shore.length == 0:
        return 0.0
    neighbours = shapely.union_all([tree.geometries[i] for i in near])
    if touch:
        neighbours = neighbours.buffer(touch)
    return float(shore.intersection(neighbours).length / shore.length)
