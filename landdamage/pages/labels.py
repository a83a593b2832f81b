"""Labels on superpixels: the plates with what one has said, a form for the next one, and the desk where one labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from landdamage import taxonomy
from landdamage.learning.superpixels import cut
from landdamage.learning.superpixels.sheet import UNSURE
from landdamage.models import LabelPlate, Scene
from landdamage.selectors.labelling import Progress, order_of, plates_visible, progress, sheet_of
from landdamage.services import labelling
from minegis.access.permissions import Action, readers, require
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.pages import JobRow

PAGE_SIZE = 20


@dataclass(frozen=True, slots=True)
class PlateRow:
    """A plate as the list shows it to a person."""

    plate: LabelPlate
    job: JobRow | None
    progress: Progress
    people: int

    @property
    def live(self) -> bool:
        """It is being cut."""
        return self.job is not None and self.job.job.is_active


def _row(plate: LabelPlate, request: PageRequest) -> PlateRow:
    job = JobRow(plate.job, request) if plate.job else None
    people = plate.sheets.filter(version__gt=0).count()
    return PlateRow(plate, job, progress(plate, sheet_of(plate, request.user)), people)


def _scenes(request: PageRequest) -> list[Scene]:
    """Usable scenes in the regions where the person may label, newest first."""
    codes = request.user.region_codes(readers(Action.LABEL_SAMPLE))
    found = Scene.objects.visible_to(request.user).filter(state__in=Scene.USABLE, region__isnull=False)
    found = found.exclude(stretch={}).select_related("region").order_by("-acquired_on", "file_name")
    whole = None in codes
    return [s for s in found if whole or any(s.region.code.startswith(region_prefix(str(code))) for code in codes)]


def _context(request: PageRequest, **more: Any) -> dict[str, Any]:
    page = Paginator(plates_visible(request.user), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [_row(plate, request) for plate in page]
    context = {"page": page, "rows": rows, "live": any(row.live for row in rows), **more}
    if not request.htmx:
        context |= {
            "scenes": _scenes(request),
            "chosen": (more.get("given") or request.GET).get("scene", ""),
            "limits": cut,
            "window": labelling.WINDOW,
            "side": labelling.SIDE,
        }
    return context


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """The list and the form (``?scene=`` chooses one); htmx asks for the table alone."""
    require(request.user, Action.LABEL_SAMPLE)
    name = "landdamage/models/_plates_table.html" if request.htmx else "landdamage/models/labels.html"
    return render(request, name, _context(request))


@require_POST
def make(request: PageRequest) -> HttpResponse:
    """Queue a plate; a wrong place or size brings the page back with the reason."""
    require(request.user, Action.LABEL_SAMPLE)
    given = request.POST
    try:
        scene_id = UUID(given.get("scene", ""))
    except ValueError:
        raise Http404 from None
    scene = get_object_or_404(Scene.objects.visible_to(request.user).select_related("region"), pk=scene_id)
    try:
        made = labelling.plate_request(
            scene=scene,
            user=request.user,
            at=_position(given.get("at", "")),
            window=_whole(given.get("window", ""), labelling.WINDOW),
            side_px=_whole(given.get("side_px", ""), labelling.SIDE),
        )
    except MineGISError as error:
        if not error.code.startswith("E-LAB-"):
            raise
        context = _context(request, faults=[error.finding().as_dict()], given=given)
        return render(request, "landdamage/models/labels.html", context)
    return redirect("label-plate", plate_id=made.pk)


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 6 else default


def _position(text: str) -> tuple[float, float] | None:
    """Longitude, latitude as people write them; empty is None.

    Raises:
        MineGISError: E-LAB-06, these are no two numbers.
    """
    parts = text.replace("，", ",").replace(",", " ").split()
    if not parts:
        return None
    try:
        longitude, latitude = map(float, parts)
    except ValueError:
        raise MineGISError("E-LAB-06", value=text[:60]) from None
    return longitude, latitude


@require_GET
def plate(request: PageRequest, plate_id: UUID) -> HttpResponse:
    """The desk of a plate; htmx asks how its cutting goes on."""
    require(request.user, Action.LABEL_SAMPLE)
    found = get_object_or_404(plates_visible(request.user), pk=plate_id)
    shown = _row(found, request)
    context: dict[str, Any] = {"shown": shown, "plate": found}
    if request.htmx and shown.live:
        return render(request, "landdamage/models/_plate_progress.html", context)
    if request.htmx:
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    if found.state == LabelPlate.State.READY:
        api = reverse("api:labelplate-detail", args=[found.pk])
        context |= {
            "classes": taxonomy.CLASSES,
            "unsure": UNSURE,
            "hatched": [c for c in taxonomy.CLASSES if c.hatch != "none"],
            "plate_data": {
                "api": api,
                "plate": str(found.pk),
                "person": request.user.pk,
                "scene": str(found.scene_id),
                "gsd": found.scene.gsd_m or 1.0,
                "bounds": found.bounds,
                "order": order_of(found),
                "pixels": found.pixels,
                "colours": {c.id: c.colour for c in taxonomy.CLASSES},
            },
            "sheets": found.sheets.filter(version__gt=0).select_related("person"),
        }
    return render(request, "landdamage/models/label_plate.html", context)
