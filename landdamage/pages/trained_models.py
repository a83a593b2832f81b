"""Models ▸ the versions with their metrics side by side, one model with its card, and what can be done with it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage.models import ModelComparison, ModelScore, SampleSet, TrainedModel
from landdamage.pages.model_figures import MEAN_NAMES, Column, columns_of, key_of, role_name
from landdamage.selectors.trained_models import MEANS, NAMES, comparable_sets, comparisons_readable, models_readable
from landdamage.services import trained_models
from landdamage.services.comparisons import comparison_request
from landdamage.services.files import received
from landdamage.taxonomy import BY_CODE
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.models import Job
from minegis.jobs.pages import JobRow

State = TrainedModel.State


def _judged_set(request: PageRequest) -> SampleSet | None:
    """The sample set whose scores stand beside the models: the one asked for, else the one judged on last."""
    scored = ModelScore.objects.select_related("sample_set__region")
    wanted = request.GET.get("set", "")
    if wanted:
        found = scored.filter(sample_set_sha256=wanted).order_by("score_id").first()
        return found.sample_set if found else None
    last = scored.order_by("-score_id").first()
    return last.sample_set if last else None


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """Versions by role, each beside the others with its scores on one sample set."""
    require(request.user, Action.READ_MODEL)
    judged = _judged_set(request)
    scores = {s.model_id: s for s in ModelScore.objects.filter(sample_set_sha256=judged.sha256)} if judged else {}
    roles: dict[str, list[dict[str, Any]]] = {}
    for model in models_readable(request.user):
        score = scores.get(model.pk)
        metrics = score.metrics if score else {}
        row = {"model": model, "score": score, "means": [metrics.get(name) for name in MEANS]}
        roles.setdefault(model.role, []).append(row)
    order = {State.PROMOTED: 0, State.CANDIDATE: 1, State.RETIRED: 2}
    for rows in roles.values():
        rows.sort(key=lambda row: order[row["model"].state])
    sets = SampleSet.objects.filter(scores__isnull=False).distinct().order_by("-created_at")
    context = {
        "roles": [(role_name(role), rows) for role, rows in roles.items()],
        "judged": judged,
        "sets": {one.sha256: one for one in sets}.values(),
        "means": [MEAN_NAMES[name] for name in MEANS],
        "may_bring": trained_models.may_everywhere(request.user, Action.ADD_MODEL),
        "checks": _checks(request),
        "comparisons": comparisons_readable(request.user)[:8],
    }
    name = "landdamage/models/_models_table.html" if request.htmx else "landdamage/models/models.html"
    return render(request, name, context)


def _checks(request: PageRequest) -> list[JobRow]:
    """Models somebody brought that are still being checked, or failed of late."""
    jobs = Job.objects.visible_to(request.user).filter(kind="model_check").exclude(state=Job.State.SUCCEEDED)
    return [JobRow(job, request) for job in jobs.order_by("-created_at")[:5]]


def visible_model(request: PageRequest, model_id: UUID) -> TrainedModel:
    """The model, or not found."""
    return get_object_or_404(models_readable(request.user), pk=model_id)


@require_GET
def detail(request: PageRequest, model_id: UUID) -> HttpResponse:
    """One model: card, scores, comparisons, deeds."""
    require(request.user, Action.READ_MODEL)
    model = visible_model(request, model_id)
    card = model.card
    validation = card.get("metrics", {}).get("validation", {}) if isinstance(card.get("metrics"), dict) else {}
    per_class = validation.get("per_class", {})
    context = {
        "model": model,
        "card": card,
        "role": role_name(model.role),
        "validation": validation,
        "classes": [(BY_CODE[code], per_class[code]) for code in NAMES if code in per_class],
        "scores": model.scores.select_related("sample_set").order_by("-score_id"),
        "comparisons": comparisons_readable(request.user).filter(candidate=model)[:20],
        "deeds": model.deeds.select_related("user", "replaced", "comparison"),
        "training": getattr(model, "training", None),
        "actions": _actions(request, model),
    }
    return render(request, "landdamage/models/model.html", context)


def _actions(request: PageRequest, model: TrainedModel) -> list[str]:
    may = trained_models.may_everywhere(request.user, Action.PROMOTE_MODEL)
    made = ["compare"] if allowed(request.user, Action.COMPARE_MODEL) and comparable_sets(request.user).exists() else []
    made += ["promote"] if may and model.state != State.PROMOTED else []
    return made + (["retire"] if may and model.state != State.RETIRED else [])


def _promoted(model: TrainedModel) -> TrainedModel | None:
    return TrainedModel.objects.filter(role=model.role, state=State.PROMOTED).exclude(pk=model.pk).first()


@require_GET
def ask(request: PageRequest, model_id: UUID, name: str) -> HttpResponse:
    """The dialog of an action: what it will do, in numbers."""
    model = visible_model(request, model_id)
    if name not in ("compare", "promote", "retire"):
        raise Http404
    if name not in _actions(request, model):
        raise MineGISError("E-MOD-19", value=model.get_state_display())
    promoted = _promoted(model)
    context: dict[str, Any] = {"model": model, "name": name, "promoted": promoted, "role": role_name(model.role)}
    if name == "compare":
        context["sets"] = comparable_sets(request.user)
    if name == "promote" and promoted is not None:
        comparison = trained_models.comparison_between(model, promoted)
        context["comparison"] = comparison
        if comparison is not None:
            context["against"] = trained_models.speaks_against(comparison, model)
            context["columns"] = _pair(comparison, model)
            context["means"] = [(MEAN_NAMES[key], key) for key in MEANS]
    if name == "retire":
        context["last"] = model.state == State.PROMOTED and promoted is None
        context["left"] = TrainedModel.objects.filter(state=State.PROMOTED).exclude(pk=model.pk).count()
    return render(request, "landdamage/models/_model_deed.html", context)


def _pair(comparison: ModelComparison, model: TrainedModel) -> list[Column]:
    """Both scores, the model's first."""
    both = [score for score in (comparison.candidate_score, comparison.promoted_score) if score is not None]
    return columns_of(sorted(both, key=lambda score: score.model_id != model.pk))


@require_POST
def do(request: PageRequest, model_id: UUID, name: str) -> HttpResponse:
    """Do it; a refusal comes back with its code, into the dialog."""
    model = visible_model(request, model_id)
    reason = request.POST.get("reason", "")
    if name == "compare":
        sample_set = get_object_or_404(comparable_sets(request.user), pk=key_of(request.POST.get("sample_set")))
        made = comparison_request(model=model, sample_set=sample_set, user=request.user)
        return HttpResponseClientRedirect(reverse("comparison", args=[made.pk]))
    if name == "promote":
        key = key_of(request.POST.get("replaces"))
        seen = TrainedModel.objects.filter(pk=key).first() if key else None
        trained_models.model_promote(model=model, user=request.user, reason=reason, replaces=seen)
        messages.success(request, _("%(model)s reads the scenes now") % {"model": model})
    elif name == "retire":
        trained_models.model_retire(model=model, user=request.user, reason=reason)
        messages.success(request, _("%(model)s is retired") % {"model": model})
    else:
        raise Http404
    return HttpResponseClientRedirect(reverse("model", args=[model.pk]))


@require_POST
def bring(request: PageRequest) -> HttpResponse:
    """Take a checkpoint: its card is checked now, its weights by a job."""
    require(request.user, Action.ADD_MODEL)
    card, weights = request.FILES.get("card"), request.FILES.get("weights")
    if not isinstance(card, UploadedFile) or not isinstance(weights, UploadedFile):
        raise MineGISError("E-API-01")
    with received(weights, most=trained_models.LARGEST_WEIGHTS, code="E-MOD-18") as path:
        assert path is not None
        trained_models.model_bring(user=request.user, card=card, weights=path)  # type: ignore[arg-type]  # a file
    messages.success(request, _("The model is being checked; it appears here as a candidate."))
    return redirect("models")
