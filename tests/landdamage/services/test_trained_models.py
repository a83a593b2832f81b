"""The register of models: shipped ones, candidates brought and made, promotion only after a comparison, retirement."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import safetensors.torch
import torch
from django.db import IntegrityError, transaction

from landdamage.interpretation.models import available
from landdamage.models import InterpretationRun, ModelComparison, ModelDeed, ModelScore, SampleSet, TrainedModel
from landdamage.selectors.trained_models import class_rows, confusion, panel_picture, panels_sheet, promoted_cards
from landdamage.services import runs, trained_models
from landdamage.services.comparisons import comparison_request
from landdamage.services.trained_models import model_bring, model_promote, model_retire, shipped_models_register
from minegis.access.models import User
from minegis.errors import ConflictError, ForbiddenError, MineGISError, ModelError
from minegis.jobs.models import Job
from minegis.jobs.services import job_cancel
from tests.fixtures.model_world import SMALLEST

pytestmark = pytest.mark.django_db(transaction=True)
ROLE = "metre/BGR"


@pytest.fixture
def manager(regions: Any, make_user: Callable[..., Any]) -> User:
    return make_user("manager")


def promoted(role: str = ROLE) -> TrainedModel:
    return TrainedModel.objects.get(role=role, state="promoted")


def test_what_this_version_ships_is_registered_and_promoted(db: None) -> None:
    shipped = available()
    rows = {row.name: row for row in TrainedModel.objects.all()}
    assert set(rows) == set(shipped)
    for name, row in rows.items():
        assert (row.state, row.origin, row.weights_sha256) == ("promoted", "shipped", shipped[name].weights_sha256)
        assert [deed.kind for deed in row.deeds.all()] == ["promoted", "registered"]
    assert {row.role for row in rows.values()} == {ROLE, "ten-metre/BGR"}
    assert shipped_models_register() == 0
    assert [card.name for card in promoted_cards().values()] == ["se-cot-dl-mnv2-2m", "se-cot-dl-mnv2-10m"]


def test_files_of_a_shipped_model_are_kept_when_first_used(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    row = promoted()
    card = trained_models.model_card(row)
    assert card.path.with_suffix(".safetensors").stat().st_size == row.bytes
    monkeypatch.setattr(trained_models, "available", dict)  # an update has replaced the package's own files
    assert trained_models.model_card(row) == card
    with pytest.raises(ModelError, match="E-MOD-03"):
        trained_models.model_card(promoted("ten-metre/BGR"))


def compared(
    model: TrainedModel, small_set: SampleSet, work_off: Callable[[], None], user: Any = None
) -> ModelComparison:
    row = comparison_request(model=model, sample_set=small_set, user=user)
    work_off()
    row.refresh_from_db()
    assert row.state == "ready", (row.job.error_code, row.job.error_values)  # type: ignore[union-attr]
    return row


def test_from_candidate_to_promotion(
    mined: SimpleNamespace,
    small_set: SampleSet,
    add_model: Callable[..., TrainedModel],
    work_off: Callable[[], None],
    manager: User,
) -> None:
    before, model = promoted(), add_model("new", sample_set=small_set)
    with pytest.raises(ModelError, match="E-MOD-20"):
        model_promote(model=model, user=manager, replaces=before)
    comparison = compared(model, small_set, work_off, mined.interpreter)
    ours, theirs = comparison.candidate_score, comparison.promoted_score
    assert ours is not None
    assert theirs is not None
    assert comparison.sample_set_sha256 == small_set.sha256
    assert (ours.seen_tiles, theirs.seen_tiles) == (0, None)
    assert sum(map(sum, confusion(ours))) == sum(map(sum, confusion(theirs))) == ours.metrics["pixels"] > 0
    found, low, high = comparison.difference["miou_foreground"]
    assert found == pytest.approx(ours.metrics["miou_foreground"] - theirs.metrics["miou_foreground"], abs=2e-4)
    assert low is None or low <= found <= high
    rows = class_rows([ours, theirs])
    assert {row["code"] for row in rows} == set(ours.metrics["per_class"])
    for what in ("image", "label", str(model.pk), str(before.pk)):
        assert panel_picture(mined.interpreter, small_set, ours.panels[0], what).startswith(b"\x89PNG")
    assert panels_sheet(mined.interpreter, small_set).startswith(b"\x89PNG")
    for tile, what in ((ours.panels[0], "../image"), ("nothing", "image")):
        with pytest.raises(MineGISError, match="E-API-04"):
            panel_picture(mined.interpreter, small_set, tile, what)
    with pytest.raises(MineGISError, match="E-API-03"):
        panel_picture(mined.viewer, small_set, ours.panels[0], "image")
    with pytest.raises(ConflictError):
        model_promote(model=model, user=manager, reason="seen another")
    reason = "" if ours.metrics["miou_foreground"] >= theirs.metrics["miou_foreground"] else "for the test"
    model_promote(model=model, user=manager, replaces=before, reason=reason)
    assert promoted() == model
    before.refresh_from_db()
    assert before.state == "retired"
    deed = model.deeds.first()
    assert deed is not None
    assert (deed.kind, deed.user, deed.replaced, deed.comparison) == ("promoted", manager, before, comparison)
    assert deed.in_spite is bool(reason)
    with pytest.raises(ModelError, match="E-MOD-19"):
        model_promote(model=model, user=manager)
    # Going back needs no new judgement: the same comparison speaks for the other side.
    model_promote(model=before, user=manager, replaces=model, reason="back")
    assert promoted() == before


def test_a_worse_model_needs_a_written_reason(
    small_set: SampleSet, add_model: Callable[..., TrainedModel], manager: User
) -> None:
    before, model = promoted(), add_model("worse")
    row = comparison_with(model, before, small_set, 0.4, 0.5)
    with pytest.raises(ModelError, match="E-MOD-21"):
        model_promote(model=model, user=manager, replaces=before, reason="  ")
    assert promoted() == before
    model_promote(model=model, user=manager, replaces=before, reason="finds ponds the other misses")
    deed = ModelDeed.objects.get(model=model, kind="promoted")
    assert (deed.reason, deed.in_spite, deed.comparison) == ("finds ponds the other misses", True, row)


def test_a_model_that_knows_the_test_tiles_is_not_called_better(
    small_set: SampleSet, add_model: Callable[..., TrainedModel], manager: User
) -> None:
    before, model = promoted(), add_model("knows")
    row = comparison_with(model, before, small_set, 0.9, 0.5, seen=2)
    assert trained_models.speaks_against(row, model) == "known"
    with pytest.raises(ModelError, match="E-MOD-21"):
        model_promote(model=model, user=manager, replaces=before)
    better = add_model("better", seed=5)
    assert trained_models.speaks_against(comparison_with(better, before, small_set, 0.6, 0.5), better) == ""
    model_promote(model=better, user=manager, replaces=before)


def comparison_with(
    model: TrainedModel, other: TrainedModel, small_set: SampleSet, ours: float, theirs: float, seen: int = 0
) -> ModelComparison:
    from django.utils import timezone

    def score(of: TrainedModel, miou: float, seen: int | None) -> ModelScore:
        given = {"regions": {}, "metrics": {"miou_foreground": miou}, "seen_tiles": seen, "sample_set": small_set}
        return ModelScore.objects.get_or_create(model=of, sample_set_sha256=small_set.sha256, defaults=given)[0]

    return ModelComparison.objects.create(
        candidate=model, promoted=other, sample_set=small_set, sample_set_sha256=small_set.sha256, state="ready",
        candidate_score=score(model, ours, seen), promoted_score=score(other, theirs, None),
        finished_at=timezone.now(),
    )  # fmt: skip


def test_ground_learned_from_is_told_from_ground_never_seen(small_set: SampleSet, tmp_path: Path) -> None:
    from dataclasses import replace

    from landdamage.learning.compare import known_tiles
    from landdamage.learning.samples.sampleset import SampleSet as Folder
    from landdamage.services.sample_sets import sample_set_folder

    own = Folder.open(sample_set_folder(small_set.sha256))
    assert known_tiles(own, own) == 0
    swapped = {"train": "test", "test": "train", "val": "val"}
    other = replace(own, tiles=tuple(replace(tile, set=swapped[tile.set]) for tile in own.tiles))
    assert known_tiles(own, other) == len(own.of("test")) > 0
    unrelated = replace(other, tiles=tuple(t for t in other.tiles if t.set == "test"))
    assert known_tiles(own, unrelated) == 0


def test_retirement(small_set: SampleSet, manager: User) -> None:
    two, ten = promoted(), promoted("ten-metre/BGR")
    with pytest.raises(ModelError, match="E-MOD-25"):
        model_retire(model=ten, user=manager, reason=" ")
    model_retire(model=ten, user=manager, reason="nobody flies at ten metres")
    with pytest.raises(ModelError, match="E-MOD-19"):
        model_retire(model=ten, user=manager, reason="again")
    with pytest.raises(ModelError, match="E-MOD-22"):
        model_retire(model=two, user=manager, reason="the last one")
    model_promote(model=ten, user=manager)  # nothing of its role is promoted, so there is nothing to compare with
    assert promoted("ten-metre/BGR") == ten


def test_only_a_manager_of_every_region_promotes(
    regions: Any, add_model: Callable[..., TrainedModel], make_user: Callable[..., Any]
) -> None:
    model = add_model("new")
    for role in ("interpreter", "reviewer", "analyst", "admin", "viewer"):
        with pytest.raises(ForbiddenError):
            model_promote(model=model, user=make_user(role), reason="x", replaces=promoted())
    with pytest.raises(ForbiddenError):  # Turpan has no word in what Changji is read with
        model_promote(model=model, user=make_user("manager", regions.changji), reason="x", replaces=promoted())


def test_the_database_keeps_what_is_on_record(small_set: SampleSet, add_model: Callable[..., TrainedModel]) -> None:
    one, two = add_model("one"), add_model("two", seed=2)
    comparison_with(one, promoted(), small_set, 0.5, 0.4)
    refused: list[Callable[[], Any]] = [
        lambda: TrainedModel.objects.filter(pk=one.pk).update(state="promoted"),  # a second one of its role
        lambda: TrainedModel.objects.filter(pk=one.pk).update(card={}),
        lambda: TrainedModel.objects.filter(pk=one.pk).update(weights_sha256="0" * 64),
        lambda: TrainedModel.objects.filter(pk=promoted().pk).update(state="candidate"),
        lambda: TrainedModel.objects.filter(pk=two.pk).delete(),
        lambda: ModelDeed.objects.filter(model=one).update(reason="another"),
        lambda: ModelDeed.objects.filter(model=one).delete(),
        lambda: ModelScore.objects.filter(model=one).update(metrics={"miou_foreground": 1}),
        lambda: ModelComparison.objects.update(difference={"miou_foreground": [1, 1, 1]}),
        lambda: ModelComparison.objects.all().delete(),
        lambda: ModelDeed.objects.create(model=one, kind="retired", reason=""),
        lambda: TrainedModel.objects.create(
            name="x", version="1", role=ROLE, card={}, weights_sha256="1" * 64, origin="trained", state="promoted"
        ),
    ]
    for number, change in enumerate(refused):
        try:
            with transaction.atomic():
                change()
        except IntegrityError:
            continue
        pytest.fail(f"change {number} went through")
    ModelComparison.objects.update(job=None)  # jobs are cleared away in time


def test_a_set_that_does_not_suit_the_model_is_a_coded_failure(
    mined: SimpleNamespace, small_set: SampleSet, add_model: Callable[..., TrainedModel], work_off: Callable[[], None]
) -> None:
    coarse = add_model("coarse", gsd_m=10.0, gsd_range_m=[6, 20])
    row = comparison_request(model=coarse, sample_set=small_set, user=mined.reviewer)
    work_off()
    row.refresh_from_db()
    assert (row.state, row.job.error_code) == ("failed", "E-MOD-23")  # type: ignore[union-attr]
    with pytest.raises(ForbiddenError):
        comparison_request(model=coarse, sample_set=small_set, user=mined.viewer)
    SampleSet.objects.filter(pk=small_set.pk).update(report={})
    small_set.refresh_from_db()
    with pytest.raises(ModelError, match="E-MOD-24"):
        comparison_request(model=coarse, sample_set=small_set, user=mined.reviewer)


def test_a_cancelled_comparison_keeps_the_scores_it_has(
    small_set: SampleSet,
    add_model: Callable[..., TrainedModel],
    work_off: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from landdamage.learning import compare
    from minegis.jobs import runner
    from minegis.jobs.services import job_retry

    monkeypatch.setattr(runner, "REPORT_EVERY_S", 0.0)
    row = comparison_request(model=add_model("new"), sample_set=small_set, user=None)
    judged: list[str] = []
    score = compare.score

    def cancelled_second(card: Any, *args: Any, **options: Any) -> Any:
        judged.append(card.name)
        if len(judged) == 2:
            job_cancel(job=Job.objects.get(pk=row.job_id))
        return score(card, *args, **options)

    monkeypatch.setattr(compare, "score", cancelled_second)
    work_off()
    row.refresh_from_db()
    assert (row.state, row.job.state) == ("failed", "cancelled")  # type: ignore[union-attr]
    assert ModelScore.objects.count() == 1
    job_retry(job=row.job)  # type: ignore[arg-type]
    work_off()
    row.refresh_from_db()
    assert row.state == "ready"
    assert judged == ["new", "se-cot-dl-mnv2-2m", "se-cot-dl-mnv2-2m"]


def brought(path: Path, user: User, **changes: Any) -> Job:
    card = json.loads(path.read_text()) | changes
    return model_bring(user=user, card=io.BytesIO(json.dumps(card).encode()), weights=path.with_suffix(".safetensors"))


def test_a_checkpoint_somebody_brings_becomes_a_candidate(
    random_model: Callable[..., Path], manager: User, work_off: Callable[[], None]
) -> None:
    path = random_model("theirs", network=SMALLEST)
    job = brought(path, manager)
    work_off()
    job.refresh_from_db()
    assert job.state == "succeeded", (job.error_code, job.error_values)
    row = TrainedModel.objects.get(pk=job.result["model_id"])
    assert (str(row), row.state, row.origin, row.created_by) == ("theirs 1", "candidate", "uploaded", manager)
    assert trained_models.model_card(row).path.exists()
    with pytest.raises(ModelError, match="E-MOD-16"):
        brought(path, manager)
    with pytest.raises(ModelError, match="E-MOD-17"):
        brought(path, manager, weights_sha256="0" * 64)


def damaged(path: Path) -> None:
    weights = path.with_suffix(".safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])


def pickled(path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, path.with_suffix(".safetensors"))
    rehash(path)


def not_numbers(path: Path) -> None:
    weights = path.with_suffix(".safetensors")
    state = safetensors.torch.load_file(weights)
    state["classifier.bias"][0] = float("nan")
    safetensors.torch.save_file(state, weights)
    rehash(path)


def of_another_network(path: Path) -> None:
    weights = path.with_suffix(".safetensors")
    state = safetensors.torch.load_file(weights)
    state["extra"] = torch.zeros(1)
    safetensors.torch.save_file(state, weights)
    rehash(path)


def rehash(path: Path) -> None:
    import hashlib

    sha256 = hashlib.sha256(path.with_suffix(".safetensors").read_bytes()).hexdigest()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights_sha256": sha256}))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(damaged, "E-MOD-03"), (pickled, "E-MOD-03"), (not_numbers, "E-MOD-08"), (of_another_network, "E-MOD-07")],
)
def test_hostile_weights_end_in_a_coded_failure(
    random_model: Callable[..., Path],
    manager: User,
    work_off: Callable[[], None],
    spoil: Callable[[Path], None],
    code: str,
) -> None:
    path = random_model("hostile", network=SMALLEST)
    spoil(path)
    job = brought(path, manager)
    work_off()
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", code)
    assert not TrainedModel.objects.filter(name="hostile").exists()


def test_who_may_bring_a_model(regions: Any, random_model: Callable[..., Path], make_user: Callable[..., Any]) -> None:
    path = random_model("theirs", network=SMALLEST)
    for user in (make_user("interpreter"), make_user("reviewer"), make_user("manager", regions.fukang)):
        with pytest.raises(ForbiddenError):
            brought(path, user)


def test_a_run_remembers_its_model_and_keeps_it_between_attempts(
    mined: SimpleNamespace, small_set: SampleSet, add_model: Callable[..., TrainedModel], manager: User
) -> None:
    """A model promoted between two attempts must not finish what another has begun."""
    before, model = promoted(), add_model("new", sample_set=small_set)
    run = InterpretationRun.objects.create(scene=mined.scenes[0], year=2023)
    assert runs.run_model(run)[0].name == before.name
    comparison_with(model, before, small_set, 0.6, 0.5)
    model_promote(model=model, user=manager, replaces=before)
    again = InterpretationRun.objects.get(pk=run.pk)
    assert runs.run_model(again)[0].name == before.name
    fresh = InterpretationRun.objects.create(scene=mined.scenes[0], year=2023)
    assert runs.run_model(fresh)[0].name == "new"
    assert fresh.model == model
    with pytest.raises(ModelError, match="E-MOD-01"):
        runs.run_start(scene=mined.scenes[0], user=None, model_name=before.name)
