"""Writes about what a scene shows of its ground: found at ingest or on demand, corrected by hand, found anew."""

from __future__ import annotations

from typing import Any

import shapely
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import transaction
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.clouds import ObservedGround, observed_ground
from landdamage.models import ObservationMask, Scene
from landdamage.services.files import file_path
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, Finding, ObservationError, Severity
from minegis.registry.models import SRID

MUCH, TOO_MUCH = 0.20, 0.60  # shares of the footprint


def observation_findings(found: ObservedGround) -> list[Finding]:
    """What clouds and shadows mean for the scene: a warning over 20 %, clouds over 60 % refuse it."""
    findings = []
    if found.cloud_share > MUCH:
        severity: Severity | None = "error" if found.cloud_share > TOO_MUCH else None
        findings.append(Finding("E-QUA-01", "cloud", {"value": f"{100 * found.cloud_share:.0f}"}, severity))
    if found.shadow_share > MUCH:
        findings.append(Finding("E-QUA-02", "shadow", {"value": f"{100 * found.shadow_share:.0f}"}))
    return findings


def mask_fields(found: ObservedGround) -> dict[str, Any]:
    """A mask's columns for what was found."""
    method = ObservationMask.Method.AUTOMATIC if found.detected else ObservationMask.Method.FOOTPRINT
    return {
        "geom": _stored(found.geometry),
        "method": method,
        "cloud_share": found.cloud_share,
        "shadow_share": found.shadow_share,
        "params": found.params,
    }


def observation_of(scene: Scene) -> ObservationMask:
    """The observation mask of a scene; found now where it was ingested before masks existed.

    Raises:
        ObservationError: E-OBS-02, the scene has no prepared image.
        SceneError: its image cannot be read.
    """
    known = ObservationMask.objects.filter(scene=scene).first()
    if known is not None:
        return known
    mask, _ = ObservationMask.objects.get_or_create(scene=scene, defaults=mask_fields(_find(scene)))
    return mask


def observed_without(scene: Scene, hidden: BaseGeometry) -> BaseGeometry:
    """The footprint without what a person outlined as unobserved; the parts of ``hidden`` may overlap.

    Raises:
        ObservationError: E-OBS-01 a part is no valid polygon, E-OBS-02 the scene has no prepared image.
    """
    parts = [_checked(part) for part in shapely.get_parts(hidden)]
    return shapely.difference(_shape(scene.footprint), shapely.union_all(parts))


@transaction.atomic
def mask_update(*, scene: Scene, geom: BaseGeometry, user: User, lock: int) -> ObservationMask:
    """Replace the observed ground by what a person outlined; ground outside the footprint is cut off.

    Args:
        scene: the scene.
        geom: observed ground, polygons in EPSG:4490; empty when nothing can be used.
        user: who corrects it.
        lock: revision the person saw.

    Raises:
        ForbiddenError: the user may not correct masks in the scene's region.
        ObservationError: E-OBS-01 not polygons or not valid, E-OBS-02 the scene has no prepared image.
        ConflictError: somebody changed the mask meanwhile.
    """
    mask = _to_change(scene, user, lock)
    mask.geom = _stored(shapely.intersection(_shape(scene.footprint), _checked(geom)))
    mask.method, mask.edited_by = ObservationMask.Method.MANUAL, user
    return _save(mask)


@transaction.atomic
def mask_reset(*, scene: Scene, user: User, lock: int) -> ObservationMask:
    """Find clouds and shadows anew, dropping what was corrected by hand.

    Raises:
        ForbiddenError: the user may not correct masks in the scene's region.
        ObservationError: E-OBS-02, the scene has no prepared image.
        ConflictError: somebody changed the mask meanwhile.
        SceneError: its image cannot be read.
    """
    mask = _to_change(scene, user, lock)
    for name, value in mask_fields(_find(scene)).items():
        setattr(mask, name, value)
    mask.edited_by = None
    return _save(mask)


def _checked(geom: BaseGeometry) -> BaseGeometry:
    if not isinstance(geom, shapely.Polygon | shapely.MultiPolygon):
        raise ObservationError("E-OBS-01", value=geom.geom_type)
    if not geom.is_valid:
        raise ObservationError("E-OBS-01", value=shapely.is_valid_reason(geom))
    return geom


def _to_change(scene: Scene, user: User, lock: int) -> ObservationMask:
    require(user, Action.EDIT_OBSERVATION, scene.region)
    observation_of(scene)
    mask: ObservationMask = ObservationMask.objects.select_for_update().get(scene=scene)
    if mask.lock != lock:
        raise ConflictError()
    return mask


def _save(mask: ObservationMask) -> ObservationMask:
    mask.lock += 1
    mask.save()
    return mask


def _find(scene: Scene) -> ObservedGround:
    if not scene.cog_sha256:
        raise ObservationError("E-OBS-02")
    path = file_path(scene.cog_sha256)
    return observed_ground(path, footprint=_shape(scene.footprint), acquired_on=scene.acquired_on)


def _shape(geometry: GEOSGeometry | None) -> BaseGeometry:
    if geometry is None:
        raise ObservationError("E-OBS-02")
    return shapely.from_wkb(bytes(geometry.wkb))


def _stored(geometry: BaseGeometry) -> MultiPolygon:
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, shapely.Polygon) and not part.is_empty]
    stored = GEOSGeometry(memoryview(shapely.MultiPolygon(parts).wkb), srid=SRID)
    assert isinstance(stored, MultiPolygon)
    return stored
