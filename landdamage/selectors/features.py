"""Reads of OGC API - Features: which collections a person has, and their features as GeoJSON text row by row.

A collection holds one theme of one year, over all the regions the person may export: QGIS then shows a year as a layer
and never mixes two, nor drafts with what is published.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.contrib.gis.db.models import Extent, GeometryField
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.gis.geos import Polygon
from django.db.models import F, Func, Q, QuerySet

from landdamage.accounting.states import KIND_OF, NAMES, Flow, State
from landdamage.interchange.attributes import CHANGES
from landdamage.interchange.codes import STATE_NAMES
from landdamage.models import ChangeCell, Edition
from landdamage.models.books import BooksQuerySet
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, readers
from minegis.registry.models import SRID, Mine, Region
from minegis.units import to_m2

DIGITS: Final = 7  # 1 cm
CHUNK: Final = 500
_DAMAGE: Final = [state.code for state in KIND_OF]
_MOVED: Final = Q(flow=Flow.PERSIST) & ~Q(prev_state=F("new_state"))
_THEMES: Final = {
    "damage": ("损毁图斑", "Damage", Q(new_state__in=_DAMAGE)),
    "changes": ("变化图斑", "Changes", Q(flow__in=CHANGES) | _MOVED),
    "restored": ("治理图斑", "Restored ground", Q(flow=Flow.RESTORED)),
}
_CELL_FILTERS: Final = {
    "region": "region__code", "mine": "mine__code", "class": "new_state", "flow": "flow", "edition": "edition_id",
}  # fmt: skip


class _PublishedQuerySet(BooksQuerySet):
    reader_roles = readers(Action.EXPORT_PUBLISHED)


class _DraftQuerySet(BooksQuerySet):
    reader_roles = readers(Action.EXPORT_VECTORS)


@dataclass(frozen=True, slots=True)
class Collection:
    """A layer: its name in addresses, both titles, the year it is about (None: no time), what it can be filtered by."""

    id: str
    title_zh: str
    title_en: str
    year: int | None
    filters: tuple[str, ...]
    theme: str
    draft: bool = False


def collections(user: User) -> list[Collection]:
    """The collections a person has, registers first, then the newest year."""
    found = [Collection("regions", "行政区", "Regions", None, ("code", "level"), "regions")]
    if allowed(user, Action.READ_MINES):
        found.insert(0, Collection("mines", "矿山", "Mines", None, ("code", "region", "status"), "mines"))
    for draft in (False, True):
        years = _editions(user, draft).order_by("-year").values_list("year", flat=True).distinct()
        for year in years:
            for theme, (zh, en, _) in _THEMES.items():
                name = f"{theme}_{year}{'_draft' if draft else ''}"
                titles = (f"{zh} {year}{'(草稿)' if draft else ''}", f"{en} {year}{' (draft)' if draft else ''}")
                found.append(Collection(name, *titles, year, tuple(_CELL_FILTERS), theme, draft))
    return found


def extent(user: User, collection: Collection) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the ground a collection is about; the regions' bounds stand for their cells."""
    if collection.theme == "mines":
        return Mine.objects.visible_to(user).aggregate(box=Extent("boundary"))["box"]
    regions = Region.objects.visible_to(user)
    if collection.theme != "regions":
        editions = _editions(user, collection.draft).filter(year=collection.year or 0)
        regions = Region.objects.filter(pk__in=editions.values("region"))
    return regions.aggregate(box=Extent("geom"))["box"]


def features(
    user: User,
    collection: Collection,
    *,
    bbox: tuple[float, float, float, float] | None = None,
    filters: dict[str, str] | None = None,
    feature_id: str | None = None,
) -> QuerySet[Any]:
    """The rows of a collection as far as the person may see them, in a fixed order, with their outline as ``outline``.

    Args:
        user: whose eyes.
        collection: one of ``collections(user)``.
        bbox: west, south, east, north in degrees; features that touch it.
        filters: values by the names of ``collection.filters``.
        feature_id: only this one.

    Raises:
        ValueError: an identifier or a filter's value has the wrong shape.
    """
    rows: QuerySet[Any]
    if collection.theme == "mines":
        rows, shape = Mine.objects.visible_to(user).select_related("region").order_by("code"), "boundary"
        paths = {"code": "code", "region": "region__code", "status": "status"}
    elif collection.theme == "regions":
        rows, shape = Region.objects.visible_to(user).order_by("pk"), "geom"
        paths = {"code": "code", "level": "level"}
    else:
        editions = list(_editions(user, collection.draft).filter(year=collection.year or 0))
        rows = ChangeCell.objects.filter(_THEMES[collection.theme][2], edition__in=editions)
        rows, shape = rows.select_related("edition", "edition__region", "mine", "region").order_by("pk"), "geom"
        paths = _CELL_FILTERS
    for name, value in (filters or {}).items():
        rows = rows.filter(**{paths[name]: value})
    if feature_id is not None:
        rows = rows.filter(pk=feature_id)
    if bbox is not None:
        window = Polygon.from_bbox(bbox)
        window.srid = SRID
        rows = rows.filter(**{f"{shape}__intersects": window})
    # RFC 7946 wants shells counter-clockwise; PostgreSQL writes the text, so no outline is built here.
    outline = Func(F(shape), function="ST_ForcePolygonCCW", output_field=GeometryField(srid=SRID))
    return rows.defer("geom" if shape == "geom" else "boundary").annotate(outline=AsGeoJSON(outline, precision=DIGITS))


def as_geojson(user: User, collection: Collection, rows: QuerySet[Any]) -> Iterator[str]:
    """Each row as the text of a GeoJSON feature."""
    flagged: dict[Any, bool] = {}
    for row in rows.iterator(chunk_size=CHUNK):
        properties = _register(user, row) if collection.year is None else _cell(user, row, flagged)
        head = json.dumps({"type": "Feature", "id": str(row.pk)}, ensure_ascii=False)[:-1]
        body = json.dumps(properties, ensure_ascii=False)
        yield f'{head}, "geometry": {row.outline or "null"}, "properties": {body}}}'


def temporal(collection: Collection) -> tuple[date, date] | None:
    """First and last day of the year a collection is about."""
    return None if collection.year is None else (date(collection.year, 1, 1), date(collection.year, 12, 31))


def _editions(user: User, draft: bool) -> QuerySet[Edition]:
    if draft:
        return _DraftQuerySet(Edition).visible_to(user).filter(state__in=(Edition.State.DRAFT, Edition.State.FROZEN))
    return _PublishedQuerySet(Edition).visible_to(user).filter(state=Edition.State.PUBLISHED)


def _register(user: User, row: Any) -> dict[str, Any]:
    if isinstance(row, Region):
        return {"code": row.code, "name_zh": row.name_zh, "name_en": row.name_en, "level": row.level}
    return {
        "code": row.code,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "licence_no": row.licence_no if allowed(user, Action.READ_LICENCE, row.region) else None,
        "mineral_kind": row.mineral_kind,
        "mining_method": row.mining_method,
        "status": row.status,
        "region": row.region.code,
    }


def _cell(user: User, row: ChangeCell, flagged: dict[Any, bool]) -> dict[str, Any]:
    edition = row.edition
    if edition.pk not in flagged:
        flagged[edition.pk] = allowed(user, Action.READ_OUTSIDE_LICENCE, edition.region)
    now, before = State.of(row.new_state), State.of(row.prev_state)
    return {
        "edition": str(edition.pk),
        "year": edition.year,
        "version": edition.version,
        "region": row.region.code if row.region else edition.region.code,
        "mine": row.mine.code if row.mine else None,
        "mine_zh": row.mine.name_zh if row.mine else None,
        "class": row.new_state,
        "class_zh": STATE_NAMES[now][0],
        "class_en": STATE_NAMES[now][1],
        "damage_kind": KIND_OF.get(now) or KIND_OF.get(before),
        "flow": row.flow,
        "flow_zh": NAMES[row.flow][0],
        "class_before": row.prev_state,
        "class_seen": row.obs_state,
        "area_m2": float(to_m2(row.area_cm2)),
        "area_cm2": row.area_cm2,
        "since_year": row.since_year,
        "confidence": row.confidence,
        "outside_licence": row.outside_licence if flagged[edition.pk] else None,
    }
