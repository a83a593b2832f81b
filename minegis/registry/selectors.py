"""Reads of the register."""

from __future__ import annotations

import shapely
from django.contrib.gis.geos import GEOSGeometry

from minegis import units
from minegis.registry.models import Region

_DEPTH = {level: depth for depth, level in enumerate(Region.Level.values)}  # province first, township last


def region_holding(geometry: GEOSGeometry) -> Region | None:
    """The region that holds the largest part of a geometry, among those of the finest level that meets it.

    Args:
        geometry: polygonal, EPSG:4490.

    Returns:
        A region in force (no end of validity), or None where no region meets the geometry.
    """
    candidates = list(Region.objects.filter(valid_to__isnull=True, geom__intersects=geometry))
    if not candidates:
        return None
    finest = max(_DEPTH[region.level] for region in candidates)
    shape = shapely.from_wkb(bytes(geometry.wkb))

    def share(region: Region) -> float:
        return units.area_m2(shapely.intersection(shape, shapely.from_wkb(bytes(region.geom.wkb))))

    return max((region for region in candidates if _DEPTH[region.level] == finest), key=share)
