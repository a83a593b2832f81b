"""Opening books through their doors: report first, then the book; the command line does the same."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from landdamage.models import Edition

URL = "/api/v1/openings/"


@pytest.fixture
def polygons(tmp_path: Path) -> Any:
    """A GeoPackage of old patches in Fukang."""

    def make(*classes: str, shapes: list[Any] | None = None) -> Path:
        boxes = shapes or [shapely.box(87 + i / 50, 43.5, 87.01 + i / 50, 43.51) for i in range(len(classes))]
        path = tmp_path / "old.gpkg"
        path.unlink(missing_ok=True)
        pyogrio.write_dataframe(gpd.GeoDataFrame({"DWMC": classes}, geometry=boxes, crs=4490), path, driver="GPKG")
        return path

    return make


@pytest.fixture
def send(client_for: Any) -> Any:
    def post(user: Any, path: Path, **fields: Any) -> Any:
        file = SimpleUploadedFile(path.name, path.read_bytes())
        return client_for(user).post(URL, {"file": file, "region": "652302", "year": 2020, **fields})

    return post


def test_report_then_book(send: Any, polygons: Any, make_user: Any, regions: Any) -> None:
    analyst = make_user("analyst", regions.changji)
    path = polygons("露天采场", "矿山建筑")
    report = send(analyst, path)
    assert report.status_code == 200
    assert report.json()["usable"] is False
    assert [f["code"] for f in report.json()["findings"]] == ["E-VEC-11", "E-VEC-19"]
    refused = send(analyst, path, commit="true")
    assert refused.status_code == 422
    assert not Edition.objects.exists()
    mapping = json.dumps({"矿山建筑": "industrial_square"})
    unsaid = send(analyst, path, mapping=mapping, commit="true")
    assert (unsaid.status_code, unsaid.json()["usable"]) == (422, False)
    checked = send(analyst, path, mapping=mapping, coverage="unknown").json()
    assert checked["usable"] is True
    [consequence] = checked["findings"]
    assert (consequence["code"], consequence["severity"]) == ("E-VEC-20", "warn")
    assert "first seen" in consequence["message_en"]
    assert not Edition.objects.exists()
    booked = send(analyst, path, mapping=mapping, coverage="whole", commit="true")
    assert booked.status_code == 201
    edition = Edition.objects.get(pk=booked.json()["edition"])
    assert (edition.region, edition.year, edition.is_opening, edition.created_by) == (
        regions.fukang, 2020, True, analyst,
    )  # fmt: skip
    assert edition.job is not None
    assert edition.inputs["coverage"] == "whole"
    again = send(analyst, path, mapping=mapping, coverage="whole", commit="true")
    assert again.status_code == 422
    assert again.json()["code"] == "E-EDI-20"


def test_who_may_and_where(send: Any, polygons: Any, make_user: Any, regions: Any) -> None:
    path = polygons("露天采场")
    for role, region, status in (
        ("reviewer", regions.changji, 403),
        ("viewer", regions.changji, 403),
        ("analyst", regions.turpan, 404),
        ("analyst", regions.fukang, 200),
    ):
        assert send(make_user(role, region), path).status_code == status
    assert send(None, path).status_code == 401


def test_bad_requests(send: Any, polygons: Any, make_user: Any, regions: Any) -> None:
    analyst, path = make_user("analyst", regions.changji), polygons("露天采场")
    for fields in (
        {"mapping": '{"a": "nonsense"}'},
        {"mapping": "[]"},
        {"year": "soon"},
        {"encoding": "big5"},
        {"coverage": "half"},
    ):
        assert send(analyst, path, **fields).status_code == 400
    elsewhere = send(analyst, polygons("露天采场", shapes=[shapely.box(10, 10, 10.1, 10.1)])).json()
    assert [f["code"] for f in elsewhere["findings"]] == ["E-VEC-18", "E-VEC-19"]


def test_a_file_beside_says_what_was_covered(
    send: Any, polygons: Any, make_user: Any, regions: Any, tmp_path: Path
) -> None:
    analyst = make_user("analyst", regions.changji)
    beside = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.box(87, 43.5, 87.1, 43.6)], crs=4490)
    pyogrio.write_dataframe(beside, tmp_path / "covered.gpkg", driver="GPKG")
    file = SimpleUploadedFile("covered.gpkg", (tmp_path / "covered.gpkg").read_bytes())
    booked = send(analyst, polygons("露天采场"), coverage="layer", coverage_file=file, commit="true")
    assert booked.status_code == 201, booked.json()
    assert {"coverage", "coverage_sha256"} <= set(Edition.objects.get().inputs)


def test_command_line(polygons: Any, make_user: Any, regions: Any) -> None:
    analyst = make_user("analyst", regions.changji)
    path = str(polygons("露天采场", "固体废弃物"))
    about = {"year": 2020, "region": "652302", "user": analyst.username}
    err = io.StringIO()
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_opening", path, **about, stderr=err)
    assert "固体废弃物" in err.getvalue()
    out = io.StringIO()
    about["map"] = ["固体废弃物=stockpile"]
    with pytest.raises(CommandError, match="nothing was imported"):
        call_command("import_opening", path, **about, dry_run=True, stderr=err, stdout=out)
    assert "E-VEC-19" in err.getvalue()
    about["coverage"] = "unknown"
    call_command("import_opening", path, **about, dry_run=True, stdout=out, stderr=err)
    assert "open_pit: 1" in out.getvalue()
    assert "E-VEC-20" in err.getvalue()
    assert not Edition.objects.exists()
    call_command("import_opening", path, **about, stdout=out, stderr=err)
    assert Edition.objects.get().year == 2020
    with pytest.raises(CommandError, match="E-API-04"):
        call_command("import_opening", path, **{**about, "region": "000000"})


def test_export_command(small_books: Any, tmp_path: Path) -> None:
    out = io.StringIO()
    call_command("export", year=2022, region="652300", format="shp", encoding="gbk", output=tmp_path / "x", stdout=out)
    path = Path(out.getvalue().strip())
    with zipfile.ZipFile(path) as archive:
        assert archive.read("SHTB_2022.cpg") == b"GBK"
    frame = pyogrio.read_dataframe(f"/vsizip/{path}", layer="SHTB_2022")
    assert set(frame["XZQMC"]) == {"阜康市", "吉木萨尔县"}
    assert set(frame["JW"]) == {"0"}
    with pytest.raises(CommandError, match="no published edition"):
        call_command("export", year=2023, region="652300", output=tmp_path)
    call_command("export", year=2023, region="652300", draft=True, output=tmp_path, stdout=out)
    assert (tmp_path / "MineGIS_652300_2023_v1.gpkg").is_file()
