"""Writes about scenes: taking over an upload, the checks and the preparation."""

from __future__ import annotations

import dataclasses
import logging
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon
from django.db import transaction
from django.utils import timezone
from pyproj import CRS

from landdamage.imagery.checks import inspect_scene
from landdamage.imagery.clouds import observed_ground
from landdamage.imagery.cog import write_cog
from landdamage.imagery.footprint import valid_footprint
from landdamage.imagery.metadata import SceneMetadata
from landdamage.imagery.radiometry import display_stretch
from landdamage.imagery.thumbnail import write_thumbnail
from landdamage.models import ObservationMask, Scene
from landdamage.services.files import files
from landdamage.services.observation import mask_fields, observation_findings
from landdamage.services.registration import registration_from_file, stated_rmse
from landdamage.services.runs import run_start
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, require
from minegis.errors import AttemptLostError, ConflictError, Finding, JobError, StorageError, UploadError
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit
from minegis.registry.models import SRID, Region
from minegis.uploads.models import Upload
from minegis.uploads.services import upload_forget, upload_path

log = logging.getLogger(__name__)
OWN_DELETE_WITHIN = timedelta(hours=24)


@transaction.atomic
def scene_receive(*, upload: Upload) -> Scene:
    """Make a scene of a finished upload and queue its checks.

    A file that was rejected, or that no model could read, may be sent again, perhaps with the right band order or date.

    Raises:
        UploadError: E-UPL-03 when the very same file is here already.
        ForbiddenError: the user may not upload scenes into the region.
    """
    require(upload.created_by, Action.UPLOAD_SCENE, upload.region)
    known = Scene.objects.select_for_update().filter(sha256=upload.sha256).first()
    if known is not None:
        visible = Scene.objects.visible_to(upload.created_by).filter(pk=known.pk).exists()
        if not (_may_be_sent_again(known) and visible):
            # Somebody else's scene must neither be taken over nor be betrayed by its number.
            raise UploadError("E-UPL-03", scene=known.pk if visible else "…")
    scene = known or Scene(sha256=upload.sha256)
    scene.file_name = upload.file_name
    scene.bytes = upload.length
    scene.state = Scene.State.CHECKING
    scene.region = upload.region
    scene.uploader = scene.uploader or upload.created_by
    scene.upload = upload
    scene.findings = []
    scene.save()
    scene.ingest_job = job_submit(
        kind="ingest",
        params={"scene_id": str(scene.pk)},
        created_by=upload.created_by,
        region=upload.region,
        title=upload.file_name,
    )
    scene.save(update_fields=["ingest_job"])
    return scene


def scene_ingest(context: JobContext) -> None:
    """The ingest job: keep the original, run every check, write the COG, publish, start the interpretation."""
    scene = Scene.objects.select_related("upload", "region", "uploader").get(pk=context.params["scene_id"])
    if scene.ingest_job_id != context.job_id:  # the file was sent again meanwhile: the newer job has the say
        raise AttemptLostError()
    context.progress("store", 0.0)
    original = _keep_original(scene)
    hints: dict[str, Any] = scene.upload.metadata if scene.upload else {}
    context.progress("check", 0.1)
    report = inspect_scene(
        original,
        file_name=scene.file_name,
        bands=_listed(hints.get("bands")),
        monitored=settings.MONITORED_BOUNDS,
        crs=hints.get("crs") or None,
        acquired_on=_date(hints.get("acquired_on")),
        georef_rmse_m=(measured := stated_rmse(scene)),
        progress=lambda share: context.progress("check", 0.1 + 0.1 * share),
    )
    meta = report.metadata
    changes: dict[str, Any] = {
        "state": report.state,
        "findings": [f.as_dict() for f in report.findings],
        "valid_share": report.valid_share,
    }
    mask: dict[str, Any] = {}
    if meta is not None:
        changes |= {
            "satellite": meta.satellite,
            "sensor": meta.sensor,
            "product_level": meta.product_level,
            "acquired_on": meta.acquired_on,
            "date_source": meta.date_source,
            "bands": list(meta.bands),
            "dtype": meta.dtype,
            "valid_bits": meta.valid_bits,
            "width": meta.width,
            "height": meta.height,
            "gsd_m": meta.gsd_m and round(meta.gsd_m, 4),
            "georef_rmse_m": meta.georef_rmse_m,
            "crs": _crs_name(meta),
        }
    if report.state != "rejected":
        cog = context.workdir / "scene.cog.tif"
        write_cog(
            original,
            cog,
            report=report,
            progress=lambda share: context.progress("cog", 0.2 + 0.6 * share),
            should_stop=context.should_stop,
        )
        context.progress("footprint", 0.85)
        thumbnail = context.workdir / "thumbnail.webp"
        write_thumbnail(cog, thumbnail)
        footprint = valid_footprint(cog)
        context.progress("clouds", 0.9)
        observed = observed_ground(cog, footprint=footprint, acquired_on=report.usable().acquired_on)
        mask = mask_fields(observed)
        seen = dataclasses.replace(report, findings=(*report.findings, *observation_findings(observed)))
        store = files()
        changes |= {
            "state": seen.state,
            "findings": [f.as_dict() for f in seen.findings],
            "footprint": _multi(footprint.wkb),
            "cog_sha256": store.put(cog).sha256,
            "thumbnail_sha256": store.put(thumbnail).sha256,
            "stretch": display_stretch(cog, range(1, len(report.usable().bands) + 1)).as_lists(),
        }
        if scene.region is None:
            changes["region"] = _region_of(changes["footprint"], scene.uploader)
    with context.publish():
        Scene.objects.filter(pk=scene.pk).update(**changes)
        scene.refresh_from_db()
        if measured is None and scene.georef_rmse_m is not None:
            registration_from_file(scene=scene, rmse_m=scene.georef_rmse_m)
        # A file that is sent again, perhaps with another band order, keeps what a person outlined on it.
        corrected = ObservationMask.objects.filter(scene=scene, method=ObservationMask.Method.MANUAL)
        if mask and not corrected.exists():
            ObservationMask.objects.update_or_create(scene=scene, defaults=mask)
        if scene.is_usable:
            run_start(scene=scene, user=None)
        context.result["state"] = scene.state
    if scene.upload:
        upload_forget(scene.upload)


def ingest_job_retried(job: Job) -> None:
    """A retried ingest puts its scene back to be checked.

    Raises:
        JobError: E-JOB-01, the scene has moved on: it was sent again or is in use.
    """
    waiting = Scene.objects.filter(pk=job.params["scene_id"], ingest_job=job, state=Scene.State.REJECTED)
    if not waiting.update(state=Scene.State.CHECKING, findings=[]):
        raise JobError("E-JOB-01", state=job.state)


def ingest_job_ended(job: Job) -> None:
    """A failed or cancelled ingest leaves a rejected scene that says why and may be sent again."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        code = job.error_code or "E-JOB-04"
        finding = Finding(code, values=job.error_values).as_dict()
        scene = Scene.objects.select_related("upload").filter(pk=job.params["scene_id"]).first()
        if scene and scene.upload:
            transaction.on_commit(lambda: _forget_if_stored(scene))
        Scene.objects.filter(pk=job.params["scene_id"], state=Scene.State.CHECKING).update(
            state=Scene.State.REJECTED, findings=[finding]
        )


def _forget_if_stored(scene: Scene) -> None:
    """Where the original is stored it serves a retry, and the upload is not needed any more."""
    try:
        stored = scene.sha256 in files()
    except StorageError as error:
        log.warning("scene %s: its upload stays: %s", scene.pk, error)
        return
    if stored and scene.upload:
        upload_forget(scene.upload)


@transaction.atomic
def scene_delete(*, scene: Scene, user: User) -> None:
    """Remove a scene that no run ever used; the write-once files stay where they are.

    An uploader may take back their own scene within a day.

    Raises:
        ForbiddenError: the user may not delete this scene.
        ConflictError: results stand on it, or its checks are under way (cancel them first).
    """
    fresh = timezone.now() - scene.uploaded_at <= OWN_DELETE_WITHIN
    require(user, Action.DELETE_SCENE, scene.region, own=fresh and scene.uploader == user)
    scene = Scene.objects.select_for_update().get(pk=scene.pk)
    if scene.state == Scene.State.CHECKING or scene.runs.exists():
        raise ConflictError()
    if scene.upload:
        upload_forget(scene.upload)
    scene.delete()


def _may_be_sent_again(scene: Scene) -> bool:
    if scene.state == Scene.State.REJECTED:
        return True
    return (
        scene.is_usable and scene.runs.exists() and not scene.runs.exclude(state__in=["failed", "cancelled"]).exists()
    )


def _keep_original(scene: Scene) -> Path:
    store = files()
    if scene.sha256 not in store and scene.upload:
        store.put(upload_path(scene.upload))
    return store.fetch(scene.sha256)


def _crs_name(meta: SceneMetadata) -> str:
    if meta.crs is None:
        return ""
    name = CRS.from_user_input(meta.crs).name[:180]  # a name in the file is its maker's text
    return f"{name} (EPSG:{meta.epsg})" if meta.epsg else name


def _listed(bands: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in bands.split(",") if part.strip()) if bands else None


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None  # the check reports a missing date


def _multi(wkb: bytes) -> MultiPolygon:
    geometry = GEOSGeometry(memoryview(wkb), srid=SRID)
    return geometry if isinstance(geometry, MultiPolygon) else MultiPolygon(geometry, srid=SRID)


def _region_of(footprint: MultiPolygon, uploader: User | None) -> Region | None:
    """The smallest present region that holds the middle of the footprint and that the uploader may upload into."""
    inside = Region.objects.filter(geom__contains=footprint.point_on_surface, valid_to__isnull=True)
    holding = [region for region in inside if uploader and allowed(uploader, Action.UPLOAD_SCENE, region)]
    order = list(Region.Level.values)
    return max(holding, key=lambda region: order.index(region.level), default=None)
