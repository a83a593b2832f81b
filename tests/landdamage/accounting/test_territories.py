from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.accounting.planar import ALBERS, geometries, to_albers
from landdamage.accounting.states import State
from landdamage.accounting.territories import (
    MineArea,
    RegionArea,
    Territory,
    partition,
    split_opening,
)
from minegis.units import reproject

ZONE = 4538  # Gauss-Kruger, 87E
EAST, NORTH = 500_000.0, 4_763_000.0


def ground(*bounds: float) -> shapely.Polygon:
    """A box in metres from the origin, in EPSG:4490."""
    x0, y0, x1, y1 = bounds
    return reproject(shapely.box(EAST + x0, NORTH + y0, EAST + x1, NORTH + y1), ZONE)


def mine(name: str, *bounds: float, margin: float = 500.0) -> MineArea:
    licence = shapely.box(*(a + b for a, b in zip(bounds, (EAST, NORTH, EAST, NORTH), strict=True)))
    return MineArea(name, name.upper(), reproject(licence, ZONE), reproject(licence.buffer(margin), ZONE))


def point(x: float, y: float) -> shapely.Point:
    return to_albers([reproject(shapely.Point(EAST + x, NORTH + y), ZONE)])[0]


def owner(territories: list[Territory], x: float, y: float) -> str:
    [found] = [t.key for t in territories if t.geometry.contains(point(x, y))]
    return found


def random_mines(count: int, seed: int) -> list[MineArea]:
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        x, y = rng.uniform(0, 6000, 2)
        turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
        ring = np.column_stack([EAST + x + 500 * np.cos(turn), NORTH + y + 500 * np.sin(turn)])
        licence = shapely.Polygon(ring).convex_hull
        made.append(
            MineArea(f"m{number}", f"M{number}", reproject(licence, ZONE), reproject(licence.buffer(500), ZONE))
        )
    return made


def test_every_point_has_one_owner_the_nearest_licence():
    mines = random_mines(25, 4)
    extra = ground(-3000, -3000, 5000, 4000)
    territories = partition(mines, extra, [RegionArea("650100", ground(-9000, -9000, 19000, 19000))])
    shapes = geometries(t.geometry for t in territories)

    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_valid(shapes).all()
    on_grid = shapely.get_coordinates(shapes) * 100
    assert np.abs(on_grid - np.rint(on_grid)).max() < 1e-3
    licences, zones = to_albers(m.licence for m in mines), to_albers(m.zone for m in mines)
    area = shapely.union_all([*zones, to_albers([extra])[0]]).area
    assert sum(shapely.area(shapes)) == pytest.approx(area, rel=1e-7)

    rng = np.random.default_rng(1)
    low, high = np.array(shapely.total_bounds(shapes)).reshape(2, 2)
    places = shapely.points(rng.uniform(low, high, (4000, 2)))
    names = [m.mine for m in mines]
    for place in places:
        holders = [t for t in territories if t.geometry.contains(place)]
        claims = {
            n: float(lic.distance(place)) for n, lic, z in zip(names, licences, zones, strict=True) if z.contains(place)
        }
        if not holders:
            assert not claims
            continue
        [holder] = holders
        if not claims:
            assert holder.mine is None
        else:
            best = min(claims.values())
            assert claims[holder.mine or ""] <= best + max(0.6, (best**2 + 25) ** 0.5 - best)


def test_licence_beats_nearness_and_the_smaller_licence_comes_first():
    mines = [mine("big", 0, 0, 2000, 2000), mine("inside", 800, 800, 1000, 1000), mine("beside", 2100, 0, 3000, 2000)]
    territories = partition(mines, None, [])
    assert owner(territories, 900, 900) == "mine:inside"
    assert owner(territories, 1050, 900) == "mine:big"  # 50 m from the inner licence, but within the outer one
    assert owner(territories, 2040, 1000) == "mine:big"
    assert owner(territories, 2060, 1000) == "mine:beside"


def test_unlicensed_mine_keeps_its_zone_except_in_licences():
    wild = MineArea("wild", "A0", None, ground(1000, 0, 1600, 1000))
    territories = partition([mine("legal", 0, 0, 1100, 1000), wild], None, [])
    assert owner(territories, 1050, 500) == "mine:legal"
    assert owner(territories, 1150, 500) == "mine:wild"
    assert owner(territories, -200, 500) == "mine:legal"
    assert {t.key: t.licence is None for t in territories} == {"mine:legal": False, "mine:wild": True}


def test_override_and_ground_of_no_mine_by_region():
    mines = [mine("a", 0, 0, 500, 500), mine("b", 800, 0, 1300, 500)]
    regions = [
        RegionArea("650200", ground(3000, -2000, 9000, 9000)),
        RegionArea("650100", ground(-9000, -2000, 3000, 9000)),
    ]
    extra = ground(-1000, -1500, 5000, 2000)
    territories = partition(mines, extra, regions, [("b", ground(550, 100, 600, 200))])
    assert [t.key for t in territories] == ["mine:a", "mine:b", "region:650100", "region:650200"]
    assert owner(territories, 575, 150) == "mine:b"
    assert owner(territories, 575, 250) == "mine:a"
    assert owner(territories, 2000, 0) == "region:650100"
    assert owner(territories, 4000, 0) == "region:650200"
    with pytest.raises(ValueError, match="unknown"):
        partition(mines, None, [], [("nobody", ground(0, 0, 1, 1))])


def test_order_of_the_mines_does_not_matter():
    mines = random_mines(8, 9)
    one = partition(mines, None, [])
    two = partition(mines[::-1], None, [])
    assert [t.key for t in one] == [t.key for t in two]
    assert all(a.geometry.normalize().equals_exact(b.geometry.normalize(), 0) for a, b in zip(one, two, strict=True))


def opening(*shapes: shapely.Geometry, areas: list[int]) -> gpd.GeoDataFrame:
    columns = {"state": [State.OPEN_PIT] * len(shapes), "area_cm2": areas, "observed_year": [2021] * len(shapes)}
    return gpd.GeoDataFrame(columns, geometry=geometries(shapes), crs=ALBERS)


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(x0, y0, x1, y1)])


def test_opening_is_shared_out_to_the_square_centimetre():
    left, right = Territory("l", None, box(0, 0, 100, 100), None), Territory("r", None, box(100, 0, 200, 100), None)
    book = opening(
        box(10, 10, 20, 20), box(90, 0, 120, 10), box(190, 0, 230, 10), box(300, 0, 310, 10), box(150, 50, 200.01, 60),
        areas=[1_000_001, 3_000_002, 4_000_003, 1_000_000, 5_001_000],
    )  # fmt: skip
    split, gone = split_opening(book, [left, right])
    assert split["mine:l"]["area_cm2"].tolist() == [1_000_001, 1_000_001]
    assert sorted(split["mine:r"]["area_cm2"]) == [1_000_001, 2_000_001, 5_001_000]  # a strip of 1 cm does not leave
    assert sorted(gone["area_cm2"]) == [1_000_000, 3_000_002]
    total = sum(int(part["area_cm2"].sum()) for part in (*split.values(), gone))
    assert total == int(book["area_cm2"].sum())
    assert shapely.coverage_is_valid(np.concatenate([p.geometry.to_numpy() for p in (*split.values(), gone)]))
    assert gone["observed_year"].tolist() == [2021, 2021]
    assert gone.crs == split["mine:l"].crs == book.crs


def test_unchanged_territories_cut_nothing_and_ground_outside_stays_outside():
    territories = partition(random_mines(12, 2), None, [])
    shapes = [t.geometry for t in territories]
    book = opening(*shapes, areas=[round(s.area * 1e4) for s in shapes])
    book["mine"] = [t.mine for t in territories]
    book.loc[len(book)] = {"state": State.OUTSIDE, "area_cm2": 77, "geometry": box(0, 0, 1, 1), "mine": None}
    split, gone = split_opening(book, territories)
    assert gone.empty
    for territory in territories:
        [row] = split[territory.key].itertuples()
        assert row.mine == territory.mine
        assert row.geometry.equals_exact(territory.geometry, 0)


def test_cells_that_rounding_made_invalid_are_handed_over():
    home = Territory("l", None, box(0, 0, 100, 100), None)
    bow = shapely.MultiPolygon([shapely.Polygon([(10, 10), (20, 10), (10, 20), (20, 20)])])
    split, gone = split_opening(opening(bow, areas=[500_000]), [home])
    assert gone.empty
    [row] = split["mine:l"].itertuples()
    assert row.geometry.is_valid
    assert (row.area_cm2, row.geometry.area) == (500_000, pytest.approx(50))


def test_a_register_without_mines_or_zones():
    assert partition([], None, []) == []
    assert partition([MineArea("m", "M", ground(0, 0, 10, 10), None)], None, []) == []
    [county] = partition([], ground(0, 0, 10, 10), [RegionArea("650100", ground(-5, -5, 50, 50))])
    assert county.key == "region:650100"
    [nowhere] = partition([], ground(0, 0, 10, 10), [])
    assert (nowhere.key, nowhere.region) == ("region:", None)
