"""The cells of an edition on the map: GeoJSON of an extent, of the figure that was clicked."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import GeometryField
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.gis.geos import Polygon
from django.db.models import F, FloatField, Func, QuerySet, Value
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from landdamage import taxonomy
from landdamage.accounting.states import NAMES, Flow, State
from landdamage.models import ChangeCell, Edition
from landdamage.selectors.behind import COLUMNS, behind
from landdamage.selectors.editions import editions_visible
from minegis.access.permissions import Action, allowed
from minegis.access.querysets import region_prefix
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.problems import request_language
from minegis.registry.models import SRID

MOST_CELLS = 4000  # of one view: the largest are the ones that matter there
TILE = 256

# The class whose colour and hatch a state wears on the map; the others are drawn without fill.
CLASS_OF = {
    State.OPEN_PIT: "open_pit",
    State.PIT_WATER: "water",
    State.LIVING_AREA: "living_area",
    State.INDUSTRIAL_SQUARE: "industrial_square",
    State.STOCKPILE: "stockpile",
    State.TAILINGS_POND: "tailings_pond",
    State.SUBSIDENCE: "subsidence",
}


def visible_edition(request: PageRequest, edition_id: UUID) -> Edition:
    """An edition the person may see; any other is not found."""
    return get_object_or_404(editions_visible(request.user).select_related("job", "supersedes"), pk=edition_id)


def map_style(*, surveyed: bool = False) -> dict[str, Any]:
    """Names and looks of states and flows in the language of the request, for the map's script.

    ``surveyed``: what was carried along is known from a survey, so it is drawn as what it is and not as unobserved.
    """
    language = 0 if request_language() == "zh" else 1
    states = {}
    for state in State:
        known = taxonomy.BY_CODE.get(CLASS_OF.get(state, ""))
        colour = known.colour if known is not None and known.code != "subsidence" else None
        hatch = known.code if known is not None and known.hatch != "none" else "none"
        states[state.code] = {"name": NAMES[state.code][language], "colour": colour, "hatch": hatch}
    return {
        "states": states,
        "surveyed": surveyed,
        "flows": {flow.value: NAMES[flow.value][language] for flow in Flow},
        "outlines": {
            flow: {"colour": outline.colour, "dash": outline.dash} for flow, outline in taxonomy.OUTLINE_OF_FLOW.items()
        },
    }


def selection(edition: Edition, params: Any) -> QuerySet[ChangeCell]:
    """The cells of the address's selection: ``column``, ``kind``, ``state``, ``region``, ``mine``.

    Raises:
        MineGISError: E-API-01, the address asks for what does not exist.
    """
    column, kind, state = params.get("column", ""), params.get("kind", ""), params.get("state", "")
    if column and column not in COLUMNS:
        raise MineGISError("E-API-01")
    try:
        cells = ChangeCell.objects.filter(behind(column, kind, state), edition=edition)
        if mine := params.get("mine", ""):
            cells = cells.filter(mine=UUID(mine))
    except (KeyError, ValueError):
        raise MineGISError("E-API-01") from None
    if region := params.get("region", ""):
        cells = cells.filter(region__code__startswith=region_prefix(region))
    return cells


@require_GET
def edition_cells(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """At most 4000 cells of an extent, the largest first, simplified to a third of a screen pixel."""
    edition = visible_edition(request, edition_id)
    west, south, east, north = _bbox(request.GET.get("bbox", ""))
    zoom = _zoom(request.GET.get("zoom", ""))
    found = (
        selection(edition, request.GET)
        .filter(geom__bboverlaps=Polygon.from_bbox((west, south, east, north)))
        .order_by("-area_cm2", "cell_id")
    )
    tolerance = Value(360 / TILE / 2**zoom / 3, output_field=FloatField())
    outline = GeometryField(srid=SRID)
    simple = Func(F("geom"), tolerance, function="ST_SimplifyPreserveTopology", output_field=outline)
    fields = ("cell_id", "piece_id", "flow", "prev_state", "obs_state", "new_state", "area_cm2", "since_year")
    rows = list(
        found.annotate(shape=AsGeoJSON(Coalesce(simple, F("geom"), output_field=outline), precision=6)).values(
            *fields, "outside_licence", "mine__code", "shape"
        )[: MOST_CELLS + 1]
    )
    knows = allowed(request.user, Action.READ_OUTSIDE_LICENCE, edition.region)
    features = ",".join(_feature(row, knows) for row in rows[:MOST_CELLS])
    truncated = json.dumps(len(rows) > MOST_CELLS)
    body = f'{{"type":"FeatureCollection","truncated":{truncated},"features":[{features}]}}'
    response = HttpResponse(body, content_type="application/geo+json")
    response["Cache-Control"] = "private, no-cache"
    return response


def _feature(row: dict[str, Any], knows: bool) -> str:
    told = {
        "id": row["cell_id"],
        "piece": row["piece_id"],
        "flow": row["flow"],
        "prev": row["prev_state"],
        "seen": row["obs_state"],
        "now": row["new_state"],
        "cm2": row["area_cm2"],
        "mine": row["mine__code"],
        "since": row["since_year"],
    }
    if knows and row["outside_licence"]:
        told["outside"] = True
    return f'{{"type":"Feature","id":{row["cell_id"]},"geometry":{row["shape"]},"properties":{json.dumps(told)}}}'


def _bbox(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise MineGISError("E-API-01") from None
    if not (west <= east and south <= north):  # also refuses NaN
        raise MineGISError("E-API-01")
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)


def _zoom(text: str) -> int:
    if not text.isdecimal() or len(text) > 2 or int(text) > 24:
        raise MineGISError("E-API-01")
    return int(text)
