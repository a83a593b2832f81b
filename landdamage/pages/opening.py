"""Import polygons of an earlier year as a region's opening book: look at the report, answer it, book it."""

from __future__ import annotations

from typing import Any

from django.db.models import Min
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage import taxonomy
from landdamage.accounting.states import KIND_OF, State
from landdamage.interchange.codes import BOOKABLE, STATE_NAMES
from landdamage.models import Edition
from landdamage.pages.imports import ACCEPTED, Sent, regions_for, report, sent
from landdamage.services import editions
from landdamage.services.openings import CheckedOpening, Survey, opening_book, opening_check
from minegis import units
from minegis.access.permissions import Action, require
from minegis.access.requests import PageRequest
from minegis.errors import Finding, MineGISError
from minegis.problems import request_language
from minegis.registry.models import Region

SHOWN_UNIT_CM2 = 1_000_000  # 0.01 hm², the last digit of the table
YEARS = (1980, 2100)
COVERAGES = (
    (
        "whole",
        gettext_lazy("All monitored ground"),
        gettext_lazy("Ground without a polygon bore no damage; damage found there later is new."),
    ),
    (
        "layer",
        gettext_lazy("The ground of a layer"),
        gettext_lazy("Inside it ground without a polygon bore no damage; outside nobody looked."),
    ),
    (
        "unknown",
        gettext_lazy("Not known"),
        gettext_lazy("Ground without a polygon counts as never observed; damage found there later is first seen."),
    ),
)


@require_GET
def page(request: PageRequest) -> HttpResponse:
    """The form; ``?region=`` preselects."""
    require(request.user, Action.BUILD_EDITION)
    regions = regions_for(request, Action.BUILD_EDITION)
    firsts = Edition.objects.filter(region__in=regions).exclude(state=Edition.State.WITHDRAWN)
    first = firsts.aggregate(first=Min("year"))["first"]
    context = {
        "regions": regions,
        "region": request.GET.get("region", ""),
        "year": first - 1 if first else "",
        "years": YEARS,
        "coverages": COVERAGES,
        "accepted": ACCEPTED,
    }
    return render(request, "landdamage/books/import_opening.html", context)


@require_POST
def check(request: PageRequest) -> HttpResponse:
    """The report of a file; with the ``seal`` of a report about the same file and answers, the book it becomes."""
    region = get_object_or_404(
        Region.objects.visible_to(request.user).filter(valid_to__isnull=True), code=request.POST.get("region", "")
    )
    require(request.user, Action.BUILD_EDITION, region)
    year = request.POST.get("year", "")
    if not (year.isdecimal() and YEARS[0] <= int(year) <= YEARS[1]):
        raise MineGISError("E-API-01")
    questions = ("region", "year", "coverage", "coverage_layer", "change_note")
    with sent(request, questions=questions, meanings=[state.code for state in BOOKABLE]) as given:
        survey = Survey(given.said["coverage"], given.beside, given.beside_name, given.said["coverage_layer"])
        checked = opening_check(
            path=given.path, name=given.name, region=region, choices=given.choices, survey=survey, user=request.user
        )
        barred = _barred(region, int(year))
        findings = [*barred, *checked.findings]
        # What is booked is what the report showed: another file, or other answers that change it, are shown first.
        told = [one.as_dict() for one in findings]
        number = given.sealed([region.code, year, checked.extent, told, checked.opening.facts.get("states")])
        if checked.usable and not barred and given.seal == number:
            note = given.said["change_note"]
            edition = opening_book(checked=checked, region=region, year=int(year), user=request.user, change_note=note)
            return HttpResponseClientRedirect(reverse("edition", args=[edition.pk]))
        context = _told(given, checked, findings, region, int(year)) | {"seal": number}
    return render(request, "landdamage/books/_import_opening_report.html", context)


def _barred(region: Region, year: int) -> list[Finding]:
    """What stands in the way whatever the file holds."""
    try:
        editions.refuse_opening(region, year)
    except MineGISError as fault:
        return [fault.finding()]
    return []


def _told(given: Sent, checked: CheckedOpening, findings: list[Finding], region: Region, year: int) -> dict[str, Any]:
    facts = checked.opening.facts
    states = facts.get("states", [])
    shown = units.close_table([row["area_cm2"] for row in states], SHOWN_UNIT_CM2)
    meanings = [(state.code, state_name(state.code)) for state in BOOKABLE]
    usable = not any(one.severity == "error" for one in findings)
    found = report(given, findings, facts, usable=usable, names=dict(meanings))
    classes = [
        {"value": row["value"], "rows": row["rows"], "meaning": given.choices.mapping.get(row["value"], row["state"])}
        for row in facts.get("classes", [])
    ]
    return {
        "report": found,
        "region": region,
        "year": year,
        "classes": classes,
        "meanings": meanings,
        "states": [
            {
                "name": state_name(row["state"]),
                "kind": kind_name(row["state"]),
                "polygons": row["polygons"],
                "area_cm2": share * SHOWN_UNIT_CM2,
            }
            for row, share in zip(states, shown, strict=True)
        ],
        "polygons": sum(row["polygons"] for row in states),
        "total_cm2": sum(shown) * SHOWN_UNIT_CM2,
        "damage_cm2": sum(row["area_cm2"] for row in states if State.of(row["state"]) in KIND_OF),
        "left_out": facts.get("rows", 0) - sum(row["polygons"] for row in states) if states else 0,
        "rest_cm2": checked.rest_cm2,
        "needs_note": editions.needs_change_note(region, year),
        "change_note": given.said["change_note"],
        "later": Edition.objects.filter(region=region, year__gt=year).exclude(state=Edition.State.WITHDRAWN).exists(),
        "stale": bool(given.seal),
    }


def state_name(code: str) -> str:
    """A state of the books in the language of the request."""
    return STATE_NAMES[State.of(code)][request_language() == "en"]


def kind_name(code: str) -> str:
    """The damage kind of a state, or what it is instead."""
    kind = KIND_OF.get(State.of(code))
    if kind is not None:
        found = next(one for one in taxonomy.DAMAGE_KINDS if one.code == kind)
        return found.en if request_language() == "en" else found.zh
    return _("Restored") if code.startswith("restored") else _("No damage")
