"""Mine and region of patches: licences before distance before code, the lowest region, boxes that grow."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import connection, transaction

from landdamage.services.grounds import Grounds
from landdamage.services.patch_loading import patches_replace
from minegis.registry.models import Mine, Region

pytestmark = pytest.mark.django_db

WEST, SOUTH = 87.0, 43.0


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """In thousandths of a degree from a corner."""
    return shapely.box(*(np.array([WEST, SOUTH, WEST, SOUTH]) + np.array([west, south, east, north]) / 1000))


def geos(shape: shapely.Geometry) -> MultiPolygon:
    parts = [GEOSGeometry(memoryview(part.wkb), srid=4490) for part in shapely.get_parts(shape)]
    return MultiPolygon(*parts, srid=4490)


@pytest.fixture
def country() -> Region:
    return Region.objects.create(
        code="650000", name_zh="区", level="province", geom=geos(box(-1000, -1000, 1000, 1000))
    )


def mine(region: Region, code: str, licence: shapely.Geometry | None, zone: shapely.Geometry) -> None:
    Mine.objects.create(
        code=code, name_zh=code, mineral_kind="coal", mining_method="open_pit", region=region,
        status="active" if licence else "unlicensed", influence_zone=geos(zone), boundary=licence and geos(licence),
    )  # fmt: skip


def codes(patches: list[shapely.Geometry]) -> list[str | None]:
    with transaction.atomic(), connection.cursor() as cursor:
        found = Grounds(cursor, shapely.total_bounds(patches)).mines(np.array(patches))
    names = dict(Mine.objects.values_list("pk", "code"))
    return [names.get(one) for one in found]


def test_licences_come_before_distance_and_distance_before_the_code(country: Region) -> None:
    mine(country, "B", box(0, 0, 10, 10), box(-5, -5, 15, 15))
    mine(country, "A", box(20, 0, 30, 10), box(15, -5, 35, 15))
    mine(country, "C", None, box(-5, 12, 35, 20))
    for code in ("E", "D"):
        mine(country, code, box(60, 0, 70, 10), box(55, -5, 75, 15))
    assert codes(
        [
            box(8, 2, 12, 4),  # half in B, in its zone alone
            box(9, 1, 23, 2),  # more of it in A than in B
            box(12, 12.5, 13.5, 13),  # in the zones of B and C; C, which has no licence, stands for its zone
            box(72, 4, 73, 5),  # in two zones, as far from either licence: the first by code
            box(14.7, 4, 15.2, 5),  # nearer to B
            box(40, 40, 41, 41),
        ]
    ) == ["B", "A", "C", "D", "B", None]


def test_a_zone_that_crosses_itself_is_mended(country: Region) -> None:
    bowtie = shapely.Polygon([(WEST, SOUTH), (WEST + 0.01, SOUTH + 0.01), (WEST + 0.01, SOUTH), (WEST, SOUTH + 0.01)])
    Mine.objects.create(
        code="X", name_zh="X", mineral_kind="coal", mining_method="open_pit", region=country, boundary=geos(bowtie),
        influence_zone=geos(bowtie),
    )  # fmt: skip
    mine(country, "Y", box(0, 0, 10, 10), box(0, 0, 10, 10))
    assert codes([box(1, 4.5, 2, 5.5), box(4, 8, 6, 9)]) == ["X", "Y"]


def test_the_lowest_present_region_wins(country: Region) -> None:
    for code, level, outline, end in (
        ("652300", "prefecture", box(0, 0, 50, 50), None),
        ("652301", "county", box(0, 0, 20, 20), None),
        ("652301001", "township", box(0, 0, 5, 5), "2020-01-01"),
    ):
        Region.objects.create(code=code, name_zh=code, level=level, geom=geos(outline), valid_to=end)
    patches = np.array([box(1, 1, 2, 2), box(30, 30, 31, 31), box(60, 60, 61, 61), box(2000, 0, 2001, 1)])
    with transaction.atomic(), connection.cursor() as cursor:
        found = Grounds(cursor, shapely.total_bounds(patches)).regions(patches)
    names = dict(Region.objects.values_list("pk", "code"))
    assert [names.get(one) for one in found] == ["652301", "652300", "650000", None]


def test_patches_beyond_the_footprint_find_their_mines_whatever_the_portions(interpreted: Any, region: Region) -> None:
    for k in range(6):
        mine(region, f"F{k}", box(20 * k, 20 * k, 20 * k + 5, 20 * k + 5), box(20 * k, 20 * k, 20 * k + 5, 20 * k + 5))
    shapes = [box(20 * k + 1, 20 * k + 1, 20 * k + 2, 20 * k + 2) for k in range(6)]
    shapes[3] = shapely.MultiPolygon([shapes[3], box(63, 63, 64, 64)])
    frame = gpd.GeoDataFrame(
        {"class_code": ["open_pit"] * 6, "area_cm2": 1, "confidence": 0.9, "confidence_p5": 0.5, "margin": 0.4},
        geometry=shapes,
        crs=4490,
    )
    for size in (6, 1, 2):
        with transaction.atomic():
            patches_replace(run=interpreted, batches=[frame[k : k + size] for k in range(0, 6, size)])
        rows = interpreted.patches.order_by("patch_id").values_list("mine__code", "geom")
        assert [code for code, _ in rows] == [f"F{k}" for k in range(6)]
        for (_, stored), shape in zip(rows, shapes, strict=True):
            assert shapely.equals(shapely.from_wkb(bytes(stored.wkb)), shape)
            assert (stored.geom_type, stored.srid) == ("MultiPolygon", 4490)
