"""Yearly sums: every square metre once, and only what the user may see."""

from __future__ import annotations

import datetime as dt
import hashlib
from decimal import Decimal

import pytest
import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon

from landdamage import selectors
from landdamage.models import InterpretationRun, ObservationMask, Patch, Scene
from minegis import units
from minegis.access.models import Membership, Role, User
from minegis.registry.models import Mine, Region

pytestmark = pytest.mark.django_db
ZONE = 4538


def ground(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    """A rectangle in metres around a point near 43°N 87°E, in EPSG:4490."""
    box = shapely.segmentize(shapely.box(500_000 + west, 4_760_000 + south, 500_000 + east, 4_760_000 + north), 100)
    return units.reproject(box, ZONE)


def multi(shape: shapely.Geometry) -> MultiPolygon:
    return MultiPolygon(GEOSGeometry(memoryview(shape.wkb), srid=4490), srid=4490)


@pytest.fixture
def region() -> Region:
    return Region.objects.create(
        code="652300", name_zh="昌吉", level="prefecture", geom=multi(ground(-20000, -20000, 20000, 20000))
    )


@pytest.fixture
def reader(region: Region) -> User:
    user = User.objects.create_user("reader")
    Membership.objects.create(user=user, role=Role.ANALYST, region=region)
    return user


def run(region: Region, day: str, shape: shapely.Geometry, name: str = "") -> InterpretationRun:
    scene = Scene.objects.create(
        file_name=f"{day}{name}.tif",
        sha256=hashlib.sha256(f"{day}{name}".encode()).hexdigest(),
        cog_sha256="c" * 64,
        bytes=1,
        state=Scene.State.READY,
        region=region,
        acquired_on=dt.date.fromisoformat(day),
        footprint=multi(shape),
    )
    return InterpretationRun.objects.create(scene=scene, year=int(day[:4]), state="succeeded", is_current=True)


def patch(of: InterpretationRun, code: str, shape: shapely.Geometry, mine: Mine | None = None) -> Patch:
    from landdamage.taxonomy import damage_kind

    return Patch.objects.create(
        run=of,
        class_code=code,
        damage_kind=damage_kind(code),
        water_origin="natural" if code == "water" else "",
        geom=multi(shape),
        area_cm2=units.area_cm2(shape),
        confidence=0.9,
        confidence_p5=0.5,
        margin=0.4,
        mine=mine,
        region=of.scene.region,
    )


def test_overlapping_scenes_of_a_year_count_their_ground_once(region: Region, reader: User) -> None:
    older = run(region, "2021-06-01", ground(0, 0, 1000, 1000))
    newer = run(region, "2021-08-01", ground(500, 0, 1500, 1000))
    patch(older, "open_pit", ground(400, 0, 600, 100))  # half of it lies under the newer scene
    patch(newer, "open_pit", ground(500, 0, 600, 100))
    sums = selectors.year_sums(reader, 2021)
    assert sums.by_kind["excavation"] == pytest.approx(units.area_cm2(ground(400, 0, 600, 100)), rel=1e-6)


def cloud_over(of: InterpretationRun, hidden: shapely.Geometry) -> None:
    seen = shapely.difference(shapely.from_wkb(bytes(of.scene.footprint.wkb)), hidden)
    ObservationMask.objects.create(scene=of.scene, geom=multi(seen), method="automatic")


def test_a_cloud_in_the_newer_scene_leaves_the_older_one_to_count(region: Region, reader: User) -> None:
    older = run(region, "2021-06-01", ground(0, 0, 1000, 1000))
    newer = run(region, "2021-08-01", ground(0, 0, 1000, 1000))
    patch(older, "open_pit", ground(0, 0, 200, 100))
    patch(newer, "stockpile", ground(0, 0, 100, 100))  # what the model made of the cloud
    patch(newer, "open_pit", ground(100, 0, 200, 100))
    cloud_over(newer, ground(-10, -10, 100, 500))
    sums = selectors.year_sums(reader, 2021)
    assert sums.by_kind["excavation"] == pytest.approx(units.area_cm2(ground(0, 0, 200, 100)), rel=1e-6)
    assert sums.by_class["stockpile"] == 0
    assert selectors.overview(reader, 2021).coverage_km2 == Decimal("1.00")


def test_damage_under_a_cloud_has_not_vanished(region: Region, reader: User) -> None:
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 200, 100))
    clouded = run(region, "2022-06-01", ground(0, 0, 1000, 1000))
    patch(clouded, "open_pit", ground(0, 0, 100, 100))
    cloud_over(clouded, ground(100, -10, 500, 500))
    figures = selectors.overview(reader, 2022)
    assert figures.compared_with == 2021
    assert abs(figures.damage_change_cm2 or 0) <= 1e-6 * units.area_cm2(ground(0, 0, 100, 100))
    assert figures.coverage_km2 == Decimal("0.80")


def test_scenes_of_different_years_do_not_shadow_each_other(region: Region, reader: User) -> None:
    for day in ("2021-06-01", "2022-06-01"):
        patch(run(region, day, ground(0, 0, 1000, 1000)), "stockpile", ground(0, 0, 100, 100))
    for year in (2021, 2022):
        assert selectors.year_sums(reader, year).by_class["stockpile"] == units.area_cm2(ground(0, 0, 100, 100))
    assert selectors.years(reader) == [2021, 2022]


def test_overview_shows_the_change_to_the_year_before(region: Region, reader: User) -> None:
    mine = Mine.objects.create(
        code="M1", name_zh="一矿", mineral_kind="coal", mining_method="open_pit", region=region,
        boundary=multi(ground(0, 0, 500, 500)), influence_zone=multi(ground(-500, -500, 1000, 1000)),
    )  # fmt: skip
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 100, 100), mine)
    patch(run(region, "2022-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 200, 100), mine)
    figures = selectors.overview(reader, 2022)
    (row,) = figures.mines
    grown = units.area_cm2(ground(0, 0, 200, 100)) - units.area_cm2(ground(0, 0, 100, 100))
    assert row.change_cm2 == figures.damage_change_cm2 == grown
    assert figures.damage_hm2 == Decimal("2.00")
    assert [k.kind.code for k in figures.kinds] == ["excavation", "occupation"]
    assert selectors.overview(reader, 2021).damage_change_cm2 is None
    assert figures.coverage_km2 == Decimal("1.00")


def test_natural_water_and_vegetation_are_not_damage(region: Region, reader: User) -> None:
    one = run(region, "2021-06-01", ground(0, 0, 1000, 1000))
    patch(one, "water", ground(0, 0, 100, 100))
    patch(one, "vegetation", ground(200, 0, 300, 100))
    assert selectors.overview(reader, 2021).damage_cm2 == 0
    assert sum(row.cm2 for row in selectors.run_areas(one)) > 0


def test_another_regions_ground_is_not_counted(region: Region) -> None:
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 100, 100))
    elsewhere = Region.objects.create(code="650100", name_zh="乌鲁木齐", level="prefecture", geom=region.geom)
    stranger = User.objects.create_user("stranger")
    Membership.objects.create(user=stranger, role=Role.ANALYST, region=elsewhere)
    assert selectors.years(stranger) == []
    assert selectors.year_sums(stranger, 2021).damage == 0


def test_only_the_current_run_counts(region: Region, reader: User) -> None:
    first = run(region, "2021-06-01", ground(0, 0, 1000, 1000))
    patch(first, "open_pit", ground(0, 0, 100, 100))
    InterpretationRun.objects.filter(pk=first.pk).update(is_current=False)
    again = InterpretationRun.objects.create(scene=first.scene, year=2021, state="succeeded", is_current=True)
    patch(again, "open_pit", ground(0, 0, 50, 100))
    assert selectors.year_sums(reader, 2021).damage == units.area_cm2(ground(0, 0, 50, 100))


def test_an_empty_year_is_all_zero(reader: User) -> None:
    figures = selectors.overview(reader, 2021)
    assert figures.damage_cm2 == 0
    assert figures.scenes == 0
    assert all(row.cm2 == 0 for row in figures.classes)


def mine_at(region: Region, code: str, west: float) -> Mine:
    return Mine.objects.create(
        code=code, name_zh=code, mineral_kind="coal", mining_method="open_pit", region=region,
        boundary=multi(ground(west, 0, west + 500, 500)), influence_zone=multi(ground(west - 50, -50, west + 550, 550)),
    )  # fmt: skip


def test_ground_not_seen_this_year_is_neither_zero_nor_restored(region: Region, reader: User) -> None:
    near, far = mine_at(region, "M1", 0), mine_at(region, "M2", 5000)
    both = run(region, "2021-06-01", ground(-100, -100, 6000, 1000))
    patch(both, "open_pit", ground(0, 0, 100, 100), near)
    patch(both, "open_pit", ground(5000, 0, 5100, 100), far)
    patch(run(region, "2022-06-01", ground(-100, -100, 1000, 1000)), "open_pit", ground(0, 0, 200, 100), near)
    figures = selectors.overview(reader, 2022)
    rows = {row.mine.code: row for row in figures.mines}
    grown = units.area_cm2(ground(0, 0, 200, 100)) - units.area_cm2(ground(0, 0, 100, 100))
    assert rows["M1"].change_cm2 == figures.damage_change_cm2 == grown
    assert (rows["M2"].observed, rows["M2"].change_cm2) == (False, None)


def test_years_without_common_ground_are_not_compared(region: Region, reader: User) -> None:
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 100, 100))
    patch(run(region, "2022-06-01", ground(5000, 0, 6000, 1000)), "open_pit", ground(5000, 0, 5100, 100))
    assert selectors.overview(reader, 2022).damage_change_cm2 is None


def test_a_patch_across_the_common_ground_counts_inside_it_only(region: Region, reader: User) -> None:
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "stockpile", ground(900, 0, 1000, 100))
    patch(run(region, "2022-06-01", ground(0, 0, 2000, 1000)), "stockpile", ground(900, 0, 1100, 100))
    figures = selectors.overview(reader, 2022)
    assert figures.damage_cm2 == units.area_cm2(ground(900, 0, 1100, 100))
    assert abs(figures.damage_change_cm2 or 0) < 2000 * 10_000 / 100_000  # rounding of the cut, of 1 hm²


def test_rows_and_rest_add_up_to_the_total(region: Region, reader: User) -> None:
    neighbour = Region.objects.create(code="650100", name_zh="乌鲁木齐", level="prefecture", geom=region.geom)
    ours, theirs = mine_at(region, "M1", 0), mine_at(neighbour, "M2", 3000)
    one = run(region, "2021-06-01", ground(0, 0, 6000, 1000))
    patch(one, "open_pit", ground(0, 0, 100, 100), ours)
    patch(one, "stockpile", ground(3000, 0, 3100, 100), theirs)
    patch(one, "stockpile", ground(5000, 0, 5100, 100))
    figures = selectors.overview(reader, 2021)
    rest = figures.unassigned_cm2 + figures.elsewhere_cm2
    assert sum(row.damage_cm2 for row in figures.mines) + rest == figures.damage_cm2
    assert figures.elsewhere_cm2 > 0


def test_a_viewer_here_and_analyst_there_counts_only_there(region: Region) -> None:
    there = Region.objects.create(code="650100", name_zh="乌鲁木齐", level="prefecture", geom=region.geom)
    patch(run(region, "2021-06-01", ground(0, 0, 1000, 1000)), "open_pit", ground(0, 0, 100, 100))
    patch(run(there, "2021-06-01", ground(5000, 0, 6000, 1000), "b"), "open_pit", ground(5000, 0, 5200, 100))
    user = User.objects.create_user("both")
    Membership.objects.create(user=user, role=Role.VIEWER, region=region)
    Membership.objects.create(user=user, role=Role.ANALYST, region=there)
    assert selectors.year_sums(user, 2021).damage == units.area_cm2(ground(5000, 0, 5200, 100))


def test_what_waits_follows_the_latest_run_and_names_undated_scenes(region: Region, reader: User) -> None:
    good = run(region, "2021-06-01", ground(0, 0, 1000, 1000))
    failed = InterpretationRun.objects.create(scene=good.scene, year=2021, state="failed")
    assert selectors.waiting(reader)["failed"] == 1
    InterpretationRun.objects.create(scene=good.scene, year=2021, state="queued")
    assert selectors.waiting(reader)["failed"] == 0
    InterpretationRun.objects.filter(pk=good.pk).update(year=None)
    assert selectors.waiting(reader)["undated"] == 1
    assert failed.pk
