from __future__ import annotations

from datetime import date
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.accounting.observation import (
    SOURCES,
    Observation,
    SceneView,
    labels_of_year,
    water_origins,
    with_decided_waters,
)
from landdamage.accounting.planar import to_albers
from landdamage.accounting.states import State
from landdamage.accounting.territories import Territory
from minegis.units import CGCS2000_EPSG, reproject

ZONE = 4538
EAST, NORTH = 500_000.0, 4_763_000.0
Box = tuple[float, float, float, float]


def ground(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return reproject(shapely.box(EAST + x0, NORTH + y0, EAST + x1, NORTH + y1), ZONE)


def scene(day: str, bounds: Box, gsd: float = 2.0, name: str = "") -> SceneView:
    return SceneView(name or day, date.fromisoformat(day), gsd, ground(*bounds))


def patches(*rows: tuple[Any, ...]) -> gpd.GeoDataFrame:
    """(scene, class, bounds[, water origin[, source]])"""
    full = [(*row, *("", "model")[len(row) - 3 :]) for row in rows]
    columns = {
        "scene": [r[0] for r in full],
        "class_code": [r[1] for r in full],
        "water_origin": [r[3] for r in full],
        "source": [r[4] for r in full],
        "confidence": [0.9] * len(full),
    }
    return gpd.GeoDataFrame(columns, geometry=[ground(*r[2]) for r in full], crs=CGCS2000_EPSG)


TERRITORY = Territory("m", None, shapely.MultiPolygon([to_albers([ground(0, 0, 1000, 1000)])[0]]), None)
ALL = (-100.0, -100.0, 1100.0, 1100.0)


def state_at(seen: Observation, x: float, y: float) -> State | None:
    place = to_albers([reproject(shapely.Point(EAST + x, NORTH + y), ZONE)])[0]
    found = seen.labels[seen.labels.contains(place)]
    assert len(found) <= 1
    assert seen.observed.contains(place) == (len(found) == 1)
    return State(int(found["state"].iat[0])) if len(found) else None


def test_newest_scene_that_sees_a_place_decides():
    scenes = [scene("2022-06-01", ALL, 4.0), scene("2022-08-01", (0, 0, 500, 1000)), scene("2022-04-30", ALL, 8.0)]
    found = patches((0, "open_pit", (300, 0, 700, 400)), (1, "stockpile", (0, 0, 200, 200)), (2, "open_pit", ALL))
    seen = labels_of_year(TERRITORY, scenes, found)
    assert state_at(seen, 100, 100) is State.STOCKPILE
    assert state_at(seen, 400, 100) is State.OTHER  # the older pit is not there any more
    assert state_at(seen, 600, 100) is State.OPEN_PIT
    assert state_at(seen, 900, 900) is State.OTHER
    assert seen.scenes == (1, 0)
    assert seen.gsd_m == 4.0
    assert seen.out_of_season == ()
    assert shapely.coverage_is_valid(seen.labels.geometry.to_numpy())
    assert seen.labels.area.sum() == pytest.approx(seen.observed.area, abs=1e-6)
    assert seen.observed.area == pytest.approx(TERRITORY.geometry.area, abs=1)


def test_unseen_ground_has_no_label_and_hand_drawn_polygons_need_sight():
    scenes = [scene("2022-07-01", (0, 0, 500, 1000)), scene("2022-03-01", (0, 0, 300, 1000))]
    found = patches(
        (0, "open_pit", (400, 0, 800, 100)),
        (0, "stockpile", (400, 200, 800, 300), "", "manual"),
        (1, "industrial_square", (200, 500, 500, 600), "", "edited"),
    )
    seen = labels_of_year(TERRITORY, scenes, found)
    assert state_at(seen, 450, 50) is State.OPEN_PIT
    assert state_at(seen, 550, 50) is None
    assert state_at(seen, 550, 250) is None
    assert state_at(seen, 250, 550) is State.INDUSTRIAL_SQUARE  # a person's outline, on the older scene
    assert state_at(seen, 400, 550) is State.OTHER  # which its own scene does not show
    assert seen.scenes == (0,)
    label = seen.labels.set_index("patch").loc[2]
    assert (label["scene"], SOURCES[label["source"]], label["confidence"]) == (1, "edited", 0.9)
    blind = labels_of_year(TERRITORY, [scene("2022-07-01", (5000, 0, 6000, 1000))], found.iloc[:0])
    assert blind.labels.empty
    assert blind.observed.is_empty
    assert np.isnan(blind.gsd_m)


def test_precedence_and_persons_above_all():
    found = patches(
        (0, "vegetation", (0, 0, 1000, 1000)),
        (0, "open_pit", (0, 0, 400, 400)),
        (0, "tailings_pond", (300, 0, 600, 400)),
        (0, "water", (0, 300, 600, 600), "natural"),
        (0, "background", (350, 350, 380, 380), "", "manual"),
    )
    seen = labels_of_year(TERRITORY, [scene("2022-07-01", ALL)], found, subsidence=[ground(0, 0, 900, 900)])
    assert state_at(seen, 350, 100) is State.TAILINGS_POND
    assert state_at(seen, 100, 350) is State.OPEN_PIT
    assert state_at(seen, 100, 500) is State.OTHER  # water, above the sunken ground
    assert state_at(seen, 800, 800) is State.SUBSIDENCE
    assert state_at(seen, 950, 950) is State.VEGETATION
    assert state_at(seen, 365, 365) is State.OTHER  # the reviewer said so


def test_subsidence_counts_on_observed_ground_only():
    seen = labels_of_year(
        TERRITORY, [scene("2022-11-01", (0, 0, 500, 1000))], patches(), subsidence=[ground(400, 0, 600, 1000)]
    )
    assert state_at(seen, 450, 500) is State.SUBSIDENCE
    assert state_at(seen, 550, 500) is None
    assert seen.out_of_season == (0,)


def test_water_counts_by_its_origin():
    found = patches(
        (0, "water", (0, 0, 100, 100), "pit_water"),
        (0, "water", (200, 0, 300, 100), "tailings_water"),
        (0, "water", (400, 0, 500, 100), "natural"),
        (0, "water", (600, 0, 700, 100), "unknown"),
        (0, "water", (800, 0, 900, 100), "unknown"),
        (0, "water", (0, 500, 100, 600), "natural"),
        (0, "water", (200, 500, 300, 600), "natural", "manual"),
        (0, "water", (600, 500, 700, 600), "unknown"),
        (0, "open_pit", (600, 500, 700, 600)),
    )
    pits = to_albers([ground(0, 500, 51, 600), ground(200, 500, 300, 600), ground(600, 0, 649, 100)])
    river = shapely.LineString(shapely.get_coordinates(ground(850, -200, 851, 300))[:3])
    view = [scene("2022-07-01", ALL)]
    seen = labels_of_year(TERRITORY, view, found, book_pits=pits, hydrography=[river])
    assert state_at(seen, 50, 50) is State.PIT_WATER
    assert state_at(seen, 250, 50) is State.TAILINGS_POND
    assert state_at(seen, 450, 50) is State.OTHER
    assert state_at(seen, 650, 50) is State.OTHER  # 49 % in last year's pit
    assert state_at(seen, 50, 550) is State.PIT_WATER  # 51 % in last year's pit, whatever was proposed
    assert state_at(seen, 250, 550) is State.OTHER  # a person said natural
    assert water_origins(found, pits, [river])[4] == "natural"
    assert seen.undecided_water == (3,)  # the last one is hidden by the pit above it

    paper = labels_of_year(TERRITORY, view, found, water_mode="paper")
    assert [state_at(paper, x, 50) for x in (50, 250, 450, 650)] == [State.PIT_WATER] * 4
    assert paper.undecided_water == ()


def test_a_decided_origin_reaches_the_same_water_in_other_scenes_and_no_further():
    found = patches(
        (0, "water", (0, 0, 100, 100), "natural"),
        (1, "water", (0, 0, 100, 60), "pit_water"),  # the same pond
        (1, "water", (51, 200, 151, 300), "unknown"),  # 49 % of it
        (0, "water", (0, 200, 100, 300), "natural"),
        (1, "vegetation", (0, 0, 100, 100)),
        (1, "water", (500, 0, 600, 100), "unknown"),  # 30 % and 30 % of the same ground
        (0, "water", (500, 0, 530, 100), "pit_water"),
        (2, "water", (500, 0, 530, 100), "pit_water"),
        (1, "water", (700, 0, 800, 100), "unknown"),  # two people, the larger part counts
        (0, "water", (700, 0, 740, 100), "natural", "manual"),
        (0, "water", (740, 0, 800, 100), "pit_water"),
    )
    found["author"] = ["", "", "", "", "", "", "", "", "", "3", ""]
    found["water_by"] = ["1", "", "", "1", "", "", "1", "1", "", "", "2"]
    told = with_decided_waters(found)
    changed = (told != found).any(axis=1)
    assert told.index[changed].tolist() == [1, 8]
    assert told.loc[1, ["water_origin", "water_by"]].tolist() == ["natural", "1"]
    assert told.loc[8, ["water_origin", "water_by"]].tolist() == ["pit_water", "2"]
    pits = to_albers([ground(0, 0, 100, 60)])
    assert water_origins(told, pits)[1] == "natural"  # a person's word, whatever last year's book shows
    assert water_origins(found, pits)[1] == "pit_water"


def test_order_of_scenes_and_patches_does_not_matter():
    scenes = [
        scene("2022-06-01", ALL),
        scene("2022-06-01", (0, 0, 700, 700), 0.8),
        scene("2022-09-01", (500, 500, *ALL[2:])),
    ]
    found = patches(
        (0, "open_pit", (600, 100, 900, 400)), (1, "stockpile", (100, 100, 650, 300)),
        (2, "vegetation", (500, 500, 800, 800)),
        (1, "open_pit", (100, 250, 400, 650)),
    )  # fmt: skip
    one = labels_of_year(TERRITORY, scenes, found)
    turned = found.iloc[::-1].reset_index(drop=True)
    turned["scene"] = 2 - turned["scene"]
    two = labels_of_year(TERRITORY, scenes[::-1], turned)
    for state in State:
        first, second = (s.labels[s.labels["state"] == state].union_all() for s in (one, two))
        assert first.symmetric_difference(second).area == 0
    assert one.scenes == tuple(2 - i for i in two.scenes)
