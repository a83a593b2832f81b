"""The list of scenes with what the checks found, and the place to upload more."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from landdamage.models import InterpretationRun, Scene
from minegis.access.permissions import Action, allowed, readers
from minegis.access.requests import PageRequest
from minegis.registry.models import Region

PAGE_SIZE = 20
DEFAULT_SORT = "-uploaded"


class SceneFilter(django_filters.FilterSet):
    """Filters and order of the list, as they stand in the address."""

    q = django_filters.CharFilter(field_name="file_name", lookup_expr="icontains")
    state = django_filters.ChoiceFilter(choices=Scene.State.choices)
    year = django_filters.NumberFilter(field_name="acquired_on__year", min_value=1900, max_value=2100)
    sort = django_filters.OrderingFilter(
        fields={
            "file_name": "name",
            "acquired_on": "date",
            "gsd_m": "gsd",
            "uploaded_at": "uploaded",
            "state": "state",
            "satellite": "sensor",
        }
    )

    class Meta:
        model = Scene
        fields = ("q", "state", "year")


class SceneRow:
    """A scene as the list shows it, with its latest run."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        runs = scene.runs.all()
        self.run = runs[0] if runs else None
        self.faults = sorted(scene.findings, key=lambda finding: finding.get("severity") != "error")
        checking = scene.state == Scene.State.CHECKING
        self.job = scene.ingest_job if checking else (self.run.job if self.run else None)
        self.live = checking or (self.run is not None and self.run.state in ("queued", "running"))


def upload_regions(request: PageRequest) -> list[Region]:
    """Regions into which the user may upload; without one the footprint decides."""
    codes = request.user.region_codes(readers(Action.UPLOAD_SCENE))
    found = Region.objects.defer("geom").filter(valid_to__isnull=True)
    return list(found if None in codes else found.filter(code__in=codes))


@require_GET
def scenes(request: PageRequest) -> HttpResponse:
    """The list; htmx asks for the table alone, every two seconds while something is being checked or interpreted."""
    runs = InterpretationRun.objects.select_related("job").order_by("-created_at")
    visible: QuerySet[Scene] = Scene.objects.visible_to(request.user).defer("footprint")
    found = SceneFilter(
        request.GET, queryset=visible.select_related("ingest_job", "region").prefetch_related(Prefetch("runs", runs))
    ).qs
    if not request.GET.get("sort"):
        found = found.order_by("-uploaded_at")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [SceneRow(scene) for scene in page]
    context: dict[str, Any] = {
        "page": page,
        "rows": rows,
        "live": any(row.live for row in rows),
        "sort": DEFAULT_SORT,
        "filtered": any(request.GET.get(key) for key in ("q", "state", "year")),
        "thumbnails": allowed(request.user, "thumbnail.read"),
    }
    if request.htmx:
        return render(request, "landdamage/_scenes_table.html", context)
    years = [d.year for d in visible.order_by().dates("acquired_on", "year", order="DESC")]
    context |= {"states": Scene.State.choices, "years": years}
    if allowed(request.user, "scene.upload"):
        context["regions"] = upload_regions(request)
    return render(request, "landdamage/scenes.html", context)
