"""Models ▸ a comparison: means, classes and confusion side by side, and what every model says about some tiles."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from landdamage.models import ModelComparison, ModelScore, TrainedModel
from landdamage.pages.model_figures import MEASURES, columns_of, mean_rows, role_name
from landdamage.selectors.sample_sets import sample_sets_visible
from landdamage.selectors.trained_models import (
    NAMES,
    class_rows,
    comparisons_readable,
    confusion,
    panel_picture,
    panels_sheet,
    scores_of,
)
from landdamage.services import trained_models
from landdamage.taxonomy import BY_CODE
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.jobs.pages import JobRow


@require_GET
def detail(request: PageRequest, comparison_id: UUID) -> HttpResponse:
    """One comparison; htmx asks for its progress alone while it is under way."""
    require(request.user, Action.READ_MODEL)
    row = get_object_or_404(comparisons_readable(request.user), pk=comparison_id)
    job = JobRow(row.job, request) if row.job else None
    context: dict[str, Any] = {"row": row, "job": job, "live": bool(job and job.job.is_active)}
    if request.htmx and row.state != ModelComparison.State.READY and context["live"]:
        return render(request, "landdamage/models/_comparison_progress.html", context)
    if request.htmx:  # it has ended meanwhile
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    if row.state == ModelComparison.State.READY:
        context |= _figures(request, row)
    return render(request, "landdamage/models/comparison.html", context)


def _figures(request: PageRequest, row: ModelComparison) -> dict[str, Any]:
    pair = [score for score in (row.candidate_score, row.promoted_score) if score is not None]
    columns = columns_of(pair)
    measure = request.GET.get("measure", "")
    measure = measure if measure in MEASURES else "iou"
    matrices = [(score, _shares(confusion(score))) for score in pair]
    every = scores_of(row.sample_set)
    images = allowed(request.user, Action.READ_IMAGE, row.sample_set.region)
    may_promote = trained_models.may_everywhere(request.user, Action.PROMOTE_MODEL)
    current = row.promoted is None or row.promoted.state == TrainedModel.State.PROMOTED
    return {
        "columns": columns,
        "role": role_name(row.candidate.role),
        "means": mean_rows(columns, row.difference),
        "measure": measure,
        "measures": MEASURES,
        "classes": [
            {**line, "land_class": BY_CODE[line["code"]], "cells": _marked(line["values"])}
            for line in class_rows(pair, measure)
        ],
        "matrices": matrices,
        "class_list": [BY_CODE[code] for code in NAMES],
        "models": every,
        "tiles": _tiles(every) if images else [],
        "against": trained_models.speaks_against(row, row.candidate),
        "may_promote": may_promote and current and row.candidate.state == TrainedModel.State.CANDIDATE,
        "regions": len(pair[0].regions),
    }


def _marked(values: list[float | None]) -> list[dict[str, Any]]:
    """Each value, and whether it is the best of several that differ."""
    known = [value for value in values if value is not None]
    best = max(known) if len(known) > 1 and max(known) > min(known) else None
    return [{"value": value, "best": best is not None and value == best} for value in values]


def _shares(matrix: list[list[int]]) -> list[dict[str, Any]]:
    """Rows of a confusion matrix as shares of the true pixels of each class; classes without any are left out."""
    rows = []
    for place, (code, counts) in enumerate(zip(NAMES, matrix, strict=True)):
        total = sum(counts)
        if total:
            cells = [
                {"share": count / total, "count": count, "right": k == place, "shade": round(0.75 * count / total, 3)}
                for k, count in enumerate(counts)
            ]
            rows.append({"land_class": BY_CODE[code], "total": total, "cells": cells})
    return rows


def _tiles(scores: list[ModelScore]) -> list[dict[str, Any]]:
    """Tiles some model drew, with the models that did."""
    names = list(dict.fromkeys(tile for score in scores for tile in score.panels))
    return [{"id": name, "models": [score.model for score in scores if name in score.panels]} for name in names]


@require_GET
def picture(request: PageRequest, set_id: UUID, tile_id: str, what: str) -> HttpResponse:
    """A panel: the image, its labels, or what a model says."""
    require(request.user, Action.READ_MODEL)
    row = get_object_or_404(sample_sets_visible(request.user), pk=set_id)
    answer = HttpResponse(panel_picture(request.user, row, tile_id, what), content_type="image/png")
    answer["Cache-Control"] = "private, max-age=86400"
    return answer


@require_GET
def sheet(request: PageRequest, set_id: UUID) -> HttpResponse:
    """All panels of a set in one PNG: image, label and every model, a row per tile."""
    require(request.user, Action.READ_MODEL)
    row = get_object_or_404(sample_sets_visible(request.user), pk=set_id)
    if not scores_of(row):
        raise Http404
    answer = HttpResponse(panels_sheet(request.user, row), content_type="image/png")
    answer["Content-Disposition"] = f'attachment; filename="panels_{row.sha256[:8]}.png"'
    return answer
