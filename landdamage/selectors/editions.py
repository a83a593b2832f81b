"""Reads of the books: which editions a person may see, one edition as plain data, the queues of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Q, QuerySet

from landdamage.accounting.content import RestorationRecord
from landdamage.accounting.statement import Statement, statement
from landdamage.accounting.states import State
from landdamage.models import ChangePiece, CheckSample, Edition, Restoration
from landdamage.models.books import BooksQuerySet
from landdamage.reports.data import EditionData, EditionFacts, MineFacts, RegionFacts, SceneFacts
from landdamage.selectors.outlines import edition_outlines
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, readers
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Mine, Region

Reader = User | AnonymousUser | None
Sums = dict[str, dict[str, int]]  # damage kind -> name of the sum -> cm²
_DATES = ("prev_on", "obs_on")


class _PublishedQuerySet(BooksQuerySet):
    """Editions for those who may read what has been published."""

    reader_roles = readers(Action.READ_PUBLISHED)


def editions_visible(user: User | AnonymousUser) -> QuerySet[Edition]:
    """Editions of the user's regions: all of them for readers of statistics, else the published and superseded ones."""
    published = _PublishedQuerySet(Edition).visible_to(user).filter(state__in=Edition.PUBLIC)
    return (
        Edition.objects.filter(
            Q(pk__in=Edition.objects.visible_to(user).values("pk")) | Q(pk__in=published.values("pk"))
        )
        .select_related("region", "based_on", "published_by")
        .defer("region__geom", "based_on__results", "based_on__inputs")
    )


def edition_data(
    edition: Edition,
    user: Reader,
    region: Region | str | None = None,
    mine: Mine | str | None = None,
    *,
    outlines: bool = True,
) -> EditionData:
    """Everything about an edition, or about its part in a region or a mine, as plain data.

    Args:
        edition: the row.
        user: whose eyes. Ground outside licence boundaries is flagged, and licence numbers are named, only for those
            who may know. None is the platform itself, which may read every edition and knows neither.
        region: only cells of this region (GB/T 2260 code or row), subordinate regions included.
        mine: only cells of this mine (row or key).
        outlines: whether to read the outlines for map sheets too; pages do without.

    Raises:
        MineGISError: E-API-04, the user may not see the edition.
    """
    if user is not None and not editions_visible(user).filter(pk=edition.pk).exists():
        raise MineGISError("E-API-04")
    where = _where(region, mine)
    cells, pieces = _cells(edition, where), _pieces(edition, where)
    if where:
        pieces["area_cm2"] = pieces["piece_id"].map(cells.groupby("piece_id")["area_cm2"].sum()).astype("int64")
    if user is None or not allowed(user, Action.READ_OUTSIDE_LICENCE, edition.region):
        cells["outside_licence"] = False
        pieces["outside_licence"] = False
    mines, regions = edition_mines(edition), edition_regions(edition)
    if user is None or not allowed(user, Action.READ_LICENCE, edition.region):
        mines = [replace(facts, licence_no="") for facts in mines]
    if "region" in where:
        regions = [facts for facts in regions if facts.code.startswith(where["region"])]
    if where:
        present = set(cells["mine_id"].dropna())
        mines = [facts for facts in mines if facts.mine_id in present]
    samples = CheckSample.objects.filter(edition=edition).exclude(results={})
    if edition.computed_at:  # an older sample was drawn from other cells
        samples = samples.filter(created_at__gt=edition.computed_at)
    sample = samples.order_by("-created_at").first()
    return EditionData(
        edition=edition_facts(edition),
        cells=cells,
        pieces=pieces,
        mines=mines,
        regions=regions,
        scenes=[SceneFacts(**_dated(scene, ("acquired_on",))) for scene in edition.inputs.get("scenes", [])],
        history=edition_history(edition, user, region=region, mine=mine),
        accuracy=sample.results if sample else {},
        outlines=edition_outlines(edition, cells, mines, regions) if outlines else None,
    )


def edition_facts(edition: Edition) -> EditionFacts:
    """What identifies the edition; ``based_on_outdated`` when the edition below has been superseded or withdrawn."""
    below = edition.based_on
    return EditionFacts(
        edition_id=str(edition.pk),
        year=edition.year,
        version=edition.version,
        state=edition.state,
        region_code=edition.region.code,
        region_zh=edition.region.name_zh,
        region_en=edition.region.name_en or edition.region.name_zh,
        content_sha256=edition.content_sha256,
        based_on=f"{below.year} v{below.version}" if below else "",
        based_on_outdated=bool(below and below.state in (Edition.State.SUPERSEDED, Edition.State.WITHDRAWN)),
        previous_year=below.year if below else None,
        published_on=edition.published_at.date() if edition.published_at else None,
        published_by=str(edition.published_by or ""),
        change_note=edition.change_note,
        params=edition.params,
        results={name: value for name, value in edition.results.items() if name not in ("mines", "regions")},
        code_version=edition.code_version,
    )


def edition_mines(edition: Edition) -> list[MineFacts]:
    """The mines as they stood when the edition was computed, by code."""
    return [MineFacts(**_dated(mine, _DATES)) for mine in edition.results.get("mines", [])]


def edition_regions(edition: Edition) -> list[RegionFacts]:
    """The lowest-level regions as they stood when the edition was computed, by code."""
    return [RegionFacts(**region) for region in edition.results.get("regions", [])]


def edition_history(
    edition: Edition, user: Reader, region: Region | str | None = None, mine: Mine | str | None = None
) -> list[dict[str, Any]]:
    """Sums in cm² of the editions below this one, oldest first, as far as the user may see them.

    Returns:
        One row per year and damage kind, this edition's own not among them: year, version, kind, and the columns of
        ``edition_sums``.
    """
    chain: list[Edition] = []
    seen = None if user is None else set(editions_visible(user).values_list("pk", flat=True))
    below = edition.based_on
    while below is not None and (seen is None or below.pk in seen):
        chain.insert(0, below)
        below = below.based_on
    return [
        {"year": one.year, "version": one.version, "kind": kind, **sums}
        for one in chain
        for kind, sums in edition_sums(one, region=region, mine=mine).items()
    ]


def edition_cells(edition: Edition) -> gpd.GeoDataFrame:
    """Every cell of an edition, nothing masked: for computing, never for showing."""
    return _cells(edition, {})


def edition_restorations(edition: Edition) -> list[RestorationRecord]:
    """How its pieces were restored, as the hash of the edition's content covers it."""
    rows = Restoration.objects.filter(piece__edition=edition).select_related("piece").prefetch_related("evidence")
    return [
        RestorationRecord(
            piece=row.piece.geometry_sha256,
            restored_kind=row.restored_kind,
            mode=row.mode,
            post_use=row.post_use,
            accepted_on=row.accepted_on,
            evidence=tuple(proof.sha256 for proof in row.evidence.all()),
        )
        for row in rows.order_by("pk")
    ]


def edition_statement(
    edition: Edition, region: Region | str | None = None, mine: Mine | str | None = None, by: str | None = None
) -> Statement:
    """The year's statement, from sums that the database makes.

    Args:
        edition: whose cells.
        region: only this region (GB/T 2260 code or row), subordinate regions included.
        mine: only this mine.
        by: ``mine_id`` or ``region_code`` to group by.
    """
    where = _where(region, mine)
    keys = ["prev_state", "obs_state", "new_state", "flow", "redamaged", "outside_licence"]
    names = {"mine_id": "c.mine_id::text", "region_code": "g.code"}
    columns = [f"c.{key}" for key in keys] + ([names[by]] if by else [])
    sql = f"""
        SELECT {", ".join(columns)}, sum(c.area_cm2)::bigint
        FROM landdamage_changecell c LEFT JOIN registry_region g ON g.id = c.region_id {_join(where)}
        WHERE c.edition_id = %(edition)s {_condition(where)} GROUP BY {", ".join(columns)}"""
    with connection.cursor() as cursor:
        cursor.execute(sql, {"edition": edition.pk, **_values(where)})
        rows = cursor.fetchall()
    grouped = pd.DataFrame(rows, columns=[*keys, *([by] if by else []), "area_cm2"])
    return statement(numbered(grouped), by)


def edition_sums(edition: Edition, region: Region | str | None = None, mine: Mine | str | None = None) -> Sums:
    """The year's account per damage kind in cm²: the columns of ``statement.Statement.kinds``."""
    return kind_sums(edition_statement(edition, region, mine))


def kind_sums(account: Statement) -> Sums:
    """The kinds of an ungrouped statement as plain numbers; ``restored_stock`` is the restored ground at the end."""
    return {
        str(kind): {str(name): int(value) for name, value in row.items()}
        | {"restored_stock": int(row["restored_closing"])}
        for kind, row in account.kinds.iterrows()
    }


def numbered(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with the codes of their states as the numbers that the books compute with."""
    numbers = {state.code: int(state) for state in State}
    columns = {name: cells[name].map(numbers).astype("int16") for name in ("prev_state", "obs_state", "new_state")}
    return cells.assign(**columns)


def decision_queue(
    edition: Edition,
    user: User | AnonymousUser,
    *,
    kind: str = "",
    decided: bool | None = None,
    decision: str = "",
    mine: Mine | str | None = None,
    min_area_cm2: int = 0,
) -> QuerySet[ChangePiece]:
    """The pieces of an edition to decide, largest first.

    Args:
        edition: whose pieces.
        user: whose eyes; readers of statistics see pieces.
        kind: ``new`` or ``released``; empty for both.
        decided: only (un)decided ones; None for all.
        decision: only those decided so.
        mine: only of this mine.
        min_area_cm2: smallest area in cm².
    """
    pieces = ChangePiece.objects.visible_to(user).filter(edition=edition, area_cm2__gte=min_area_cm2)
    if kind:
        pieces = pieces.filter(kind=kind)
    if decided is not None:
        pieces = pieces.exclude(decision="") if decided else pieces.filter(decision="")
    if decision:
        pieces = pieces.filter(decision=decision)
    if mine is not None:
        pieces = pieces.filter(mine=mine)
    return pieces.select_related("mine", "decided_by", "author", "restoration").order_by("-area_cm2", "piece_id")


def _where(region: Region | str | None, mine: Mine | str | None) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if region is not None:
        where["region"] = region_prefix(region if isinstance(region, str) else region.code)
    if mine is not None:
        where["mine"] = str(mine.pk if isinstance(mine, Mine) else mine)
    return where


def _join(where: Mapping[str, Any]) -> str:
    return "JOIN registry_region r ON r.id = c.region_id" if "region" in where else ""


def _condition(where: Mapping[str, Any]) -> str:
    parts = {"region": "AND r.code LIKE %(region)s", "mine": "AND c.mine_id = %(mine)s"}
    return " ".join(parts[name] for name in where)


def _values(where: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"{value}%" if name == "region" else value for name, value in where.items()}


def _cells(edition: Edition, where: Mapping[str, Any]) -> gpd.GeoDataFrame:
    sql = f"""
        SELECT c.cell_id, c.area_cm2, c.prev_state, c.obs_state, c.new_state, c.flow, c.mine_id::text, g.code,
               c.since_year, c.observed_year, c.redamaged, c.outside_licence, c.scene_id::text, c.confidence,
               c.piece_id, c.vegetated_years, ST_AsBinary(c.geom)
        FROM landdamage_changecell c LEFT JOIN registry_region g ON g.id = c.region_id {_join(where)}
        WHERE c.edition_id = %(edition)s {_condition(where)} ORDER BY c.cell_id"""
    columns = [
        "cell_id", "area_cm2", "prev_state", "obs_state", "new_state", "flow", "mine_id", "region_code", "since_year",
        "observed_year", "redamaged", "outside_licence", "scene_id", "confidence", "piece_id",
        "vegetated_years", "geometry",
    ]  # fmt: skip
    return _frame(sql, {"edition": edition.pk, **_values(where)}, columns)


def _pieces(edition: Edition, where: Mapping[str, Any]) -> gpd.GeoDataFrame:
    inside = (
        f"AND EXISTS (SELECT 1 FROM landdamage_changecell c {_join(where)} "
        f"WHERE c.piece_id = p.piece_id {_condition(where)})"
        if where
        else ""
    )
    sql = f"""
        SELECT p.piece_id, p.kind, p.prev_kind, p.obs_kind, p.prev_state, p.obs_state, p.area_cm2, p.mine_id::text,
               p.confidence, p.prev_on, p.obs_on, p.decision, p.reason,
               coalesce((
                   SELECT string_agg(coalesce(nullif(a.display_name, ''), a.username), '、' ORDER BY w.id)
                   FROM landdamage_pieceauthor w JOIN access_user a ON a.id = w.person_id WHERE w.piece_id = p.piece_id
               ), ''),
               coalesce(nullif(d.display_name, ''), d.username, ''),
               (p.decided_at AT TIME ZONE 'Asia/Shanghai')::date, p.outside_licence, p.lock,
               coalesce(s.restored_kind, ''), coalesce(s.mode, ''), coalesce(s.post_use, ''), s.accepted_on,
               ST_AsBinary(p.geom)
        FROM landdamage_changepiece p
        LEFT JOIN access_user d ON d.id = p.decided_by_id
        LEFT JOIN landdamage_restoration s ON s.piece_id = p.piece_id
        WHERE p.edition_id = %(edition)s {inside} ORDER BY p.area_cm2 DESC, p.piece_id"""
    columns = [
        "piece_id", "kind", "prev_kind", "obs_kind", "prev_state", "obs_state", "area_cm2", "mine_id", "confidence",
        "prev_on", "obs_on", "decision", "reason", "author", "decided_by", "decided_on", "outside_licence", "lock",
        "restored_kind", "mode", "post_use", "accepted_on", "geometry",
    ]  # fmt: skip
    pieces = _frame(sql, {"edition": edition.pk, **_values(where)}, columns)
    files: dict[int, list[dict[str, str]]] = {}
    proofs = Restoration.objects.filter(piece__edition=edition, evidence__isnull=False).values_list(
        "piece_id", "evidence__evidence_id", "evidence__file_name", "evidence__sha256"
    )
    for piece_id, evidence_id, file_name, sha256 in proofs.order_by("piece_id", "evidence__file_name"):
        files.setdefault(piece_id, []).append(
            {"evidence_id": str(evidence_id), "file_name": file_name, "sha256": sha256}
        )
    pieces["evidence"] = [files.get(piece_id, []) for piece_id in pieces["piece_id"]]
    return pieces


def _frame(sql: str, values: dict[str, Any], columns: list[str]) -> gpd.GeoDataFrame:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        frame = pd.DataFrame(cursor.fetchall(), columns=columns)
    frame["geometry"] = shapely.from_wkb([bytes(wkb) for wkb in frame["geometry"]]) if len(frame) else []
    frame = frame.astype({name: "Int64" for name in ("since_year", "observed_year", "piece_id") if name in frame})
    if "area_cm2" in frame:
        frame["area_cm2"] = frame["area_cm2"].astype("int64")
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=SRID)


def _dated(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: date.fromisoformat(value) if name in names and value else value for name, value in row.items()}
