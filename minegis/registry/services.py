"""Writes to the register."""

from __future__ import annotations

from typing import Any

import shapely
from django.conf import settings
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import transaction

from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.addresses import check_stream_address
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Camera, Mine
from minegis.registry.selectors import region_holding

INFLUENCE_M = 500.0  # dumps, camps and tailings lie outside the licence, mostly within this distance


def influence_zone(boundary: GEOSGeometry, distance_m: float = INFLUENCE_M) -> MultiPolygon:
    """The default accounting zone: a boundary buffered in metres in its local CGCS2000 Gauss-Kruger zone.

    Args:
        boundary: polygonal, EPSG:4490, between 73.5°E and 136.5°E.
        distance_m: width of the buffer in metres on the ground.

    Returns:
        MultiPolygon in EPSG:4490 that contains the boundary.

    Raises:
        ValueError: no Gauss-Kruger zone covers the boundary's longitude.
    """
    shape = shapely.from_wkb(bytes(boundary.wkb))
    zone = units.gauss_kruger_epsg(shape.centroid.x)
    ring = units.reproject(shape, units.CGCS2000_EPSG, zone).buffer(distance_m)
    return _multi(units.reproject(ring, zone, units.CGCS2000_EPSG))


def _multi(shape: shapely.Geometry) -> MultiPolygon:
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    geometry = GEOSGeometry(memoryview(shapely.to_wkb(shapely.MultiPolygon(parts))), srid=SRID)
    if not isinstance(geometry, MultiPolygon):
        raise TypeError(f"expected a MultiPolygon, got {geometry.geom_type}")
    return geometry


def _complete(mine: Mine) -> None:
    """Fill in what follows from the boundary and check the whole row."""
    if mine.boundary is not None:
        if mine.influence_zone is None:
            mine.influence_zone = influence_zone(mine.boundary)
        if mine.region_id is None:
            region = region_holding(mine.boundary)
            if region is None:
                raise MineGISError("E-REG-01")
            mine.region = region
    mine.full_clean()


@transaction.atomic
def mine_create(*, code: str, name_zh: str, mineral_kind: str, mining_method: str, **fields: Any) -> Mine:
    """Enter a mine into the register.

    Args:
        code: the bureau's code, unique.
        name_zh: Chinese name.
        mineral_kind: a value of ``Mine.MineralKind``.
        mining_method: a value of ``Mine.Method``.
        fields: any other field of ``Mine``. ``influence_zone`` is the boundary buffered by 500 m unless given;
            ``region`` is the one that holds the largest part of the boundary unless given.

    Raises:
        MineGISError: E-REG-01, no region is known where the boundary lies.
        django.core.exceptions.ValidationError: a field breaks a rule of the register.
    """
    mine = Mine(code=code, name_zh=name_zh, mineral_kind=mineral_kind, mining_method=mining_method, **fields)
    _complete(mine)
    mine.save(force_insert=True)
    return mine


@transaction.atomic
def mine_update(*, mine: Mine, **fields: Any) -> Mine:
    """Change a mine. A new boundary brings a new default zone unless the old zone had been drawn by hand.

    Args:
        mine: the row to change.
        fields: fields of ``Mine`` and their new values; ``influence_zone=None`` returns to the default zone.

    Raises:
        django.core.exceptions.ValidationError: a field breaks a rule of the register.
    """
    mine = Mine.objects.select_for_update(of=("self",)).get(pk=mine.pk)
    old_zone, old_boundary = mine.influence_zone, mine.boundary
    for name, value in fields.items():
        setattr(mine, name, value)
    if "influence_zone" not in fields and "boundary" in fields and _is_default(old_zone, old_boundary):
        mine.influence_zone = None
    _complete(mine)
    mine.save()
    return mine


def _is_default(zone: GEOSGeometry | None, boundary: GEOSGeometry | None) -> bool:
    if zone is None:
        return True
    if boundary is None:
        return False
    return bool(zone.equals_exact(influence_zone(boundary), 1e-9))


@transaction.atomic
def camera_save(*, user: User, camera: Camera | None = None, **fields: Any) -> Camera:
    """Enter a camera into the register, or change one.

    Args:
        user: who does it; they need the right in the region where the camera is, and where it comes to be.
        camera: the row to change, or None.
        fields: fields of ``Camera``; ``mine`` gives the region unless ``region`` is given.

    Raises:
        ForbiddenError: the user may not edit cameras there.
        MineGISError: E-REG-03 the stream address is none; E-REG-04 the code is taken; E-REG-05 the region is missing;
            E-REG-06 the stream lies outside the allowed networks.
        django.core.exceptions.ValidationError: a field breaks a rule of the register.
    """
    if camera is not None:
        camera = Camera.objects.select_for_update(of=("self",)).get(pk=camera.pk)
        require(user, Action.EDIT_CAMERA, camera.region)
    row = camera or Camera()
    if fields.get("mine") is not None and fields.get("region") is None:
        fields["region"] = fields["mine"].region
    for name, value in fields.items():
        if name == "region" and value is None:
            continue
        setattr(row, name, value)
    if row.region_id is None:
        raise MineGISError("E-REG-05")
    require(user, Action.EDIT_CAMERA, row.region)
    if row.stream_address:
        check_stream_address(row.stream_address, settings.CAMERA_NETWORKS)
    if Camera.objects.filter(code=row.code).exclude(pk=row.pk).exists():
        raise MineGISError("E-REG-04", value=row.code)
    row.full_clean()
    row.save()
    return row


def camera_remember(*, camera: Camera, preset: dict[str, Any]) -> None:
    """Keep how a camera's pictures were enhanced, as the start of the next time."""
    Camera.objects.filter(pk=camera.pk).update(preset=preset)
