"""Writes about labels on superpixels: a plate for a window of a scene, and what a person says key by key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.db import transaction
from django.utils import timezone
from pyproj import CRS

from landdamage.imagery.open import open_raster
from landdamage.imagery.radiometry import Stretch
from landdamage.learning.superpixels import cut, doubt
from landdamage.learning.superpixels.outlines import outlines
from landdamage.learning.superpixels.sheet import Sheet
from landdamage.models import LabelPlate, LabelSheet, Scene
from landdamage.services.files import file_path, files
from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit

WINDOW: Final = 512
SIDE: Final = 24
_DIGITS: Final = 3  # of a pixel of doubt


@transaction.atomic
def plate_request(
    *,
    scene: Scene,
    user: User,
    at: tuple[float, float] | None = None,
    window: int = WINDOW,
    side_px: int = SIDE,
) -> LabelPlate:
    """Choose a window of a scene and queue its cutting into superpixels.

    Args:
        scene: a usable one.
        user: who wants to label it.
        at: longitude, latitude of the middle; None takes the window in which the scene's current run is least sure
            (doubt times area), or the middle of the scene where there is no run.
        window: side in pixels, 64-1024; a smaller scene is taken whole.
        side_px: intended side of a superpixel in pixels, 8-64.

    Raises:
        ForbiddenError: the user may not label in the scene's region.
        MineGISError: E-LAB-01 a size is not allowed, E-LAB-06 the place is not on the scene, E-LAB-07 scene not usable.
    """
    require(user, Action.LABEL_SAMPLE, scene.region)
    if not scene.is_usable or not scene.stretch or scene.region is None:
        raise MineGISError("E-LAB-07")
    run = scene.runs.filter(is_current=True).exclude(confidence_sha256="").first()
    place = _place(scene, at, window, file_path(run.confidence_sha256) if run else None)
    cut.check_side(side_px, place.width * place.height)
    made = LabelPlate.objects.create(
        scene=scene,
        column=place.column,
        row=place.row,
        width=place.width,
        height=place.height,
        side_px=side_px,
        run=run,
        created_by=user,
    )
    made.job = job_submit(
        kind="label_plate", params={"plate_id": str(made.pk)}, created_by=user, region=scene.region, title=str(made)
    )
    made.save(update_fields=["job"])
    return made


def _place(scene: Scene, at: tuple[float, float] | None, window: int, confidence: Path | None) -> cut.Place:
    if not cut.LEAST_WINDOW <= window <= cut.MOST_WINDOW:
        raise MineGISError("E-LAB-01", value=f"{window} px", known=f"{cut.LEAST_WINDOW}–{cut.MOST_WINDOW} px")
    path = file_path(scene.cog_sha256)
    if at is None:
        return doubt.least_sure(confidence, window) if confidence else doubt.middle(path, window)
    longitude, latitude = at
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise MineGISError("E-LAB-06", value=f"{longitude:g}, {latitude:g}")
    with open_raster(path) as dataset:
        step = units.transformer(units.CGCS2000_EPSG, CRS.from_wkt(dataset.crs.to_wkt()))
        try:
            return cut.around(dataset, *step.transform(longitude, latitude), window)
        except MineGISError as error:
            if error.code == "E-LAB-06":  # in degrees, as it was asked
                raise MineGISError("E-LAB-06", value=f"{longitude:g}, {latitude:g}") from None
            raise


def place_of(plate: LabelPlate) -> cut.Place:
    """The window of a plate in pixels of its scene."""
    return cut.Place(plate.column, plate.row, plate.width, plate.height)


def plate_cut(context: JobContext) -> None:
    """The label_plate job: superpixels, their outlines, how unsure the run was of each."""
    plate = LabelPlate.objects.select_related("scene", "run").get(pk=context.params["plate_id"])
    scene, place = plate.scene, place_of(plate)
    context.progress("superpixels", 0.05)
    segments, transform, crs = cut.cut_window(
        file_path(scene.cog_sha256),
        place,
        plate.side_px,
        indexes=range(1, len(scene.bands) + 1),
        stretch=Stretch(np.array(scene.stretch["low"]), np.array(scene.stretch["high"])),
    )
    context.progress("outlines", 0.8)
    raster, drawn = context.workdir / "segments.tif", context.workdir / "outlines.json"
    cut.write_segments(raster, segments, transform, crs)
    shapes = outlines(segments, transform, CRS.from_wkt(crs.to_wkt()))
    drawn.write_text(json.dumps(shapes, separators=(",", ":")))
    unsure: list[float] = []
    if plate.run is not None and plate.run.confidence_sha256:
        sums = doubt.doubt_of(segments, file_path(plate.run.confidence_sha256), place)
        unsure = np.round(sums, _DIGITS).tolist()
    context.progress("keep", 0.95)
    kept, outlined = files().put(raster), files().put(drawn)
    with context.publish():
        LabelPlate.objects.filter(pk=plate.pk).update(
            state=LabelPlate.State.READY,
            segments_sha256=kept.sha256,
            outlines_sha256=outlined.sha256,
            pixels=np.bincount(segments.ravel())[1:].tolist(),
            doubt=unsure,
            bounds=_bounds(shapes),
        )
        context.result |= {"superpixels": len(shapes["features"])}


def _bounds(shapes: dict[str, Any]) -> list[float]:
    points = np.concatenate(
        [np.array(ring) for feature in shapes["features"] for part in _parts(feature["geometry"]) for ring in part]
    )
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


def _parts(geometry: dict[str, Any]) -> list[Any]:
    return [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]


def plate_job_ended(job: Job) -> None:
    """A job that failed or was cancelled leaves a failed plate that says why."""
    if job.state in (Job.State.FAILED, Job.State.CANCELLED):
        LabelPlate.objects.filter(pk=job.params["plate_id"]).exclude(state=LabelPlate.State.READY).update(
            state=LabelPlate.State.FAILED
        )


def plate_job_retried(job: Job) -> None:
    """A retried job puts its plate back to be cut."""
    LabelPlate.objects.filter(pk=job.params["plate_id"], state=LabelPlate.State.FAILED).update(
        state=LabelPlate.State.CUTTING
    )


def _locked(plate: LabelPlate, user: User, version: int) -> LabelSheet:
    """The sheet of a person for writing, at the version they saw.

    Raises:
        ForbiddenError: the user may not label in the region.
        MineGISError: E-LAB-04, the plate is not ready.
        ConflictError: E-API-06, the sheet has grown since.
    """
    require(user, Action.LABEL_SAMPLE, plate.scene.region)
    if plate.state != LabelPlate.State.READY:
        raise MineGISError("E-LAB-04", value=plate.get_state_display())
    LabelSheet.objects.get_or_create(plate=plate, person=user)
    sheet: LabelSheet = LabelSheet.objects.select_for_update().get(plate=plate, person=user)
    if sheet.version != version:
        raise ConflictError
    return sheet


def _append(sheet: LabelSheet, entries: bytes) -> LabelSheet:
    sheet.log = bytes(sheet.log) + entries
    sheet.version = len(sheet.log) // 4
    sheet.saved_at = timezone.now()
    sheet.save(update_fields=["log", "version", "saved_at"])
    return sheet


@transaction.atomic
def labels_say(*, plate: LabelPlate, user: User, version: int, labels: Sequence[tuple[int, int]]) -> LabelSheet:
    """Append what a person says to their sheet.

    Args:
        plate: a ready one.
        user: whose sheet.
        version: of the sheet as they saw it, 0 for none.
        labels: (superpixel, class id, 255 = unsure or 254 = none) in the order of the keys.

    Raises:
        ForbiddenError: the user may not label in the region.
        ConflictError: E-API-06, the sheet has grown since, in another window.
        MineGISError: E-LAB-03 no such superpixel or label, E-LAB-04 the plate is not ready.
    """
    sheet = _locked(plate, user, version)
    read = Sheet.read(bytes(sheet.log))
    return _append(sheet, b"".join(read.say(number, label, known=len(plate.pixels)) for number, label in labels))


@transaction.atomic
def labels_undo(*, plate: LabelPlate, user: User, version: int) -> tuple[LabelSheet, int]:
    """Take the newest label that still stands back; the entry that does so is appended.

    Returns:
        The sheet and the superpixel, 0 where there was nothing to take back.

    Raises:
        ForbiddenError: the user may not label in the region.
        ConflictError: E-API-06, the sheet has grown since, in another window.
        MineGISError: E-LAB-04, the plate is not ready.
    """
    sheet = _locked(plate, user, version)
    done = Sheet.read(bytes(sheet.log)).take_back()
    return (sheet, 0) if done is None else (_append(sheet, done[1]), done[0])
