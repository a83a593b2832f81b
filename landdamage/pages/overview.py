"""The first page: the year's mapped damage as figures, map, ranking and classes, all of one selection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.gis.db.models import Extent
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from landdamage import selectors, taxonomy
from landdamage.models import InterpretationRun
from minegis import units
from minegis.access.permissions import allowed
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.registry.models import Region


@dataclass(frozen=True, slots=True)
class YearBar:
    """One year of the strip: damage by kind, and its share of the highest year."""

    year: int
    excavation: int
    occupation: int
    share: float

    @property
    def damage(self) -> int:
        """Excavation plus occupation, cm²."""
        return self.excavation + self.occupation

    @property
    def excavation_share(self) -> float:
        """Part of the year's damage that is excavation, 0-1."""
        return self.excavation / self.damage if self.damage else 0.0


@require_GET
def overview(request: PageRequest) -> HttpResponse:
    """``?year=`` and ``?region=`` choose; without a choice the latest year with results and everything visible."""
    if not allowed(request.user, "statistics.read"):
        return redirect("scenes" if allowed(request.user, "scene.read") else "jobs")
    years = selectors.years(request.user)
    regions = list(Region.objects.visible_to(request.user).defer("geom").filter(valid_to__isnull=True))
    region = request.GET.get("region", "")
    if region not in {r.code for r in regions}:
        region = ""
    context: dict[str, Any] = {"years": years, "regions": regions, "region": region}
    if not years:
        return render(request, "landdamage/overview_empty.html", context | {"waiting": selectors.waiting(request.user)})
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdecimal() and int(asked) in years else years[-1]
    figures = selectors.overview(request.user, year, region or None)
    mapped = [row for row in figures.classes if row.cm2]
    return render(
        request,
        "landdamage/overview.html",
        context
        | {
            "year": year,
            "figures": figures,
            "earlier": figures.compared_with,
            "mapped_cm2": sum(row.cm2 for row in mapped),
            "patches": sum(row.patches for row in mapped),
            "bars": year_bars(request, years, region),
            "map_data": map_data(request, figures, region),
        },
    )


def year_bars(request: PageRequest, years: list[int], region: str) -> list[YearBar]:
    """Damage of every year in the chosen region."""
    sums = [(year, selectors.year_sums(request.user, year, region or None).by_kind) for year in years]
    most = max((kinds.get("excavation", 0) + kinds.get("occupation", 0) for _, kinds in sums), default=0) or 1
    return [
        YearBar(year, exc := kinds.get("excavation", 0), occ := kinds.get("occupation", 0), (exc + occ) / most)
        for year, kinds in sums
    ]


def map_data(request: PageRequest, figures: selectors.Overview, region: str) -> dict[str, Any]:
    """What the map draws: scenes and runs of the year with their bounds, mines with their damage."""
    runs = InterpretationRun.objects.visible_to(request.user).filter(is_current=True, year=figures.year)
    if region:
        runs = runs.filter(scene__region__code__startswith=region_prefix(region))
    images = allowed(request.user, "image.read")
    scenes = [
        {
            "id": str(run.scene_id),
            "run": str(run.pk),
            "bounds": run.scene.footprint.extent,
            "gsd": run.scene.gsd_m,
            "date": run.scene.acquired_on.isoformat() if run.scene.acquired_on else "",
            "url": reverse("scene", args=[run.scene_id]),
        }
        for run in runs.select_related("scene").order_by("scene__acquired_on", "scene__uploaded_at")
    ]
    extent = runs.aggregate(extent=Extent("scene__footprint"))["extent"]
    return {
        "bounds": extent,
        "scenes": scenes if images else [],
        "classes": list(taxonomy.FOREGROUND_IDS),
        "mines": [
            {
                "code": row.mine.code,
                "name": row.mine.name,
                "lon": row.lon,
                "lat": row.lat,
                "hm2": float(units.to_hm2(row.damage_cm2)),
                "change": None if row.change_cm2 is None else float(units.to_hm2(row.change_cm2)),
            }
            for row in figures.mines
            if row.lon or row.lat
        ],
    }
