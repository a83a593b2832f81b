"""The list of clips with the place to upload more, the queue of enhancements, the frames pinned as evidence."""

from __future__ import annotations

from typing import Any

import django_filters
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from enhancement import selectors
from enhancement.models import Clip, Enhancement
from enhancement.pages.rows import ClipRow, EnhancementRow
from minegis.access.permissions import Action, allowed, readers, require
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.registry.models import Mine, Region

PAGE_SIZE = 20


class ClipFilter(django_filters.FilterSet):
    """Filters and order of the list, as they stand in the address."""

    q = django_filters.CharFilter(field_name="file_name", lookup_expr="icontains")
    state = django_filters.ChoiceFilter(choices=Clip.State.choices)
    camera = django_filters.CharFilter(field_name="camera__code")
    sort = django_filters.OrderingFilter(
        fields={"file_name": "name", "camera__code": "camera", "seconds": "length", "uploaded_at": "uploaded"}
    )

    class Meta:
        model = Clip
        fields = ("q", "state", "camera")


def upload_regions(request: PageRequest) -> list[Region]:
    """Regions into which the user may upload clips."""
    codes = request.user.region_codes(readers(Action.UPLOAD_CLIP))
    found = Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True).order_by("code")
    whole = None in codes
    return [r for r in found if whole or any(r.code.startswith(region_prefix(str(code))) for code in codes)]


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """The list; htmx asks for the table alone, every two seconds while something is under way."""
    require(request.user, Action.READ_CLIP)
    visible = selectors.clips_visible(request.user)
    found = ClipFilter(request.GET, queryset=visible).qs
    if not request.GET.get("sort"):
        found = found.order_by("-uploaded_at")
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [ClipRow(clip, request) for clip in page]
    context: dict[str, Any] = {
        "page": page,
        "rows": rows,
        "live": any(row.live for row in rows),
        "sort": "-uploaded",
        "filtered": any(request.GET.get(key) for key in ("q", "state", "camera")),
    }
    if request.htmx:
        return render(request, "enhancement/_clips_table.html", context)
    context |= {"states": Clip.State.choices, "cameras": selectors.cameras_visible(request.user)}
    if allowed(request.user, Action.UPLOAD_CLIP):
        mines = Mine.objects.visible_to(request.user).defer("boundary", "influence_zone").order_by("code")
        context |= {"regions": upload_regions(request), "mines": mines}
    return render(request, "enhancement/clips.html", context)


@require_GET
def queue(request: PageRequest) -> HttpResponse:
    """Enhancements, those under way first; htmx asks for the table alone."""
    require(request.user, Action.READ_CLIP)
    found = selectors.enhancements_visible(request.user)
    if request.GET.get("state") in Enhancement.State.values:
        found = found.filter(state=request.GET["state"])
    page = Paginator(found.order_by("-created_at"), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [EnhancementRow(row, request) for row in page]
    context = {
        "page": page,
        "rows": rows,
        "live": any(row.live for row in rows),
        "states": Enhancement.State.choices,
        "state": request.GET.get("state", ""),
    }
    name = "enhancement/_queue_table.html" if request.htmx else "enhancement/queue.html"
    return render(request, name, context)


@require_GET
def frames(request: PageRequest) -> HttpResponse:
    """Frames pinned as evidence, newest first."""
    require(request.user, Action.READ_CLIP)
    page = Paginator(selectors.frames_visible(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "enhancement/frames.html", {"page": page})
