"""Whose ground a place is, decided by a person against the rule of licences and zones."""

from __future__ import annotations

import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction
from django.utils import timezone

from landdamage.models import TerritoryOverride
from landdamage.services.subsidence import outline
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import MineGISError
from minegis.registry.models import Mine, Region


@transaction.atomic
def override_add(*, mine: Mine, geom: GEOSGeometry, reason: str, user: User) -> TerritoryOverride:
    """Give ground to a mine. The next account of every open year counts it so; what is monitored does not grow.

    Where two decisions meet, the newer one holds.

    Args:
        mine: whose ground it shall be.
        geom: polygonal, EPSG:4490.
        reason: why.
        user: a reviewer or manager of the mine's region, and of every region whose ground it takes.

    Raises:
        ForbiddenError: the user may not decide so for the mine, or for a region that the outline reaches into.
        MineGISError: E-EDI-21 no reason, E-EDI-22 the outline is not valid, E-GND-05 no region is there.
    """
    require(user, Action.OVERRIDE_TERRITORY, mine.region)
    if not reason.strip():
        raise MineGISError("E-EDI-21")
    shape = outline(geom)
    regions = _lowest_regions(shape)
    if not regions:
        raise MineGISError("E-GND-05", value=mine.code)
    for region in regions:
        require(user, Action.OVERRIDE_TERRITORY, region)
    return TerritoryOverride.objects.create(mine=mine, geom=shape, reason=reason.strip(), created_by=user)


@transaction.atomic
def override_withdraw(*, override: TerritoryOverride, reason: str, user: User) -> TerritoryOverride:
    """Take a decision about ground back; the row stays, and editions keep what they were computed with.

    Raises:
        ForbiddenError: the user may not decide so for the mine.
        MineGISError: E-EDI-21 no reason, E-GND-04 it was withdrawn before.
    """
    row = TerritoryOverride.objects.select_for_update(of=("self",)).select_related("mine__region").get(pk=override.pk)
    require(user, Action.OVERRIDE_TERRITORY, row.mine.region)
    if not reason.strip():
        raise MineGISError("E-EDI-21")
    if row.withdrawn_at is not None:
        raise MineGISError("E-GND-04")
    row.withdrawn_by, row.withdrawn_at, row.withdrawn_reason = user, timezone.now(), reason.strip()
    row.save(update_fields=["withdrawn_by", "withdrawn_at", "withdrawn_reason"])
    return row


def _lowest_regions(shape: GEOSGeometry) -> list[Region]:
    """Regions in force, without regions of their own below, that share ground with an outline."""
    ground = shapely.from_wkb(bytes(shape.wkb))
    parents = Region.objects.filter(valid_to__isnull=True, parent__isnull=False).values("parent")
    near = Region.objects.filter(valid_to__isnull=True, geom__bboverlaps=shape).exclude(pk__in=parents)
    return [one for one in near if shapely.intersection(shapely.from_wkb(bytes(one.geom.wkb)), ground).area > 0]
