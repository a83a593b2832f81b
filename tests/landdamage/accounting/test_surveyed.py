"""Ground that an earlier survey covered without drawing anything is known to be undamaged, to the square centimetre."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from landdamage.accounting.planar import ALBERS
from landdamage.accounting.states import State
from landdamage.accounting.surveyed import with_undamaged_rest
from landdamage.accounting.territories import Territory, split_opening
from minegis.units import areas_cm2

X, Y = -1_450_000.0, 4_600_000.0


def block(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(X + west, Y + south, X + east, Y + north)


GROUND = Territory("mine", None, shapely.MultiPolygon([block(0, 0, 1000, 1000)]), None)


def booked(*shapes: shapely.Polygon) -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {"state": np.full(len(shapes), int(State.OPEN_PIT), np.int16), "observed_year": 2020, "vegetated_years": 0,
         "mine": "", "region": ""},
        geometry=list(shapes), crs=ALBERS,
    )  # fmt: skip
    frame["area_cm2"] = areas_cm2(frame.geometry.to_numpy(), ALBERS) if len(frame) else np.array([], np.int64)
    return split_opening(frame, [GROUND])[0][GROUND.key]


def rest(frame: gpd.GeoDataFrame) -> pd.Series:
    [row] = [row for _, row in frame.iterrows() if row["state"] == State.OTHER]
    return row


def test_all_ground_without_a_polygon_is_other_seen_that_year() -> None:
    pit = block(100, 100, 300, 300)
    book = with_undamaged_rest(GROUND, booked(pit, block(900, 900, 1100, 1100)), None, year=2020)
    assert book["state"].tolist() == [State.OPEN_PIT, State.OPEN_PIT, State.OTHER]
    assert (rest(book)["observed_year"], rest(book)["mine"]) == (2020, "")
    assert book["area_cm2"].dtype == np.int64
    assert shapely.area(book.geometry.to_numpy()).sum() == pytest.approx(1_000_000, abs=0.01)
    assert book["area_cm2"].sum() == pytest.approx(areas_cm2(np.array([GROUND.geometry]), ALBERS)[0], abs=5)
    assert with_undamaged_rest(GROUND, booked(), None, year=2020)["area_cm2"].tolist() == pytest.approx(
        areas_cm2(np.array([GROUND.geometry]), ALBERS).tolist(), abs=5
    )


def test_only_covered_ground_is_and_never_what_was_left_out() -> None:
    covered, skipped = block(0, 0, 500, 1000), block(0, 0, 50, 100)
    book = with_undamaged_rest(GROUND, booked(block(400, 0, 600, 1000)), covered, skipped, year=2020)
    assert rest(book).geometry.area == pytest.approx(400 * 1000 - 50 * 100, abs=0.01)
    assert not rest(book).geometry.intersects(block(501, 1, 999, 999))
    assert not rest(book).geometry.intersects(block(1, 1, 49, 99))


def test_strips_of_rounding_are_no_ground() -> None:
    whole = booked(block(0, 0.01, 1000, 1000))
    assert len(with_undamaged_rest(GROUND, whole, None, year=2020)) == 1
    assert len(with_undamaged_rest(GROUND, whole, block(2000, 0, 3000, 1000), year=2020)) == 1
