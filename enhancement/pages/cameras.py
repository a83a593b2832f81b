"""Cameras: the list, one camera with its clips, the form that enters or changes one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.gis.geos import Point
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from enhancement import selectors
from enhancement.models import Enhancement
from enhancement.pages.clips import PAGE_SIZE
from enhancement.pages.rows import ClipRow
from minegis.access.permissions import Action, allowed, readers, require
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Camera, Mine, Region
from minegis.registry.services import camera_save


def _editing(request: PageRequest) -> dict[str, Any]:
    """What the form offers: regions where the user may edit cameras, and the mines they see."""
    codes = request.user.region_codes(readers(Action.EDIT_CAMERA))
    found = Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True).order_by("code")
    whole = None in codes
    regions = [r for r in found if whole or any(r.code.startswith(region_prefix(str(code))) for code in codes)]
    mines = Mine.objects.visible_to(request.user).defer("boundary", "influence_zone").order_by("code")
    return {"regions": regions, "mines": mines}


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """Cameras with the number of their clips."""
    require(request.user, Action.READ_CAMERA)
    visible = selectors.clips_visible(request.user).values_list("pk", flat=True)
    counts = dict(Camera.objects.filter(clips__in=visible).annotate(n=Count("clips")).values_list("pk", "n").order_by())
    page = Paginator(selectors.cameras_visible(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {"page": page, "rows": [(camera, counts.get(camera.pk, 0)) for camera in page]}
    if allowed(request.user, Action.EDIT_CAMERA):
        context |= _editing(request) | {"may_edit": True}
    return render(request, "enhancement/cameras.html", context)


def _visible(request: PageRequest, camera_id: UUID) -> Camera:
    return get_object_or_404(selectors.cameras_visible(request.user), pk=camera_id)


@require_GET
def camera(request: PageRequest, camera_id: UUID) -> HttpResponse:
    """One camera: where it stands, what is remembered for it, its clips."""
    found = _visible(request, camera_id)
    clips = selectors.clips_visible(request.user).filter(camera=found)
    page = Paginator(clips, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [ClipRow(clip, request) for clip in page]
    context: dict[str, Any] = {"camera": found, "page": page, "rows": rows, "live": any(row.live for row in rows)}
    if request.htmx:
        return render(request, "enhancement/_clips_table.html", context)
    context |= {
        "may_watch": allowed(request.user, Action.WATCH_CLIP, found.region),
        "may_start": allowed(request.user, Action.START_ENHANCEMENT, found.region),
        "stream": found.live_streams.filter(running=True).first(),
        "remembered": Enhancement.Method(found.preset.get("method") or Enhancement.Method.DEHAZE).label,
    }
    if allowed(request.user, Action.EDIT_CAMERA, found.region):
        context |= _editing(request) | {"may_edit": True}
    return render(request, "enhancement/camera.html", context)


@require_POST
def save(request: PageRequest, camera_id: UUID | None = None) -> HttpResponse:
    """Enter a camera, or change one; an empty stream address keeps the present one unless it is to be forgotten."""
    given = request.POST
    found = _visible(request, camera_id) if camera_id else None
    fields: dict[str, Any] = {
        "code": given.get("code", "").strip(),
        "name_zh": given.get("name_zh", "").strip() or given.get("code", "").strip(),
        "name_en": given.get("name_en", "").strip(),
        "mine": _mine(request, given.get("mine", "")),
        "region": _region(request, given.get("region", "")),
        "location": _point(given.get("longitude", ""), given.get("latitude", "")),
    }
    if not fields["code"]:
        raise MineGISError("E-API-01")
    if given.get("stream_address") or given.get("forget_stream"):
        fields["stream_address"] = given.get("stream_address", "").strip()
    saved = camera_save(user=request.user, camera=found, **fields)
    return redirect("camera", camera_id=saved.pk)


def _mine(request: PageRequest, code: str) -> Mine | None:
    return get_object_or_404(Mine.objects.visible_to(request.user), code=code) if code else None


def _region(request: PageRequest, code: str) -> Region | None:
    found = Region.objects.visible_to(request.user).filter(valid_to__isnull=True)
    return get_object_or_404(found, code=code) if code else None


def _point(longitude: str, latitude: str) -> Point | None:
    try:
        return Point(float(longitude), float(latitude), srid=SRID) if longitude and latitude else None
    except ValueError:
        raise MineGISError("E-API-01") from None
