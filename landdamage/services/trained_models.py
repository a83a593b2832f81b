"""Writes about models: registering those shipped, trained and brought; promoting, retiring; where their files lie."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import transaction

from landdamage.interpretation.models import ModelCard, available
from landdamage.learning.checkpoints import LARGEST_CARD_BYTES, check_card, check_weights
from landdamage.models import ModelComparison, ModelDeed, SampleSet, TrainedModel
from landdamage.services.files import file_path, files
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, require
from minegis.errors import ConflictError, ForbiddenError, ModelError
from minegis.files import bucket
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit
from minegis.registry.models import Region
from minegis.version import code_version

Origin, State, Deed = TrainedModel.Origin, TrainedModel.State, ModelDeed.Kind
LARGEST_WEIGHTS: Final = 2 << 30  # as ``minegis.training.checkpoint``, which would load torch into a web server
WEIGHTS, CARD = "model.safetensors", "model.json"


def may_everywhere(user: User, action: Action) -> bool:
    """Whether a person may do something in every region there is: models serve all of them."""
    roots = list(Region.objects.filter(parent__isnull=True, valid_to__isnull=True).defer("geom"))
    return allowed(user, action) and all(allowed(user, action, region) for region in roots)


def _require_everywhere(user: User, action: Action) -> None:
    require(user, action)
    if not may_everywhere(user, action):
        raise ForbiddenError


def shipped_models_register() -> int:
    """Write down the models that came with this version; the first of a role is promoted, later ones are candidates.

    Idempotent. Nobody compared them here: the first must come from somewhere, an update must not replace it silently.

    Returns:
        How many were new.
    """
    new = 0
    for card in available().values():
        with transaction.atomic():
            raw = json.loads(card.path.read_text("utf-8"))
            row, made = TrainedModel.objects.get_or_create(
                weights_sha256=card.weights_sha256,
                defaults={
                    "name": card.name,
                    "version": card.version,
                    "role": card.role,
                    "card": raw,
                    "bytes": card.path.with_suffix(".safetensors").stat().st_size,
                    "origin": Origin.SHIPPED,
                },
            )
            if not made:
                continue
            new += 1
            reason = f"MineGIS {code_version()}"
            ModelDeed.objects.create(model=row, kind=Deed.REGISTERED, reason=reason)
            if not TrainedModel.objects.filter(role=row.role).exclude(pk=row.pk).exists():
                TrainedModel.objects.filter(pk=row.pk).update(state=State.PROMOTED)
                ModelDeed.objects.create(model=row, kind=Deed.PROMOTED, reason=reason)
    return new


def model_folder(sha256: str) -> Path:
    """Where a model's card and weights lie, named by the weights' hash."""
    return Path(settings.STORAGE_ROOT) / "models" / sha256[:2] / sha256[2:]


def model_card(row: TrainedModel) -> ModelCard:
    """The card of a model with its files at hand; those shipped are copied to the storage when first used.

    A run must be repeatable after an update has replaced the shipped files, so they are kept.

    Raises:
        ModelError: E-MOD-03 the files are gone.
    """
    folder = model_folder(row.weights_sha256)
    if not (folder / CARD).exists():
        shipped = next((c for c in available().values() if c.weights_sha256 == row.weights_sha256), None)
        weights = file_path(row.weights_sha256) if shipped is None else shipped.path.with_suffix(".safetensors")
        if not weights.exists():
            raise ModelError("E-MOD-03", value=str(row))
        _keep(row.card, weights, row.weights_sha256)
    return ModelCard.of(row.card, folder / CARD)


def _keep(card: Mapping[str, Any], weights: Path, sha256: str) -> None:
    """Give card and weights their folder; it appears whole or not at all, and is never changed.

    Where machines share a bucket the weights go there as well, and each machine makes the folder when it needs it.
    """
    folder = model_folder(sha256)
    if bucket() is not None:
        files().put(weights)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".keep-") as made:
        part = Path(made) / "model"
        part.mkdir()
        shutil.copyfile(weights, part / WEIGHTS)
        (part / CARD).write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", "utf-8")
        for name in (WEIGHTS, CARD):
            (part / name).chmod(0o440)
            with (part / name).open("rb") as file:
                os.fsync(file.fileno())
        try:
            part.rename(folder)
        except OSError:
            if not (folder / CARD).exists():
                raise


@transaction.atomic
def model_register(
    *, card: Mapping[str, Any], weights: Path, origin: str, user: User | None, sample_set: SampleSet | None = None
) -> TrainedModel:
    """Write down a new candidate and keep its files.

    Args:
        card: a checked one that names the weights' SHA-256.
        weights: the file.
        origin: trained or uploaded.
        user: who made or brought it.
        sample_set: what it learned from, where that is known.

    Raises:
        ModelError: E-MOD-16 the weights are registered; E-MOD-17 another model has this name and version.
    """
    sha256 = card["weights_sha256"]
    _refuse_known(card)
    _keep(card, weights, sha256)
    row = TrainedModel.objects.create(
        name=card["name"],
        version=card["version"],
        role=ModelCard.of(card, model_folder(sha256) / CARD).role,
        card=dict(card),
        weights_sha256=sha256,
        bytes=weights.stat().st_size,
        origin=origin,
        sample_set=sample_set,
        created_by=user,
    )
    ModelDeed.objects.create(model=row, kind=Deed.REGISTERED, user=user)
    return row


def _refuse_known(card: Mapping[str, Any]) -> None:
    same = TrainedModel.objects.filter(weights_sha256=card["weights_sha256"]).first()
    if same is not None:
        raise ModelError("E-MOD-16", value=str(same))
    if TrainedModel.objects.filter(name=card["name"], version=card["version"]).exists():
        raise ModelError("E-MOD-17", value=f"{card['name']} {card['version']}")


def next_version(name: str) -> str:
    """The next whole number among the versions of a name."""
    known = TrainedModel.objects.filter(name=name).values_list("version", flat=True)
    return str(1 + max((int(version) for version in known if version.isdecimal()), default=0))


def model_bring(*, user: User, card: IO[bytes], weights: Path) -> Job:
    """Take a checkpoint somebody brings: its card is checked at once, its weights by a job that may fail with a code.

    Args:
        user: a manager or an administrator.
        card: the JSON file.
        weights: the safetensors file; it is kept.

    Raises:
        ForbiddenError: the user may not bring models.
        ModelError: E-MOD-15 the card cannot be; E-MOD-16, E-MOD-17 it is known; E-MOD-18 the file is too large.
    """
    _require_everywhere(user, Action.ADD_MODEL)
    text = card.read(LARGEST_CARD_BYTES + 1)
    if len(text) > LARGEST_CARD_BYTES or weights.stat().st_size > LARGEST_WEIGHTS:
        size = max(len(text), weights.stat().st_size)
        raise ModelError("E-MOD-18", value=f"{size / 2**20:.0f} MB", limit=f"{LARGEST_WEIGHTS >> 20} MB")
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise ModelError("E-MOD-15", value="JSON", reason="-") from None
    checked = check_card(raw)
    _refuse_known(checked)
    stored = files().put(weights)
    params = {"card": checked, "file": stored.sha256}
    return job_submit(
        kind="model_check", params=params, created_by=user, title=f"{checked['name']} {checked['version']}"
    )


def model_check(context: JobContext) -> None:
    """The model_check job: build the network, give it the weights, register a candidate.

    Raises:
        ModelError: E-MOD-03, E-MOD-07, E-MOD-08, E-MOD-15, E-MOD-16, E-MOD-17.
    """
    card = check_card(context.params["card"])
    weights = file_path(context.params["file"])
    context.progress("check", 0.1)
    beside = context.workdir / WEIGHTS  # the checks want card and weights side by side
    beside.unlink(missing_ok=True)
    shutil.copyfile(weights, beside)
    (context.workdir / CARD).write_text(json.dumps(card), "utf-8")
    check_weights(beside)
    context.progress("keep", 0.9)
    with context.publish() as job:
        row = model_register(card=card, weights=weights, origin=Origin.UPLOADED, user=job.created_by)
        context.result["model_id"] = str(row.pk)


def comparison_between(model: TrainedModel, other: TrainedModel) -> ModelComparison | None:
    """The latest finished comparison of two models, whichever was the candidate."""
    ready = ModelComparison.objects.filter(state=ModelComparison.State.READY)
    pairs = ready.filter(candidate=model, promoted=other) | ready.filter(candidate=other, promoted=model)
    return pairs.select_related("sample_set", "candidate_score", "promoted_score").order_by("-finished_at").first()


def speaks_against(comparison: ModelComparison, model: TrainedModel) -> str:
    """What a comparison says against a model: ``worse``, ``known`` (it knows test tiles), ``leaky``, or nothing."""
    ours, theirs = comparison.candidate_score, comparison.promoted_score
    if comparison.candidate_id != model.pk:
        ours, theirs = theirs, ours
    if ours is None or theirs is None:
        return ""
    mine, other = (score.metrics.get("miou_foreground") for score in (ours, theirs))
    if mine is None or (other is not None and mine < other):
        return "worse"
    if ours.seen_tiles:
        return "known"
    return "leaky" if comparison.sample_set.leaky else ""


def _role_locked(model: TrainedModel) -> tuple[TrainedModel, TrainedModel | None]:
    """The model and the promoted one of its role, both locked until the transaction ends."""
    rows = {row.pk: row for row in TrainedModel.objects.select_for_update(of=("self",)).filter(role=model.role)}
    return rows[model.pk], next((row for row in rows.values() if row.state == State.PROMOTED), None)


@transaction.atomic
def model_promote(
    *, model: TrainedModel, user: User, reason: str = "", replaces: TrainedModel | None = None
) -> TrainedModel:
    """Make a model the one that reads the scenes of its role; the one before is retired.

    Args:
        model: a candidate, or a retired one to go back to.
        user: a manager of all regions.
        reason: in writing; must be given where the comparison speaks against the model.
        replaces: the promoted model the user saw; None if there was none.

    Raises:
        ForbiddenError: the user may not promote models.
        ConflictError: another one has been promoted meanwhile.
        ModelError: E-MOD-19 it is promoted already; E-MOD-20 it has not been compared with the promoted one;
            E-MOD-21 the comparison speaks against it and no reason is given; E-MOD-03 its files are gone.
    """
    _require_everywhere(user, Action.PROMOTE_MODEL)
    reason = reason.strip()
    row, promoted = _role_locked(model)
    if row.state == State.PROMOTED:
        raise ModelError("E-MOD-19", value=row.get_state_display())
    if (promoted and promoted.pk) != (replaces and replaces.pk):
        raise ConflictError
    model_card(row)
    comparison, against = None, ""
    if promoted is not None:
        comparison = comparison_between(row, promoted)
        if comparison is None:
            raise ModelError("E-MOD-20", value=str(promoted))
        against = speaks_against(comparison, row)
        if against and not reason:
            raise ModelError("E-MOD-21", value=str(row))
        promoted.state = State.RETIRED
        promoted.save(update_fields=["state"])
        ModelDeed.objects.create(model=promoted, kind=Deed.RETIRED, user=user, reason=f"→ {row}", replaced=None)
    row.state = State.PROMOTED
    row.save(update_fields=["state"])
    ModelDeed.objects.create(
        model=row,
        kind=Deed.PROMOTED,
        user=user,
        reason=reason,
        replaced=promoted,
        comparison=comparison,
        in_spite=bool(against),
    )
    return row


@transaction.atomic
def model_retire(*, model: TrainedModel, user: User, reason: str) -> TrainedModel:
    """Take a model out of use; runs keep the name of what they used.

    Raises:
        ForbiddenError: the user may not retire models.
        ModelError: E-MOD-19 it is retired already; E-MOD-22 no promoted model would be left; E-MOD-25 no reason.
    """
    _require_everywhere(user, Action.PROMOTE_MODEL)
    if not reason.strip():
        raise ModelError("E-MOD-25")
    # Two managers who retire the last two models at once must meet: the promoted rows are locked in one order.
    others = list(TrainedModel.objects.select_for_update(of=("self",)).filter(state=State.PROMOTED).order_by("pk"))
    row, _ = _role_locked(model)
    if row.state == State.RETIRED:
        raise ModelError("E-MOD-19", value=row.get_state_display())
    if row.state == State.PROMOTED and len(others) < 2:
        raise ModelError("E-MOD-22", value=str(row))
    row.state = State.RETIRED
    row.save(update_fields=["state"])
    ModelDeed.objects.create(model=row, kind=Deed.RETIRED, user=user, reason=reason.strip())
    return row
