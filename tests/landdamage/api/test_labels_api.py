"""Labels on superpixels over HTTP: cut, outlines, say, undo, raster; who gets what."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import rasterio

from landdamage.models import LabelPlate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
URL = "/api/v1/label-plates/"
JSON = {"content_type": "application/json"}


def body(mined: SimpleNamespace, **more: Any) -> dict[str, Any]:
    return {"scene": str(mined.scenes[0].pk), "window": 64, "side_px": 12, **more}


def test_from_the_wish_to_the_raster(
    mined: SimpleNamespace, client_for: Callable[..., Any], work_off: Callable[[], None]
) -> None:
    client = client_for(mined.interpreter)
    made = client.post(URL, body(mined), **JSON)
    assert made.status_code == 202, made.content
    address = f"{URL}{made.json()['plate_id']}/"
    assert client.get(f"{address}outlines/").json()["code"] == "E-LAB-04"
    work_off()
    ready = client.get(address).json()
    assert (ready["state"], ready["job_state"], ready["width"]) == ("ready", "succeeded", 64)
    answer = client.get(f"{address}outlines/", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    shapes = client.get(f"{address}outlines/").json()
    assert len(shapes["features"]) == ready["superpixels"]
    order = client.get(f"{address}order/").json()
    assert order["order"][:2] == [1, 2]
    assert order["by_doubt"] is False
    assert client.get(f"{address}raster/").json()["code"] == "E-LAB-05"
    assert client.get(f"{address}labels/").json() == {"version": 0, "labels": {}, "undone": None, "share": 0.0}
    said = [{"superpixel": 1, "label": 7}, {"superpixel": 2, "label": 255}]
    answer = client.post(f"{address}labels/", {"version": 0, "labels": said}, **JSON)
    assert answer.status_code == 200, answer.content
    assert answer.json()["labels"] == {"1": 7, "2": 255}
    stale = client.post(f"{address}labels/", {"version": 0, "labels": said}, **JSON)
    assert (stale.status_code, stale.json()["code"]) == (409, "E-API-06")
    undone = client.post(f"{address}undo/", {"version": 2}, **JSON).json()
    assert (undone["version"], undone["labels"], undone["undone"]) == (3, {"1": 7}, 2)
    raster = client.get(f"{address}raster/")
    assert "attachment" in raster["Content-Disposition"]
    with rasterio.open(io.BytesIO(raster.content)) as source:
        assert (source.read(1) == 7).sum() == order["pixels"][0]
    assert client_for(mined.reviewer).get(f"{address}labels/").json()["labels"] == {}  # each person their own
    listed = client.get(URL, {"scene": str(mined.scenes[0].pk)}).json()
    assert [row["plate_id"] for row in listed["results"]] == [ready["plate_id"]]


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"at": [1]}, 400), ({"at": [1.0, 2.0]}, 422), ({"window": 5}, 422), ({"side_px": 100}, 422),
        ({"scene": "00000000-0000-0000-0000-000000000000"}, 404), ({"window": "wide"}, 400),
    ],
)  # fmt: skip
def test_wrong_wishes(
    wrong: dict[str, Any], status: int, mined: SimpleNamespace, client_for: Callable[..., Any]
) -> None:
    answer = client_for(mined.interpreter).post(URL, body(mined, **wrong), **JSON)
    assert answer.status_code == status, answer.content
    assert not LabelPlate.objects.exists()


def test_roles_and_wrong_words(
    mined: SimpleNamespace,
    make_user: Callable[..., Any],
    client_for: Callable[..., Any],
    work_off: Callable[[], None],
) -> None:
    made = client_for(mined.interpreter).post(URL, body(mined), **JSON).json()
    work_off()
    address = f"{URL}{made['plate_id']}/"
    word = {"version": 0, "labels": [{"superpixel": 1, "label": 1}]}
    for role in ("analyst", "manager", "admin", "viewer", "uploader", "auditor"):
        client = client_for(make_user(role, mined.regions.changji))
        assert client.post(URL, body(mined), **JSON).status_code == 403, role
        assert client.get(address).status_code == 404, role
        assert client.post(f"{address}labels/", word, **JSON).status_code == 404, role
    stranger = client_for(mined.stranger)
    assert stranger.get(f"{address}labels/").status_code == 404
    assert stranger.post(URL, body(mined), **JSON).status_code == 404
    assert client_for(None).get(URL).status_code == 401
    client = client_for(mined.reviewer)
    for wrong, status in (
        ({"version": 0, "labels": []}, 400), ({"version": 0, "labels": [{"superpixel": 1, "label": 9}]}, 400),
        ({"version": 0, "labels": [{"superpixel": 9999, "label": 1}]}, 422), ({"labels": word["labels"]}, 400),
    ):  # fmt: skip
        answer = client.post(f"{address}labels/", json.dumps(wrong), **JSON)
        assert answer.status_code == status, (wrong, answer.content)
    assert client.get(f"{address}labels/").json()["version"] == 0
