"""One edition: figures, account, tables, charts and map of one selection, which stands in the address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.core.cache import cache
from django.db.models import Count, Max, Sum
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET
from django_htmx.http import HttpResponseClientRefresh

from landdamage import taxonomy
from landdamage.accounting.states import KINDS, NAMES, State
from landdamage.models import Edition, Scene
from landdamage.pages.accounts import edition_row, sums_of
from landdamage.pages.deliveries import delivery_context
from landdamage.pages.edition_actions import actions
from landdamage.pages.edition_cells import CLASS_OF, map_style, selection, visible_edition
from landdamage.pages.edition_charts import charts
from landdamage.pages.ledger import UNITS, account_table, headline, in_unit
from landdamage.pages.review_parts import review_parts
from landdamage.reports.data import MineFacts, RegionFacts
from landdamage.reports.table import Table, Unit, area
from landdamage.reports.tables import build
from landdamage.reports.words import Language
from landdamage.selectors.behind import COLUMNS
from landdamage.selectors.editions import edition_data, edition_mines, edition_regions, edition_sums, editions_visible
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.problems import request_language

KEEP_TABLES_SECONDS = 3600
TABS = {
    "account": gettext_lazy("Years"),
    "T1": gettext_lazy("Regions"),
    "T2": gettext_lazy("Classes"),
    "T3": gettext_lazy("Mines"),
    "T4": gettext_lazy("Minerals"),
    "T5": gettext_lazy("Transitions"),
    "T6": gettext_lazy("Restoration"),
    "T9": gettext_lazy("Quality"),
}
PICKS = {"T1": "region", "T3": "mine"}  # what a row of a table selects


@dataclass(frozen=True, slots=True)
class Selection:
    """What the address selects."""

    region: str
    mine: str
    kind: str
    column: str
    state: str
    tab: str
    unit: Unit

    @property
    def filter(self) -> dict[str, str]:
        """The part of it that chooses cells on the map."""
        names = ("region", "mine", "kind", "column", "state")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


def read_selection(request: PageRequest, regions: list[RegionFacts], mines: list[MineFacts]) -> Selection:
    """The selection of the address; what does not exist in the edition is left out.

    Raises:
        MineGISError: E-API-01, no such column.
    """
    ask = request.GET.get

    def known(name: str, among: Any, default: str = "") -> str:
        value = ask(name, "")
        return value if value in among else default

    return Selection(
        region=known("region", {r.code for r in regions}),
        mine=known("mine", {m.mine_id for m in mines}),
        kind=known("kind", KINDS),
        column=known("column", COLUMNS),
        state=ask("state", ""),
        tab=known("tab", TABS, "account"),
        unit=known("unit", UNITS, UNITS[0]),  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True)
class Tab:
    """A table to choose."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier year the edition stands on, with its account."""

    edition: Edition
    account: Table


@require_GET
def edition(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """``?region= &mine= &kind=`` narrow, ``&column=`` opens the ground behind a figure, ``&tab= &unit=`` the view."""
    found = visible_edition(request, edition_id)
    row = edition_row(found, request)
    context: dict[str, Any] = {"edition": found, "row": row, "actions": actions(request, found), "units": UNITS}
    if row.live or found.computed_at is None:
        return render(request, "landdamage/books/edition_empty.html", context)
    regions, mines = edition_regions(found), edition_mines(found)
    chosen = read_selection(request, regions, mines)
    where = {"region": chosen.region or None, "mine": chosen.mine or None}
    whole = not chosen.region and not chosen.mine
    sums = sums_of(found) if whole else edition_sums(found, **where)
    language = request_language()
    tables = tables_of(request, found, chosen, language) if chosen.tab != "account" else {}
    past = past_years(request, found, chosen, language)
    account = in_unit(account_table(found.year, sums, language), chosen.unit)
    figures = headline(sums, *((0, 0) if found.is_opening else ground(regions, mines, chosen)))
    return render(
        request,
        "landdamage/books/edition.html",
        context
        | delivery_context(request, found)
        | {
            "regions": regions,
            "mines": mines,
            "chosen": chosen,
            "figures": figures,
            "unreviewed": [part for part in review_parts(found) if part.open and part.code != "decisions"],
            "shown": {name: area(getattr(figures, name), chosen.unit).text for name in SHOWN},
            "account": account,
            "past": past,
            "table": in_unit(tables[chosen.tab], chosen.unit) if chosen.tab in tables else None,
            "pick": PICKS.get(chosen.tab, ""),
            "selected": getattr(chosen, PICKS[chosen.tab]) if chosen.tab in PICKS else "",
            "kinds": KINDS,
            "tabs": [Tab(code, str(label)) for code, label in TABS.items()],
            "legend": legend(found),
            "hatched": [c for c in taxonomy.ALL_CLASSES if c.hatch != "none"],
            "unobserved": taxonomy.UNOBSERVED_COLOUR,
            "edition_data": map_data(request, found, chosen) | {"charts": charts(found, chosen, account, past, tables)},
        },
    )


SHOWN = ("stock", "change", "new", "restored", "net", "pending", "carried", "undecided", "restored_stock")


def ground(regions: list[RegionFacts], mines: list[MineFacts], chosen: Selection) -> tuple[int, int]:
    """Monitored and observed cm² of the selection."""
    facts: list[Any] = [m for m in mines if m.mine_id == chosen.mine] if chosen.mine else list(regions)
    if chosen.region and not chosen.mine:
        facts = [r for r in regions if r.code == chosen.region]
    return sum(f.monitored_cm2 for f in facts), sum(f.observed_cm2 for f in facts)


def tables_of(request: PageRequest, found: Edition, chosen: Selection, language: Language) -> dict[str, Table]:
    """T1 to T9 of the selection; kept while the edition's numbers stay what they are."""
    sees = allowed(request.user, Action.READ_OUTSIDE_LICENCE, found.region)
    licence = allowed(request.user, Action.READ_LICENCE, found.region)
    state = (
        found.content_sha256 if found.is_sealed else f"{found.lock}-{found.computed_at:%s%f}-{decisions_mark(found)}"
    )
    key = f"edition-tables:{found.pk}:{state}:{chosen.region}:{chosen.mine}:{language}:{sees}:{licence}"
    tables: dict[str, Table] | None = cache.get(key)
    if tables is None:
        data = edition_data(found, request.user, chosen.region or None, chosen.mine or None, outlines=False)
        tables = build(data, language)
        cache.set(key, tables, KEEP_TABLES_SECONDS)
    return tables


def decisions_mark(found: Edition) -> str:
    """Changes whenever a decision of the edition does."""
    mark = found.pieces.aggregate(n=Count("pk"), last=Max("decided_at"), revisions=Sum("lock"))
    return f"{mark['n']}-{mark['last']}-{mark['revisions']}".replace(" ", "_")


def past_years(request: PageRequest, found: Edition, chosen: Selection, language: Language) -> list[Past]:
    """The editions below, newest first, as far as the person may see them."""
    past: list[Past] = []
    below = found.based_on
    while below is not None and editions_visible(request.user).filter(pk=below.pk).exists():
        whole = not chosen.region and not chosen.mine
        sums = sums_of(below) if whole else edition_sums(below, chosen.region or None, chosen.mine or None)
        table = in_unit(account_table(below.year, sums, language), chosen.unit)
        past.append(Past(below, table))
        below = below.based_on
    return past


def map_data(request: PageRequest, found: Edition, chosen: Selection) -> dict[str, Any]:
    """What the map draws: where, the cells' address and look, the year's images for those who may see images."""
    cells = selection(found, chosen.filter)
    extent = cells.aggregate(extent=Extent("geom"))["extent"] or found.cells.aggregate(e=Extent("geom"))["e"]
    return {
        "bounds": extent,
        "cells": reverse("edition-cells", args=[found.pk]),
        "style": map_style(surveyed=found.is_opening),
        "filter": chosen.filter,
        "scenes": year_scenes(request, found),
    }


def year_scenes(request: PageRequest, found: Edition) -> list[dict[str, Any]]:
    """The images that the edition's cells were seen on, for those who may see images."""
    if not allowed(request.user, Action.READ_IMAGE, found.region):
        return []
    scenes = Scene.objects.visible_to(request.user).filter(pk__in=found.cells.order_by().values("scene").distinct())
    return [
        {"id": str(s.pk), "bounds": s.footprint.extent, "gsd": s.gsd_m}
        for s in scenes.order_by("acquired_on", "uploaded_at")
        if s.footprint
    ]


def legend(found: Edition) -> dict[str, Any]:
    """What the map's outlines and fills mean: only what occurs in the edition."""
    language = 0 if request_language() == "zh" else 1
    flows = set(found.cells.order_by().values_list("flow", flat=True).distinct())
    states = set(found.cells.order_by().values_list("new_state", flat=True).distinct())
    shown = {code for state, code in CLASS_OF.items() if state.code in states}
    return {
        "outlines": [
            {"name": NAMES[flow][language], "colour": outline.colour, "dash": outline.dash or "none"}
            for flow, outline in taxonomy.OUTLINE_OF_FLOW.items()
            if flow in flows
        ],
        "classes": [c for c in taxonomy.ALL_CLASSES if c.code in shown],
        "unobserved": "carried" in flows and (not found.is_opening or State.UNKNOWN.code in states),
    }


@require_GET
def progress(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """The progress of the computation; when it has ended the page is fetched anew."""
    found = visible_edition(request, edition_id)
    row = edition_row(found, request)
    if not row.live:
        return HttpResponseClientRefresh()
    return render(request, "landdamage/books/_job_progress.html", {"job": row.job})
