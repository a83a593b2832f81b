"""Writes about interpretation runs: starting one, doing the work, publishing rasters and patches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from landdamage.interpretation.blocks import Shared
from landdamage.interpretation.models import ModelCard, nearest, remarks
from landdamage.interpretation.pace import Pacer
from landdamage.models import InterpretationRun, Scene, TrainedModel
from landdamage.selectors.trained_models import promoted_cards
from landdamage.services.claims import RowClaims, blocks_forget, blocks_prepare, claiming
from landdamage.services.files import file_path, files
from landdamage.services.patch_loading import patches_replace
from landdamage.services.trained_models import model_card
from minegis import __version__
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import Finding, ModelError, SceneError
from minegis.files import job_shelf
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit

if TYPE_CHECKING:
    from landdamage.interpretation.engine import Kind


@transaction.atomic
def run_start(*, scene: Scene, user: User | None, model_name: str = "") -> InterpretationRun:
    """Queue an interpretation; ``user`` None means the platform itself, right after the checks.

    Raises:
        ForbiddenError: the user may not start runs in the scene's region.
        SceneError: E-JOB-01 when the scene is not usable.
        ModelError: E-MOD-01 when no model of that name is promoted.
    """
    if user is not None:
        require(user, Action.START_RUN, scene.region)
    if not scene.is_usable:
        raise SceneError("E-JOB-01", state=scene.state)
    installed = promoted_cards()
    if model_name and model_name not in installed:  # a name only: a path must never come from outside
        raise ModelError("E-MOD-01", value=model_name, known=", ".join(installed))
    run = InterpretationRun.objects.create(scene=scene, year=scene.year, started_by=user, model_name=model_name)
    run.job = job_submit(
        kind="interpret",
        params={"run_id": str(run.pk), "model": model_name},
        created_by=user or scene.uploader,
        region=scene.region,
        title=scene.file_name,
    )
    run.save(update_fields=["job"])
    return run


_loaded: dict[tuple[str, str], Any] = {}  # by weights and kind of engine
MOST_LOADED = 2


def loaded_engine(card: ModelCard, kind: Kind) -> Any:
    """Networks stay loaded between the jobs of a worker."""
    from landdamage.interpretation import load_engine

    key = (card.weights_sha256, kind)
    if key not in _loaded:
        while len(_loaded) >= MOST_LOADED:
            del _loaded[next(iter(_loaded))]
        _loaded[key] = load_engine(card, kind=kind)
    return _loaded[key]


def run_model(run: InterpretationRun, name: str = "") -> tuple[ModelCard, list[Finding]]:
    """The promoted model for a run's scene, written into the run at its first attempt: a later one takes the same.

    A model promoted between two attempts must not finish what another has begun.

    Args:
        run: whose scene is to be read.
        name: of the model a person asked for; empty lets resolution and bands decide.

    Raises:
        ModelError: E-MOD-01 no model of that name is promoted; E-MOD-03 its files are gone; E-MOD-04 the scene lacks a
            band it needs.
    """
    scene = run.scene
    assert scene.gsd_m is not None  # of a usable scene
    if run.model is None:
        cards = promoted_cards()
        able = [card for card in cards.values() if name in ("", card.name)]
        if not able:
            raise ModelError("E-MOD-01", value=name or "*", known=", ".join(cards) or "-")
        best = nearest(able, scene.gsd_m, tuple(scene.bands))
        chosen = TrainedModel.objects.get(weights_sha256=best.weights_sha256)
        InterpretationRun.objects.filter(pk=run.pk, model=None).update(model=chosen)
        run.refresh_from_db(fields=["model"])
    assert run.model is not None
    card = model_card(run.model)
    return card, remarks(card, scene.gsd_m, tuple(scene.bands))


def run_interpret(context: JobContext) -> None:
    """The interpret job: choose the model, stream the scene through it, publish everything in one transaction."""
    from landdamage.interpretation import choose_engine, interpret_scene
    from landdamage.interpretation.result import NETWORK_SHARE

    run = InterpretationRun.objects.select_related("scene").get(pk=context.params["run_id"])
    scene = run.scene
    InterpretationRun.objects.filter(pk=run.pk).update(state=InterpretationRun.State.RUNNING)
    context.progress("model", 0.0)
    card, findings = run_model(run, context.params.get("model") or "")
    shelf = job_shelf(context.job_id, "strips")
    kind = choose_engine(
        card,
        wanted=settings.INTERPRETATION_ENGINE,
        pixels=(scene.width or 0) * (scene.height or 0),
        workdir=context.workdir,
        shelf=shelf,
    )
    store = files()
    pacer = Pacer((scene.width or 0) * (scene.height or 0) * scene.gsd_m**2 / 1e6 if scene.gsd_m else 0.0)
    mine: list[RowClaims] = []

    @contextmanager
    def crew(shared: Shared) -> Iterator[RowClaims]:
        blocks_prepare(run=run, shared=shared)
        with claiming(run, shared, worker=context.worker, stopped=context.should_stop, leads=True) as claims:
            mine.append(claims)
            yield claims

    def progress(stage: str, fraction: float) -> None:
        def pace() -> dict[str, Any]:
            if stage != "network":
                return {}
            workers = mine[0].workers() if mine else 1
            return pacer.at(fraction / NETWORK_SHARE).as_dict() | {"workers": workers}

        context.progress(stage, fraction, pace)

    result = interpret_scene(
        file_path(scene.cog_sha256),
        context.workdir,
        engine=loaded_engine(card, kind),
        bands=tuple(scene.bands),
        progress=progress,
        should_stop=context.should_stop,
        crew=crew,
        block_pixels=settings.INTERPRETATION_BLOCK_PIXELS,
        shelf=shelf,
    )
    context.progress("publish", 0.97)
    rasters = {
        "class_sha256": store.put(result.class_raster).sha256,
        "confidence_sha256": store.put(result.confidence_raster).sha256,
    }
    with context.publish():
        Scene.objects.select_for_update().get(pk=scene.pk)  # two runs of one scene publish one after the other
        patches_replace(run=run, batches=result.patch_batches())
        InterpretationRun.objects.filter(scene=scene, is_current=True).update(is_current=False)
        InterpretationRun.objects.filter(pk=run.pk).update(
            state=InterpretationRun.State.SUCCEEDED,
            is_current=True,
            year=scene.year,
            model_name=card.name,
            model_version=card.version,
            weights_sha256=card.weights_sha256,
            engine=result.engine,
            params=result.params,
            code_version=__version__,
            findings=[f.as_dict() for f in (*findings, *result.findings)],
            finished_at=timezone.now(),
            **rasters,
        )
        context.result |= {"patches": result.patch_count, "windows": result.windows}
        if mine:
            context.result["blocks"] = blocks_forget(run=run)


def run_job_retried(job: Job) -> None:
    """A retried job puts its run back in the queue."""
    blocks_forget(run=InterpretationRun(pk=job.params["run_id"]))
    InterpretationRun.objects.filter(pk=job.params["run_id"]).update(
        state=InterpretationRun.State.QUEUED, finished_at=None, model=None
    )


def run_job_ended(job: Job) -> None:
    """A job that failed or was cancelled takes its run along."""
    states = {"failed": InterpretationRun.State.FAILED, "cancelled": InterpretationRun.State.CANCELLED}
    if job.state in states:
        blocks_forget(run=InterpretationRun(pk=job.params["run_id"]))
        InterpretationRun.objects.filter(pk=job.params["run_id"]).exclude(
            state=InterpretationRun.State.SUCCEEDED
        ).update(state=states[job.state], finished_at=timezone.now())
