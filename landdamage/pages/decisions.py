"""The queue of changes to decide: list, map, before and after, one key each, many at once with a preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.core.paginator import Paginator
from django.db.models import Count, F, FloatField, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from landdamage import taxonomy
from landdamage.accounting.states import DECISIONS, KINDS, NAMES, Flow, PieceKind, State
from landdamage.models import ChangePiece, Edition
from landdamage.pages.chips import WHEN
from landdamage.pages.edition import legend, year_scenes
from landdamage.pages.edition_cells import CLASS_OF, map_style, visible_edition
from landdamage.pages.review_parts import review_parts
from landdamage.selectors.chips import piece_scenes
from landdamage.selectors.editions import decision_queue, edition_mines, editions_visible
from landdamage.selectors.former import FormerDecision, former_decisions
from landdamage.services.decisions import WITH_REASON
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.problems import request_language

PAGE_SIZE = 50
SURE = 1.05  # even a piece of confidence 1 keeps some weight, so that large sure pieces come before small ones
KEYS = {
    Flow.NEW: "n", Flow.OMISSION: "o", Flow.REJECTED: "r", Flow.PENDING: "p", Flow.RESTORED: "t", Flow.CORRECTED: "c",
}  # fmt: skip
ICONS = {
    Flow.NEW: "circle-plus", Flow.OMISSION: "history", Flow.REJECTED: "circle-x", Flow.PENDING: "clock",
    Flow.RESTORED: "plant-2", Flow.CORRECTED: "eraser",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of the queue: changes of a kind with a decision, or without."""

    code: str
    kind: PieceKind
    decisions: tuple[str, ...]
    label: str | Promise


TABS = {
    tab.code: tab
    for tab in (
        Tab("open", PieceKind.NEW, ("",), gettext_lazy("Newly seen")),
        Tab("new", PieceKind.NEW, (Flow.NEW.value,), gettext_lazy("New")),
        Tab("omission", PieceKind.NEW, (Flow.OMISSION.value,), gettext_lazy("Omission")),
        Tab("rejected", PieceKind.NEW, (Flow.REJECTED.value,), gettext_lazy("Rejected, no damage")),
        Tab("pending", PieceKind.RELEASED, ("", Flow.PENDING.value), gettext_lazy("Not seen any more")),
        Tab("restored", PieceKind.RELEASED, (Flow.RESTORED.value,), gettext_lazy("Restored")),
        Tab("corrected", PieceKind.RELEASED, (Flow.CORRECTED.value,), gettext_lazy("Corrected")),
    )
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A decision that fits a change, with its key; ``direct`` ones need neither reason nor evidence."""

    flow: Flow
    name: str
    key: str
    icon: str
    direct: bool


def choices(kind: str) -> list[Choice]:
    """The decisions for a kind of change."""
    language = 0 if request_language() == "zh" else 1
    return [
        Choice(flow, NAMES[flow.value][language], KEYS[flow], ICONS[flow], flow not in WITH_REASON)
        for flow in DECISIONS[PieceKind(kind)]
    ]


@dataclass(frozen=True, slots=True)
class Side:
    """A state of a change with the class whose swatch it wears."""

    name: str
    land_class: taxonomy.LandClass | None


def side(code: str) -> Side:
    """Name and swatch of a state."""
    name = NAMES.get(code, (code, code))[0 if request_language() == "zh" else 1]
    return Side(name, taxonomy.BY_CODE.get(CLASS_OF.get(State.of(code), "")))


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A change as the list shows it."""

    piece: ChangePiece
    before: Side
    seen: Side
    own: bool


def piece_row(piece: ChangePiece, request: PageRequest) -> PieceRow:
    """The row of a change."""
    return PieceRow(piece, side(piece.prev_state), side(piece.obs_state), is_own(piece, request))


def is_own(piece: ChangePiece, request: PageRequest) -> bool:
    """Whether the person is among the authors of a change."""
    return request.user.pk in {author.person_id for author in piece.authors.all()} | {piece.author_id}


def queue(request: PageRequest, edition: Edition, tab: Tab, params: Any) -> QuerySet[ChangePiece]:
    """The changes of a tab and the filters ``kind``, ``mine``, ``min`` (m²), largest area times uncertainty first."""
    least = params.get("min", "")
    pieces = decision_queue(
        edition, request.user, kind=tab.kind.value, min_area_cm2=int(least) * 10_000 if _whole(least) else 0
    ).filter(decision__in=tab.decisions)
    if params.get("kind") in KINDS:
        pieces = pieces.filter(Q(prev_kind=params["kind"]) | Q(obs_kind=params["kind"]))
    if mine := params.get("mine"):
        pieces = pieces.filter(mine__code=mine)
    doubt = Value(SURE) - Coalesce(F("confidence"), Value(0.5))
    return (
        pieces.prefetch_related("authors")
        .annotate(weight=Cast(F("area_cm2"), FloatField()) * doubt)
        .order_by("-weight", "piece_id")
    )


def _whole(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


def tab_of(params: Any) -> Tab:
    """The tab of an address; the first one where it names none."""
    return TABS.get(params.get("tab", ""), TABS["open"])


@dataclass(frozen=True, slots=True)
class TabCount:
    """A tab with what lies in it."""

    tab: Tab
    pieces: int
    area_cm2: int


def _counts(request: PageRequest, edition: Edition) -> list[TabCount]:
    found = decision_queue(edition, request.user).order_by().values("kind", "decision")
    sums = {(r["kind"], r["decision"]): r for r in found.annotate(n=Count("pk"), cm2=Sum("area_cm2"))}
    return [
        TabCount(
            tab,
            sum(sums[key]["n"] for d in tab.decisions if (key := (tab.kind.value, d)) in sums),
            sum(sums[key]["cm2"] for d in tab.decisions if (key := (tab.kind.value, d)) in sums),
        )
        for tab in TABS.values()
    ]


@dataclass(frozen=True, slots=True)
class FormerRow:
    """A decision that did not survive, as the list shows it."""

    former: FormerDecision
    decision: str
    icon: str
    direct: bool
    own: bool


def _former_row(former: FormerDecision, request: PageRequest) -> FormerRow:
    flow = Flow(former.decision)
    own = former.piece is not None and is_own(former.piece, request)
    name = NAMES[flow.value][0 if request_language() == "zh" else 1]
    return FormerRow(former, name, ICONS[flow], flow is not Flow.RESTORED, own)


def may_decide(request: PageRequest, edition: Edition) -> bool:
    """Whether the person may decide in this edition as it stands."""
    computing = edition.job is not None and edition.job.is_active
    return (
        edition.state == Edition.State.DRAFT
        and not computing
        and allowed(request.user, Action.DECIDE_FLOW, edition.region)
    )


@require_GET
def review(request: PageRequest) -> HttpResponse:
    """The queue of the newest draft; without one, the list of editions."""
    drafts = editions_visible(request.user).filter(state=Edition.State.DRAFT, computed_at__isnull=False)
    waiting = drafts.annotate(open=Count("pieces", filter=Q(pieces__decision=""))).order_by("-year", "-open")
    edition = waiting.first()
    if edition is None:
        return render(request, "landdamage/books/review_empty.html")
    return redirect("decisions", edition_id=edition.pk)


@require_GET
def decisions(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """``?tab= &kind= &mine= &min=`` choose the queue, ``&piece=`` the change; htmx asks for the list alone.

    ``?tab=former`` lists the decisions that the last computation has not taken over.
    """
    edition = visible_edition(request, edition_id)
    tab = tab_of(request.GET)
    lost = former_decisions(edition) if allowed(request.user, Action.READ_STATISTICS, edition.region) else []
    formers = bool(lost) and request.GET.get("tab") == "former"
    listed: Any = lost if formers else queue(request, edition, tab, request.GET)
    page = Paginator(listed, PAGE_SIZE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "edition": edition,
        "parts": review_parts(edition),
        "tab": tab,
        "tabs": _counts(request, edition),
        "page": page,
        "lost": len(lost),
        "lost_waiting": sum(one.state == "waiting" for one in lost),
        "formers": [_former_row(one, request) for one in page] if formers else [],
        "rows": [] if formers else [piece_row(piece, request) for piece in page],
        "may_decide": may_decide(request, edition),
        "choices": choices(tab.kind),
        "filtered": any(request.GET.get(name) for name in ("kind", "mine", "min")),
    }
    if request.htmx:
        return render(request, "landdamage/books/_queue.html", context)
    asked = request.GET.get("piece", "")
    chosen = decision_queue(edition, request.user).filter(pk=int(asked)).first() if _whole(asked) else None
    extent = edition.pieces.aggregate(e=Extent("geom"))["e"] or edition.cells.aggregate(e=Extent("geom"))["e"]
    return render(
        request,
        "landdamage/books/decisions.html",
        context
        | {
            "mines": edition_mines(edition),
            "kinds": KINDS,
            "legend": legend(edition),
            "hatched": [c for c in taxonomy.ALL_CLASSES if c.hatch != "none"],
            "unobserved": taxonomy.UNOBSERVED_COLOUR,
            "data": {
                "bounds": extent,
                "cells": reverse("edition-cells", args=[edition.pk]),
                "style": map_style(),
                "piece": chosen.pk if chosen else _first_of(page, formers),
                "scenes": year_scenes(request, edition),
            },
        },
    )


def _first_of(page: Any, formers: bool) -> int | None:
    if formers:
        return next((one.piece.pk for one in page if one.piece), None)
    return page[0].pk if len(page) else None


@require_GET
def piece(request: PageRequest, piece_id: int) -> HttpResponse:
    """One change: before and after, facts, the decisions that fit it."""
    found = get_object_or_404(
        ChangePiece.objects.visible_to(request.user)
        .select_related("edition__region", "edition__job", "mine", "decided_by", "restoration")
        .prefetch_related("authors__person"),
        pk=piece_id,
    )
    images = allowed(request.user, Action.READ_IMAGE, found.edition.region)
    pair = piece_scenes(found, request.user) if images else (None, None)
    row = piece_row(found, request)
    own = row.own
    context = {
        "row": row,
        "piece": found,
        "chips": dict(zip(WHEN, pair, strict=True)),
        "images": images,
        "own": own,
        "choices": choices(found.kind) if may_decide(request, found.edition) and not own else [],
        "outside": found.outside_licence and allowed(request.user, Action.READ_OUTSIDE_LICENCE, found.edition.region),
        "decided": NAMES[found.decision][0 if request_language() == "zh" else 1] if found.decision else "",
        "restoration": getattr(found, "restoration", None),
        "piece_data": {
            "id": found.pk,
            "lock": found.lock,
            "decision": found.decision,
            "reason": found.reason,
            "bounds": found.geom.extent,
            "geometry": found.geom.json,
            "kind": found.kind,
        },
    }
    return render(request, "landdamage/books/_piece.html", context)


def pieces_of(request: PageRequest, edition: Edition, params: Any) -> Sequence[ChangePiece]:
    """The changes that a bulk decision names: ``pieces=1,2,3``, or ``all=1`` with the filters of the queue."""
    if params.get("all"):
        return list(queue(request, edition, tab_of(params), params))
    wanted = [int(part) for part in params.get("pieces", "").split(",") if _whole(part)]
    return list(decision_queue(edition, request.user).filter(pk__in=wanted).prefetch_related("authors"))
