"""Deciding: the dialog that shows what a decision changes in the totals, and the deed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from landdamage.accounting.states import DECISIONS, KINDS, NAMES, RESTORED_KIND_DEFAULT, Flow, State
from landdamage.models import Edition, Evidence, Restoration
from landdamage.pages.decisions import Choice, choices, is_own, pieces_of
from landdamage.pages.edition_cells import visible_edition
from landdamage.pages.ledger import account_table
from landdamage.reports.table import Cell
from landdamage.reports.words import LAND_USE, kind_name, word
from landdamage.services.decisions import WITH_REASON, RestorationFacts, decide_many, preview
from landdamage.services.evidence import evidence_add
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.problems import request_language

MOVED = ("new", "adj_plus", "restored", "adj_minus", "pending", "closing")  # columns that a decision can change


@dataclass(frozen=True, slots=True)
class Effect:
    """A column of the account before and after, as printed."""

    name: str
    before: Cell
    after: Cell

    @property
    def changes(self) -> bool:
        """Whether the exact figure changes."""
        return self.before.exact != self.after.exact


@dataclass(frozen=True, slots=True)
class KindEffects:
    """What a decision does to one damage kind, or to the total."""

    name: str
    effects: list[Effect]


def effects(edition: Edition, pieces: list[int], decision: str) -> tuple[list[KindEffects], int]:
    """The totals per kind before and after, and the ground decided in cm²."""
    language = request_language()
    found = preview(edition, pieces, decision)
    before = account_table(edition.year, found.before, language)
    after = account_table(edition.year, found.after, language)
    made = []
    for key in (*KINDS, "total"):
        name = word("total", language) if key == "total" else kind_name(key, language)
        rows = before.row(key), after.row(key)
        columns = [
            Effect(_head(before, column), before.cell(rows[0], column), after.cell(rows[1], column)) for column in MOVED
        ]
        made.append(KindEffects(name, columns))
    return made, found.area_cm2


def _head(table: Any, key: str) -> str:
    column = next(column for column in table.columns if column.key == key)
    return str(column.zh if table.language == "zh" else column.en)


@require_GET
def ask(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """The dialog of ``?decision=`` for ``?pieces=1,2`` or ``?all=1``."""
    edition = visible_edition(request, edition_id)
    found = pieces_of(request, edition, request.GET)
    if not found:
        raise MineGISError("E-API-01")
    kind = found[0].kind
    fitting = choices(kind)
    chosen = _chosen(fitting, request.GET.get("decision", ""))
    rows, area_cm2 = effects(edition, [p.pk for p in found], chosen.flow.value)
    language = request_language()
    states = {State.of(p.prev_state) for p in found}
    context = {
        "edition": edition,
        "pieces": found,
        "locks": ",".join(f"{p.pk}:{p.lock}" for p in found),
        "own": sum(is_own(p, request) for p in found),
        "area_cm2": area_cm2,
        "choices": fitting,
        "chosen": chosen,
        "query": _without_decision(request),
        "kinds": rows,
        "heads": [effect.name for effect in rows[0].effects],
        "with_reason": chosen.flow in WITH_REASON,
        "reasons": REASONS.get(chosen.flow, ((), ()))[0 if language == "zh" else 1],
    }
    if chosen.flow is Flow.RESTORED:
        usual = RESTORED_KIND_DEFAULT.get(states.pop()) if len(states) == 1 else ""
        context |= {
            "restored_kinds": [(value, word(value, language)) for value in Restoration.Kind.values],
            "usual": usual,
            "modes": [(value, NAMES.get(value) or word(value, language)) for value in Restoration.Mode.values],
            "land_uses": [(code, names[0 if language == "zh" else 1]) for code, names in LAND_USE.items()],
            "known_evidence": Evidence.objects.visible_to(request.user).filter(region=edition.region)[:30],
        }
    return render(request, "landdamage/books/_decide.html", context)


# The usual reasons, to be chosen or overwritten.
REASONS = {
    Flow.OMISSION: (
        ("上年影像已可见，漏判", "上年被云雪遮挡"),
        ("Visible on last year's image, missed", "Hidden last year"),
    ),
    Flow.REJECTED: (
        ("非采矿损毁", "云影或积雪", "裸地误判", "农田或道路"),
        ("Not caused by mining", "Cloud shadow or snow", "Bare ground", "Farmland or road"),
    ),
    Flow.CORRECTED: (
        ("历年误判，从未损毁", "天然裸岩"),
        ("Misinterpreted before, never damaged", "Natural bare rock"),
    ),
    Flow.RESTORED: (("已验收", "连续两年植被恢复"), ("Accepted on site", "Vegetated for two years")),
}


def _chosen(fitting: list[Choice], asked: str) -> Choice:
    return next((choice for choice in fitting if choice.flow.value == asked), fitting[0])


def _without_decision(request: PageRequest) -> str:
    query = request.GET.copy()
    query.pop("decision", None)
    return query.urlencode()


@require_POST
def decide(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """Decide ``pieces=id:lock,...`` as ``decision`` (empty takes it back); tells the page what was, for undo."""
    edition = visible_edition(request, edition_id)
    decision = request.POST.get("decision", "")
    locks = _locks(request.POST.get("pieces", ""))
    before = {p.pk: (p.decision, p.reason, hasattr(p, "restoration")) for p in edition.pieces.filter(pk__in=locks)}
    known = sum(DECISIONS.values(), ())
    with transaction.atomic():
        facts = _restoration(request, edition) if decision == Flow.RESTORED else None
        count = decide_many(
            edition=edition, locks=locks, decision=decision, user=request.user,
            reason=request.POST.get("reason", ""), restoration=facts,
        )  # fmt: skip
    named = NAMES[decision][0 if request_language() == "zh" else 1] if decision in {f.value for f in known} else ""
    # A decision with evidence cannot be put back by a key: undo leaves such a change undecided.
    former = {pk: ("", "") if proven else (was, why) for pk, (was, why, proven) in before.items()}
    told = {
        "count": count,
        "decision": named,
        "undo": [
            {"piece": pk, "lock": locks[pk] + 1, "decision": was, "reason": why} for pk, (was, why) in former.items()
        ],
    }
    response = HttpResponse(status=204)
    trigger_client_event(response, "dialog-close", {})
    return trigger_client_event(response, "pieces-decided", told)


def _locks(text: str) -> dict[int, int]:
    try:
        pairs = [part.split(":") for part in text.split(",") if part]
        locks = {int(pk): int(lock) for pk, lock in pairs}
    except ValueError:
        raise MineGISError("E-API-01") from None
    if not locks:
        raise MineGISError("E-API-01")
    return locks


def _restoration(request: PageRequest, edition: Edition) -> RestorationFacts:
    """What the dialog says about a restoration, its new files kept as evidence."""
    known = Evidence.objects.visible_to(request.user).filter(
        region=edition.region, pk__in=[v for v in request.POST.getlist("evidence") if _uuid(v)]
    )
    added = [
        evidence_add(region=edition.region, file=file, file_name=file.name or "", user=request.user)  # type: ignore[arg-type]  # it has read()
        for file in request.FILES.getlist("files")
    ]
    day = request.POST.get("accepted_on", "")
    try:
        accepted_on = dt.date.fromisoformat(day) if day else None
    except ValueError:
        raise MineGISError("E-API-01") from None
    return RestorationFacts(
        mode=request.POST.get("mode", ""),
        evidence=[*known, *added],
        restored_kind=request.POST.get("restored_kind", ""),
        post_use=request.POST.get("post_use", "")[:10],
        accepted_on=accepted_on,
    )


def _uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
