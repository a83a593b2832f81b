"""Models ▸ Training: what is being trained, a form for the next one, and one training with its live curves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from landdamage.learning.choices import LOSSES, NETWORKS, Choices
from landdamage.models import SampleSet, TrainedModel, Training
from landdamage.pages.model_figures import key_of
from landdamage.pages.sample_sets import building_regions, set_row
from landdamage.selectors.accepted import models_used
from landdamage.selectors.sample_sets import sample_sets_visible
from landdamage.selectors.trained_models import trainings_visible
from landdamage.services import trainings
from landdamage.services.openings import region_of
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.jobs.pages import JobRow

PAGE_SIZE = 20
SET_PARAMS = ("gsd_m", "bands", "tile", "stride", "regions", "overlaps")
FORM_CHOICES = ("network", "backbone", "steps", "batch", "patience", "seed", "learning_rate", "loss")


def _row(row: Training, request: PageRequest) -> dict[str, Any]:
    job = row.job or (row.sample_set.job if row.state == Training.State.WAITING else None)
    shown = JobRow(job, request) if job else None
    return {"row": row, "job": shown, "live": bool(shown and shown.job.is_active)}


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """The list; htmx asks for the table alone while something is under way."""
    require(request.user, Action.READ_MODEL)
    page = Paginator(trainings_visible(request.user).order_by("-created_at"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    rows = [_row(row, request) for row in page]
    context: dict[str, Any] = {"page": page, "rows": rows, "live": any(row["live"] for row in rows)}
    if request.htmx:
        return render(request, "landdamage/models/_trainings_table.html", context)
    if allowed(request.user, Action.TRAIN_MODEL):
        sets = sample_sets_visible(request.user).exclude(state=SampleSet.State.FAILED)
        regions = building_regions(request)
        used = {model for region in regions for model in models_used(region)}
        context |= {
            "may_train": True,
            "sets": [one for one in sets if not one.params.get("folds")],
            "building": regions,
            "models": sorted(used, key=lambda model: model[2], reverse=True),
            "promoted": TrainedModel.objects.filter(state=TrainedModel.State.PROMOTED).order_by("role"),
            "networks": NETWORKS,
            "encoders": sorted({one for known in NETWORKS.values() for one in known}),
            "losses": LOSSES,
            "choices": Choices(),
            "chosen_set": request.GET.get("set", ""),
        }
    return render(request, "landdamage/models/trainings.html", context)


@require_POST
def start(request: PageRequest) -> HttpResponse:
    """Queue a training: on a sample set, or on patches accepted since a model."""
    require(request.user, Action.TRAIN_MODEL)
    given = request.POST
    choices = {key: given[key] for key in FORM_CHOICES if given.get(key)}
    name = given.get("name", "")
    if given.get("from") == "patches":
        made = trainings.learning_start(
            region=region_of(request.user, given.get("region", "")),
            user=request.user,
            name=name,
            since=given.get("since_model") or given.get("since", ""),
            params={key: given[key] for key in SET_PARAMS if given.get(key)},
            choices=choices,
        )
    else:
        sample_set = get_object_or_404(sample_sets_visible(request.user), pk=key_of(given.get("sample_set")))
        made = trainings.training_request(sample_set=sample_set, user=request.user, name=name, choices=choices)
    return redirect("training", training_id=made.pk)


def _visible(request: PageRequest, training_id: UUID) -> Training:
    return get_object_or_404(trainings_visible(request.user), pk=training_id)


@require_GET
def detail(request: PageRequest, training_id: UUID) -> HttpResponse:
    """One training; htmx asks for its progress alone while it is under way."""
    require(request.user, Action.READ_MODEL)
    row = _visible(request, training_id)
    context = _row(row, request)
    context["set"] = set_row(row.sample_set, request)
    context["choices"] = sorted(row.choices.items())
    if request.htmx and row.state != Training.State.DONE and context["live"]:
        return render(request, "landdamage/models/_training_progress.html", context)
    if request.htmx:  # it has ended meanwhile: everything on the page is another
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    context["curves"] = trainings.training_curves(row)
    return render(request, "landdamage/models/training.html", context)


@require_GET
def curves(request: PageRequest, training_id: UUID) -> HttpResponse:
    """Curves for the chart that grows while the network learns."""
    require(request.user, Action.READ_MODEL)
    row = _visible(request, training_id)
    return JsonResponse({"curves": trainings.training_curves(row), "live": bool(row.job and row.job.is_active)})
