"""Pages that import an earlier year's polygons and the waters of the map: the report first, then what it showed."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from landdamage.models import Edition, Hydrography
from landdamage.services.editions import edition_draft
from landdamage.services.vector_files import seal
from minegis import units

FRAGMENT = {"HX-Request": "true", "Accept-Language": "en"}
BOXES = [shapely.box(87 + i / 50, 43.5, 87.01 + i / 50, 43.51) for i in range(3)]


@pytest.fixture
def vectors(tmp_path: Path) -> Any:
    """``vectors(column, values, name="old.gpkg", shapes=BOXES)``: a file of one layer, or of several."""

    def make(column: str, values: list[str], *, name: str = "old.gpkg", layer: str = "old", shapes: Any = BOXES) -> Any:
        frame = gpd.GeoDataFrame({column: values}, geometry=list(shapes[: len(values)]), crs=4490)
        path = tmp_path / name
        pyogrio.write_dataframe(frame, path, layer=layer, append=path.exists())
        return lambda: SimpleUploadedFile(name, path.read_bytes())

    return make


def _text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, response.content.decode()[:400]
    return response.content.decode()


def _pressed(html: str) -> str:
    """The number of the report, as its button sends it."""
    return re.search(r'name="seal" value="(\w{64})"', html)[1]  # type: ignore[index]


def test_a_report_asks_then_shows_what_will_be_booked(
    client_for: Any, make_user: Any, regions: Any, vectors: Any
) -> None:
    analyst = make_user("analyst", regions.changji)
    client, url = client_for(analyst), reverse("opening-check")
    file = vectors("DWMC", ["露天采场", "矿山建筑", "露天采场"])
    said = {"region": "652302", "year": "2020", "coverage": "whole"}
    assert "652302" in _text(client.get(reverse("opening")))
    asked = _text(client.post(url, {**said, "file": file()}, headers=FRAGMENT))
    assert "1 point must be settled" in asked
    assert "E-VEC-11" in asked
    assert 'name="seal"' not in asked
    answers = {"about": "/", "class": ["露天采场", "矿山建筑"], "meaning": ["open_pit", "industrial_square"]}
    shown = _text(client.post(url, {**said, **answers, "file": file()}, headers=FRAGMENT))
    total = units.to_hm2(sum(units.area_cm2(box) for box in BOXES))
    assert f"{total:,}" in shown
    assert "E-VEC-21" in shown
    assert not Edition.objects.exists()

    # Another answer than the report was about is shown, not booked.
    number = _pressed(shown)
    other = {**said, **answers, "coverage": "unknown", "seal": number}
    stale = _text(client.post(url, {**other, "file": file()}, headers=FRAGMENT))
    assert "has changed since the last check" in stale
    assert not Edition.objects.exists()
    booked = client.post(url, {**other, "seal": _pressed(stale), "file": file()}, headers=FRAGMENT)
    edition = Edition.objects.get()
    assert booked["HX-Redirect"] == reverse("edition", args=[edition.pk])
    assert (edition.region, edition.year, edition.is_opening, edition.inputs["coverage"]) == (
        regions.fukang, 2020, True, "unknown",
    )  # fmt: skip
    assert edition.job is not None

    # The year has its book now: said before anybody presses a button.
    again = _text(client.post(url, {**said, **answers, "file": file()}, headers=FRAGMENT))
    assert "E-EDI-20" in again
    assert 'name="seal"' not in again


def test_answers_about_another_column_are_dropped(client_for: Any, make_user: Any, regions: Any, vectors: Any) -> None:
    client = client_for(make_user("analyst", regions.changji))
    file = vectors("DWMC", ["矿山建筑"])
    said = {"region": "652302", "year": "2020", "coverage": "whole", "class": "矿山建筑", "meaning": "living_area"}
    for about, usable in (("/LX", False), ("/", True)):
        html = _text(client.post(reverse("opening-check"), {**said, "about": about, "file": file()}, headers=FRAGMENT))
        assert ("can be imported" in html) is usable


def test_a_file_of_several_layers_offers_them(client_for: Any, make_user: Any, regions: Any, vectors: Any) -> None:
    client = client_for(make_user("analyst", regions.changji))
    vectors("DWMC", ["露天采场"], layer="旧图斑")
    file = vectors("DWMC", ["堆放场"], layer="新图斑")
    said = {"region": "652302", "year": "2020", "coverage": "whole"}
    html = _text(client.post(reverse("opening-check"), {**said, "file": file()}, headers=FRAGMENT))
    assert '<option value="新图斑"' in html
    html = _text(client.post(reverse("opening-check"), {**said, "layer": "新图斑", "file": file()}, headers=FRAGMENT))
    assert "can be imported" in html


def test_what_no_form_sends_is_refused(client_for: Any, make_user: Any, regions: Any, vectors: Any) -> None:
    client = client_for(make_user("analyst", regions.changji))
    file = vectors("DWMC", ["露天采场"])
    said = {"region": "652302", "year": "2020", "coverage": "whole"}
    for fields, status, code in (
        (said, 422, "E-VEC-23"),
        ({**said, "file": file(), "year": "20"}, 400, "E-API-01"),
        ({**said, "file": file(), "encoding": "latin1"}, 400, "E-API-01"),
        ({**said, "file": file(), "about": "/", "class": "露天采场", "meaning": "unknown"}, 400, "E-API-01"),
        ({**said, "file": file(), "region": "650400"}, 404, "E-API-04"),
    ):
        answer = client.post(reverse("opening-check"), fields, headers=FRAGMENT)
        assert json.loads(_text(answer, status))["code"] == code


@pytest.mark.parametrize("role", ["interpreter", "reviewer", "manager", "viewer", "uploader"])
def test_only_analysts_import_an_earlier_year(
    client_for: Any, make_user: Any, regions: Any, vectors: Any, role: str
) -> None:
    client = client_for(make_user(role, regions.changji))
    said = {"region": "652302", "year": "2020", "coverage": "whole", "file": vectors("DWMC", ["露天采场"])()}
    assert client.get(reverse("opening")).status_code == 403
    assert client.post(reverse("opening-check"), said, headers=FRAGMENT).status_code == 403
    if role != "uploader":
        assert reverse("opening") not in _text(client.get(reverse("accounts")))


def test_a_withdrawn_year_asks_for_its_change_note(client_for: Any, make_user: Any, regions: Any, vectors: Any) -> None:
    analyst = make_user("analyst", regions.changji)
    client, url = client_for(analyst), reverse("opening-check")
    first = edition_draft(region=regions.fukang, year=2020, user=analyst)
    Edition.objects.filter(pk=first.pk).update(
        state="frozen", content_sha256="a" * 64, computed_at=first.created_at, frozen_at=first.created_at
    )
    Edition.objects.filter(pk=first.pk).update(state="published", published_at=first.created_at, published_by=analyst)
    Edition.objects.filter(pk=first.pk).update(state="withdrawn", withdrawn_reason="wrong file")
    file = vectors("DWMC", ["露天采场"])
    said = {"region": "652302", "year": "2020", "coverage": "whole"}
    shown = _text(client.post(url, {**said, "file": file()}, headers=FRAGMENT))
    assert 'name="change_note"' in shown
    said["seal"] = _pressed(shown)
    refused = client.post(url, {**said, "file": file()}, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-11"
    assert client.post(url, {**said, "change_note": "the right file", "file": file()}, headers=FRAGMENT)["HX-Redirect"]
    assert Edition.objects.get(version=2).change_note == "the right file"


# -- waters ------------------------------------------------------------------------------------------------------------


def test_waters_are_shown_imported_listed_and_removed(
    client_for: Any, make_user: Any, regions: Any, vectors: Any
) -> None:
    client = client_for(make_user("reviewer", regions.changji))
    course = shapely.LineString([(87.1, 43.6), (87.2, 43.6)])
    file = vectors("类别", ["湖泊", "海洋", "河流"], shapes=[*BOXES[:2], course])
    url, said = reverse("hydrography-check"), {"region": "652302", "source": "1:50 000 map of 2021"}
    assert "No waters of the map yet" in _text(client.get(reverse("hydrography"), headers=FRAGMENT))
    asked = _text(client.post(url, {**said, "file": file()}, headers=FRAGMENT))
    assert "E-VEC-22" in asked
    answers = {"about": "/", "class": ["湖泊", "海洋", "河流"], "meaning": ["lake", "skip", "river"]}
    shown = _text(client.post(url, {**said, **answers, "file": file()}, headers=FRAGMENT))
    assert f"{units.to_hm2(units.area_cm2(BOXES[0])):,}" in shown
    assert f"{units.GEOD.geometry_length(course) / 1000:,.2f}" in shown
    assert not Hydrography.objects.exists()
    sent = {**said, **answers, "valid_from": "2021-01-01", "seal": _pressed(shown)}
    assert client.post(url, {**sent, "file": file()}, headers=FRAGMENT)["HX-Redirect"] == reverse("hydrography")
    assert sorted(Hydrography.objects.values_list("kind", "valid_from")) == [
        ("lake", dt.date(2021, 1, 1)), ("river", dt.date(2021, 1, 1)),
    ]  # fmt: skip
    again = _text(client.post(url, {**sent, "file": file()}, headers=FRAGMENT))
    assert "E-GND-01" in again
    assert 'name="seal"' not in again
    assert Hydrography.objects.count() == 2
    listed = _text(client.get(reverse("hydrography"), headers=FRAGMENT))
    assert "1:50 000 map of 2021" in listed
    which = {"region": "652302", "sha256": Hydrography.objects.all()[0].source_sha256}
    assert "1:50 000 map of 2021" in _text(client.get(reverse("hydrography-ask-remove"), which, headers=FRAGMENT))

    analyst = client_for(make_user("analyst", regions.changji))
    assert "1:50 000 map of 2021" in _text(analyst.get(reverse("hydrography"), headers=FRAGMENT))
    assert analyst.get(reverse("hydrography-ask-remove"), which, headers=FRAGMENT).status_code == 403
    assert analyst.post(reverse("hydrography-remove"), which, headers=FRAGMENT).status_code == 403
    assert Hydrography.objects.count() == 2
    client.post(reverse("hydrography-remove"), which, headers=FRAGMENT)
    assert not Hydrography.objects.exists()


@pytest.mark.parametrize(("role", "reads", "keeps"), [
    ("reviewer", True, True), ("manager", True, True), ("analyst", True, False), ("interpreter", True, False),
    ("viewer", False, False), ("uploader", False, False),
])  # fmt: skip
def test_who_sees_and_who_keeps_the_waters(
    client_for: Any, make_user: Any, regions: Any, vectors: Any, role: str, reads: bool, keeps: bool
) -> None:
    client = client_for(make_user(role, regions.changji))
    shown = client.get(reverse("hydrography"))
    assert shown.status_code == (200 if reads else 403)
    assert ('id="import"' in shown.content.decode()) is keeps
    said = {"region": "652302", "source": "map", "kind": "lake", "file": vectors("n", ["a"])()}
    assert client.post(reverse("hydrography-check"), said, headers=FRAGMENT).status_code == (200 if keeps else 403)


def test_waters_of_another_region_stay_out_of_sight(
    client_for: Any, make_user: Any, regions: Any, vectors: Any
) -> None:
    client = client_for(make_user("manager", regions.turpan))
    said = {"region": "652302", "source": "map", "kind": "lake", "file": vectors("n", ["a"])()}
    assert client.post(reverse("hydrography-check"), said, headers=FRAGMENT).status_code == 404
    assert not Hydrography.objects.exists()


def test_the_number_of_a_report_is_about_its_files(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    numbers = {seal(["x"], one), seal(["x"], other), seal(["y"], one), seal(["x"], one, other), seal(["x"], one, None)}
    assert len(numbers) == 4
