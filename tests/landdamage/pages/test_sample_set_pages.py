"""Models ▸ Samples: list, form, one set with its table and tiles, in both languages."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image

from landdamage.models import SampleSet
from minegis.jobs.models import Job
from tests.fixtures.sample_scenes import SMALL_SET

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
LIST, MAKE = "/models/samples/", "/models/samples/make/"


@pytest.fixture
def english(client_for: Callable[..., Any]) -> Callable[..., Any]:
    def make(user: Any, language: str = "en") -> Any:
        client = client_for(user)
        client.cookies["django_language"] = language
        return client

    return make


def wish(**more: Any) -> dict[str, Any]:
    return {
        "name": "Changji",
        "region": "652300",
        "kind": "patches",
        **{k: str(v) for k, v in SMALL_SET.items()},
        **more,
    }


def test_from_the_form_to_the_table(
    mined: SimpleNamespace, english: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client = english(mined.interpreter)
    empty = client.get(LIST).content.decode()
    assert "No sample set yet" in empty
    assert "se-cot 0.3" in empty
    assert 'value="2023"' in empty
    answer = client.post(MAKE, wish(years=["2023"]))
    row = SampleSet.objects.get()
    assert answer["Location"] == reverse("sample-set", args=[row.pk])
    building = client.get(answer["Location"]).content.decode()
    assert "The set is being built" in building
    assert "every 2s" in building
    assert "every 2s" in client.get(LIST, headers={"HX-Request": "true"}).content.decode()
    work_off()
    refreshed = client.get(answer["Location"], headers={"HX-Request": "true"})
    assert (refreshed.status_code, refreshed["HX-Refresh"]) == (204, "true")
    page = client.get(answer["Location"]).content.decode()
    row.refresh_from_db()
    assert row.sha256 in page
    assert "No region, no ground within 96 m and no picture lies in two sets." in page
    ponds = next(line for line in row.table if line["class_code"] == "tailings_pond")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page.split("Tailings pond")[1].split("</tr>")[0])
    expected = [str(ponds[k][m]) for k in ("originals", "train", "val", "test") for m in ("objects", "tiles", "pixels")]
    assert [cell.replace(",", "") for cell in cells] == expected
    assert "E-SET-06" in page
    zh = english(mined.interpreter, "zh-hans").get(answer["Location"]).content.decode()
    assert "尾矿库" in zh
    assert "任何区域" in zh
    table = client.get(reverse("sample-set-table", args=[row.pk]))
    assert "attachment" in table["Content-Disposition"]
    assert "Tailings pond" in table.content.decode("utf-8-sig")


def test_tiles_are_shown_beside_their_labels(
    mined: SimpleNamespace, english: Callable[..., Any], make_user: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client = english(mined.reviewer)
    client.post(MAKE, wish())
    work_off()
    row = SampleSet.objects.get()
    shown = row.report["preview"]
    assert 4 <= len(shown) <= 12
    address = reverse("sample-set-tile", args=[row.pk, shown[0]])
    assert address in client.get(reverse("sample-set", args=[row.pk])).content.decode()
    picture = client.get(address)
    assert picture["Content-Type"] == "image/png"
    image = np.asarray(Image.open(io.BytesIO(picture.content)))
    assert image.shape == (48, 96, 3)
    assert not np.array_equal(image[:, :48], image[:, 48:])
    for tile_id in ("../index", "x", "..%2f..%2findex"):
        assert client.get(f"/models/samples/{row.pk}/{tile_id}.png").status_code == 404
    analyst = english(make_user("admin", mined.regions.changji))
    page = analyst.get(reverse("sample-set", args=[row.pk]))
    assert page.status_code == 200
    assert ".png" not in page.content.decode().split("</header>")[1]  # images are not an administrator's to see
    assert analyst.get(address).status_code == 403
    assert english(mined.stranger).get(address).status_code == 404


def test_a_faulty_file_brings_the_form_back(
    mined: SimpleNamespace, english: Callable[..., Any], polygon_file: Callable[..., Path]
) -> None:
    client = english(mined.interpreter)

    def send(path: Path, **more: Any) -> Any:
        file = SimpleUploadedFile("drawn.gpkg", path.read_bytes())
        return client.post(MAKE, wish(kind="vectors", years=["2023"], file=file, **more))

    answer = send(polygon_file({0: "温室"}))
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "E-VEC-10" in page
    assert "drawn.gpkg cannot be used yet" in page
    assert 'value="Changji"' in page
    assert not SampleSet.objects.exists()
    assert send(polygon_file({0: "温室"}), mapping="温室 = skip\n").status_code == 302
    assert SampleSet.objects.get().source["mapping"] == {"温室": "skip"}
    wrong = send(polygon_file(), mapping="温室")
    assert wrong.status_code == 422
    assert "E-SET-24" in wrong.content.decode()


def test_a_failed_set_says_why(
    mined: SimpleNamespace, english: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client = english(mined.interpreter)
    client.post(MAKE, wish(folds="5"))
    work_off()
    row = SampleSet.objects.get()
    page = client.get(reverse("sample-set", args=[row.pk])).content.decode()
    assert "The set could not be built" in page
    assert "E-SET-03" in page
    assert reverse("job-retry", args=[row.job_id]) in page
    assert "E-SET-03" in client.get(LIST).content.decode()
    jobs = client.get(reverse("jobs")).content.decode()
    assert "Sample set" in jobs
    assert Job.objects.get().title == "Changji v1"


def test_the_rail_and_the_right_to_build(
    mined: SimpleNamespace, english: Callable[..., Any], make_user: Callable[..., Any]
) -> None:
    for role, reads, builds in (
        ("interpreter", True, True), ("analyst", True, False), ("viewer", False, False), ("uploader", False, False),
    ):  # fmt: skip
        client = english(make_user(role, mined.regions.changji))
        assert ('href="/models/"' in client.get(reverse("jobs")).content.decode()) is reads, role
        answer = client.get(LIST)
        assert answer.status_code == (200 if reads else 403), role
        if reads:
            assert ("New set from a polygon file" in answer.content.decode()) is builds, role
        assert client.post(MAKE, wish()).status_code == (302 if builds else 403), role
    assert english(mined.stranger).get(LIST).content.decode().count("Changji v") == 0


def test_the_list_needs_few_queries(
    mined: SimpleNamespace, english: Callable[..., Any], django_assert_max_num_queries: Any
) -> None:
    client = english(mined.interpreter)
    for number in range(8):
        client.post(MAKE, wish(name=f"set {number}"))
    client.get(LIST)
    with django_assert_max_num_queries(12):
        client.get(LIST, headers={"HX-Request": "true"})
