"""Scenes, runs, patches and areas over HTTP."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from PIL import Image
from rest_framework.test import APIClient

from minegis import units

ZOOM = 16


@pytest.fixture
def api(person: Callable[..., Any]) -> Callable[..., APIClient]:
    def client(role: str = "interpreter", code: str = "652300") -> APIClient:
        made = APIClient()
        made.force_authenticate(person(role, code))
        return made

    return client


def tile_of(run: Any) -> str:
    """z/x/y of the Web Mercator tile over the middle of the scene."""
    lon, lat = run.scene.footprint.centroid.coords
    x = int((lon + 180) / 360 * 2**ZOOM)
    y = int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * 2**ZOOM)
    return f"{ZOOM}/{x}/{y}"


def test_scene_tells_its_metadata_and_current_run(api: Callable[..., APIClient], interpreted: Any) -> None:
    body = api().get(f"/api/v1/scenes/{interpreted.scene_id}/").json()
    assert (body["state"], body["bands"], body["region"]) == ("ready", ["B", "G", "R", "N"], "652300")
    assert body["current_run"] == str(interpreted.pk)
    assert "storage" not in str(body)


def test_lists_are_paged_and_filtered(api: Callable[..., APIClient], interpreted: Any) -> None:
    client = api()
    assert client.get("/api/v1/scenes/?year=2022").json()["count"] == 1
    assert client.get("/api/v1/scenes/?year=2021").json()["count"] == 0
    assert client.get(f"/api/v1/patches/?run={interpreted.pk}&class_code=open_pit").json()["count"] == 1
    assert client.get("/api/v1/runs/?is_current=true").json()["results"][0]["year"] == 2022


def test_areas_agree_in_run_year_geojson_and_files(
    api: Callable[..., APIClient], interpreted: Any, tmp_path: Path
) -> None:
    client = api()
    expected = {p.class_code: p.area_cm2 for p in interpreted.patches.all()}
    rows = {r["class_code"]: r for r in client.get(f"/api/v1/runs/{interpreted.pk}/areas/").json()}
    assert {code: row["area_cm2"] for code, row in rows.items() if row["area_cm2"]} == expected
    year = client.get("/api/v1/areas/?year=2022").json()
    assert {r["class_code"]: r["area_cm2"] for r in year["classes"] if r["area_cm2"]} == expected
    features = client.get(f"/api/v1/runs/{interpreted.pk}/patches/").json()["features"]
    assert {f["properties"]["class_code"]: round(f["properties"]["area_m2"] * 10_000) for f in features} == {
        code: round(float(units.to_m2(cm2)) * 10_000) for code, cm2 in expected.items()
    }
    for kind in ("gpkg", "geojson", "csv"):
        answer = client.get(f"/api/v1/runs/{interpreted.pk}/export/?as={kind}")
        path = tmp_path / f"out.{kind}"
        path.write_bytes(b"".join(answer.streaming_content))
        frame = pd.read_csv(path) if kind == "csv" else gpd.read_file(path)
        assert {r.class_code: r.area_m2 for r in frame.itertuples()} == {
            code: float(units.to_m2(cm2)) for code, cm2 in expected.items()
        }
        assert "露天采场" in set(frame["class_zh"])


def test_pit_water_counts_as_excavation_and_belongs_to_the_mine(
    api: Callable[..., APIClient], interpreted: Any
) -> None:
    year = api().get("/api/v1/areas/?year=2022").json()
    excavation = next(k for k in year["kinds"] if k["kind"] == "excavation")
    lake, pit = (interpreted.patches.get(class_code=c) for c in ("water", "open_pit"))
    assert lake.water_origin == "pit_water"
    assert excavation["area_cm2"] == lake.area_cm2 + pit.area_cm2
    assert excavation["hm2"] == "1.00"
    assert year["mines"][0]["mine"] == "M1"
    assert year["mines"][0]["excavation_cm2"] == excavation["area_cm2"]


def test_class_tile_shows_the_chosen_classes_only(api: Callable[..., APIClient], interpreted: Any) -> None:
    client, where = api(), f"/api/v1/runs/{interpreted.pk}/tiles/{tile_of(interpreted)}.png"

    def colours(query: str) -> set[tuple[int, ...]]:
        pixels = np.array(Image.open(io.BytesIO(client.get(where + query).content)).convert("RGBA")).reshape(-1, 4)
        return {tuple(int(v) for v in p[:3]) for p in pixels[pixels[:, 3] > 0]}

    assert (0xD5, 0x5E, 0x00) in colours("")
    assert colours("?classes=1") == {(0x00, 0x9E, 0x73)}
    assert colours("?classes=") == set()


def test_image_tile_is_private_and_answers_not_modified(api: Callable[..., APIClient], interpreted: Any) -> None:
    client, where = api(), f"/api/v1/scenes/{interpreted.scene_id}/tiles/{tile_of(interpreted)}.webp"
    first = client.get(where)
    assert first.status_code == 200
    assert "private" in first["Cache-Control"]
    assert Image.open(io.BytesIO(first.content)).size == (256, 256)
    assert client.get(where, headers={"if-none-match": first["ETag"]}).status_code == 304
    assert client.get(f"/api/v1/scenes/{interpreted.scene_id}/tiles/3/0/0.webp").status_code == 200


def test_patches_of_an_extent(api: Callable[..., APIClient], interpreted: Any) -> None:
    client, where = api(), f"/api/v1/runs/{interpreted.pk}/patches/"
    west, south, east, north = interpreted.patches.get(class_code="water").geom.extent
    inside = client.get(f"{where}?bbox={west},{south},{east},{north}&zoom=17").json()["features"]
    assert {f["properties"]["class_code"] for f in inside} == {"water", "open_pit"}
    whole = client.get(f"{where}?bbox=-200,-95,200,95").json()
    assert (len(whole["features"]), whole["truncated"]) == (3, False)
    for bad in ("bbox=1,2,3", "bbox=3,0,1,1", "bbox=a,b,c,d", "bbox=nan,0,1,1", "zoom=99", "zoom=²"):
        answer = client.get(f"{where}?{bad}")
        assert (answer.status_code, answer.json()["code"]) == (400, "E-API-01")


def test_problem_bodies_carry_code_and_both_languages(api: Callable[..., APIClient], interpreted: Any) -> None:
    answer = api().get("/api/v1/scenes/00000000-0000-0000-0000-000000000000/")
    body = answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.status_code, body["status"], body["code"]) == (404, 404, "E-API-04")
    assert body["message_zh"] == "没有找到"
    assert body["message_en"] == "Not found"
    assert APIClient().get("/api/v1/scenes/").json()["code"] == "E-API-02"


def test_a_run_is_started_once_asked_and_refused_for_unknown_models(
    api: Callable[..., APIClient], interpreted: Any
) -> None:
    client, where = api(), f"/api/v1/scenes/{interpreted.scene_id}/interpret/"
    started = client.post(where, {}, format="json")
    assert started.status_code == 202
    assert started.json()["state"] == "queued"
    for name in ("no-such-model", "/etc/passwd.json", "../../x.json"):
        refused = client.post(where, {"model": name}, format="json")
        assert (refused.status_code, refused.json()["code"]) == (422, "E-MOD-01")


@pytest.mark.parametrize("place", ["scenes/?year=99999", "scenes/?year=0", "areas/?year=²", "areas/?year=20222"])
def test_impossible_years_are_named_not_crashed_on(api: Callable[..., APIClient], place: str, region: Any) -> None:
    answer = api().get(f"/api/v1/{place}")
    assert (answer.status_code, answer.json()["code"]) == (400, "E-API-01")


def test_tiles_deeper_than_any_pixel_do_not_exist(api: Callable[..., APIClient], interpreted: Any) -> None:
    assert api().get(f"/api/v1/scenes/{interpreted.scene_id}/tiles/1500/0/0.webp").status_code == 404
    assert api("reviewer").get(f"/api/v1/runs/{interpreted.pk}/tiles/25/0/0.png?classes=²").status_code == 404


def test_a_long_chinese_name_is_exported(api: Callable[..., APIClient], interpreted: Any) -> None:
    interpreted.scene.file_name = "矿" * 240 + ".tif"
    interpreted.scene.save()
    answer = api().get(f"/api/v1/runs/{interpreted.pk}/export/?as=csv")
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content).decode("utf-8-sig").startswith("patch_id")


def test_an_invalid_boundary_does_not_stop_interpretations(interpreted: Any) -> None:
    from geopandas import GeoDataFrame, GeoSeries

    from landdamage.services.patch_loading import patches_replace
    from minegis.registry.models import Mine

    west, south, east, north = interpreted.scene.footprint.extent
    bow = f"MULTIPOLYGON((({west} {south},{east} {north},{east} {south},{west} {north},{west} {south})))"
    Mine.objects.filter(code="M1").update(boundary=bow, influence_zone=bow)
    columns = ("class_code", "area_cm2", "confidence", "confidence_p5", "margin")
    found = list(interpreted.patches.all())
    frame = GeoDataFrame(
        list(interpreted.patches.values(*columns)), geometry=GeoSeries.from_wkt([p.geom.wkt for p in found]), crs=4490
    )
    patches_replace(run=interpreted, batches=[frame])
    assert interpreted.patches.filter(mine__code="M1").exists()


def test_a_scene_with_results_is_not_deleted(api: Callable[..., APIClient], interpreted: Any) -> None:
    answer = api("manager").delete(f"/api/v1/scenes/{interpreted.scene_id}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "E-API-06")


def test_the_schema_describes_every_endpoint(tmp_path: Path) -> None:
    out = tmp_path / "schema.yml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(out))
    text = out.read_text()
    for path in (
        "/scenes/{scene_id}/tiles/{z}/{x}/{y}.webp",
        "/runs/{run_id}/tiles/{z}/{x}/{y}.png",
        "/areas/",
        "/uploads/",
    ):
        assert path in text
