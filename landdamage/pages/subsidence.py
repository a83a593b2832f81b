"""Sunken ground drawn by hand: list and map, drawing with evidence, handing in, reviewing by other eyes."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.contrib.gis.gdal import GDALException
from django.contrib.gis.geos import GEOSException, GEOSGeometry
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage.models import Scene, Subsidence
from landdamage.services import subsidence
from landdamage.services.evidence import evidence_add
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Region

PAGE_SIZE = 50
MOST_SCENES = 12  # images under the outlines: the newest
State = Subsidence.State


def _visible(request: PageRequest, subsidence_id: UUID) -> Subsidence:
    rows = Subsidence.objects.visible_to(request.user).select_related("region", "author", "reviewer")
    return get_object_or_404(rows, pk=subsidence_id)


@require_GET
def layer(request: PageRequest) -> HttpResponse:
    """The list with the map; ``?state=`` narrows."""
    found = Subsidence.objects.visible_to(request.user).select_related("region", "author", "reviewer")
    state = request.GET.get("state", "")
    if state in State.values:
        found = found.filter(state=state)
    page = Paginator(found.prefetch_related("evidence"), PAGE_SIZE).get_page(request.GET.get("page"))
    scenes = Scene.objects.visible_to(request.user).filter(state__in=Scene.USABLE, footprint__isnull=False)
    shown = [s for s in scenes.select_related("region")[:MOST_SCENES] if _may_see(request, s)]
    extent = found.aggregate(e=Extent("geom"))["e"] or scenes.aggregate(e=Extent("footprint"))["e"]
    rows = [SubsidenceRow(row, request) for row in page]
    return render(
        request,
        "landdamage/books/subsidence.html",
        {
            "page": page,
            "rows": rows,
            "state": state,
            "states": State.choices,
            "may_draw": allowed(request.user, Action.DRAW_SUBSIDENCE),
            "data": {
                "bounds": extent,
                "scenes": [
                    {"id": str(s.pk), "bounds": s.footprint.extent, "gsd": s.gsd_m}
                    for s in reversed(shown)
                    if s.footprint
                ],
                "drawn": [{"id": str(r.row.pk), "state": r.row.state, "geometry": r.row.geom.json} for r in rows],
                "new": reverse("subsidence-new"),
            },
        },
    )


def _may_see(request: PageRequest, scene: Scene) -> bool:
    return allowed(request.user, Action.READ_IMAGE, scene.region, own=scene.uploader_id == request.user.pk)


class SubsidenceRow:
    """A record with what this person may do about it."""

    def __init__(self, row: Subsidence, request: PageRequest) -> None:
        own = row.author_id == request.user.pk
        self.row = row
        draws = allowed(request.user, Action.DRAW_SUBSIDENCE, row.region, own=own)
        self.may_submit = draws and row.state in subsidence.EDITABLE
        self.may_delete = draws and row.state == State.DRAFT
        reviews = row.state == State.SUBMITTED and allowed(request.user, Action.ACCEPT_SUBSIDENCE, row.region)
        self.may_review = reviews and not own
        self.waits_for_others = reviews and own


@require_GET
def new(request: PageRequest) -> HttpResponse:
    """The dialog of an outline that has just been drawn."""
    regions = [
        region
        for region in Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True)
        if allowed(request.user, Action.DRAW_SUBSIDENCE, region, own=True)
    ]
    return render(request, "landdamage/books/_subsidence_new.html", {"regions": regions})


@require_POST
@transaction.atomic
def draw(request: PageRequest) -> HttpResponse:
    """Keep an outline (``geometry`` as GeoJSON) with its survey day, method and evidence as a draft."""
    regions = Region.objects.visible_to(request.user).filter(valid_to__isnull=True)
    region = get_object_or_404(regions, code=request.POST.get("region", ""))
    try:
        geometry = GEOSGeometry(request.POST.get("geometry", ""))
        geometry.srid = SRID  # GeoJSON is WGS84 by definition; CGCS2000 may be relabelled
        surveyed_on = dt.date.fromisoformat(request.POST.get("surveyed_on", ""))
    except (ValueError, GEOSException, GDALException):
        raise MineGISError("E-API-01") from None
    proofs = [
        evidence_add(region=region, file=file, file_name=file.name or "", user=request.user)  # type: ignore[arg-type]  # it has read()
        for file in request.FILES.getlist("files")
    ]
    subsidence.subsidence_draw(
        region=region, geom=geometry, surveyed_on=surveyed_on, user=request.user,
        method=request.POST.get("method", "")[:60], evidence=proofs,
    )  # fmt: skip
    return HttpResponseClientRedirect(reverse("subsidence"))


@require_GET
def ask(request: PageRequest, subsidence_id: UUID, verdict: str) -> HttpResponse:
    """The dialog of a verdict; returning and rejecting need a note."""
    row = _visible(request, subsidence_id)
    if verdict not in (State.ACCEPTED.value, State.RETURNED.value, State.REJECTED.value):
        raise MineGISError("E-API-01")
    context: dict[str, Any] = {"row": row, "verdict": verdict, "label": State(verdict).label}
    return render(request, "landdamage/books/_subsidence_verdict.html", context)


@require_POST
def do(request: PageRequest, subsidence_id: UUID, name: str) -> HttpResponse:
    """``submit``, ``delete`` or a verdict."""
    row = _visible(request, subsidence_id)
    asked = request.POST.get("lock", "")
    lock = int(asked) if asked.isdecimal() and len(asked) < 10 else -1
    if name == "submit":
        subsidence.subsidence_submit(subsidence=row, user=request.user, lock=lock)
    elif name == "delete":
        subsidence.subsidence_delete(subsidence=row, user=request.user, lock=lock)
    else:
        note = request.POST.get("note", "")
        subsidence.subsidence_review(subsidence=row, verdict=name, user=request.user, lock=lock, note=note)
    return HttpResponseClientRedirect(reverse("subsidence"))
