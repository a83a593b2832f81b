"""Hand-drawn layers: subsidence with its review, and control polygons for the bias."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import transaction

from landdamage.models import ControlPolygon, Evidence, Subsidence
from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError
from minegis.registry.models import SRID, Region

State = Subsidence.State
EDITABLE = (State.DRAFT, State.RETURNED)


def outline(geom: GEOSGeometry) -> MultiPolygon:
    """A drawn outline as it is stored: polygonal, valid, not empty, EPSG:4490.

    Raises:
        MineGISError: E-EDI-22, with what is wrong. Nothing is repaired silently.
    """
    shape = shapely.from_wkb(bytes(geom.wkb))
    if shape.geom_type not in ("Polygon", "MultiPolygon") or shape.is_empty:
        raise MineGISError("E-EDI-22", value=shape.geom_type)
    if not shape.is_valid:
        raise MineGISError("E-EDI-22", value=shapely.is_valid_reason(shape))
    west, south, east, north = shape.bounds
    if west < -180 or south < -90 or east > 180 or north > 90:
        raise MineGISError("E-EDI-22", value=f"{west:.1f}, {south:.1f}")
    parts = shapely.MultiPolygon(list(shapely.get_parts(shape)))
    return GEOSGeometry(memoryview(shapely.to_wkb(parts)), srid=SRID)  # type: ignore[return-value]  # it is one


def _area(geom: GEOSGeometry) -> int:
    return units.area_cm2(shapely.from_wkb(bytes(geom.wkb)))


@transaction.atomic
def subsidence_draw(
    *,
    region: Region,
    geom: GEOSGeometry,
    surveyed_on: date,
    user: User,
    method: str = "",
    ended_on: date | None = None,
    evidence: Iterable[Evidence] = (),
) -> Subsidence:
    """Draw sunken ground as a draft.

    Args:
        region: where it lies.
        geom: polygonal, EPSG:4490.
        surveyed_on: from the year of this day on it counts.
        user: the author.
        method: field, InSAR, DEM difference, report.
        ended_on: it counts up to the year before this day's.
        evidence: what proves it.

    Raises:
        ForbiddenError: the user may not draw here.
        MineGISError: E-EDI-22, the outline is not valid.
    """
    require(user, Action.DRAW_SUBSIDENCE, region, own=True)
    shape = outline(geom)
    drawn = Subsidence.objects.create(
        region=region,
        geom=shape,
        area_cm2=_area(shape),
        surveyed_on=surveyed_on,
        ended_on=ended_on,
        method=method,
        author=user,
    )
    drawn.evidence.set(evidence)
    return drawn


@transaction.atomic
def subsidence_edit(*, subsidence: Subsidence, user: User, lock: int, **fields: Any) -> Subsidence:
    """Change a draft or a returned one. Who changes it becomes its author, and cannot review it.

    Args:
        subsidence: the row.
        user: who changes it.
        lock: the revision the user saw.
        fields: geom, surveyed_on, ended_on, method, evidence.

    Raises:
        ForbiddenError: not the user's to change.
        ConflictError: somebody changed it meanwhile.
        MineGISError: E-EDI-19 it is under review or decided, E-EDI-22 the outline is not valid.
    """
    row = _locked(subsidence, lock)
    require(user, Action.DRAW_SUBSIDENCE, row.region, own=row.author_id == user.pk)
    _expect(row, EDITABLE)
    proofs = fields.pop("evidence", None)
    if "geom" in fields:
        fields["geom"] = outline(fields["geom"])
        fields["area_cm2"] = _area(fields["geom"])
    for name in ("geom", "area_cm2", "surveyed_on", "ended_on", "method"):
        if name in fields:
            setattr(row, name, fields[name])
    row.author, row.reviewer = user, None
    row.state = State.DRAFT
    if proofs is not None:
        row.evidence.set(proofs)
    return _saved(row)


@transaction.atomic
def subsidence_submit(*, subsidence: Subsidence, user: User, lock: int) -> Subsidence:
    """Hand a draft in for review.

    Raises:
        ForbiddenError, ConflictError, MineGISError: as for ``subsidence_edit``.
    """
    row = _locked(subsidence, lock)
    require(user, Action.DRAW_SUBSIDENCE, row.region, own=row.author_id == user.pk)
    _expect(row, EDITABLE)
    row.state, row.reviewer = State.SUBMITTED, None
    return _saved(row)


@transaction.atomic
def subsidence_review(*, subsidence: Subsidence, verdict: str, user: User, lock: int, note: str = "") -> Subsidence:
    """Accept, return or reject what another person drew.

    Args:
        subsidence: submitted.
        verdict: ``accepted``, ``returned`` or ``rejected``; the last two need a note.
        user: the reviewer.
        lock: the revision the user saw.
        note: why.

    Raises:
        ForbiddenError: the user may not review here.
        ConflictError: somebody changed it meanwhile.
        MineGISError: E-EDI-05 the user drew it, E-EDI-09 no such verdict, E-EDI-19 not submitted, E-EDI-21 no note.
    """
    row = _locked(subsidence, lock)
    require(user, Action.ACCEPT_SUBSIDENCE, row.region)
    verdicts = (State.ACCEPTED.value, State.RETURNED.value, State.REJECTED.value)
    if verdict not in verdicts:
        raise MineGISError("E-EDI-09", value=verdict, known=", ".join(verdicts))
    _expect(row, (State.SUBMITTED,))
    if row.author_id == user.pk:
        raise MineGISError("E-EDI-05")
    if verdict != State.ACCEPTED and not note.strip():
        raise MineGISError("E-EDI-21")
    row.state, row.reviewer, row.review_note = verdict, user, note
    return _saved(row)


@transaction.atomic
def subsidence_end(*, subsidence: Subsidence, ended_on: date, user: User, lock: int, note: str) -> Subsidence:
    """Say that accepted subsidence is over: from the year of that day on it counts no more, and can be released.

    Raises:
        ForbiddenError: the user may not review here.
        ConflictError: somebody changed it meanwhile.
        MineGISError: E-EDI-05 the user drew it, E-EDI-19 not accepted, E-EDI-21 no note, E-EDI-24 it ends before it
            was surveyed.
    """
    row = _locked(subsidence, lock)
    require(user, Action.ACCEPT_SUBSIDENCE, row.region)
    _expect(row, (State.ACCEPTED,))
    if row.author_id == user.pk:
        raise MineGISError("E-EDI-05")
    if not note.strip():
        raise MineGISError("E-EDI-21")
    if ended_on < row.surveyed_on:
        raise MineGISError("E-EDI-24", value=ended_on.isoformat())
    row.ended_on, row.reviewer, row.review_note = ended_on, user, note
    return _saved(row)


@transaction.atomic
def subsidence_delete(*, subsidence: Subsidence, user: User, lock: int) -> None:
    """Remove a draft of one's own; what was reviewed stays.

    Raises:
        ForbiddenError, ConflictError, MineGISError: as for ``subsidence_edit``.
    """
    row = _locked(subsidence, lock)
    require(user, Action.DRAW_SUBSIDENCE, row.region, own=row.author_id == user.pk)
    _expect(row, (State.DRAFT,))
    row.delete()


def _locked(subsidence: Subsidence, lock: int) -> Subsidence:
    row = Subsidence.objects.select_for_update(of=("self",)).select_related("region").get(pk=subsidence.pk)
    if row.lock != lock:
        raise ConflictError
    return row


def _expect(row: Subsidence, states: Iterable[str]) -> None:
    if row.state not in states:
        raise MineGISError("E-EDI-19", state=row.state)


def _saved(row: Subsidence) -> Subsidence:
    row.lock += 1
    row.save()
    return row


@transaction.atomic
def control_add(*, region: Region, geom: GEOSGeometry, user: User, note: str = "") -> ControlPolygon:
    """Mark ground known not to change; what "changes" there measures the sensors' bias.

    Raises:
        ForbiddenError: the user may not decide in the region.
        MineGISError: E-EDI-22, the outline is not valid.
    """
    require(user, Action.DECIDE_FLOW, region)
    return ControlPolygon.objects.create(region=region, geom=outline(geom), note=note[:200], created_by=user)


@transaction.atomic
def control_remove(*, control: ControlPolygon, user: User) -> None:
    """Take a control polygon back; editions keep the bias they were computed with.

    Raises:
        ForbiddenError: the user may not decide in the region.
    """
    require(user, Action.DECIDE_FLOW, control.region)
    control.delete()
