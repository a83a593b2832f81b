"""Models: versions side by side, a card, dialogs, comparison with panels, trainings with curves; in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from landdamage.models import ModelComparison, SampleSet, TrainedModel, Training
from minegis.jobs.models import Job
from tests.fixtures.model_world import SMALLEST

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]


@pytest.fixture
def english(client_for: Callable[..., Any]) -> Callable[..., Any]:
    def make(user: Any, language: str = "en") -> Any:
        client = client_for(user)
        client.cookies["django_language"] = language
        return client

    return make


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content.decode()[:2000]
    return str(answer.content.decode())


def test_versions_stand_side_by_side_and_a_card_says_what_it_is(
    regions: Any, make_user: Callable[..., Any], english: Callable[..., Any]
) -> None:
    client = english(make_user("analyst", regions.changji))
    page = text(client.get("/models/"))
    for part in (
        "se-cot-dl-mnv2-2m",
        "se-cot-dl-mnv2-10m",
        "Promoted",
        "1-5 m, bands B,G,R",
        "No model has been judged",
    ):
        assert part in page
    assert "Bring a model" not in page
    model = TrainedModel.objects.get(name="se-cot-dl-mnv2-2m")
    card = text(client.get(f"/models/{model.pk}/"))
    assert model.weights_sha256 in card
    assert "Tailings pond" in card
    assert "deed-promote" not in card
    zh = text(english(make_user("manager"), "zh-hans").get(f"/models/{model.pk}/"))
    for part in ("现用", "停用", "尾矿库"):
        assert part in zh
    for user in (make_user("viewer"), make_user("uploader")):
        assert english(user).get("/models/").status_code == 403
        assert english(user).get(f"/models/{model.pk}/").status_code == 403


def test_compare_promote_and_retire_in_dialogs(
    mined: SimpleNamespace,
    small_set: SampleSet,
    add_model: Callable[..., TrainedModel],
    work_off: Callable[[], None],
    make_user: Callable[..., Any],
    english: Callable[..., Any],
) -> None:
    model, before = add_model("new", sample_set=small_set), TrainedModel.objects.get(name="se-cot-dl-mnv2-2m")
    manager, people = english(make_user("manager")), english(mined.interpreter)
    assert "It has not been compared with" in text(manager.get(f"/models/{model.pk}/ask/promote/"))
    assert "four mines v1" in text(people.get(f"/models/{model.pk}/ask/compare/"))
    assert people.get(f"/models/{model.pk}/ask/promote/").status_code == 409
    answer = people.post(f"/models/{model.pk}/do/compare/", {"sample_set": str(small_set.pk)})
    comparison = ModelComparison.objects.get()
    address = reverse("comparison", args=[comparison.pk])
    assert answer["HX-Redirect"] == address
    assert "The models are being judged" in text(people.get(address))
    assert "every 2s" in text(people.get(address, headers={"HX-Request": "true"}))
    work_off()
    assert people.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    comparison.refresh_from_db()
    page = text(people.get(address + "?measure=recall"))
    for part in ("mean IoU", "kappa", "Confusion", "Open pit", small_set.sha256[:8], "What ground the promoted model"):
        assert part in page
    tile = comparison.candidate_score.panels[0]  # type: ignore[union-attr]
    for what in ("image", "label", model.pk, before.pk):
        picture = people.get(f"/models/panels/{small_set.pk}/{tile}/{what}.png")
        assert (picture.status_code, picture["Content-Type"]) == (200, "image/png")
        assert f"/models/panels/{small_set.pk}/{tile}/{what}.png" in page
    assert people.get(f"/models/panels/{small_set.pk}/sheet.png").content.startswith(b"\x89PNG")
    assert english(mined.stranger).get(f"/models/panels/{small_set.pk}/{tile}/image.png").status_code == 404
    stranger = text(english(mined.stranger).get(address))
    assert "Panels are shown to those who may see" in stranger
    listed = text(people.get("/models/"))
    miou = comparison.candidate_score.metrics["miou_foreground"]  # type: ignore[union-attr]
    assert f"{miou * 100:.1f}" in listed
    dialog = text(manager.get(f"/models/{model.pk}/ask/promote/"))
    assert str(before.pk) in dialog
    done = manager.post(f"/models/{model.pk}/do/promote/", {"replaces": str(before.pk), "reason": "tried it"})
    assert done["HX-Redirect"] == reverse("model", args=[model.pk])
    assert "tried it" in text(manager.get(f"/models/{model.pk}/"))
    assert "Say in writing" in text(manager.get(f"/models/{before.pk}/ask/promote/")) or miou <= 1
    refused = manager.post(f"/models/{model.pk}/do/retire/", {"reason": ""}, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert "E-MOD-25" in refused.content.decode()
    assert people.post(f"/models/{model.pk}/do/retire/", {"reason": "x"}).status_code == 403


def test_bringing_a_model_shows_its_check_and_refuses_a_bad_card(
    random_model: Callable[..., Path],
    make_user: Callable[..., Any],
    english: Callable[..., Any],
    work_off: Callable[[], None],
) -> None:
    client = english(make_user("manager"))
    path = random_model("theirs", network=SMALLEST)

    def send(card: bytes) -> Any:
        files = {
            "card": SimpleUploadedFile("theirs.json", card),
            "weights": SimpleUploadedFile("theirs.safetensors", path.with_suffix(".safetensors").read_bytes()[:-1]),
        }
        return client.post("/models/bring/", files)

    bad = json.dumps(json.loads(path.read_text()) | {"tile": 10**9}).encode()
    refused = send(bad)
    assert refused.status_code == 422
    assert "E-MOD-15" in refused.content.decode()
    assert "tile" in refused.content.decode()
    assert not Job.objects.exists()
    assert send(path.read_bytes()).status_code == 302
    assert "theirs 1" in text(client.get("/models/"))
    work_off()
    page = text(client.get("/models/"))
    assert "E-MOD-03" in page
    assert client.post("/models/bring/", {}).status_code == 400


def test_a_training_on_a_set_shows_curves_while_it_learns_and_afterwards(
    mined: SimpleNamespace, small_set: SampleSet, english: Callable[..., Any]
) -> None:
    from landdamage.services.trainings import training_folder
    from minegis.jobs import runner

    client = english(mined.interpreter)
    empty = text(client.get("/models/trainings/?set=" + str(small_set.pk)))
    assert "Nothing has been trained here yet" in empty
    assert f'value="{small_set.pk}" selected' in empty
    given = {
        "from": "set", "sample_set": str(small_set.pk), "name": "tiny", "network": "dl", "backbone": "squeezenet",
        "steps": "2", "batch": "2",
    }  # fmt: skip
    answer = client.post("/models/trainings/start/", given)
    row = Training.objects.get()
    address = reverse("training", args=[row.pk])
    assert answer["Location"] == address
    assert "The curves begin with the first steps" in text(client.get(address))
    assert "every 2s" in text(client.get(address, headers={"HX-Request": "true"}))
    log = training_folder(row) / "tiny" / "log.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"step": 1, "loss": 1.5}\n{"step": 1, "miou_foreground": 0.25}\n')
    live = client.get(address + "curves.json").json()
    assert live == {"curves": {"loss": [[1, 1.5]], "miou_foreground": [[1, 0.25]]}, "live": True}
    log.unlink()
    assert row.job_id is not None
    runner.run_job(row.job_id, "test")
    assert client.get(address, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    page = text(client.get(address))
    for part in ("The model is registered:", "tiny 1", "its comparison", "squeezenet"):
        assert part in page
    after = client.get(address + "curves.json").json()
    assert after["curves"]["loss"][-1][0] == 2
    assert "tiny 1" in text(client.get("/models/trainings/", headers={"HX-Request": "true"}))
    zh = text(english(mined.reviewer, "zh-hans").get(address))
    assert "损失" in zh
    assert english(mined.stranger).get(address).status_code == 404
    assert english(mined.viewer).get("/models/trainings/").status_code == 403
    wrong = client.post("/models/trainings/start/", given | {"network": "gpt"})
    assert wrong.status_code == 422
    assert "E-TRN-14" in wrong.content.decode()
