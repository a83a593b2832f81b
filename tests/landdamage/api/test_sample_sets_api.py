"""Sample sets over HTTP: asking, following, reading the table; who gets what."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from landdamage.models import SampleSet
from tests.fixtures.sample_scenes import SMALL_SET

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
URL = "/api/v1/sample-sets/"


def body(**more: Any) -> dict[str, Any]:
    return {"name": "昌吉", "region": "652300", "kind": "patches", "params": SMALL_SET, **more}


def test_ask_follow_and_take_the_table(
    mined: SimpleNamespace, client_for: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client = client_for(mined.interpreter)
    answer = client.post(URL, body(source={"since": "se-cot@0.3", "years": [2023]}), content_type="application/json")
    assert answer.status_code == 422  # everything was accepted before that model ran
    assert answer.json()["code"] == "E-SET-27"
    answer = client.post(URL, body(source={"years": [2023]}), content_type="application/json")
    assert answer.status_code == 202, answer.content
    address = f"{URL}{answer.json()['set_id']}/"
    assert client.get(f"{address}table/").json()["code"] == "E-SET-29"
    work_off()
    ready = client.get(address).json()
    assert (ready["state"], ready["job_state"], ready["region"], ready["leaky"]) == (
        "ready",
        "succeeded",
        "652300",
        False,
    )
    assert ready["created_by"] == mined.interpreter.username
    assert sum(ready["report"]["tiles"].values()) == ready["tiles"]
    table = client.get(f"{address}table/?lang=en")
    assert table["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert {row["class"]: row["originals_objects"] for row in rows}["tailings_pond"] == "4"
    assert {row["name"] for row in rows} >= {"Tailings pond"}
    zh = client.get(f"{address}table/").content.decode("utf-8-sig")
    assert "尾矿库" in zh
    listed = client.get(URL, {"state": "ready"}).json()
    assert [row["set_id"] for row in listed["results"]] == [ready["set_id"]]


def test_a_polygon_file_is_sent_with_its_answers(
    mined: SimpleNamespace, polygon_file: Callable[..., Path], client_for: Callable[..., Any]
) -> None:
    client = client_for(mined.reviewer)

    def send(path: Path, **source: Any) -> Any:
        file = SimpleUploadedFile("图斑.gpkg", path.read_bytes())
        sent = body(kind="vectors", source=json.dumps({"years": [2023], **source}), params=json.dumps(SMALL_SET))
        return client.post(URL, {**sent, "file": file})

    faulty = send(polygon_file({0: "温室", 1: "固体废弃物"}))
    assert faulty.status_code == 422
    assert {finding["code"] for finding in faulty.json()["findings"]} == {"E-VEC-10", "E-VEC-11"}
    assert any(one["value"] == "温室" for one in faulty.json()["classes"])
    assert not SampleSet.objects.exists()
    answer = send(polygon_file({0: "温室"}), mapping={"温室": "ignore"}, surveyed=True)
    assert answer.status_code == 202, answer.content
    assert answer.json()["source"]["file_name"] == "图斑.gpkg"
    assert answer.json()["source"]["mapping"] == {"温室": "ignore"}


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"region": "650400"}, 404), ({"kind": "tiles"}, 400), ({"kind": "labels"}, 422), ({"name": ""}, 400),
        ({"params": [1]}, 400),
        ({"params": {"tile": 1}}, 422), ({"kind": "vectors"}, 422), ({"source": {"until": 1}}, 422),
    ],
)  # fmt: skip
def test_wrong_wishes(
    wrong: dict[str, Any], status: int, mined: SimpleNamespace, client_for: Callable[..., Any]
) -> None:
    answer = client_for(mined.interpreter).post(URL, body(**wrong), content_type="application/json")
    assert answer.status_code == status, answer.content
    assert not SampleSet.objects.exists()


def test_roles_and_regions(
    mined: SimpleNamespace, make_user: Callable[..., Any], client_for: Callable[..., Any]
) -> None:
    made = client_for(mined.interpreter).post(URL, body(), content_type="application/json").json()
    address = f"{URL}{made['set_id']}/"
    expected = {
        "interpreter": (202, 200), "reviewer": (202, 200), "analyst": (403, 200), "manager": (403, 200),
        "admin": (403, 200), "viewer": (403, 404), "uploader": (403, 404), "auditor": (403, 404),
    }  # fmt: skip
    for role, (asking, reading) in expected.items():
        client = client_for(make_user(role, mined.regions.changji))
        assert client.post(URL, body(), content_type="application/json").status_code == asking, role
        assert client.get(address).status_code == reading, role
        assert client.get(f"{address}table/").status_code == (409 if reading == 200 else 404), role
    stranger = client_for(mined.stranger)
    assert stranger.get(address).status_code == 404
    assert stranger.get(URL).json()["count"] == 0
    assert stranger.post(URL, body(), content_type="application/json").status_code == 404
    assert client_for(None).get(URL).status_code == 401
