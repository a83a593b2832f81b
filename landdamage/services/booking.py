"""Writing an account: cells and pieces by COPY, decisions taken over from an earlier computation of the same year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from django.db import connection
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.carry import matches
from landdamage.accounting.content import outline_sha256, place_keys
from landdamage.accounting.overlay import from_albers
from landdamage.accounting.planar import ALBERS
from landdamage.accounting.states import Flow, State
from landdamage.models import ChangePiece, Edition, Restoration
from minegis import units
from minegis.registry.models import SRID

PIECE_COLUMNS = (
    "piece_id", "edition_id", "mine_id", "kind", "prev_kind", "obs_kind", "prev_state", "obs_state", "area_cm2", "geom",
    "geometry_sha256", "confidence", "prev_on", "obs_on", "outside_licence", "author_id", "decision", "reason",
    "decided_by_id", "decided_at", "lock",
)  # fmt: skip
CELL_COLUMNS = (
    "edition_id", "piece_id", "mine_id", "region_id", "geom", "area_cm2", "prev_state", "obs_state", "new_state",
    "flow", "since_year", "observed_year", "redamaged", "outside_licence", "scene_id", "confidence",
    "vegetated_years",
)  # fmt: skip
DECIDED = ("decision", "reason", "decided_by_id", "decided_at")


def decisions_before(edition: Edition) -> gpd.GeoDataFrame:
    """Decided pieces of this edition's last computation, else of the newest other version of its year (Albers)."""
    rows = list(edition.pieces.exclude(decision="").order_by("pk"))
    if not rows and edition.computed_at is None:
        other = (
            Edition.objects.filter(region=edition.region, year=edition.year).exclude(pk=edition.pk).order_by("-version")
        ).first()
        rows = list(other.pieces.exclude(decision="").order_by("pk")) if other else []
    names = ["pk", "kind", "prev_kind", "obs_kind", "geometry_sha256", "area_cm2", *DECIDED]
    frame = pd.DataFrame([[getattr(row, name) for name in names] for row in rows], columns=names)
    shapes = [units.reproject(shapely.from_wkb(bytes(row.geom.wkb)), SRID, ALBERS) for row in rows]
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=ALBERS)


def carry(pieces: gpd.GeoDataFrame, old: gpd.GeoDataFrame) -> tuple[dict[int, int], list[dict[str, Any]]]:
    """Old decisions for new pieces.

    Args:
        pieces: Albers; kind, prev_kind, obs_kind, geometry_sha256, author_ids (list), geometry.
        old: ``decisions_before``.

    Returns:
        Position of a new piece -> position of its old one; and the decisions that found no piece, for the record. Who
        has become one of the authors of a change meanwhile has not decided it.
    """
    found = {
        new: was
        for new, was in matches(pieces, old).items()
        if old["decided_by_id"].iat[was] not in pieces["author_ids"].iat[new]
    }
    kept = set(found.values())
    lost = [
        {
            "kind": row.kind, "prev_kind": row.prev_kind, "obs_kind": row.obs_kind, "decision": row.decision,
            "reason": row.reason, "decided_by": row.decided_by_id, "decided_at": row.decided_at.isoformat(),
            "area_cm2": int(row.area_cm2), "geometry_sha256": row.geometry_sha256,
            "place": [round(value, 6) for value in _place(row.geometry)],
        }
        for position, row in enumerate(old.itertuples())
        if position not in kept
    ]  # fmt: skip
    return found, lost


def _place(shape: BaseGeometry) -> tuple[float, ...]:
    return tuple(units.reproject(shape.point_on_surface(), ALBERS, SRID).coords[0])


def piece_hashes(pieces: gpd.GeoDataFrame) -> list[str]:
    """The identity of each piece: its outline on the grid and its kinds."""
    return [
        outline_sha256(wkb, row.kind, row.prev_kind, row.obs_kind)
        for wkb, row in zip(place_keys(pieces.geometry), pieces.itertuples(), strict=True)
    ]


def book(
    edition: Edition,
    cells: pd.DataFrame,
    pieces: gpd.GeoDataFrame,
    old: gpd.GeoDataFrame,
    found: Mapping[int, int],
    regions: Mapping[str, int],
) -> None:
    """Replace the cells and pieces of a draft; inside the caller's transaction, which holds the edition.

    Args:
        edition: the draft.
        cells: settled (codes as text, see ``ATTRIBUTES`` of ``accounting.content``), ``piece`` (position or -1),
            ``geometry`` in Albers.
        pieces: Albers, in the order of those positions.
        old: decided pieces of before.
        found: which of them decides which new piece.
        regions: key of a region by its code.
    """
    restorations = _restorations(old)
    with connection.cursor() as cursor:
        for sql in (
            "DELETE FROM landdamage_restoration_evidence WHERE restoration_id IN "
            "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)",
            "DELETE FROM landdamage_restoration WHERE piece_id IN "
            "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)",
            "DELETE FROM landdamage_pieceauthor WHERE piece_id IN "
            "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)",
            "DELETE FROM landdamage_changecell WHERE edition_id = %s",
            "DELETE FROM landdamage_changepiece WHERE edition_id = %s",
        ):
            cursor.execute(sql, [edition.pk])
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('landdamage_changepiece', 'piece_id')) FROM generate_series(1, %s)",
            [len(pieces)],
        )
        keys = [key for (key,) in cursor.fetchall()]
        _copy(cursor, ChangePiece._meta.db_table, PIECE_COLUMNS, _piece_rows(edition, pieces, keys, old, found))
        authors = zip(keys, pieces["author_ids"], strict=True)
        rows = ((key, person) for key, people in authors for person in people)
        _copy(cursor, "landdamage_pieceauthor", ("piece_id", "person_id"), rows)
        _copy(cursor, "landdamage_changecell", CELL_COLUMNS, _cell_rows(edition, cells, keys, regions))
    for new, was in found.items():
        facts = restorations.get(int(old["pk"].iat[was]))
        if facts is not None:
            _again(keys[new], facts)


def _restorations(old: gpd.GeoDataFrame) -> dict[int, tuple[Restoration, list[Any]]]:
    rows = Restoration.objects.filter(piece__in=old["pk"].tolist()).prefetch_related("evidence")
    return {row.pk: (row, list(row.evidence.all())) for row in rows}


def _again(piece: int, facts: tuple[Restoration, list[Any]]) -> None:
    row, evidence = facts
    copy = Restoration.objects.create(
        piece_id=piece,
        restored_kind=row.restored_kind,
        mode=row.mode,
        post_use=row.post_use,
        accepted_on=row.accepted_on,
    )
    copy.evidence.set(evidence)


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: Any) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _piece_rows(
    edition: Edition, pieces: gpd.GeoDataFrame, keys: Sequence[int], old: gpd.GeoDataFrame, found: Mapping[int, int]
) -> Any:
    outlines = stored(pieces.geometry.to_numpy())
    for position, row in enumerate(pieces.itertuples()):
        decided: list[Any] = ["", "", None, None]
        if position in found:
            decided = [_none(old[name].iat[found[position]]) for name in DECIDED]
        yield (
            keys[position], edition.pk, _none(row.mine_id), row.kind, row.prev_kind, row.obs_kind,
            State(row.prev_state).code, State(row.obs_state).code, int(row.area_cm2), outlines[position],
            row.geometry_sha256, _none(row.confidence), _none(row.prev_on), _none(row.obs_on),
            bool(row.outside_licence), row.author_ids[0] if row.author_ids else None, *decided, 1,
        )  # fmt: skip


def _cell_rows(edition: Edition, cells: pd.DataFrame, keys: Sequence[int], regions: Mapping[str, int]) -> Any:
    outlines = stored(cells["geometry"].to_numpy())
    for position, row in enumerate(cells.itertuples()):
        yield (
            edition.pk, keys[row.piece] if row.piece >= 0 else None, _none(row.mine_id), regions.get(row.region_code),
            outlines[position], int(row.area_cm2), row.prev_state, row.obs_state, row.new_state, row.flow,
            _none(row.since_year), _none(row.observed_year), bool(row.redamaged), bool(row.outside_licence),
            _none(row.scene_id), _none(row.confidence), int(row.vegetated_years),
        )  # fmt: skip


def stored(geometries: np.ndarray) -> list[str]:
    """Outlines in Albers as the database stores them: multipolygons in EPSG:4490, hexadecimal EWKB."""
    multi = [shape if shape.geom_type == "MultiPolygon" else shapely.MultiPolygon([shape]) for shape in geometries]
    return list(
        shapely.to_wkb(shapely.set_srid(from_albers(np.array(multi, object)), SRID), hex=True, include_srid=True)
    )


def _none(value: Any) -> Any:
    """Missing values as None, numbers as Python has them."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def codes(cells: pd.DataFrame) -> pd.DataFrame:
    """The same cells with the codes of states and flows as text."""
    texts = {int(state): state.code for state in State}
    columns = {name: cells[name].map(texts) for name in ("prev_state", "obs_state", "new_state")}
    return cells.assign(**columns, flow=[Flow(flow).value for flow in cells["flow"]])
