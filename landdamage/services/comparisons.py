"""Writes about comparisons: asking for one, and the job that judges both models on the same test tiles."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from landdamage.learning.samples.sampleset import SampleSet as Folder
from landdamage.models import ModelComparison, ModelScore, SampleSet, TrainedModel
from landdamage.services.sample_sets import sample_set_folder
from landdamage.services.trained_models import model_card
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError, ModelError
from minegis.files import folder_path, folder_share
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit

if TYPE_CHECKING:
    from landdamage.learning.tally import Tally

State = ModelComparison.State
TEST = "test"


@transaction.atomic
def comparison_request(*, model: TrainedModel, sample_set: SampleSet, user: User | None) -> ModelComparison:
    """Queue a comparison of a model with the promoted one of its role on the test tiles of a sample set.

    Args:
        model: any but the promoted one, unless its role has none beside it.
        sample_set: a ready one, with test tiles.
        user: who may train models in the set's region; None is the platform, after a training.

    Raises:
        ForbiddenError: the user may not compare models in the set's region.
        MineGISError: E-SET-29 the set is not ready.
        ModelError: E-MOD-24 it has no test tiles.
    """
    if user is not None:
        require(user, Action.COMPARE_MODEL, sample_set.region)
    if sample_set.state != SampleSet.State.READY:
        raise MineGISError("E-SET-29", value=sample_set.get_state_display())
    if not sample_set.report.get("tiles", {}).get(TEST):
        raise ModelError("E-MOD-24", value=str(sample_set))
    promoted = TrainedModel.objects.filter(role=model.role, state=TrainedModel.State.PROMOTED).exclude(pk=model.pk)
    made = ModelComparison.objects.create(
        candidate=model,
        promoted=promoted.first(),
        sample_set=sample_set,
        sample_set_sha256=sample_set.sha256,
        created_by=user,
    )
    made.job = job_submit(
        kind="compare",
        params={"comparison_id": str(made.pk)},
        created_by=user,
        region=sample_set.region,
        title=f"{model} · {sample_set}",
    )
    made.save(update_fields=["job"])
    return made


def panels_folder(sample_set_sha256: str, weights_sha256: str = "") -> Path:
    """Where the pictures of a set's test tiles lie: those of a model, or image and label."""
    return folder_path(_name(sample_set_sha256, weights_sha256))


def _name(sample_set_sha256: str, weights_sha256: str = "") -> str:
    return f"panels/{sample_set_sha256}/{weights_sha256 or 'truth'}"


def comparison_run(context: JobContext) -> None:
    """The compare job: score the models that have no score on this set yet, then take the difference.

    Raises:
        ModelError, SampleSetError: as ``learning.compare.score``.
    """
    from landdamage.learning.compare import difference

    row = ModelComparison.objects.select_related("candidate", "promoted", "sample_set").get(
        pk=context.params["comparison_id"]
    )
    compared = [row.candidate, *([row.promoted] if row.promoted else [])]
    scores = [
        _score(context, model, row.sample_set, (k / len(compared), 1 / len(compared)))
        for k, model in enumerate(compared)
    ]
    changed = {"candidate_score": scores[0], "state": State.READY, "finished_at": timezone.now()}
    if row.promoted is not None:
        changed |= {"promoted_score": scores[1], "difference": difference(*(tallies(score) for score in scores))}
    with context.publish():
        ModelComparison.objects.filter(pk=row.pk).update(**changed)
        context.result |= {score.model.name: score.metrics["miou_foreground"] for score in scores}


def _score(context: JobContext, model: TrainedModel, sample_set: SampleSet, part: tuple[float, float]) -> ModelScore:
    """The score of a model on a set, measured now if it never was; it is kept even if the comparison is cancelled."""
    from landdamage.learning import compare

    known = ModelScore.objects.filter(model=model, sample_set_sha256=sample_set.sha256).select_related("model").first()
    if known is not None:
        return known
    start, share = part
    folder = sample_set_folder(sample_set.sha256)
    pictures = Path(settings.STORAGE_ROOT) / _name(sample_set.sha256, model.weights_sha256)
    shutil.rmtree(pictures, ignore_errors=True)  # of an attempt that never ended
    found = compare.score(
        model_card(model),
        folder,
        pictures,
        progress=lambda done: context.progress("judge", start + done * share * 0.95),
        should_stop=context.should_stop,
    )
    truth = Path(settings.STORAGE_ROOT) / _name(sample_set.sha256)
    compare.draw_truth(folder, found.panels, truth)
    folder_share(pictures, _name(sample_set.sha256, model.weights_sha256))
    folder_share(truth, _name(sample_set.sha256))
    score, _ = ModelScore.objects.get_or_create(
        model=model,
        sample_set_sha256=sample_set.sha256,
        defaults={
            "sample_set": sample_set,
            "regions": {name: tally.as_dict() for name, tally in found.regions.items()},
            "metrics": found.metrics,
            "seen_tiles": _seen(model, sample_set),
            "panels": found.panels,
            "facts": found.facts,
        },
    )
    return score


def _seen(model: TrainedModel, judged: SampleSet) -> int | None:
    """Test tiles that the model knows; None where nobody knows what it learned from."""
    from landdamage.learning.compare import known_tiles

    if model.sample_set is None:
        return None
    return known_tiles(
        Folder.open(sample_set_folder(judged.sha256)), Folder.open(sample_set_folder(model.sample_set.sha256))
    )


def tallies(score: ModelScore) -> dict[str, Tally]:
    """The counts per region of a stored score."""
    from landdamage.learning.tally import Tally

    return {name: Tally.from_dict(body) for name, body in score.regions.items()}


def comparison_job_retried(job: Job) -> None:
    """A retried job puts its comparison back in the queue."""
    ModelComparison.objects.filter(pk=job.params["comparison_id"], state=State.FAILED).update(state=State.QUEUED)


def comparison_job_ended(job: Job) -> None:
    """A job that failed or was cancelled leaves a failed comparison."""
    ModelComparison.objects.filter(pk=job.params["comparison_id"]).exclude(state=State.READY).update(state=State.FAILED)
