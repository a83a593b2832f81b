"""Models over HTTP: list, bring, compare, promote, retire, train; each held to role and state."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from landdamage.models import SampleSet, TrainedModel
from tests.fixtures.model_world import SMALLEST

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]


@pytest.fixture
def api(token_for: Callable[[Any], str]) -> Callable[[Any], APIClient]:
    def make(user: Any) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=token_for(user))
        return client

    return make


def test_the_way_of_a_model_over_http(
    mined: SimpleNamespace,
    small_set: SampleSet,
    add_model: Callable[..., TrainedModel],
    make_user: Callable[..., Any],
    api: Callable[[Any], APIClient],
    work_off: Callable[[], None],
) -> None:
    model = add_model("new", sample_set=small_set)
    people, manager = api(mined.interpreter), api(make_user("manager"))
    listed = people.get("/api/v1/models/?state=promoted").json()
    assert {row["name"] for row in listed["results"]} == {"se-cot-dl-mnv2-2m", "se-cot-dl-mnv2-10m"}
    before = TrainedModel.objects.get(name="se-cot-dl-mnv2-2m")
    one = f"/api/v1/models/{model.pk}/"
    assert people.get(one).json()["role"] == "metre/BGR"
    asked = people.post(f"{one}compare/", {"sample_set": str(small_set.pk)}, format="json")
    assert asked.status_code == 202, asked.content
    work_off()
    made = people.get(f"/api/v1/model-comparisons/{asked.json()['comparison_id']}/").json()
    assert (made["state"], made["promoted"]) == ("ready", str(before.pk))
    assert len(made["candidate_score"]["confusion"]) == 8
    assert made["difference"]["miou_foreground"][0] is not None
    body = {"replaces": str(before.pk), "reason": "tried"}
    assert people.post(f"{one}promote/", body, format="json").status_code == 403
    stale = manager.post(f"{one}promote/", {"replaces": None}, format="json")
    assert (stale.status_code, stale.json()["code"]) == (409, "E-API-06")
    assert manager.post(f"{one}promote/", body, format="json").json()["state"] == "promoted"
    assert [deed["kind"] for deed in people.get(f"{one}deeds/").json()] == ["promoted", "registered"]
    assert manager.post(f"{one}retire/", {"reason": "enough"}, format="json").json()["state"] == "retired"
    for user in (mined.viewer, make_user("uploader")):
        assert api(user).get(one).status_code == 404
    assert APIClient().get("/api/v1/models/").status_code == 401


def test_a_checkpoint_is_brought_over_http(
    random_model: Callable[..., Path], make_user: Callable[..., Any], api: Callable[[Any], APIClient]
) -> None:
    path = random_model("theirs", network=SMALLEST)

    def send(client: APIClient, card: bytes) -> Any:
        weights = SimpleUploadedFile("w.safetensors", path.with_suffix(".safetensors").read_bytes())
        return client.post("/api/v1/models/", {"card": SimpleUploadedFile("c.json", card), "weights": weights})

    assert send(api(make_user("interpreter")), path.read_bytes()).status_code == 403
    manager = api(make_user("manager"))
    assert send(manager, path.read_bytes()).status_code == 202
    for spoilt in (b"{", b"[]", b"[" * 100_000, json.dumps({"name": "x"}).encode(), b"\xff"):
        refused = send(manager, spoilt)
        assert (refused.status_code, refused.json()["code"]) == (422, "E-MOD-15")
    assert send(manager, b" " * (1 << 20) + path.read_bytes()).json()["code"] == "E-MOD-18"


def test_a_training_is_asked_for_over_http(
    mined: SimpleNamespace, small_set: SampleSet, api: Callable[[Any], APIClient]
) -> None:
    people = api(mined.interpreter)
    wish = {"name": "x", "sample_set": str(small_set.pk), "choices": {"steps": 2}}
    made = people.post("/api/v1/trainings/", wish, format="json")
    assert (made.status_code, made.json()["state"]) == (202, "queued")
    assert people.get(f"/api/v1/trainings/{made.json()['training_id']}/curves/").json() == {}
    wish = {"name": "y", "region": "652300", "since": "2026-02-01", "params": {"tile": 48, "stride": 36}}
    waits = people.post("/api/v1/trainings/", wish, format="json")
    assert (waits.status_code, waits.json()["state"]) == (202, "waiting")
    assert len(people.get("/api/v1/trainings/").json()["results"]) == 2
    assert people.post("/api/v1/trainings/", {"name": "z"}, format="json").status_code == 400
    assert api(mined.viewer).post("/api/v1/trainings/", wish, format="json").status_code == 403
    assert api(mined.stranger).post("/api/v1/trainings/", wish, format="json").status_code in (403, 404)
    assert api(mined.stranger).get("/api/v1/trainings/").json()["results"] == []
