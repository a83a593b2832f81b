"""One patch of a review: before and after, what speaks for what, the answers that fit it, and the deed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from landdamage import taxonomy
from landdamage.models import Edition, Patch, PatchReview
from landdamage.pages.chips import WHEN, chip_answer
from landdamage.pages.decisions import may_decide, side
from landdamage.pages.patch_queue import ORIGINS, TABS, look, patch_row, readable
from landdamage.selectors.chips import patch_scenes
from landdamage.selectors.reviews import booked_cell, confirmed_before, edition_patch, water_facts
from landdamage.services.editions import refuse_while_computing
from landdamage.services.tailings import INSTEAD, POND, tailings_review
from landdamage.services.water import water_decide
from landdamage.taxonomy import OUTLINE_OF_FLOW
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.problems import request_language

UNDONE = PatchReview.Verdict.UNDONE


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer about a patch with its key; ``direct`` ones need no dialog."""

    shows: str
    name: str | Promise
    key: str
    icon: str
    direct: bool = True


ANSWERS = {
    "tailings": (
        Answer(POND, gettext_lazy("It is a tailings pond"), "c", "circle-check"),
        Answer("background", gettext_lazy("Not a tailings pond"), "r", "circle-x", direct=False),
    ),
    "waters": (
        Answer("pit_water", ORIGINS["pit_water"], "p", "shovel"),
        Answer("tailings_water", ORIGINS["tailings_water"], "t", "droplet"),
        Answer("natural", ORIGINS["natural"], "n", "ripple"),
    ),
}

# The usual reasons, to be chosen or overwritten.
REASONS = {
    "zh": ("蓄水池或蒸发池", "采坑积水", "浅色裸地或盐碱地", "厂房或硬化地面", "排土场", "阴影或积雪"),
    "en": ("Reservoir or evaporation pond", "Water in a pit", "Bright bare or salty ground", "Roofs or concrete",
           "Waste dump", "Shadow or snow"),
}  # fmt: skip


def _patch(edition: Edition, patch_id: int) -> Patch:
    patch = edition_patch(edition, patch_id)
    if patch is None:
        raise Http404
    return patch


def _desk(desk: str) -> str:
    if desk not in TABS:
        raise Http404
    return desk


def _said(patch: Patch) -> PatchReview | None:
    review = getattr(patch, "review", None)
    return review if review and review.verdict != UNDONE else None


@require_GET
def patch(request: PageRequest, edition_id: UUID, desk: str, patch_id: int) -> HttpResponse:
    """The panel of a patch."""
    edition = readable(request, edition_id)
    found = _patch(edition, patch_id)
    images = allowed(request.user, Action.READ_IMAGE, edition.region)
    cell = booked_cell(edition, found)
    row = patch_row(found, request)
    context: dict[str, Any] = {
        "edition": edition,
        "desk": _desk(desk),
        "row": row,
        "patch": found,
        "chips": dict(zip(WHEN, patch_scenes(found, request.user) if images else (None, None), strict=True)),
        "images": images,
        "before": side(cell.prev_state) if cell else None,
        "now": side(cell.new_state) if cell else None,
        "answers": ANSWERS[desk] if may_decide(request, edition) and not row.own else (),
        "shown": found.water_origin or found.class_code,
        "found": look(row.review.found_origin or row.review.found_class) if row.review else None,
        "patch_data": {"bounds": found.geom.extent, "geometry": found.geom.json},
    }
    if desk == "waters":
        context["facts"] = water_facts(found, edition)
    else:
        context["earlier"] = confirmed_before(found)
        context["pond"] = taxonomy.BY_CODE[POND]
    return render(request, "landdamage/books/_patch.html", context)


@require_GET
def chip(request: PageRequest, edition_id: UUID, patch_id: int, when: str) -> HttpResponse:
    """The patch as PNG on the image before or now; 404 where no image shows the place."""
    edition = readable(request, edition_id)
    require(request.user, Action.READ_IMAGE, edition.region)
    found = _patch(edition, patch_id)
    colour = OUTLINE_OF_FLOW["undecided"].colour
    return chip_answer(request, found.geom, patch_scenes(found, request.user), when, colour)


@require_GET
def ask(request: PageRequest, edition_id: UUID, patch_id: int) -> HttpResponse:
    """The dialog that asks what it is, if it is no tailings pond, and why."""
    edition = readable(request, edition_id)
    context = {
        "edition": edition,
        "patch": _patch(edition, patch_id),
        "options": [(code, look(code)) for code in INSTEAD],
        "reasons": REASONS[request_language()],
    }
    return render(request, "landdamage/books/_patch_verdict.html", context)


@require_POST
def decide(request: PageRequest, edition_id: UUID, desk: str, patch_id: int) -> HttpResponse:
    """Say what it ``shows`` (empty takes the word back), of the ``version`` seen; tells the page what was, for undo."""
    edition = readable(request, edition_id)
    if edition.state != Edition.State.DRAFT:
        raise MineGISError("E-EDI-01", state=edition.get_state_display())
    refuse_while_computing(edition)
    found = _patch(edition, patch_id)
    said = _said(found)
    former = (found.water_origin or found.class_code, said.reason) if said else ("", "")
    shows, version = request.POST.get("shows", ""), request.POST.get("version", "")
    if not version.isdecimal() or len(version) > 9:
        raise MineGISError("E-API-01")
    if _desk(desk) == "waters":
        done = water_decide(patch=found, origin=shows, user=request.user, version=int(version))
    else:
        if former[0] == "tailings_water":
            former = (POND, former[1])
        done = tailings_review(
            patch=found, shows=shows, user=request.user, version=int(version), reason=request.POST.get("reason", "")
        )
    told = {
        "patch": done.pk,
        "said": str(look(done.water_origin or done.class_code).name) if shows else "",
        "undo": {"patch": done.pk, "version": done.version, "shows": former[0], "reason": former[1]},
        "url": reverse("patch-decide", args=[edition.pk, desk, done.pk]),
    }
    response = HttpResponse(status=204)
    trigger_client_event(response, "dialog-close", {})
    return trigger_client_event(response, "patch-decided", told)
