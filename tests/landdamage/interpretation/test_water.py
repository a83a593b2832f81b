"""Whose water it is."""

from __future__ import annotations

import shapely

from landdamage.interpretation.water import propose_water_origin

PIT = shapely.box(0, 0, 100, 100)
POND = shapely.box(200, 0, 300, 100)
ZONES = shapely.box(-50, -50, 400, 150)


def test_water_inside_a_pit_is_pit_water() -> None:
    lake = shapely.box(40, 40, 60, 60)
    assert propose_water_origin([lake], [PIT - lake], [POND], ZONES) == ["pit_water"]


def test_water_at_a_pond_is_tailings_water() -> None:
    lake = shapely.box(240, 40, 260, 60)
    assert propose_water_origin([lake], [PIT], [POND - lake], ZONES) == ["tailings_water"]


def test_water_that_merely_touches_a_pit_stays_undecided() -> None:
    lake = shapely.box(100, 0, 150, 20)
    assert propose_water_origin([lake], [PIT], [POND], ZONES) == ["unknown"]


def test_water_outside_every_zone_is_natural() -> None:
    river = shapely.box(1000, 0, 1010, 500)
    assert propose_water_origin([river], [PIT], [POND], ZONES) == ["natural"]
    assert propose_water_origin([river], [], [], None) == ["natural"]


def test_water_that_meets_the_map_is_natural_after_pits_and_ponds() -> None:
    lake, stream = shapely.box(40, 40, 60, 60), shapely.LineString([(50, -100), (50, 200)])
    assert propose_water_origin([lake], [], [], ZONES, hydrography=[stream]) == ["natural"]
    assert propose_water_origin([lake], [PIT - lake], [], ZONES, hydrography=[stream]) == ["pit_water"]
    assert propose_water_origin([lake], [], [], ZONES, hydrography=[shapely.box(500, 0, 501, 1)]) == ["unknown"]


def test_borders_a_hair_apart_still_touch() -> None:
    lake = shapely.box(40, 40, 60, 60)
    pit = PIT - lake.buffer(1e-9)
    assert propose_water_origin([lake], [pit], [], ZONES, touch=1e-7) == ["pit_water"]
