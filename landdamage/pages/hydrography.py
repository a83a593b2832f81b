"""Waters of the map: which files they came from, and importing another one after looking at its report."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Max, Min, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage.interchange.hydrography import KINDS
from landdamage.interchange.outlines import Outlines
from landdamage.models import Hydrography
from landdamage.pages.imports import ACCEPTED, Sent, regions_for, report, sent
from landdamage.services import hydrography
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.errors import Finding, MineGISError
from minegis.registry.models import Region

PAGE_SIZE = 20
Kind = Hydrography.Kind


@dataclass(frozen=True, slots=True)
class Delivery:
    """The waters of one file, as the list shows them."""

    region: Region
    sha256: str
    source: str
    counts: list[tuple[str, int]]
    valid_from: dt.date | None
    valid_to: dt.date | None
    open_end: bool
    imported_by: str
    imported_at: dt.datetime
    may_remove: bool


@require_GET
def page(request: PageRequest) -> HttpResponse:
    """The list of deliveries; who keeps the waters of a region sees the form too."""
    require(request.user, Action.READ_STATISTICS)
    keeping = regions_for(request, Action.EDIT_HYDROGRAPHY)
    context = {
        "page": (deliveries := Paginator(_grouped(request), PAGE_SIZE).get_page(request.GET.get("page"))),
        "rows": _rows(request, list(deliveries)),
        "regions": keeping,
        "kinds": Kind.choices,
        "accepted": ACCEPTED,
    }
    return render(request, "landdamage/books/hydrography.html", context)


def _grouped(request: PageRequest) -> Any:
    rows = Hydrography.objects.visible_to(request.user).order_by()
    counts = {kind: Count("pk", filter=Q(kind=kind)) for kind in KINDS}
    return (
        rows.values("region", "source_sha256", "source", "created_by__username", "created_by__display_name")
        .annotate(
            **counts,
            first=Min("created_at"),
            begins=Min("valid_from"),
            ends=Max("valid_to"),
            endless=Count("pk", filter=Q(valid_to=None)),
        )
        .order_by("-first")
    )


def _rows(request: PageRequest, found: list[dict[str, Any]]) -> list[Delivery]:
    regions = Region.objects.defer("geom").in_bulk({row["region"] for row in found})
    return [
        Delivery(
            region=regions[row["region"]],
            sha256=row["source_sha256"],
            source=row["source"],
            counts=[(str(Kind(kind).label), row[kind]) for kind in KINDS if row[kind]],
            valid_from=row["begins"],
            valid_to=row["ends"],
            open_end=bool(row["endless"]),
            imported_by=row["created_by__display_name"] or row["created_by__username"] or "",
            imported_at=row["first"],
            may_remove=allowed(request.user, Action.EDIT_HYDROGRAPHY, regions[row["region"]]),
        )
        for row in found
    ]


def _region(request: PageRequest) -> Region:
    regions = Region.objects.visible_to(request.user).filter(valid_to__isnull=True)
    region = get_object_or_404(regions, code=request.POST.get("region", ""))
    require(request.user, Action.EDIT_HYDROGRAPHY, region)
    return region


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise MineGISError("E-API-01") from None


@require_POST
def check(request: PageRequest) -> HttpResponse:
    """The report of a file; with the ``seal`` of a report about the same file and answers, its import."""
    region = _region(request)
    questions = ("source", "kind", "valid_from", "valid_to", "replaces")
    with sent(request, questions=questions, meanings=KINDS) as given:
        said = given.said
        valid_from, valid_to = _day(said["valid_from"]), _day(said["valid_to"])
        if said["kind"] not in ("", *KINDS) or not said["source"]:
            raise MineGISError("E-API-01")
        read = hydrography.hydrography_check(
            path=given.path, name=given.name, region=region, choices=given.choices, user=request.user, kind=said["kind"]
        )
        sha256 = hydrography.file_sha256(given.path)
        findings = [*_known(region, sha256), *read.findings]
        measured = [] if read.frame is None else hydrography.measured(read.frame)
        number = given.sealed([region.code, said["kind"], [one.as_dict() for one in findings], measured])
        usable = read.frame is not None and all(one.severity != "error" for one in findings)
        if usable and given.seal == number:
            assert read.frame is not None  # usable
            count = hydrography.hydrography_import(
                region=region, frame=read.frame, source=said["source"][:200],
                sha256=sha256, user=request.user, valid_from=valid_from, valid_to=valid_to,
                replaces=said["replaces"] == "1",
            )  # fmt: skip
            done = ngettext("%(n)s water has been imported", "%(n)s waters have been imported", count)
            messages.success(request, done % {"n": count})
            return HttpResponseClientRedirect(reverse("hydrography"))
        context = _told(given, read, findings, measured, usable) | {"seal": number, "region": region}
    return render(request, "landdamage/books/_hydrography_report.html", context)


def _known(region: Region, sha256: str) -> list[Finding]:
    """That the region has the file already, said before anybody presses a button."""
    try:
        hydrography.refuse_known(region, sha256)
    except MineGISError as fault:
        return [fault.finding()]
    return []


def _told(
    given: Sent, read: Outlines, findings: list[Finding], measured: list[dict[str, Any]], usable: bool
) -> dict[str, Any]:
    found = report(given, findings, read.facts, usable=usable, names=dict(Kind.choices))
    taken = sum(row["rows"] for row in measured)
    return {
        "report": found,
        "classes": [
            {"value": row["value"], "rows": row["rows"], "meaning": row["kind"]} for row in read.facts.get("kinds", [])
        ],
        "meanings": Kind.choices,
        "measured": [{**row, "name": Kind(row["kind"]).label} for row in measured],
        "taken": taken,
        "left_out": read.facts.get("rows", 0) - taken if measured else 0,
        "stale": bool(given.seal),
    }


@require_POST
def remove(request: PageRequest) -> HttpResponse:
    """Remove the waters of one file (``region``, ``sha256``) that was imported by mistake."""
    region = _region(request)
    count = hydrography.delivery_remove(region=region, sha256=request.POST.get("sha256", ""), user=request.user)
    removed = ngettext("%(n)s water has been removed", "%(n)s waters have been removed", count) % {"n": count}
    messages.success(request, removed)
    return HttpResponseClientRedirect(reverse("hydrography"))


@require_GET
def ask_remove(request: PageRequest) -> HttpResponse:
    """The dialog that says what removing a file (``?region= &sha256=``) takes away."""
    rows = Hydrography.objects.visible_to(request.user).select_related("region").defer("geom", "region__geom")
    found = rows.filter(region__code=request.GET.get("region", ""), source_sha256=request.GET.get("sha256", ""))
    first = found.first()
    if first is None:
        raise MineGISError("E-API-04")
    require(request.user, Action.EDIT_HYDROGRAPHY, first.region)
    counts = [(label, found.filter(kind=kind).count()) for kind, label in Kind.choices]
    context = {"first": first, "counts": [row for row in counts if row[1]], "title": _("Remove these waters")}
    return render(request, "landdamage/books/_hydrography_remove.html", context)
