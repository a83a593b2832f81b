"""Writes about trainings: asking for one, alone or with the sample set it needs; the job that trains; what follows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from landdamage.learning.checkpoints import NAME
from landdamage.learning.choices import asked, chosen
from landdamage.models import SampleSet, Training
from landdamage.services.comparisons import TEST, comparison_request
from landdamage.services.sample_sets import sample_set_folder, sample_set_request
from landdamage.services.trained_models import Origin, model_register, next_version
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import JobCancelledError, MineGISError, ModelError, TrainingError
from minegis.files import bucket, files
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit
from minegis.registry.models import Region
from minegis.training.journal import Curve, curves

if TYPE_CHECKING:
    from landdamage.learning.recipes import Recipe
    from minegis.training.trainer import Progress

State = Training.State
TRAINING_SHARE = 0.97  # of the job; the rest is publishing
SHOWN = ("loss", "miou_foreground", "miou_with_background", "boundary_f1", "ece")  # curves a page shows
MOST_POINTS = 400


@transaction.atomic
def training_request(
    *, sample_set: SampleSet, user: User, name: str, choices: Mapping[str, Any] | None = None, since: str = ""
) -> Training:
    """Queue a training on a sample set; one that is still being built is waited for.

    Args:
        sample_set: with train and val tiles.
        user: who may train in the set's region.
        name: of the model; its version is the next whole number.
        choices: see ``learning.choices.ASKED``.
        since: the model after which the patches of the set were accepted, for people.

    Raises:
        ForbiddenError: the user may not train models in the set's region.
        TrainingError: E-TRN-14 a choice cannot be.
        MineGISError: E-SET-29 the set could not be built; E-MOD-15 the name cannot be.
        ModelError: E-MOD-24 the set is one of folds.
    """
    require(user, Action.TRAIN_MODEL, sample_set.region)
    name = name.strip()
    if not NAME.fullmatch(name):
        raise ModelError("E-MOD-15", value="name", reason=name[:60] or "-")
    given = asked(choices or {})
    wanted = given.get("bands")
    have = list(sample_set.params.get("bands", []))
    if wanted and (not set(wanted) <= set(have) or len(set(wanted)) < len(wanted)):
        raise TrainingError("E-TRN-14", value=f"bands={','.join(wanted)}", known=",".join(have))
    if sample_set.params.get("folds"):
        raise ModelError("E-MOD-24", value=str(sample_set))
    if sample_set.state == SampleSet.State.FAILED:
        raise MineGISError("E-SET-29", value=sample_set.get_state_display())
    made = Training.objects.create(name=name, sample_set=sample_set, since=since[:100], choices=given, created_by=user)
    if sample_set.state == SampleSet.State.READY:
        _submit(made)
    return made


@transaction.atomic
def learning_start(
    *,
    region: Region,
    user: User,
    name: str,
    since: str = "",
    years: list[int] | None = None,
    params: Mapping[str, Any] | None = None,
    choices: Mapping[str, Any] | None = None,
) -> Training:
    """From accepted patches to a compared candidate: queue a sample set and the training that waits for it.

    Args:
        region: whose patches.
        user: who may build sample sets and train there.
        name: of the model.
        since: ``model@version`` or a date; empty takes everything ever accepted.
        years: of the scenes; None takes all.
        params: of the sample set, see ``learning.samples.params.Params``.
        choices: of the training.

    Raises:
        ForbiddenError, SampleSetError, TrainingError, ModelError: as ``sample_set_request``, ``training_request``.
    """
    source: dict[str, Any] = {"since": since, "years": years or []}
    sample_set = sample_set_request(
        region=region, user=user, name=name, kind=SampleSet.Kind.PATCHES, source=source, params=params
    )
    return training_request(sample_set=sample_set, user=user, name=name, choices=choices, since=since)


def trainings_go_on(*, sample_set: SampleSet) -> None:
    """Queue the trainings that waited for a set; called in the transaction that makes the set ready."""
    for waiting in Training.objects.select_for_update(of=("self",)).filter(sample_set=sample_set, state=State.WAITING):
        _submit(waiting)


def _submit(training: Training) -> None:
    training.job = job_submit(
        kind="train",
        params={"training_id": str(training.pk)},
        created_by=training.created_by,
        region=training.sample_set.region,
        title=str(training),
    )
    training.state = State.QUEUED
    training.save(update_fields=["job", "state"])


def training_folder(training: Training) -> Path:
    """Where state, log and weights of a training lie until it is done; a cancelled one goes on from there."""
    return Path(settings.STORAGE_ROOT) / "trainings" / str(training.pk)


def training_curves(training: Training) -> dict[str, Curve]:
    """Loss and scores by step: from the log while it trains, from the record afterwards."""
    if training.curves:
        return {name: [(int(step), float(value)) for step, value in curve] for name, curve in training.curves.items()}
    found = curves(training_folder(training) / training.name, MOST_POINTS)
    return {name: found[name] for name in SHOWN if name in found}


def training_run(context: JobContext) -> None:
    """The train job: train or go on, register the candidate, queue its comparison with the promoted model.

    Raises:
        TrainingError, SampleSetError: as ``learning.run.Run.train``.
    """
    from landdamage.learning.recipes import Folders
    from landdamage.learning.run import Run
    from landdamage.learning.sampled import recipe_for
    from minegis.training import checkpoint

    row = Training.objects.select_related("sample_set__region", "created_by").get(pk=context.params["training_id"])
    folder = training_folder(row)
    context.progress("samples", 0.0)
    recipe: Recipe = replace(recipe_for(sample_set_folder(row.sample_set.sha256), chosen(row.choices)), model=row.name)

    done = 0.0

    def watch(progress: Progress) -> None:
        nonlocal done
        done = progress.share

    def should_stop() -> bool:
        """Reports, too: a refusal that ended the run from ``watch`` would not let it save its state."""
        try:
            context.progress("train", done * TRAINING_SHARE)
        except JobCancelledError:
            return True
        return False

    run = Run(
        recipe,
        Folders(folder, folder),
        folder / "out",
        resume=True,
        events=False,  # the page draws the log; nobody looks for events in a folder that goes when it is done
        watch=watch,
        should_stop=should_stop,
    )
    weights = run.train()
    context.progress("keep", TRAINING_SHARE)
    _, card = checkpoint.load(weights)
    if bucket() is not None:
        files().put(weights)  # before the transaction that registers it: a bucket may make one wait
    log = training_curves(row)
    with context.publish():
        model = model_register(
            card={**card, "name": row.name, "version": next_version(row.name)},
            weights=weights,
            origin=Origin.TRAINED,
            user=row.created_by,
            sample_set=row.sample_set,
        )
        # A set too small for test tiles still makes a model; it must be compared on another set.
        tested = bool(row.sample_set.report.get("tiles", {}).get(TEST))
        comparison = comparison_request(model=model, sample_set=row.sample_set, user=None) if tested else None
        Training.objects.filter(pk=row.pk).update(
            state=State.DONE, model=model, comparison=comparison, curves=log, finished_at=timezone.now()
        )
        context.result |= {"model_id": str(model.pk), "steps": card["training"]["steps"]}
    shutil.rmtree(folder, ignore_errors=True)


def training_job_retried(job: Job) -> None:
    """A retried job puts its training back in the queue; it goes on from its last state."""
    Training.objects.filter(pk=job.params["training_id"], state=State.FAILED).update(state=State.QUEUED)


def training_job_ended(job: Job) -> None:
    """A job that failed or was cancelled leaves a training that can be taken up again."""
    Training.objects.filter(pk=job.params["training_id"]).exclude(state=State.DONE).update(state=State.FAILED)
