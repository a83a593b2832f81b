"""The life of an edition: draft, computed, frozen, published, superseded or withdrawn; the opening book."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
from django.db import transaction
from django.db.models import Case, Max, QuerySet, When
from django.utils import timezone
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.content import FORMAT, content_sha256
from landdamage.accounting.identities import check
from landdamage.accounting.statement import Statement
from landdamage.accounting.surveyed import EXTENTS, Extent
from landdamage.accounting.workfiles import save_table
from landdamage.models import ChangePiece, Edition, MonitoredArea
from landdamage.selectors.editions import (
    edition_cells,
    edition_restorations,
    edition_statement,
    edition_sums,
    kind_sums,
    numbered,
)
from landdamage.selectors.reviews import places, reviews_since, tailings_open, waters_open
from landdamage.services.files import files
from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.access.querysets import region_prefix
from minegis.errors import ConflictError, MineGISError
from minegis.jobs.services import job_submit
from minegis.registry.models import SRID, Region

State = Edition.State
MOST_BIAS = 0.20  # of the new area; above it the manager signs


@transaction.atomic
def edition_draft(
    *,
    region: Region,
    year: int,
    user: User | None,
    based_on: Edition | None = None,
    change_note: str = "",
    params: dict[str, Any] | None = None,
) -> Edition:
    """Open the next version of a year.

    Args:
        region: whose book.
        year: the year accounted for.
        user: an analyst of the region; None is the platform itself, at its command line.
        based_on: the book it opens with; None takes the published edition of the latest earlier year, else its frozen
            one; a region without any begins with its first book.
        change_note: why there is another version; needed once the year has been published, withdrawn or not.
        params: thresholds other than the defaults (fields of ``accounting.rules.Rules``).

    Raises:
        ForbiddenError: the user may not build editions here.
        MineGISError: E-EDI-02 an edition of the year is open, E-EDI-11 no change note, E-EDI-18 the edition below is
            neither frozen nor published, or not of an earlier year, E-EDI-25 a region above or below keeps books.
    """
    if user is not None:
        require(user, Action.BUILD_EDITION, region)
    Region.objects.select_for_update().get(pk=region.pk)
    _refuse_second_book(region)
    same_year = Edition.objects.filter(region=region, year=year)
    unfinished = same_year.filter(state__in=[State.DRAFT, State.FROZEN]).first()
    if unfinished is not None:
        raise MineGISError("E-EDI-02", year=year, version=f"v{unfinished.version}", state=unfinished.state)
    if needs_change_note(region, year) and not change_note.strip():
        raise MineGISError("E-EDI-11")
    if based_on is None:
        based_on = books_below(region, year).first()
    elif not books_below(region, year).filter(pk=based_on.pk).exists():
        raise MineGISError("E-EDI-18", state=based_on.state)
    area = MonitoredArea.objects.filter(region=region).order_by("-version").first()
    return Edition.objects.create(
        region=region,
        year=year,
        version=(same_year.aggregate(latest=Max("version"))["latest"] or 0) + 1,
        based_on=based_on,
        area=area or MonitoredArea.objects.create(region=region, version=1, created_by=user),
        change_note=change_note.strip(),
        params={"given": params or {}},
        created_by=user,
    )


def needs_change_note(region: Region, year: int) -> bool:
    """Whether the next version of a year must say what it changes: some version has been published before."""
    published = (*Edition.PUBLIC, State.WITHDRAWN)
    return Edition.objects.filter(region=region, year=year, state__in=published).exists()


def _refuse_second_book(region: Region) -> None:
    """Two books over the same ground would decide it twice, and every sum over both would count it twice."""
    books = Edition.objects.exclude(state=State.WITHDRAWN).exclude(region__code=region.code)
    for other in Region.objects.filter(pk__in=books.values("region")):
        above, below = region_prefix(other.code), region_prefix(region.code)
        if region.code.startswith(above) or other.code.startswith(below):
            raise MineGISError("E-EDI-25", value=other.name)


def books_below(region: Region, year: int) -> QuerySet[Edition]:
    """Editions a year can stand on: of earlier years, the latest year first, published before frozen."""
    return Edition.objects.filter(region=region, year__lt=year, state__in=[State.PUBLISHED, State.FROZEN]).order_by(
        "-year", Case(When(state=State.PUBLISHED, then=0), default=1), "-version"
    )


@transaction.atomic
def edition_compute(*, edition: Edition, user: User | None, lock: int) -> Edition:
    """Queue the account of a draft; decisions survive where the change is the same. ``user`` None: the platform itself.

    Raises:
        ForbiddenError: the user may not build editions here.
        ConflictError: somebody changed the edition meanwhile.
        MineGISError: E-EDI-01 no draft, E-EDI-17 it is being computed.
    """
    row = _locked(edition, lock, user, Action.BUILD_EDITION, State.DRAFT)
    refuse_while_computing(row)
    row.job = job_submit(
        kind="account", params={"edition_id": str(row.pk)}, created_by=user, region=row.region, title=str(row)
    )
    return _saved(row)


@transaction.atomic
def opening_import(
    *,
    region: Region,
    year: int,
    frame: gpd.GeoDataFrame,
    extent: Extent,
    user: User,
    covered: BaseGeometry | None = None,
    left_out: BaseGeometry | None = None,
    change_note: str = "",
) -> Edition:
    """Begin a region's books with polygons of an earlier year: a draft whose account is queued.

    The polygons become the states of the ground that the year's account carries along. Monitored ground without a
    polygon is OTHER where the survey covered it, so that damage seen there later is new; elsewhere it is UNKNOWN, and
    such damage is first seen. Polygons beyond the monitored ground are left out. Freeze and publish it like any other
    edition.

    Args:
        region: whose book.
        year: which the polygons show.
        frame: EPSG:4490; geometry (valid, without overlaps) and state (numbers of ``states.State``).
        extent: what the survey covered: ``whole`` of the monitored ground, the ``layer`` given as ``covered``, or
            ``unknown``.
        user: an analyst of the region.
        covered: the surveyed ground, EPSG:4490, for ``layer`` alone.
        left_out: ground under polygons that were not taken over, EPSG:4490: it stays UNKNOWN.
        change_note: what is different; needed where the year had been published and was withdrawn.

    Raises:
        ForbiddenError: the user may not build editions here.
        MineGISError: E-EDI-20 the year has an edition, E-EDI-11 no change note, E-EDI-25 a region above or below keeps
            books.
        ValueError: ``layer`` without ``covered``, or ``covered`` without ``layer``.
    """
    require(user, Action.BUILD_EDITION, region)
    if extent not in EXTENTS or (extent == "layer") != (covered is not None):
        raise ValueError(f"extent {extent!r} with covered ground {covered is not None}")
    Region.objects.select_for_update().get(pk=region.pk)
    refuse_opening(region, year)
    inputs = {"polygons_sha256": _kept(frame[["state", "geometry"]]), "coverage": extent}
    told = [(what, shape) for what, shape in (("covered", covered), ("left_out", left_out)) if shape is not None]
    if told:
        outlines = gpd.GeoDataFrame(
            {"what": [what for what, _ in told]}, geometry=[shape for _, shape in told], crs=SRID
        )
        inputs["coverage_sha256"] = _kept(outlines)
    row = edition_draft(region=region, year=year, user=user, change_note=change_note)
    row.based_on, row.is_opening, row.inputs = None, True, inputs
    row.save(update_fields=["based_on", "is_opening", "inputs"])
    return edition_compute(edition=row, user=user, lock=row.lock)


def refuse_opening(region: Region, year: int) -> None:
    """Raise what stands in the way of an opening book whatever its file holds: E-EDI-20 or E-EDI-25."""
    if Edition.objects.filter(region=region, year=year).exclude(state=State.WITHDRAWN).exists():
        raise MineGISError("E-EDI-20")
    _refuse_second_book(region)


def _kept(table: gpd.GeoDataFrame) -> str:
    """Put a table of outlines into the write-once storage; returns its hash."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "outlines.npz"
        save_table(path, table)
        return files().put(path).sha256


@transaction.atomic
def edition_discard(*, edition: Edition, user: User, lock: int) -> None:
    """Delete a draft with its cells and decisions.

    Raises:
        ForbiddenError: the user may not build editions here.
        ConflictError: somebody changed the edition meanwhile.
        MineGISError: E-EDI-01, it is no draft; E-EDI-17, it is being computed.
    """
    row = _locked(edition, lock, user, Action.BUILD_EDITION, State.DRAFT)
    refuse_while_computing(row)
    row.cells.all()._raw_delete(row.cells.db)  # a hundred thousand rows need not pass through Python
    row.delete()


@transaction.atomic
def edition_freeze(*, edition: Edition, user: User | None, lock: int) -> Edition:
    """Lock the numbers and take their hash; ``user`` None is the platform itself.

    Raises:
        ForbiddenError: the user may not build editions here.
        ConflictError: somebody changed the edition meanwhile.
        MineGISError: E-EDI-01 no draft, E-EDI-12 not computed, E-EDI-17 being computed, E-EDI-03 newly seen changes
            without a decision, E-EDI-04 waters of unknown origin, E-EDI-30 tailings ponds that nobody has reviewed,
            E-EDI-31 reviews that the account has not read; or an identity of the books is broken.
    """
    row = _locked(edition, lock, user, Action.BUILD_EDITION, State.DRAFT)
    refuse_while_computing(row)
    if row.computed_at is None:
        raise MineGISError("E-EDI-12")
    undecided = row.pieces.filter(kind=ChangePiece.Kind.NEW, decision="").count()
    if undecided:
        raise MineGISError("E-EDI-03", value=undecided)
    _refuse_unreviewed(row)
    cells = edition_cells(row)
    row.results = {**row.results, "statement": kind_sums(check_cells(row, cells))}
    row.content_sha256, row.content_format = content_sha256(cells, edition_restorations(row)), FORMAT
    row.state, row.frozen_by, row.frozen_at = State.FROZEN, user, timezone.now()
    return _saved(row)


def _refuse_unreviewed(row: Edition) -> None:
    if count := waters_open(row).count():
        raise MineGISError("E-EDI-04", value=count)
    ponds = tailings_open(row)
    if count := ponds.count():
        raise MineGISError("E-EDI-30", value=count, places=places(ponds))
    if count := reviews_since(row):
        raise MineGISError("E-EDI-31", value=count)


@transaction.atomic
def edition_unfreeze(*, edition: Edition, user: User, lock: int) -> Edition:
    """Back to a draft, as long as it has not been published and no other book stands on it.

    Raises:
        ForbiddenError, ConflictError, MineGISError: as for ``edition_freeze``; E-EDI-02 another year stands on it.
    """
    row = _locked(edition, lock, user, Action.BUILD_EDITION, State.FROZEN)
    follower = row.followers.order_by("-year").first()
    if follower is not None:
        raise MineGISError("E-EDI-02", year=follower.year, version=f"v{follower.version}", state=follower.state)
    row.state, row.frozen_by, row.frozen_at, row.content_sha256 = State.DRAFT, None, None, ""
    return _saved(row)


@transaction.atomic
def edition_publish(*, edition: Edition, user: User, lock: int, sign_bias: bool = False) -> Edition:
    """Publish a frozen edition; the published version of the same year is superseded.

    Args:
        edition: frozen.
        user: a manager of the region who decided no change of it.
        lock: the revision the user saw.
        sign_bias: the manager publishes in spite of an estimated bias above 20 % of the new area.

    Raises:
        ForbiddenError: the user may not publish here.
        ConflictError: somebody changed the edition meanwhile.
        MineGISError: E-EDI-01 not frozen, E-EDI-06 the user decided changes, E-EDI-10 bias without signature,
            E-EDI-11 another version without a change note.
    """
    row = _locked(edition, lock, user, Action.PUBLISH_EDITION, State.FROZEN)
    if row.pieces.filter(decided_by=user).exists():
        raise MineGISError("E-EDI-06")
    share = bias_share(row)
    if share is not None and share > MOST_BIAS:
        if not sign_bias:
            raise (
                MineGISError("E-EDI-10", value=f"{100 * share:.1f}")
                if math.isfinite(share)
                else MineGISError("E-EDI-23")
            )
        row.signed_bias = True
    older = Edition.objects.select_for_update(of=("self",)).filter(
        region=row.region, year=row.year, state=State.PUBLISHED
    )
    if needs_change_note(row.region, row.year) and not row.change_note.strip():
        raise MineGISError("E-EDI-11")
    replaced = older.first()
    if replaced is not None:
        replaced.state = State.SUPERSEDED
        _saved(replaced)
        row.supersedes = replaced
    row.state, row.published_by, row.published_at = State.PUBLISHED, user, timezone.now()
    return _saved(row)


@transaction.atomic
def edition_withdraw(*, edition: Edition, user: User, lock: int, reason: str) -> Edition:
    """Take a published or superseded edition out of use; its cells and its hash stay.

    Raises:
        ForbiddenError, ConflictError: as for ``edition_publish``.
        MineGISError: E-EDI-01 not published, E-EDI-21 no reason.
    """
    row = _locked(edition, lock, user, Action.PUBLISH_EDITION, *Edition.PUBLIC)
    if not reason.strip():
        raise MineGISError("E-EDI-21")
    row.state, row.withdrawn_reason = State.WITHDRAWN, reason
    return _saved(row)


def bias_share(edition: Edition) -> float | None:
    """The estimated false part of the reported new area; None unless unlike sensors were compared.

    Infinite where it was not measured: too few control polygons, or no new area to set it against.
    """
    if not edition.results.get("mixed_sensor"):
        return None
    bias = edition.results.get("bias") or {}
    false = bias.get("false_new_m2") if bias.get("enough_controls") else None
    new = sum(sums["new"] for sums in edition_sums(edition).values())
    if false is None:
        return math.inf
    return false * units.CM2_PER_M2 / new if new else (math.inf if false > 0 else 0.0)


def refuse_while_computing(edition: Edition) -> None:
    """Raise E-EDI-17 while the edition's account job is queued or running."""
    if edition.job is not None and edition.job.is_active:
        raise MineGISError("E-EDI-17")


def check_cells(edition: Edition, cells: pd.DataFrame) -> Statement:
    """Every identity of the books on an edition's cells (codes as text), and its opening on the book below.

    Raises:
        MineGISError: E-ACC-01, an identity is broken.
    """
    previous = edition_statement(edition.based_on) if edition.based_on else None
    return check(numbered(cells), previous=previous, by=("mine_id", "region_code"))


def _locked(edition: Edition, lock: int, user: User | None, action: Action, *states: str) -> Edition:
    row = Edition.objects.select_for_update(of=("self",)).select_related("region", "job").get(pk=edition.pk)
    if user is not None:
        require(user, action, row.region)
    if row.state not in states:
        raise MineGISError("E-EDI-01", state=row.state)
    if row.lock != lock:
        raise ConflictError
    return row


def _saved(row: Edition) -> Edition:
    row.lock += 1
    row.save()
    return row
