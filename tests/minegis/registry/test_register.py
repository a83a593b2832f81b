"""Regions and mines: zones, places, lists, GeoJSON."""

from __future__ import annotations

import pytest
import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Polygon
from django.core.exceptions import ValidationError

from minegis import units
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Mine
from minegis.registry.selectors import region_holding
from minegis.registry.services import influence_zone, mine_create, mine_update

pytestmark = pytest.mark.django_db


def box(west: float, south: float, east: float, north: float) -> MultiPolygon:
    return MultiPolygon(Polygon.from_bbox((west, south, east, north)), srid=SRID)


def shape(geometry: GEOSGeometry) -> shapely.Geometry:
    return shapely.from_wkb(bytes(geometry.wkb))


def make(**fields: object) -> Mine:
    given = {"code": "M1", "name_zh": "甲矿", "mineral_kind": "coal", "mining_method": "open_pit"}
    return mine_create(**given | {"boundary": box(87.0, 43.0, 87.02, 43.01)} | fields)


def test_the_zone_reaches_500_m_beyond_the_boundary_on_the_ground(regions):
    mine = make()
    zone, boundary = shape(mine.influence_zone), shape(mine.boundary)
    assert zone.contains(boundary)
    west, south, _, north = boundary.bounds
    middle = (south + north) / 2
    _, _, metres = units.GEOD.inv(zone.bounds[0], middle, west, middle)
    assert metres == pytest.approx(500, abs=1.0)  # the zone's grid is true to scale within 1e-4
    grown = units.area_m2(zone) - units.area_m2(boundary)
    assert grown == pytest.approx(
        500 * units.GEOD.geometry_length(boundary.geoms[0].exterior) + 3.1416 * 500**2, rel=5e-3
    )


def test_the_zone_works_at_both_ends_of_the_country():
    for west in (73.6, 87.0, 134.9):
        zone = influence_zone(box(west, 40.0, west + 0.01, 40.01))
        assert zone.srid == SRID
        assert zone.valid


def test_a_new_boundary_moves_the_default_zone_but_not_a_drawn_one(regions):
    mine = make()
    moved = mine_update(mine=mine, boundary=box(87.1, 43.0, 87.12, 43.01))
    assert shape(moved.influence_zone).contains(shape(moved.boundary))
    drawn = box(87.0, 42.9, 87.3, 43.2)
    mine_update(mine=moved, influence_zone=drawn)
    again = mine_update(mine=moved, boundary=box(87.2, 43.0, 87.22, 43.01))
    assert again.influence_zone.equals(drawn)
    back = mine_update(mine=again, influence_zone=None)
    assert not back.influence_zone.equals(drawn)


def test_a_mine_belongs_to_the_county_with_the_largest_part(regions):
    assert make(boundary=box(87.0, 43.0, 87.02, 43.01)).region == regions.fukang
    assert make(code="M2", boundary=box(87.49, 43.0, 87.52, 43.01)).region == regions.jimsar


def test_a_place_nobody_registered_is_refused(regions):
    with pytest.raises(MineGISError, match="E-REG-01"):
        make(boundary=box(120.0, 40.0, 120.1, 40.1))
    assert region_holding(box(120.0, 40.0, 120.1, 40.1)) is None


def test_where_no_county_is_registered_the_prefecture_holds_it(regions):
    assert region_holding(box(90.0, 42.6, 90.1, 42.7)) == regions.turpan


def test_only_an_unlicensed_mine_may_lack_a_boundary(regions):
    with pytest.raises(ValidationError):
        make(boundary=None, region=regions.fukang)
    assert make(boundary=None, region=regions.fukang, status="unlicensed").influence_zone is None


def test_codes_and_licences_are_unique(regions):
    make(licence_no="C6500002023011110150000")
    for clash in ({"code": "M1"}, {"code": "M2", "licence_no": "C6500002023011110150000"}):
        with pytest.raises(ValidationError):
            make(**clash)


@pytest.fixture
def client(regions, make_user, client_for):
    make()
    make(code="M2", name_zh="乙矿", name_en="Second", boundary=box(87.6, 43.0, 87.62, 43.01), status="closed")
    return client_for(make_user("analyst", regions.xinjiang))


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("", ["M1", "M2"]),
        ("region=652300", ["M1", "M2"]),
        ("region=652302", ["M1"]),
        ("status=closed", ["M2"]),
        ("search=sec", ["M2"]),
        ("search=甲", ["M1"]),
        ("mineral_kind=metal", []),
    ],
)
def test_the_list_and_its_filters(client, query, codes):
    assert [row["code"] for row in client.get(f"/api/v1/mines/?{query}").json()["results"]] == codes


def test_a_filter_value_that_does_not_exist_is_named(client):
    answer = client.get("/api/v1/mines/?status=asleep")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["status"])


def test_geojson_has_longitude_first_and_knows_boxes(client):
    found = client.get("/api/v1/mines/geojson/?in_bbox=86.9,42.9,87.1,43.1").json()
    assert found["type"] == "FeatureCollection"
    (feature,) = found["features"]
    assert feature["properties"]["code"] == "M1"
    assert feature["geometry"]["coordinates"][0][0][0] == [87.0, 43.0]
    assert len(client.get("/api/v1/mines/geojson/").json()["features"]) == 2


def test_regions_list_and_outlines(client):
    codes = [row["code"] for row in client.get("/api/v1/regions/?parent=652300").json()["results"]]
    assert codes == ["652302", "652327"]
    outlines = client.get("/api/v1/regions/geojson/?level=prefecture").json()["features"]
    assert {feature["id"] for feature in outlines} == {"652300", "650400"}


def test_a_list_costs_the_same_however_long_it_is(client, regions, django_assert_max_num_queries):
    for number in range(20):
        make(code=f"X{number}")
    with django_assert_max_num_queries(6):
        assert client.get("/api/v1/mines/").json()["count"] == 22
