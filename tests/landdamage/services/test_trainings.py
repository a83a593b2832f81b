"""From accepted patches to a compared candidate: samples, a real training of the smallest network, a comparison."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from landdamage.learning.choices import ASKED, LOSSES, NETWORKS, asked, chosen
from landdamage.models import SampleSet, TrainedModel, Training
from landdamage.services import trainings
from landdamage.services.trainings import learning_start, training_curves, training_folder, training_request
from minegis.errors import ForbiddenError, MineGISError, ModelError, TrainingError
from minegis.jobs.models import Job
from minegis.jobs.services import job_cancel, job_retry
from tests.fixtures.sample_scenes import SMALL_SET

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]
TINY = {"network": "dl", "backbone": "squeezenet", "steps": 3, "batch": 2, "patience": 0}


def test_accepted_patches_become_a_compared_candidate_in_a_real_worker(
    mined: SimpleNamespace, celery_worker: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    row = learning_start(
        region=mined.regions.changji, user=mined.interpreter, name="changji-2m", since="2026-02-01", params=SMALL_SET,
        choices=TINY,
    )  # fmt: skip
    assert (row.state, row.job, row.sample_set.state) == ("waiting", None, "building")
    celery_worker("cpu", "gpu")

    def compared() -> bool:
        row.refresh_from_db()
        ended = [job for job in Job.objects.all() if job.state in ("failed", "cancelled")]
        assert not ended, [(job.kind, job.error_code, job.error_values) for job in ended]
        return row.comparison is not None and row.comparison.state == "ready"

    wait_until(compared, 180)
    assert row.state == "done"
    assert row.model is not None
    assert row.comparison is not None
    assert (str(row.model), row.model.state, row.model.origin) == ("changji-2m 1", "candidate", "trained")
    assert row.model.sample_set == row.comparison.sample_set == row.sample_set
    assert row.model.card["training"]["planned_steps"] == 3
    assert row.comparison.promoted == TrainedModel.objects.get(role="metre/BGR", state="promoted")
    found = training_curves(row)
    assert found["loss"][0][0] == 1
    assert [step for step, _ in found["miou_foreground"]] == [1, 2, 3]
    assert not training_folder(row).exists()
    assert row.job is not None
    assert row.job.queue == "gpu"


def test_a_cancelled_training_goes_on_where_it_was(
    mined: SimpleNamespace, small_set: SampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from minegis.jobs import runner
    from minegis.training import trainer

    monkeypatch.setattr(runner, "REPORT_EVERY_S", 0.0)
    row = training_request(sample_set=small_set, user=mined.interpreter, name="two-parts", choices=TINY | {"steps": 4})
    steps: list[int] = []
    tell = trainer.Trainer._tell

    def cancelled_at_two(self: Any, loss: float, bar: Any) -> None:
        tell(self, loss, bar)
        steps.append(self.step)
        if steps == [1, 2]:
            job_cancel(job=Job.objects.get(pk=row.job_id))

    monkeypatch.setattr(trainer.Trainer, "_tell", cancelled_at_two)
    runner.run_job(row.job_id, "test")
    row.refresh_from_db()
    assert (row.state, row.job.state) == ("failed", "cancelled")  # type: ignore[union-attr]
    assert training_curves(row)["loss"]  # what it learned so far is kept and shown
    job_retry(job=row.job)  # type: ignore[arg-type]
    row.refresh_from_db()
    assert row.state == "queued"
    runner.run_job(row.job_id, "test")
    row.refresh_from_db()
    assert row.state == "done", row.job.error_code  # type: ignore[union-attr]
    assert steps == [1, 2, 3, 4]  # the state is saved within the step that was cancelled


def test_a_training_waits_for_its_samples_and_a_failed_set_can_be_mended(
    mined: SimpleNamespace, work_off: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = learning_start(
        region=mined.regions.changji, user=mined.interpreter, name="waits", params=SMALL_SET | {"gsd_m": 2.0},
        choices=TINY,
    )  # fmt: skip
    assert row.sample_set.job is not None
    job_cancel(job=row.sample_set.job)
    row.refresh_from_db()
    assert (row.state, row.sample_set.state) == ("waiting", "failed")
    job_retry(job=row.sample_set.job)
    monkeypatch.setattr(trainings, "training_run", lambda context: None)
    work_off()
    row.refresh_from_db()
    assert row.job is not None
    assert row.state == "queued"


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        ({"network": "gpt"}, "E-TRN-14"),
        ({"encoder_weights": "/etc/passwd"}, "E-TRN-14"),
        ({"backbone": "vgg16"}, "E-TRN-14"),
        ({"steps": "many"}, "E-TRN-14"),
        ({"steps": 10**9}, "E-TRN-14"),
        ({"batch": 1}, "E-TRN-14"),
        ({"learning_rate": "nan"}, "E-TRN-14"),
        ({"bands": "B,G,X"}, "E-TRN-14"),
        ({"bands": [1]}, "E-TRN-14"),
    ],
)
def test_choices_from_outside_are_held_to_what_can_be(
    mined: SimpleNamespace, choices: dict[str, Any], code: str
) -> None:
    ready = SampleSet.objects.create(
        name="s", version=1, region=mined.regions.changji, kind="patches", params={"bands": ["B", "G", "R"]}
    )
    with pytest.raises(TrainingError, match=code):
        training_request(sample_set=ready, user=mined.interpreter, name="x", choices=choices)
    assert not Training.objects.exists()


def test_names_sets_and_people_are_checked(mined: SimpleNamespace) -> None:
    ready = SampleSet.objects.create(name="s", version=1, region=mined.regions.changji, kind="patches", params={})
    for name in ("", "../x", "a b", "x" * 61):
        with pytest.raises(ModelError, match="E-MOD-15"):
            training_request(sample_set=ready, user=mined.interpreter, name=name)
    for user in (mined.viewer, mined.stranger):
        with pytest.raises(ForbiddenError):
            training_request(sample_set=ready, user=user, name="x")
    SampleSet.objects.filter(pk=ready.pk).update(state="failed")
    ready.refresh_from_db()
    with pytest.raises(MineGISError, match="E-SET-29"):
        training_request(sample_set=ready, user=mined.interpreter, name="x")
    folds = SampleSet.objects.create(
        name="f", version=1, region=mined.regions.changji, kind="patches", params={"folds": 5}
    )
    with pytest.raises(ModelError, match="E-MOD-24"):
        training_request(sample_set=folds, user=mined.interpreter, name="x")


def test_the_choices_known_without_torch_are_those_of_the_networks() -> None:
    from landdamage.learning import losses
    from landdamage.networks import NETWORKS as BUILT
    from landdamage.networks import build
    from landdamage.networks.registry import default_backbone

    assert set(NETWORKS) == set(BUILT)
    assert set(LOSSES) == set(losses.LOSSES)
    for name, encoders in NETWORKS.items():
        assert encoders[0] == default_backbone(name)
    for name, encoder in (("fcn", "vgg16"), ("unet", "squeezenet"), ("pspnet", "squeezenet"), ("dl", "resnet50")):
        assert encoder in NETWORKS[name]
        build(name, encoder)
    with pytest.raises(ValueError, match="squeezenet"):
        build("fcn", "squeezenet")
    given = asked({"bands": "b,g,r", "steps": "7", "backbone": "", "patience": "0"})
    made = chosen(given)
    assert (made.bands, made.steps, made.backbone, made.patience) == (("B", "G", "R"), 7, None, None)
    assert set(given) <= set(ASKED)


def test_the_command_goes_the_whole_way(mined: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import CommandError, call_command

    small = ["--tile", "48", "--stride", "36", "--steps", "1", "--batch", "2", "--lang", "zh"]
    who = ["--region", "652300", "--name", "by-hand", "--user", mined.interpreter.username]
    network = ["--network", "dl", "--backbone", "squeezenet"]
    call_command("learn", *who, *small, *network, "--here")
    shown = capsys.readouterr()
    row = Training.objects.get()
    assert row.state == "done"
    assert str(row.pk) in shown.out
    assert "by-hand 1: mIoU" in shown.out
    assert [line.partition(":")[0] for line in shown.err.splitlines()] == ["sample_set", "train", "compare"]
    with pytest.raises(CommandError, match="E-SET-27"):
        call_command("learn", *who, *small, "--since", "2026-04-01", "--here")
    with pytest.raises(CommandError, match="no user"):
        call_command("learn", *who[:4], "--user", "nobody")
