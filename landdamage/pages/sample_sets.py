"""Sample sets: the list with what is being built, a form for the next one, and one set with its table and tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from landdamage.learning.samples import table
from landdamage.learning.samples.params import Params
from landdamage.models import SampleSet
from landdamage.selectors.accepted import models_used, scenes_below
from landdamage.selectors.sample_sets import sample_sets_visible, table_file, tile_picture
from landdamage.services import sample_sets
from landdamage.services.files import received
from landdamage.services.openings import region_of
from landdamage.taxonomy import BY_CODE
from minegis.access.permissions import Action, allowed, readers, require
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.pages import JobRow
from minegis.problems import request_language
from minegis.registry.models import Region

PAGE_SIZE = 20
FORM_PARAMS = ("gsd_m", "bands", "tile", "stride", "ring_px", "regions", "overlaps", "folds", "split", "seed")
POLYGON_ANSWERS = ("encoding", "crs", "layer", "column")


@dataclass(frozen=True, slots=True)
class SetRow:
    """A sample set as the list shows it."""

    row: SampleSet
    job: JobRow | None

    @property
    def live(self) -> bool:
        """It is being built."""
        return self.job is not None and self.job.job.is_active

    @property
    def sets(self) -> list[tuple[str, int]]:
        """Tiles of each set, as far as the report tells."""
        counts = self.row.report.get("tiles", {})
        return [(name, counts[name]) for name in table.ordered(counts)]


def set_row(row: SampleSet, request: PageRequest) -> SetRow:
    """A row with its job as the user may handle it."""
    return SetRow(row, JobRow(row.job, request) if row.job else None)


def building_regions(request: PageRequest) -> list[Region]:
    """Regions in which the user may build sample sets."""
    codes = request.user.region_codes(readers(Action.BUILD_SAMPLE_SET))
    found = Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True).order_by("code")
    whole = None in codes
    return [r for r in found if whole or any(r.code.startswith(region_prefix(str(code))) for code in codes)]


def _context(request: PageRequest, **more: Any) -> dict[str, Any]:
    found = sample_sets_visible(request.user)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    rows = [set_row(row, request) for row in page]
    context = {"page": page, "rows": rows, "live": any(row.live for row in rows), **more}
    if not request.htmx and allowed(request.user, Action.BUILD_SAMPLE_SET):
        regions = building_regions(request)
        models = {model for region in regions for model in models_used(region)}
        years = {s.acquired_on.year for r in regions for s in scenes_below(r).only("acquired_on") if s.acquired_on}
        context |= {
            "building": regions,
            "models": sorted(models, key=lambda model: model[2], reverse=True),
            "years": sorted(years, reverse=True),
            "defaults": Params(),
            "params": FORM_PARAMS,
        }
    return context


@require_GET
def listing(request: PageRequest) -> HttpResponse:
    """The list; htmx asks for the table alone, every two seconds while something is being built."""
    require(request.user, Action.READ_SAMPLE_SET)
    name = "landdamage/models/_sample_sets_table.html" if request.htmx else "landdamage/models/sample_sets.html"
    return render(request, name, _context(request))


@require_POST
def make(request: PageRequest) -> HttpResponse:
    """Queue a set; a faulty polygon file brings the page back with everything that is wrong with it."""
    require(request.user, Action.BUILD_SAMPLE_SET)
    given = request.POST
    region = region_of(request.user, given.get("region", ""))
    kind = given.get("kind", "")
    source: dict[str, Any] = {"years": given.getlist("years")}
    if kind == SampleSet.Kind.PATCHES:
        source["since"] = given.get("since_model") or given.get("since", "")
    if kind == SampleSet.Kind.VECTORS:
        source |= {key: given.get(key, "") for key in POLYGON_ANSWERS}
        source |= {"mapping": _mapping(given.get("mapping", "")), "surveyed": bool(given.get("surveyed"))}
    params = {key: given[key] for key in FORM_PARAMS if given.get(key)}
    file = request.FILES.get("file")
    with received(file) as path:  # type: ignore[arg-type]  # one file, not a list of them
        if path is not None and kind == SampleSet.Kind.VECTORS:
            require(request.user, Action.BUILD_SAMPLE_SET, region)
            checked = sample_sets.polygon_file(path=path, name=str(file.name), source=source)  # type: ignore[union-attr]
            if checked.layer is None:
                findings = [finding.as_dict() for finding in checked.findings]
                context = _context(request, faults=findings, facts=checked.facts, given=given, file_name=file.name)  # type: ignore[union-attr]
                return render(request, "landdamage/models/sample_sets.html", context)
        made = sample_sets.sample_set_request(
            region=region,
            user=request.user,
            name=given.get("name", ""),
            kind=kind,
            source=source,
            params=params,
            file=path,
            file_name=str(file.name) if file else "",
        )
    return redirect("sample-set", set_id=made.pk)


def _mapping(text: str) -> dict[str, str]:
    """Lines "word = class" as a mapping.

    Raises:
        MineGISError: E-SET-24, a line without an equals sign.
    """
    pairs = {}
    for line in filter(None, (part.strip() for part in text.splitlines())):
        word, sign, meaning = line.rpartition("=")
        if not sign:
            raise MineGISError("E-SET-24", value=line, known="采场 = open_pit")
        pairs[word.strip()] = meaning.strip()
    return pairs


def visible_set(request: PageRequest, set_id: UUID) -> SampleSet:
    """The set, or not found."""
    return get_object_or_404(sample_sets_visible(request.user), pk=set_id)


@require_GET
def detail(request: PageRequest, set_id: UUID) -> HttpResponse:
    """One set; htmx asks for its head alone while it is being built."""
    row = visible_set(request, set_id)
    shown = set_row(row, request)
    context: dict[str, Any] = {"shown": shown, "row": row}
    if request.htmx and shown.live:
        return render(request, "landdamage/models/_sample_set_progress.html", context)
    if request.htmx:  # it has ended meanwhile: everything on the page is another
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    language = request_language()
    names, regions = table.columns(row.table), row.report.get("regions", {})
    context |= {
        "columns": [(name, table.set_name(name, language)) for name in names],
        "classes": [(BY_CODE[line["class_code"]], [line[name] for name in names]) for line in row.table],
        "totals": [table.totals(row.table)[name] for name in names],
        "params": Params.from_dict(row.params),
        "regions": [(table.set_name(name, language), regions[name]) for name in table.ordered(regions)],
        "left_out": {key: value for key, value in row.report.items() if key.startswith("left_out") and value},
        "pictures": row.report.get("preview", []) if allowed(request.user, Action.READ_IMAGE, row.region) else [],
        "versions": sample_sets_visible(request.user).filter(region=row.region, name=row.name).order_by("-version"),
    }
    return render(request, "landdamage/models/sample_set.html", context)


@require_GET
def table_csv(request: PageRequest, set_id: UUID) -> HttpResponse:
    """The table as a file in the language of the page."""
    row = visible_set(request, set_id)
    name, text = table_file(row, request_language())
    answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_GET
def picture(request: PageRequest, set_id: UUID, tile_id: str) -> HttpResponse:
    """A tile beside its labels."""
    row = visible_set(request, set_id)
    require(request.user, Action.READ_IMAGE, row.region)
    answer = HttpResponse(tile_picture(row, tile_id), content_type="image/png")
    answer["Cache-Control"] = "private, max-age=86400"
    return answer
