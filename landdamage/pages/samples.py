"""Check samples of an edition: draw one, label its points blind on the images before and now, read the result."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import shapely
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from landdamage.imagery.chip import chip as cut_chip
from landdamage.imagery.radiometry import Stretch
from landdamage.imagery.thumbnail import display_indexes
from landdamage.models import CheckPoint, CheckSample, Edition, Scene
from landdamage.services import sampling
from landdamage.services.files import file_path
from minegis import units
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.problems import request_language

CHIP_PIXELS = 128  # of the scene, across the picture round a point
KIND_NAMES = {
    "none": gettext_lazy("No damage"),
    "exc": gettext_lazy("Excavation"),
    "occ": gettext_lazy("Occupation"),
    "sub": gettext_lazy("Subsidence"),
}


def _complain(request: PageRequest, error: MineGISError) -> None:
    messages.error(request, f"{error.code} {error.message(request_language())}")


def _name(code: str) -> str:
    before, _arrow, now = code.partition(">")
    return f"{KIND_NAMES.get(before, before)} → {KIND_NAMES.get(now, now)}"


@require_http_methods(["GET", "POST"])
def samples(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """The samples of an edition with error matrix and adjusted areas; a POST draws a new one."""
    edition = get_object_or_404(Edition.objects.visible_to(request.user).select_related("region"), pk=edition_id)
    if request.method == "POST":
        points = request.POST.get("points", "")
        try:
            sampling.sample_draw(edition=edition, user=request.user, total=int(points) if points.isdecimal() else None)
        except MineGISError as error:
            _complain(request, error)
        return redirect("samples", edition_id)
    return render(
        request,
        "landdamage/samples.html",
        {
            "edition": edition,
            "samples": [_shown(sample, request) for sample in edition.samples.all()],
            "may_draw": allowed(request.user, Action.PLAN_SAMPLE, edition.region),
            "may_label": allowed(request.user, Action.LABEL_SAMPLE, edition.region),
        },
    )


def _shown(sample: CheckSample, request: PageRequest) -> dict[str, Any]:
    """A sample as the page prints it."""
    results = sample.results
    shown: dict[str, Any] = {"sample": sample, "results": results, "points": sample.points.count()}
    mine = Q(first_by=request.user) | Q(second_by=request.user)
    shown["own"] = sample.points.filter(mine).count()
    shown["disputed"] = sample.points.filter(agreed_label="").exclude(Q(first_label="") | Q(second_label="")).count()
    if "matrix" in results:
        shown["kinds"] = [
            {"name": KIND_NAMES[short], "rows": [(label, *figures[key]) for key, label in _MEASURES]}
            for short, figures in results["kinds"].items()
            if any(figures[key][0] or figures[key][3] for key, _label in _MEASURES)
        ]
        shown["heads"] = [_name(code) for code in results["codes"]]
        shown["matrix"] = [
            (_name(code), row, results["users"][code], results["producers"][code])
            for code, row in zip(results["codes"], results["matrix"], strict=True)
        ]
    return shown


_MEASURES = (
    ("stock_cm2", gettext_lazy("Stock")),
    ("new_cm2", gettext_lazy("New")),
    ("restored_cm2", gettext_lazy("Restored")),
)


@require_http_methods(["GET", "POST"])
def label(request: PageRequest, sample_id: UUID) -> HttpResponse:
    """The next point this person has not labelled (or ``?point=N``); a POST records the label and goes on."""
    sample = get_object_or_404(
        CheckSample.objects.visible_to(request.user).select_related("edition__region", "edition__based_on"),
        pk=sample_id,
    )
    require(request.user, Action.LABEL_SAMPLE, sample.edition.region)
    if request.method == "POST":
        point = get_object_or_404(sample.points, pk=request.POST.get("point"))
        unsure = "unsure" in request.POST
        wanted = sampling.UNSURE if unsure else f"{request.POST.get('before')}>{request.POST.get('now')}"
        try:
            do = sampling.point_settle if _disputed(point) and _settles(request, sample) else sampling.point_label
            do(point=point, user=request.user, label=wanted)
        except MineGISError as error:
            _complain(request, error)
        return redirect("sample-label", sample_id)
    asked = request.GET.get("point", "")
    todo = sample.points.exclude(Q(first_by=request.user) | Q(second_by=request.user))
    todo = todo.filter(Q(first_by=None) | Q(second_by=None))
    disputed = sample.points.filter(agreed_label="").exclude(Q(first_label="") | Q(second_label=""))
    if asked.isdecimal():
        point = get_object_or_404(sample.points, number=int(asked))
    else:
        others = disputed.exclude(Q(first_by=request.user) | Q(second_by=request.user))
        point = todo.first() or (others.first() if _settles(request, sample) else None)
    total = sample.points.count()
    done = sample.points.filter(Q(first_by=request.user) | Q(second_by=request.user)).count()
    return render(
        request,
        "landdamage/sample_label.html",
        {
            "sample": sample,
            "edition": sample.edition,
            "point": point,
            "disputed": point is not None and _disputed(point),
            "kinds": list(KIND_NAMES.items()),
            "done": done,
            "total": total,
            "share": done / total if total else 0.0,
            "images": _images(request, sample, point) if point else [],
        },
    )


def _disputed(point: CheckPoint) -> bool:
    return bool(point.first_label and point.second_label and not point.agreed_label)


def _settles(request: PageRequest, sample: CheckSample) -> bool:
    return allowed(request.user, Action.PLAN_SAMPLE, sample.edition.region)


def _images(request: PageRequest, sample: CheckSample, point: CheckPoint) -> list[dict[str, Any]]:
    now, before = (scene_at(request, sample.edition, point, when) for when in ("now", "before"))
    return [
        {"when": "before", "title": _("Before"), "scene": before},
        {"when": "now", "title": _("Now"), "scene": now},
    ]


def scene_at(request: PageRequest, edition: Edition, point: CheckPoint, when: str) -> Scene | None:
    """The newest image of the edition's year, or of the year it stands on, that shows a point to this person."""
    if when == "now":
        year = edition.year
    elif edition.based_on is not None:
        year = edition.based_on.year
    else:
        return None
    scenes = Scene.objects.visible_to(request.user).filter(
        state__in=Scene.USABLE, acquired_on__year=year, footprint__intersects=point.geom
    )
    shown = scenes.exclude(stretch={}).select_related("region").order_by("-acquired_on", "-uploaded_at")
    return next((scene for scene in shown if allowed(request.user, Action.READ_IMAGE, scene.region)), None)


@require_GET
def chip(request: PageRequest, point_id: int, when: str) -> HttpResponse:
    """The image round a point as PNG, with a cross at the point."""
    point = get_object_or_404(
        CheckPoint.objects.visible_to(request.user).select_related(
            "sample__edition__region", "sample__edition__based_on"
        ),
        pk=point_id,
    )
    edition = point.sample.edition
    require(request.user, Action.LABEL_SAMPLE, edition.region)
    scene = scene_at(request, edition, point, when)
    if scene is None:
        return HttpResponse(status=404)
    answer = HttpResponse(_picture(scene, point), content_type="image/png")
    answer["Cache-Control"] = "private, max-age=3600"
    return answer


def _picture(scene: Scene, point: CheckPoint) -> bytes:
    """256 m of ground with a ring of two pixels round the point."""
    gsd = scene.gsd_m or 1.0
    at, epsg = shapely.Point(point.geom.x, point.geom.y), units.gauss_kruger_epsg(point.geom.x)
    metric = units.reproject(at, units.CGCS2000_EPSG, epsg)
    half = CHIP_PIXELS / 2 * gsd
    indexes = display_indexes(scene.bands, range(1, len(scene.bands) + 1))
    low, high = (np.array(scene.stretch[key], np.float64)[[i - 1 for i in indexes]] for key in ("low", "high"))
    return cut_chip(
        file_path(scene.cog_sha256),
        units.reproject(metric.buffer(3 * gsd), epsg, units.CGCS2000_EPSG),
        stretch=Stretch(low, high),
        indexes=indexes,
        window=(metric.x - half, metric.y - half, metric.x + half, metric.y + half),
        epsg=epsg,
        size=512,
    )
