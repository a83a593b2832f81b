"""OGC API - Features: what the standard asks, whose rights count, and GDAL itself as the client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from minegis.units import to_m2

ROOT = "/api/features"


@pytest.fixture
def get(token_for: Any) -> Any:
    def ask(user: Any, path: str, **query: Any) -> Any:
        headers = {"Authorization": token_for(user)} if user is not None else {}
        response = Client().get(f"{ROOT}{path}", query, headers=headers)
        text = b"".join(response.streaming_content) if response.streaming else response.content
        response.body = json.loads(text)
        return response

    return ask


def names(response: Any) -> list[str]:
    return [entry["id"] for entry in response.body["collections"]]


def test_nobody_without_a_token(get: Any, small_books: Any) -> None:
    for path in ("", "/conformance", "/api", "/collections", "/collections/damage_2022/items"):
        response = get(None, path)
        assert response.status_code == 401
        assert response["Content-Type"] == "application/problem+json"
        assert response.body["code"] == "E-API-02"


def test_landing_conformance_and_description(get: Any, small_books: Any) -> None:
    landing = get(small_books.analyst, "/").body
    links = {link["rel"]: link for link in landing["links"]}
    assert {"self", "service-desc", "conformance", "data"} == set(links)
    conformance = get(small_books.analyst, "/conformance").body["conformsTo"]
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in conformance
    description = get(small_books.analyst, "/api")
    assert description["Content-Type"].startswith("application/vnd.oai.openapi+json;version=3.0")
    parameters = description.body["paths"]["/collections/damage_2022/items"]["get"]["parameters"]
    assert {"bbox", "datetime", "limit", "offset", "mine", "class"} <= {p["name"] for p in parameters}


def test_who_has_which_collections(get: Any, small_books: Any, regions: Any, make_user: Any) -> None:
    published = ["damage_2022", "changes_2022", "restored_2022"]
    drafts = ["damage_2023_draft", "changes_2023_draft", "restored_2023_draft"]
    assert names(get(small_books.analyst, "/collections")) == ["mines", "regions", *published]
    assert names(get(small_books.reviewer, "/collections")) == ["mines", "regions", *published, *drafts]
    assert names(get(small_books.viewer, "/collections")) == ["mines", "regions"]
    stranger = make_user("reviewer", regions.turpan)
    assert names(get(stranger, "/collections")) == ["mines", "regions"]
    assert get(stranger, "/collections/damage_2022/items").status_code == 404
    assert get(small_books.analyst, "/collections/damage_2023_draft").status_code == 404
    assert get(stranger, "/collections/mines/items").body["numberMatched"] == 0
    assert get(make_user("uploader", regions.changji), "/collections/mines/items").status_code == 404


def test_features_carry_the_books(get: Any, small_books: Any) -> None:
    from landdamage.models import ChangeCell

    page = get(small_books.reviewer, "/collections/damage_2022/items")
    assert page["Content-Type"] == "application/geo+json"
    assert page["Cache-Control"] == "private, no-store"
    cells = ChangeCell.objects.filter(edition=small_books.published, flow="first_seen")
    assert page.body["numberMatched"] == page.body["numberReturned"] == cells.count() == len(page.body["features"])
    assert sum(f["properties"]["area_cm2"] for f in page.body["features"]) == sum(c.area_cm2 for c in cells)
    first = page.body["features"][0]
    assert first["properties"]["area_m2"] == float(to_m2(first["properties"]["area_cm2"]))
    assert first["properties"]["class_zh"] == "露天采场"
    ring = first["geometry"]["coordinates"][0][0]
    assert sum((x2 - x1) * (y2 + y1) for (x1, y1), (x2, y2) in pairwise(ring)) < 0
    one = get(small_books.reviewer, f"/collections/damage_2022/items/{first['id']}").body
    assert {link["rel"] for link in one.pop("links")} == {"self", "collection"}
    assert one == first
    assert get(small_books.reviewer, "/collections/damage_2022/items/999999").status_code == 404
    assert get(small_books.reviewer, "/collections/damage_2022/items/x").status_code == 404


def test_what_only_some_may_know(get: Any, small_books: Any) -> None:
    def flags(user: Any) -> set[Any]:
        page = get(user, "/collections/damage_2022/items").body
        return {feature["properties"]["outside_licence"] for feature in page["features"]}

    def licences(user: Any) -> set[Any]:
        page = get(user, "/collections/mines/items").body
        return {feature["properties"]["licence_no"] for feature in page["features"]}

    assert flags(small_books.reviewer) == {True, False}
    assert flags(small_books.analyst) == {None}
    assert None not in licences(small_books.analyst)
    assert licences(small_books.viewer) == {None}


def test_paging_visits_every_feature_once(get: Any, small_books: Any) -> None:
    whole = [f["id"] for f in get(small_books.reviewer, "/collections/changes_2023_draft/items").body["features"]]
    seen: list[str] = []
    path: str | None = "/collections/changes_2023_draft/items?limit=7"
    while path:
        body = get(small_books.reviewer, path).body
        assert body["numberMatched"] == len(whole)
        seen += [f["id"] for f in body["features"]]
        following = [link["href"] for link in body["links"] if link["rel"] == "next"]
        path = following[0].split(ROOT)[1] if following else None
    assert seen == whole
    assert len(set(seen)) == len(seen)
    beyond = get(small_books.reviewer, "/collections/changes_2023_draft/items", offset=10_000).body
    assert beyond["features"] == []
    assert beyond["numberReturned"] == 0


def test_filters(get: Any, small_books: Any) -> None:
    path = "/collections/changes_2023_draft/items"

    def count(**query: Any) -> int:
        return get(small_books.reviewer, path, **query).body["numberMatched"]

    everything = count()
    restored = get(small_books.reviewer, path, flow="restored").body["features"]
    assert {f["properties"]["flow"] for f in restored} == {"restored"}
    assert 0 < count(mine="KS001") < everything
    assert count(region="652302") + count(region="652327") == everything
    assert count(bbox="0,0,1,1") == 0
    west, south = map(min, zip(*restored[0]["geometry"]["coordinates"][0][0], strict=True))
    near = f"{west + 1e-5},{south + 1e-5},{west + 2e-5},{south + 2e-5}"
    assert count(bbox=near) == 1
    assert count(datetime="2023-06-01T00:00:00Z") == everything
    assert count(datetime="2023-06-01/..") == everything
    assert count(datetime="../2022-12-31") == 0


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "offset=-1", "bbox=1,2,3", "bbox=a,b,c,d", "datetime=yesterday", "colour=red", "f=html",
     "edition=nonsense", "bbox=10,0,-10,1"],
)  # fmt: skip
def test_bad_parameters(get: Any, small_books: Any, query: str) -> None:
    response = get(small_books.reviewer, f"/collections/damage_2022/items?{query}")
    assert response.status_code == 400
    assert response.body["code"] == "E-API-01"


def test_only_reading(small_books: Any, token_for: Any) -> None:
    response = Client().post(f"{ROOT}/collections", headers={"Authorization": token_for(small_books.reviewer)})
    assert response.status_code == 405


PROBE = """
import json, sys, pyogrio
# GDAL 3.12's OAPIF driver leaves GDAL_HTTP_HEADERS out, GDAL 3.6 does not; the file works with both.
pyogrio.set_gdal_config_options({"GDAL_HTTP_HEADER_FILE": sys.argv[2]})
layers = [str(name) for name, _ in pyogrio.list_layers(sys.argv[1])]
frame = pyogrio.read_dataframe(sys.argv[1], layer=sys.argv[3], PAGE_SIZE=7) if sys.argv[3] in layers else None
print(json.dumps([layers, None if frame is None else [len(frame), int(frame["area_cm2"].sum()), frame["class_zh"][0]]]))
"""


def test_gdal_reads_the_layers_with_a_token(
    small_books: Any, web_server: Any, token_for: Any, make_user: Any, regions: Any, tmp_path: Path
) -> None:
    from landdamage.models import ChangeCell

    server = web_server()
    address = f"OAPIF:{server.url}{ROOT}"

    def probe(token: str, layer: str) -> Any:
        header = tmp_path / "header"
        header.write_text(f"Authorization: {token}")
        command = [sys.executable, "-c", PROBE, address, str(header), layer]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    layers, facts = probe(token_for(small_books.reviewer), "damage_2022")
    assert layers[:2] == ["mines", "regions"]
    assert "changes_2023_draft" in layers
    cells = ChangeCell.objects.filter(edition=small_books.published, flow="first_seen")
    assert facts == [cells.count(), sum(cell.area_cm2 for cell in cells), "露天采场"]
    stranger, none = probe(token_for(make_user("reviewer", regions.turpan)), "damage_2022")
    assert stranger == ["mines", "regions"]
    assert none is None
    assert "401" in probe("Token nonsense", "damage_2022")


def test_ogrinfo_lists_the_layers_with_a_token(
    small_books: Any, web_server: Any, token_for: Any, tmp_path: Path
) -> None:
    tool = shutil.which("ogrinfo")
    assert tool, "ogrinfo is not installed: apt-get install gdal-bin"
    server = web_server()
    # The tool belongs to another GDAL than the Python packages: their data folders must not reach it.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GDAL_", "PROJ_"))}
    header = tmp_path / "header"
    header.write_text(f"Authorization: {token_for(small_books.analyst)}")
    env["GDAL_HTTP_HEADER_FILE"] = str(header)
    command = [tool, "-ro", "-so", f"OAPIF:{server.url}{ROOT}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, check=False)
    for name in ("mines", "regions", "damage_2022", "changes_2022", "restored_2022"):
        assert name in done.stdout, done.stdout + done.stderr
    assert "draft" not in done.stdout
    detail = subprocess.run([*command, "damage_2022"], capture_output=True, text=True, timeout=120, env=env, check=True)
    assert "Feature Count:" in detail.stdout
