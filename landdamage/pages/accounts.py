"""The list of the books: every edition of a region's years with its figures, and the button that makes the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage.models import Edition, InterpretationRun
from landdamage.pages.edition_actions import made, next_version, unfinished
from landdamage.pages.imports import regions_for
from landdamage.pages.ledger import Headline, headline
from landdamage.selectors.editions import edition_regions, edition_sums, editions_visible
from landdamage.services import editions
from minegis.access.permissions import Action, allowed, require
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.pages import JobRow
from minegis.registry.models import Region

PAGE_SIZE = 20
KEEP_SUMS_SECONDS = 24 * 3600
LEAST_COVERAGE = 0.95  # below it a county's figures carry the mark "incomplete"


@dataclass(frozen=True, slots=True)
class EditionRow:
    """An edition as the list shows it; figures are None until it was computed."""

    edition: Edition
    figures: Headline | None
    outdated: bool
    incomplete: list[str]
    job: JobRow | None

    @property
    def live(self) -> bool:
        """It is being computed."""
        return self.job is not None and self.job.job.is_active


def sums_of(edition: Edition) -> dict[str, dict[str, int]]:
    """Sums per kind; those of a sealed edition are added up once, for they cannot change."""
    if not edition.is_sealed or not edition.content_sha256:
        return edition_sums(edition)
    key = f"edition-sums:{edition.pk}:{edition.content_sha256}"
    return cache.get_or_set(key, lambda: edition_sums(edition), KEEP_SUMS_SECONDS)  # type: ignore[return-value]


def figures_of(edition: Edition, sums: dict[str, dict[str, int]]) -> Headline:
    """The five figures of the whole edition."""
    regions = [] if edition.is_opening else edition_regions(edition)  # no imagery of its year was looked at
    return headline(sums, sum(r.monitored_cm2 for r in regions), sum(r.observed_cm2 for r in regions))


def is_outdated(edition: Edition) -> bool:
    """The edition below has been replaced or withdrawn since."""
    below = edition.based_on
    return below is not None and below.state in (Edition.State.SUPERSEDED, Edition.State.WITHDRAWN)


def edition_row(edition: Edition, request: PageRequest) -> EditionRow:
    """What the list and the head of the edition page say about it."""
    return EditionRow(
        edition=edition,
        figures=figures_of(edition, sums_of(edition)) if edition.computed_at else None,
        outdated=is_outdated(edition),
        incomplete=[
            region.code
            for region in edition_regions(edition)
            if region.coverage < LEAST_COVERAGE and not edition.is_opening
        ],
        job=JobRow(edition.job, request) if edition.job else None,
    )


def years_to_account(request: PageRequest) -> list[int]:
    """Years with interpreted imagery, newest first."""
    runs = InterpretationRun.objects.visible_to(request.user).filter(is_current=True, year__isnull=False)
    return list(runs.order_by("-year").values_list("year", flat=True).distinct())


@require_GET
def accounts(request: PageRequest) -> HttpResponse:
    """``?region=`` narrows; htmx asks for the table alone, every two seconds while books are being computed."""
    found = editions_visible(request.user).select_related("job").order_by("-year", "region__code", "-version")
    regions = list(Region.objects.filter(pk__in=found.order_by().values("region")).defer("geom").order_by("code"))
    region = request.GET.get("region", "")
    if region in {r.code for r in regions}:
        found = found.filter(region__code=region)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [edition_row(edition, request) for edition in page]
    context: dict[str, Any] = {
        "page": page,
        "rows": rows,
        "live": any(row.live for row in rows),
        "region": region,
        "regions": regions,
        "several": len(regions) > 1,
    }
    if request.htmx:
        return render(request, "landdamage/books/_accounts_table.html", context)
    may_build = allowed(request.user, Action.BUILD_EDITION)
    context |= {
        "building": regions_for(request, Action.BUILD_EDITION) if may_build else [],
        "years": years_to_account(request) if may_build else [],
    }
    return render(request, "landdamage/books/accounts.html", context)


def _asked(request: PageRequest, params: Any) -> tuple[Region, int]:
    region = get_object_or_404(
        Region.objects.visible_to(request.user).filter(valid_to__isnull=True), code=params.get("region", "")
    )
    year = params.get("year", "")
    if not year.isdecimal() or len(year) != 4:
        raise MineGISError("E-API-01")
    return region, int(year)


@require_GET
def ask(request: PageRequest) -> HttpResponse:
    """The dialog that says which version of ``?year= &region=`` will be made, and asks for its note if it needs one."""
    region, year = _asked(request, request.GET)
    require(request.user, Action.BUILD_EDITION, region)
    context = {
        "region": region,
        "year": year,
        "facts": next_version(region, year),
        "open": unfinished(region, year),
        "needs_note": editions.needs_change_note(region, year),
    }
    return render(request, "landdamage/books/_make.html", context)


@require_POST
def make(request: PageRequest) -> HttpResponse:
    """Open the next version of a year's books and compute it."""
    region, year = _asked(request, request.POST)
    draft = made(region, year, request.user, request.POST.get("change_note", ""))
    if request.htmx:
        return HttpResponseClientRedirect(reverse("edition", args=[draft.pk]))
    return redirect("edition", edition_id=draft.pk)
