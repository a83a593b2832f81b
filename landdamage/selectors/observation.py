"""Reads of observation masks: what a scene shows of its ground, and what it does not."""

from __future__ import annotations

from typing import Any

import shapely
from django.contrib.gis.geos import GEOSGeometry
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from landdamage.models import ObservationMask
from minegis import units

GRID = 1e-8  # degrees: a millimetre


def _shape(geometry: GEOSGeometry | None) -> BaseGeometry:
    assert geometry is not None  # a scene with a mask has a footprint
    return shapely.from_wkb(bytes(geometry.wkb))


def _geojson(geometry: BaseGeometry) -> dict[str, Any]:
    rounded = shapely.set_precision(geometry, GRID)  # stays valid, which rounding alone would not promise
    return mapping(shapely.MultiPolygon([p for p in shapely.get_parts(rounded) if isinstance(p, shapely.Polygon)]))


def observation_feature(mask: ObservationMask) -> dict[str, Any]:
    """A mask as a GeoJSON feature: the observed ground in longitude, latitude (EPSG:4490).

    Properties: ``unobserved`` the rest of the footprint and ``no_data`` what its frame holds beyond it (geometries);
    ``unobserved_share``, ``cloud_share``, ``shadow_share`` of the footprint 0-1, the latter two as they were found;
    ``method``, ``method_name``, ``params``, ``edited_by``, ``updated_at`` and ``lock`` (send it back with a change).
    """
    footprint, seen = _shape(mask.scene.footprint), _shape(mask.geom)
    hidden = shapely.difference(footprint, seen)
    return {
        "type": "Feature",
        "id": str(mask.pk),
        "geometry": _geojson(seen),
        "properties": {
            "method": mask.method,
            "method_name": str(mask.get_method_display()),
            "cloud_share": mask.cloud_share,
            "shadow_share": mask.shadow_share,
            "unobserved_share": units.area_cm2(hidden) / max(units.area_cm2(footprint), 1),
            "unobserved": _geojson(hidden),
            "no_data": _geojson(shapely.difference(shapely.box(*footprint.bounds), footprint)),
            "params": mask.params,
            "edited_by": mask.edited_by.username if mask.edited_by else None,
            "updated_at": mask.updated_at.isoformat(),
            "lock": mask.lock,
        },
    }
