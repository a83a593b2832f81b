"""What an earlier survey says by drawing nothing: ground it covered without a polygon bore no damage."""

from __future__ import annotations

from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.overlay import polygons, repaired
from landdamage.accounting.planar import ALBERS, GRID_M, geometries
from landdamage.accounting.states import State
from landdamage.accounting.territories import SLIVER_M, Territory
from minegis.units import areas_cm2

# whole: the survey covered all monitored ground; layer: the ground under polygons of their own; unknown: nobody says.
Extent = Literal["whole", "layer", "unknown"]
EXTENTS: Final[tuple[Extent, ...]] = ("whole", "layer", "unknown")


def with_undamaged_rest(
    territory: Territory,
    booked: gpd.GeoDataFrame,
    covered: BaseGeometry | None,
    left_out: BaseGeometry | None = None,
    *,
    year: int,
) -> gpd.GeoDataFrame:
    """An opening book with the surveyed ground that bears no polygon, as OTHER seen in the survey's year.

    Args:
        territory: whose ground.
        booked: its part of the imported polygons (Albers): geometry, state, area_cm2, observed_year, vegetated_years
            and any other columns of text.
        covered: the surveyed ground, Albers; None is all of it.
        left_out: ground whose polygons were not taken over, Albers: something was there, and nobody says what.
        year: of the survey.

    Returns:
        ``booked`` and at most one more row, measured on the ellipsoid. Strips narrower than 2 cm between two versions
        of one line are left out: they go with the ground beside them.
    """
    ground = territory.geometry
    if covered is not None:
        ground = shapely.intersection(ground, covered, grid_size=GRID_M)
    drawn = repaired(polygons(np.append(booked.geometry.to_numpy(), [left_out] if left_out is not None else [])))
    if len(drawn):
        ground = shapely.difference(ground, shapely.union_all(drawn, grid_size=GRID_M), grid_size=GRID_M)
    parts = polygons(ground)
    parts = parts[~shapely.is_empty(shapely.buffer(parts, -SLIVER_M / 2))]
    if not len(parts):
        return booked
    rest = geometries([shapely.MultiPolygon(list(parts))])
    row = {
        "state": np.array([int(State.OTHER)], booked["state"].dtype),
        "area_cm2": areas_cm2(rest, ALBERS),
        "observed_year": [year],
        "vegetated_years": [0],
    }
    texts = {name: [""] for name in booked.columns if name not in (*row, booked.geometry.name)}
    more = gpd.GeoDataFrame(row | texts, geometry=rest, crs=ALBERS)
    if not len(booked):
        return more
    return gpd.GeoDataFrame(pd.concat([booked, more], ignore_index=True), geometry="geometry", crs=ALBERS)
