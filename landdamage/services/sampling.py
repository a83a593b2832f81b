"""Writes about check samples: drawing one, labelling its points by two people, settling, measuring."""

from __future__ import annotations

import secrets
from typing import Any

import geopandas as gpd
import shapely
from django.contrib.gis.geos import Point
from django.db import transaction

from landdamage.accounting import accuracy
from landdamage.models import CheckPoint, CheckSample, Edition
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError
from minegis.registry.models import SRID

LABELS: tuple[str, ...] = tuple(f"{before}>{now}" for before in accuracy.KIND_CODES for now in accuracy.KIND_CODES)
UNSURE = accuracy.UNSURE
MOST_POINTS = 5000


def edition_cells(edition: Edition) -> gpd.GeoDataFrame:
    """The cells of an edition with what the strata need, EPSG:4490."""
    columns = ("geom", "area_cm2", "prev_state", "new_state", "flow")
    rows = list(edition.cells.order_by("cell_id").values_list(*columns))
    shapes = [shapely.from_wkb(bytes(row[0].wkb)) for row in rows]
    return gpd.GeoDataFrame(
        {name: [row[i] for row in rows] for i, name in enumerate(columns) if i}, geometry=shapes, crs=SRID
    )


@transaction.atomic
def sample_draw(*, edition: Edition, user: User, total: int | None = None, seed: int | None = None) -> CheckSample:
    """Draw a stratified sample of check points over the ground an edition's imagery shows.

    Args:
        edition: computed, in any state.
        user: who plans it.
        total: number of points; None follows Cochran's formula.
        seed: for the same points again; None takes a new one.

    Raises:
        ForbiddenError: the user may not plan samples in the edition's region.
        MineGISError: E-SAM-01 nothing to sample, E-SAM-02 too many points.
    """
    require(user, Action.PLAN_SAMPLE, edition.region)
    if total is not None and not accuracy.MIN_POINTS <= total <= MOST_POINTS:
        raise MineGISError("E-SAM-02", value=total, most=MOST_POINTS, least=accuracy.MIN_POINTS)
    cells = edition_cells(edition)
    codes = accuracy.strata_of(cells)
    areas = cells["area_cm2"].groupby(codes).sum().to_dict()
    areas.pop("", None)
    strata = accuracy.plan({code: int(area) for code, area in areas.items()}, total)
    if not strata:
        raise MineGISError("E-SAM-01")
    seed = secrets.randbelow(2**31) if seed is None else seed
    sample = CheckSample.objects.create(
        edition=edition,
        seed=seed,
        created_by=user,
        strata=[{"code": s.code, "area_cm2": s.area_cm2, "points": s.points} for s in strata],
    )
    CheckPoint.objects.bulk_create(
        CheckPoint(sample=sample, number=number, stratum=code, geom=Point(at.x, at.y, srid=SRID))
        for number, (code, at) in enumerate(accuracy.draw(cells, strata, seed), start=1)
    )
    return sample


@transaction.atomic
def point_label(*, point: CheckPoint, user: User, label: str) -> CheckPoint:
    """Record what a person sees at a point; the first two people label it independently, each may correct theirs.

    Raises:
        ForbiddenError: the user may not label in the region.
        MineGISError: E-SAM-03 no such label.
        MineGISError: E-SAM-04 two other people have labelled it already, or it is settled.
    """
    require(user, Action.LABEL_SAMPLE, point.sample.edition.region)
    if label not in (*LABELS, UNSURE):
        raise MineGISError("E-SAM-03", value=label, known=", ".join((*LABELS, UNSURE)))
    point = CheckPoint.objects.select_for_update().get(pk=point.pk)
    if point.agreed_by_id is not None:
        raise MineGISError("E-SAM-04", value=point.number)
    if point.first_by_id in (None, user.pk):
        point.first_by, point.first_label = user, label
    elif point.second_by_id in (None, user.pk):
        point.second_by, point.second_label = user, label
    else:
        raise MineGISError("E-SAM-04", value=point.number)
    same = point.first_label == point.second_label
    point.agreed_label = point.first_label if same else ""
    point.save()
    measure(point.sample)
    return point


@transaction.atomic
def point_settle(*, point: CheckPoint, user: User, label: str) -> CheckPoint:
    """Settle a point on which the two labellers differ.

    Raises:
        ForbiddenError: the user may not plan samples in the region.
        MineGISError: E-SAM-03 no such label.
        MineGISError: E-SAM-05 the point has not been labelled twice, or both agree, E-SAM-06 the user is one of them.
    """
    require(user, Action.PLAN_SAMPLE, point.sample.edition.region)
    if label not in (*LABELS, UNSURE):
        raise MineGISError("E-SAM-03", value=label, known=", ".join((*LABELS, UNSURE)))
    point = CheckPoint.objects.select_for_update().get(pk=point.pk)
    if not point.first_label or not point.second_label or point.first_label == point.second_label:
        raise MineGISError("E-SAM-05", value=point.number)
    if user.pk in (point.first_by_id, point.second_by_id):
        raise MineGISError("E-SAM-06", value=point.number)
    point.agreed_label, point.agreed_by = label, user
    point.save()
    measure(point.sample)
    return point


def measure(sample: CheckSample) -> dict[str, Any]:
    """Error matrix and adjusted areas from the points agreed so far; stored in the sample's ``results``."""
    points = sample.points.values_list("stratum", "first_label", "second_label", "agreed_label")
    results = accuracy.figures(list(points), sample.strata)
    CheckSample.objects.filter(pk=sample.pk).update(results=results)
    sample.results = results
    return results
