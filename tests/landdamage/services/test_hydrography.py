"""Waters of the map: read with every fault, kept per region and time, and what they say of a year's waters."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from landdamage.interchange.hydrography import read_hydrography
from landdamage.interchange.read import Choices
from landdamage.models import Hydrography, Patch
from landdamage.services.account import edition_verify
from landdamage.services.editions import edition_draft
from landdamage.services.hydrography import hydrography_import, hydrography_remove
from landdamage.services.waters import water_origins_propose
from minegis.errors import ForbiddenError, MineGISError
from tests.fixtures.accounted import computed, published
from tests.fixtures.plot import ground

pytestmark = pytest.mark.django_db

URL = "/api/v1/hydrography/"
LINE = shapely.LineString(shapely.get_coordinates(ground(400, -3000, 401, 3000))[:2])


def waters(*rows: tuple[str, Any], name: str = "") -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"kind": [kind for kind, _ in rows], "name": name}, geometry=[shape for _, shape in rows], crs=4490
    )


def kept(plot: SimpleNamespace, *rows: tuple[str, Any], **fields: Any) -> None:
    given = {"region": plot.region, "source": "1:50000", "sha256": "a" * 64, "user": plot.reviewer, **fields}
    hydrography_import(frame=waters(*rows), **given)


def undecided(plot: SimpleNamespace, year: int = 2022) -> tuple[Any, list[int]]:
    edition = computed(edition_draft(region=plot.region, year=year, user=plot.analyst), plot.analyst)
    return edition, edition.results["undecided_water"]


def test_water_that_meets_the_map_is_natural_and_the_year_says_what_it_used(plot: SimpleNamespace) -> None:
    scene = plot.scene(
        "2022-07-01", ("water", (380, 0, 420, 500), "unknown"), ("water", (800, 800, 850, 850), "unknown")
    )
    pond = Patch.objects.get(run__scene=scene, geom__contains=ground_point(825, 825))
    kept(plot, ("river", LINE))
    edition, left = undecided(plot)
    assert left == [pond.pk]
    assert plot.state_at(edition, 400, 250) == "other"
    assert edition.inputs["hydrography"]["features"] == 1
    kept(plot, ("lake", ground(790, 790, 810, 810)), sha256="b" * 64)
    edition = computed(edition, plot.analyst)
    assert edition.results["undecided_water"] == []
    edition = published(edition, plot)
    Hydrography.objects.all().delete()
    assert edition_verify(edition) == edition.content_sha256  # the archive remembers the waters


def ground_point(x: float, y: float) -> Any:
    from django.contrib.gis.geos import GEOSGeometry

    return GEOSGeometry(ground(x - 0.5, y - 0.5, x + 0.5, y + 0.5).centroid.wkt, srid=4490)


@pytest.mark.parametrize(
    ("region", "valid_from", "valid_to", "known"),
    [
        ("changji", date(2022, 12, 31), None, True),
        ("changji", date(2023, 1, 1), None, False),
        ("changji", None, date(2022, 12, 31), False),
        ("changji", None, date(2023, 1, 1), True),
        ("fukang", None, None, True),
        ("xinjiang", None, None, True),
        ("turpan", None, None, False),
    ],
)
def test_waters_hold_in_their_region_and_time(
    plot: SimpleNamespace, region: str, valid_from: Any, valid_to: Any, known: bool
) -> None:
    plot.scene("2022-07-01", ("water", (380, 0, 420, 500), "unknown"))
    at = getattr(plot.regions, region)
    kept(plot, ("river", LINE), region=at, valid_from=valid_from, valid_to=valid_to, user=None)
    assert (undecided(plot)[1] == []) is known


def test_a_new_delivery_ends_the_former_one(plot: SimpleNamespace) -> None:
    kept(plot, ("river", LINE))
    new = {"sha256": "b" * 64, "replaces": True}
    with pytest.raises(MineGISError, match="E-GND-01"):
        kept(plot, ("river", LINE))
    with pytest.raises(MineGISError, match="E-GND-02"):
        kept(plot, ("lake", LINE), **new)
    kept(plot, ("lake", ground(0, 0, 10, 10)), **new, valid_from=date(2023, 6, 1))
    ends = dict(Hydrography.objects.values_list("kind", "valid_to"))
    assert ends == {"river": date(2023, 6, 1), "lake": None}
    with pytest.raises(MineGISError, match="E-GND-03"):
        kept(plot, ("lake", LINE), sha256="c" * 64, replaces=True, valid_from=date(2023, 1, 1))


def test_who_may(plot: SimpleNamespace, make_user: Any) -> None:
    for user in (plot.analyst, make_user("interpreter", plot.region), make_user("reviewer", plot.regions.turpan)):
        with pytest.raises(ForbiddenError):
            kept(plot, ("river", LINE), user=user)
    kept(plot, ("river", LINE), user=plot.manager)
    with pytest.raises(ForbiddenError):
        hydrography_remove(hydrography=Hydrography.objects.get(), user=plot.analyst)


def test_proposals_know_the_map_too(plot: SimpleNamespace) -> None:
    scene = plot.scene("2022-07-01", ("water", (380, 0, 420, 500), "unknown"))
    kept(plot, ("river", LINE), valid_from=date(2022, 7, 2))
    run = scene.runs.get()
    water_origins_propose(run=run)
    assert run.patches.get().water_origin == "unknown"  # the map came later than the image
    Hydrography.objects.update(valid_from=date(2022, 7, 1))
    water_origins_propose(run=run)
    assert run.patches.get().water_origin == "natural"


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    frame = gpd.GeoDataFrame(
        {"类别": ["河流", "水库", "海洋要素"], "名称": ["头屯河", None, "x"]},
        geometry=[LINE, ground(0, 0, 300, 300), ground(500, 0, 510, 10)], crs=4490,
    )  # fmt: skip
    pyogrio.write_dataframe(frame, tmp_path / "water.gpkg", driver="GPKG", geometry_type="Unknown")
    return tmp_path / "water.gpkg"


def test_kinds_are_read_or_asked_for(delivery: Path) -> None:
    asked = read_hydrography(delivery)
    assert ([one.code for one in asked.findings], asked.frame) == (["E-VEC-22"], None)
    assert "海洋要素" in asked.findings[0].values["value"]
    read = read_hydrography(delivery, choices=Choices(mapping={"海洋要素": "skip"}))
    assert read.frame is not None
    assert read.frame[["kind", "name"]].values.tolist() == [["river", "头屯河"], ["reservoir", ""]]
    assert read.frame.geometry[0].equals(LINE)
    one = read_hydrography(delivery, kind="lake").frame
    assert one is not None
    assert one["kind"].tolist() == ["lake"] * 3
    assert [one.code for one in read_hydrography(delivery, kind="sea").findings] == ["E-VEC-22"]
    assert [f.code for f in read_hydrography(delivery, choices=Choices(column="x")).findings] == ["E-VEC-05"]
    points = gpd.GeoDataFrame({"kind": ["river"]}, geometry=[shapely.Point(87, 43.5)], crs=4490)
    pyogrio.write_dataframe(points, delivery.parent / "points.geojson", driver="GeoJSON")
    assert [f.code for f in read_hydrography(delivery.parent / "points.geojson").findings] == ["E-VEC-07"]


def test_over_http(plot: SimpleNamespace, delivery: Path, client_for: Any, make_user: Any) -> None:
    def send(user: Any, **fields: Any) -> Any:
        file = SimpleUploadedFile(delivery.name, delivery.read_bytes())
        return client_for(user).post(URL, {"file": file, "region": "652300", "source": "DLG 2021", **fields})

    assert send(plot.analyst).status_code == 403
    assert send(None).status_code == 401
    assert send(make_user("reviewer", plot.regions.turpan)).status_code == 404
    report = send(plot.reviewer)
    assert (report.status_code, report.json()["usable"]) == (200, False)
    mapping = {"mapping": '{"海洋要素": "skip"}'}
    assert send(plot.reviewer, mapping='{"海洋要素": "sea"}').status_code == 400
    done = send(plot.reviewer, **mapping, commit="true", valid_from="2021-01-01")
    assert (done.status_code, done.json()["imported"]) == (201, 2)
    assert send(plot.reviewer, **mapping, commit="true").json()["code"] == "E-GND-01"
    rows = client_for(plot.analyst).get(URL, {"kind": "river"}).json()["results"]
    assert [(row["name"], row["imported_by"], row["region"]) for row in rows] == [
        ("头屯河", plot.reviewer.username, "652300")
    ]
    assert client_for(make_user("analyst", plot.regions.turpan)).get(URL).json()["results"] == []
    where = f"{URL}{rows[0]['hydrography_id']}/"
    json = {"content_type": "application/json"}
    assert client_for(plot.analyst).post(f"{where}end/", {"valid_to": "2022-01-01"}, **json).status_code == 403
    ended = client_for(plot.manager).post(f"{where}end/", {"valid_to": "2022-01-01"}, **json)
    assert ended.json()["valid_to"] == "2022-01-01"
    early = client_for(plot.manager).post(f"{where}end/", {"valid_to": "2020-01-01"}, **json)
    assert early.json()["code"] == "E-GND-03"
    assert client_for(plot.analyst).delete(where).status_code == 403
    assert client_for(plot.manager).delete(where).status_code == 204
    assert Hydrography.objects.count() == 1


def test_the_demonstration_knows_its_river(tmp_path: Path, settings: Any) -> None:
    from landdamage.services import demo
    from landdamage.simulation.district import District

    settings.STORAGE_ROOT = tmp_path / "var" / "storage"
    district = District(3, 320)
    for name in ("mines", "region", "hydrography"):
        getattr(district, name)().to_file(tmp_path / f"{name}.gpkg", layer=name, driver="GPKG")
    for _ in range(2):  # idempotent
        region = demo.register(tmp_path)
    [river] = Hydrography.objects.all()
    assert (river.region, river.kind, river.name, river.created_by) == (region, "river", "模拟河", None)


def test_command_line(plot: SimpleNamespace, delivery: Path) -> None:
    about = {"region": "652300", "user": plot.reviewer.username, "source": "DLG 2021"}
    err, out = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_hydrography", delivery, **about, stderr=err)
    assert "E-VEC-22" in err.getvalue()
    about["map"] = ["海洋要素=skip"]
    call_command("import_hydrography", delivery, **about, dry_run=True, stdout=out)
    assert "river: 1" in out.getvalue()
    assert not Hydrography.objects.exists()
    call_command("import_hydrography", delivery, **about, valid_from=date(2021, 1, 1), stdout=out)
    assert Hydrography.objects.count() == 2
    with pytest.raises(CommandError, match="E-GND-01"):
        call_command("import_hydrography", delivery, **about, stdout=out)
    with pytest.raises(CommandError, match="E-API-03"):
        call_command("import_hydrography", delivery, **{**about, "user": plot.analyst.username}, stdout=out)
