"""The monitored area of a region, version by version."""

from __future__ import annotations

from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction
from django.db.models import Max

from landdamage.models import MonitoredArea
from landdamage.services.subsidence import outline
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.registry.models import Region


@transaction.atomic
def area_update(*, region: Region, user: User, extra: GEOSGeometry | None = None, note: str = "") -> MonitoredArea:
    """A new version of the monitored area: the influence zones of the region's mines and what is added by hand.

    Args:
        region: whose area.
        user: an analyst of the region.
        extra: polygonal ground beyond the zones, EPSG:4490; None for none.
        note: why it changed.

    Raises:
        ForbiddenError: the user may not build editions here.
        MineGISError: E-EDI-22, the outline is not valid.
    """
    require(user, Action.BUILD_EDITION, region)
    Region.objects.select_for_update().get(pk=region.pk)
    latest = MonitoredArea.objects.filter(region=region).aggregate(latest=Max("version"))["latest"] or 0
    shape = None if extra is None else outline(extra)
    return MonitoredArea.objects.create(
        region=region, version=latest + 1, extra=shape, note=note[:200], created_by=user
    )
