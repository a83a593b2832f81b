"""The queues of patches that a person must look at before a year is frozen: tailings ponds, and waters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from landdamage import taxonomy
from landdamage.models import Edition, Patch, PatchReview
from landdamage.pages.decisions import Side, may_decide
from landdamage.pages.edition import legend, year_scenes
from landdamage.pages.edition_cells import map_style, visible_edition
from landdamage.pages.review_parts import review_parts
from landdamage.selectors.editions import edition_mines
from landdamage.selectors.reviews import (
    edition_patch,
    least_sure_first,
    reviews_since,
    tailings_open,
    tailings_reviewed,
    water_parts,
    waters,
)
from minegis.access.permissions import Action, require
from minegis.access.requests import PageRequest
from minegis.problems import request_language

PAGE_SIZE = 50
LEAST_SURE = "margin"  # ?order= for where the model is least sure
CONFIRMED = PatchReview.Verdict.CONFIRMED


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of a queue; ``blocks`` what lies in it keeps the edition a draft."""

    code: str
    label: str | Promise
    blocks: bool = False


TABS: dict[str, tuple[Tab, ...]] = {
    "tailings": (
        Tab("open", gettext_lazy("To review"), blocks=True),
        Tab("confirmed", gettext_lazy("Confirmed")),
        Tab("other", gettext_lazy("Something else")),
    ),
    "waters": (
        Tab("unknown", gettext_lazy("Unknown origin"), blocks=True),
        Tab("pit_water", gettext_lazy("Proposed: pit water")),
        Tab("tailings_water", gettext_lazy("Proposed: tailings water")),
        Tab("natural", gettext_lazy("Proposed: natural")),
        Tab("decided", gettext_lazy("Decided")),
    ),
}


def patches(desk: str, edition: Edition, tab: str) -> QuerySet[Patch]:
    """What lies in a tab of a queue."""
    if desk == "waters":
        return waters(edition, tab)
    if tab == "open":
        return tailings_open(edition)
    reviewed = tailings_reviewed(edition)
    confirmed = Q(review__verdict=CONFIRMED)
    return reviewed.filter(confirmed) if tab == "confirmed" else reviewed.exclude(confirmed)


def counts(desk: str, edition: Edition) -> dict[str, int]:
    """How many patches lie in each tab."""
    if desk == "tailings":
        verdicts = Counter(tailings_reviewed(edition).values_list("review__verdict", flat=True))
        confirmed = verdicts.pop(CONFIRMED, 0)
        return {"open": tailings_open(edition).count(), "confirmed": confirmed, "other": verdicts.total()}
    return water_parts(edition)


def readable(request: PageRequest, edition_id: UUID) -> Edition:
    """An edition whose patches the person may see.

    Raises:
        ForbiddenError: the person reads its published figures only.
    """
    edition = visible_edition(request, edition_id)
    require(request.user, Action.READ_STATISTICS, edition.region)
    return edition


ORIGINS: dict[str, str | Promise] = {
    "pit_water": gettext_lazy("Pit water"),
    "tailings_water": gettext_lazy("Tailings water"),
    "natural": gettext_lazy("Natural water"),
    "unknown": gettext_lazy("Water of unknown origin"),
}


def look(code: str) -> Side:
    """Name and swatch of what a patch shows: a class, or the origin of a water."""
    if code in ORIGINS:
        return Side(str(ORIGINS[code]), taxonomy.BY_CODE["water"])
    known = taxonomy.BY_CODE[code]
    return Side(known.zh if request_language() == "zh" else known.en, known)


@dataclass(frozen=True, slots=True)
class PatchRow:
    """A patch as the lists show it."""

    patch: Patch
    shows: Side
    review: PatchReview | None
    own: bool


def patch_row(patch: Patch, request: PageRequest, shows: str = "") -> PatchRow:
    """The row of a patch; ``shows`` where it counts as something else than it says itself."""
    review = getattr(patch, "review", None)
    author = review.found_author_id if review else patch.author_id
    said = review if review and review.verdict != PatchReview.Verdict.UNDONE else None
    return PatchRow(patch, look(shows or patch.water_origin or patch.class_code), said, author == request.user.pk)


def _filtered(found: QuerySet[Patch], params: Any) -> QuerySet[Patch]:
    least = params.get("min", "")
    if least.isdecimal() and len(least) < 10:
        found = found.filter(area_cm2__gte=int(least) * 10_000)
    return found.filter(mine__code=params["mine"]) if params.get("mine") else found


def _page(request: PageRequest, edition_id: UUID, desk: str) -> HttpResponse:
    edition = readable(request, edition_id)
    tabs = TABS[desk]
    tab = next((tab for tab in tabs if tab.code == request.GET.get("tab")), tabs[0])
    listed = _filtered(patches(desk, edition, tab.code), request.GET)
    by_margin = request.GET.get("order") == LEAST_SURE
    page = Paginator(least_sure_first(listed) if by_margin else listed, PAGE_SIZE).get_page(request.GET.get("page"))
    found = counts(desk, edition)
    total, open_ = sum(found.values()), sum(found.get(tab.code, 0) for tab in tabs if tab.blocks)
    context: dict[str, Any] = {
        "edition": edition,
        "desk": desk,
        "parts": review_parts(edition),
        "tab": tab,
        "tabs": [(tab, found.get(tab.code, 0)) for tab in tabs],
        "total": total,
        "open": open_,
        "reviewed": found.get("decided", 0) if desk == "waters" else total - open_,
        "unread": reviews_since(edition) if edition.state == Edition.State.DRAFT else 0,
        "page": page,
        "by_margin": by_margin,
        "rows": [patch_row(patch, request, getattr(patch, "counts", "")) for patch in page],
        "may_decide": may_decide(request, edition),
        "filtered": any(request.GET.get(name) for name in ("mine", "min")),
    }
    if request.htmx:
        return render(request, "landdamage/books/_patch_list.html", context)
    asked = request.GET.get("patch", "")
    chosen = edition_patch(edition, int(asked)) if asked.isdecimal() and len(asked) < 19 else None
    return render(
        request,
        "landdamage/books/patch_queue.html",
        context
        | {
            "mines": edition_mines(edition),
            "legend": legend(edition),
            "hatched": [c for c in taxonomy.ALL_CLASSES if c.hatch != "none"],
            "unobserved": taxonomy.UNOBSERVED_COLOUR,
            "data": {
                "bounds": edition.cells.aggregate(e=Extent("geom"))["e"],
                "cells": reverse("edition-cells", args=[edition.pk]),
                "style": map_style(),
                "patch": chosen.pk if chosen else (page[0].pk if len(page) else None),
                "scenes": year_scenes(request, edition),
            },
        },
    )


@require_GET
def tailings(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """Tailings ponds found by a network: ``?tab= &mine= &min=`` choose, ``&order=margin`` brings first what the
    model was least sure of, ``&patch=`` opens; htmx asks for the list."""
    return _page(request, edition_id, "tailings")


@require_GET
def water(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """Waters by the origin that counts, likewise."""
    return _page(request, edition_id, "waters")
