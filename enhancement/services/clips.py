"""Writes about clips: taking over an upload, the check with what browsers need, removal."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from enhancement.models import Clip, Enhancement
from enhancement.services import files
from minegis.access.models import User
from minegis.access.permissions import Action, allowed, require
from minegis.errors import AttemptLostError, Finding, JobError, MineGISError, UploadError, VideoError
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit, workdir
from minegis.registry.models import Camera, Mine, Region
from minegis.uploads.models import Upload
from minegis.uploads.services import upload_forget, upload_path

OWN_DELETE_WITHIN = timedelta(hours=24)
THUMBNAIL = 320  # pixels
WORKERS = min(4, len(os.sched_getaffinity(0)))  # threads that share the segments of a video


def clip_expected(*, user: User, metadata: dict[str, str], region: Region | None) -> Region:
    """Where a clip that somebody is about to send will belong, so that a file without a place is not sent for nothing.

    The camera decides (``metadata["camera"]``, its code), else the mine (``metadata["mine"]``), else the region.

    Raises:
        MineGISError: E-API-04, no such camera or mine for this user; E-VID-15, nothing says where it belongs.
    """
    camera, mine = _place(user, metadata)
    found = camera.region if camera else mine.region if mine else region
    if found is None:
        raise VideoError("E-VID-15")
    return found


def _place(user: User, metadata: dict[str, str]) -> tuple[Camera | None, Mine | None]:
    camera = mine = None
    if metadata.get("camera"):
        camera = Camera.objects.visible_to(user).filter(code=metadata["camera"], is_active=True).first()
        if camera is None:
            raise MineGISError("E-API-04")
        mine = camera.mine
    if metadata.get("mine"):
        mine = Mine.objects.visible_to(user).filter(code=metadata["mine"]).first()
        if mine is None:
            raise MineGISError("E-API-04")
    return camera, mine


@transaction.atomic
def clip_receive(*, upload: Upload) -> Clip:
    """Make a clip of a finished upload and queue its check. A file that was rejected may be sent again.

    Raises:
        UploadError: E-VID-14, the very same file is in the region already.
        ForbiddenError: the user may not upload clips into the region.
        MineGISError: E-API-04, E-VID-15, see ``clip_expected``.
    """
    user = upload.created_by
    region = clip_expected(user=user, metadata=upload.metadata, region=upload.region)
    require(user, Action.UPLOAD_CLIP, region)
    camera, mine = _place(user, upload.metadata)
    known = Clip.objects.select_for_update(of=("self",)).filter(region=region, sha256=upload.sha256).first()
    if known is not None:
        visible = Clip.objects.visible_to(user).filter(pk=known.pk).exists()
        if known.state != Clip.State.REJECTED or not visible:
            raise UploadError("E-VID-14", clip=known.pk if visible else "…")
        if known.upload:
            former = known.upload
            transaction.on_commit(lambda: upload_forget(former))
    clip = known or Clip(sha256=upload.sha256, region=region)
    clip.file_name, clip.bytes, clip.state = upload.file_name, upload.length, Clip.State.CHECKING
    clip.camera, clip.mine, clip.upload, clip.findings = camera, mine, upload, []
    clip.uploader = clip.uploader or user
    clip.recorded_at = _moment(upload.metadata.get("recorded_at", ""))
    clip.save()
    clip.job = job_submit(
        kind="clip", params={"clip_id": str(clip.pk)}, created_by=user, region=region, title=upload.file_name
    )
    clip.save(update_fields=["job"])
    return clip


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment


def clip_check(context: JobContext) -> None:
    """The clip job: look through the file, make what browsers need, keep it; or reject it and say why."""
    from enhancement.inspection import inspect, write_picture

    clip = Clip.objects.select_related("upload", "job").get(pk=context.params["clip_id"])
    if clip.job_id != context.job_id:  # the file was sent again meanwhile: the newer job has the say
        raise AttemptLostError
    source = _source(clip)
    context.progress("check", 0.0)
    try:
        found = inspect(source, clip.file_name)
    except MineGISError as error:
        with context.publish():
            findings = [error.finding().as_dict()]
            Clip.objects.filter(pk=clip.pk).update(state=Clip.State.REJECTED, findings=findings)
            context.result["state"] = Clip.State.REJECTED.value
        _forget_upload(clip)
        return
    changes: dict[str, Any] = {
        "kind": found.kind,
        "facts": found.facts,
        "media_type": found.media_type,
        "codec": str(found.facts["codec"])[:20],
        "width": found.facts["width"],
        "height": found.facts["height"],
        "frames": found.facts.get("frames", 1),
        "seconds": found.facts.get("seconds"),
        "rate": found.facts.get("rate"),
        "findings": [finding.as_dict() for finding in found.findings],
        "state": Clip.State.READY,
        "proxy_sha256": "",
    }
    thumbnail = context.workdir / "thumbnail.webp"
    write_picture(found.picture, thumbnail, THUMBNAIL)
    changes["thumbnail_sha256"] = files.keep(thumbnail, context.workdir).sha256
    if not found.playable:
        proxy = _proxy(context, source, found)
        changes["proxy_sha256"] = files.keep(proxy, context.workdir).sha256
    context.progress("keep", 0.97)
    stored = files.keep(source, context.workdir)
    if stored.sha256 != clip.sha256:
        raise UploadError("E-UPL-01")
    left = files.kept(context.workdir)
    with context.publish():
        Clip.objects.filter(pk=clip.pk).update(**changes)
        context.result["state"] = Clip.State.READY.value
    files.discard_unused(left)
    _forget_upload(clip)


def _source(clip: Clip) -> Path:
    """The bytes of a clip: still in quarantine, or stored by an earlier attempt.

    Raises:
        UploadError: E-UPL-08, they are gone.
    """
    waiting = upload_path(clip.upload) if clip.upload else None
    if waiting is not None and waiting.is_file():
        return waiting
    if clip.sha256 in files.store():
        return files.path_of(clip.sha256)
    raise UploadError("E-UPL-08")


def _proxy(context: JobContext, source: Path, found: Any) -> Path:
    from enhancement.inspection import write_picture
    from enhancement.video.playable import make_proxy

    if found.kind == Clip.Kind.IMAGE:
        path = context.workdir / "proxy.webp"
        write_picture(found.picture, path, 4096, quality=92)
        return path
    path = context.workdir / "proxy.mp4"
    if not path.is_file():  # it appears whole, and an attempt that stored it must not make another one
        make_proxy(
            source, path, context.workdir / "proxy", workers=WORKERS, should_stop=context.should_stop,
            progress=lambda stage, share: context.progress(stage, 0.05 + 0.9 * share),
        )  # fmt: skip
    return path


def _forget_upload(clip: Clip) -> None:
    if clip.upload:
        upload_forget(clip.upload)


def clip_job_ended(job: Job) -> None:
    """A failed or cancelled check leaves a rejected clip that says why. After a cancel nothing of the file is left."""
    finding = Finding(job.error_code or "E-JOB-04", values=job.error_values).as_dict()
    clip = Clip.objects.select_related("upload").filter(pk=job.params["clip_id"], job=job).first()
    if clip is None or clip.state != Clip.State.CHECKING:
        return
    Clip.objects.filter(pk=clip.pk).update(state=Clip.State.REJECTED, findings=[finding])
    left = files.kept(workdir(job.pk))
    cancelled = job.state == Job.State.CANCELLED

    def clean() -> None:
        files.discard_unused(left)
        if cancelled:
            _forget_upload(clip)

    transaction.on_commit(clean)


def clip_job_retried(job: Job) -> None:
    """A retried check puts its clip back to be checked.

    Raises:
        JobError: E-JOB-01, the clip has moved on, or its file is gone: it has to be sent again.
    """
    clip = Clip.objects.select_related("upload").filter(pk=job.params["clip_id"], job=job).first()
    if clip is None or clip.state != Clip.State.REJECTED:
        raise JobError("E-JOB-01", state=job.state)
    _source(clip)
    Clip.objects.filter(pk=clip.pk).update(state=Clip.State.CHECKING, findings=[])


@transaction.atomic
def clip_delete(*, clip: Clip, user: User) -> None:
    """Remove a clip with its results and their files, unless something stands on it.

    An uploader may take back their own clip within a day.

    Raises:
        ForbiddenError: the user may not delete this clip.
        VideoError: E-VID-18, a frame of it is evidence, or it is being checked or enhanced.
    """
    clip = Clip.objects.select_for_update(of=("self",)).get(pk=clip.pk)
    own = clip.uploader_id == user.pk and timezone.now() - clip.uploaded_at < OWN_DELETE_WITHIN
    require(user, Action.DELETE_CLIP, clip.region, own=own)
    active = clip.enhancements.filter(state__in=Enhancement.ACTIVE).exists()
    if active or clip.state == Clip.State.CHECKING or clip.evidence_frames.exists():
        raise VideoError("E-VID-18")
    hashes = {clip.sha256, clip.proxy_sha256, clip.thumbnail_sha256}
    for result, proxy in clip.enhancements.values_list("result_sha256", "proxy_sha256"):
        hashes |= {result, proxy}
    _forget_upload(clip)
    clip.delete()
    transaction.on_commit(lambda: files.discard_unused(hashes))


def may_delete(clip: Clip, user: User) -> bool:
    """Whether a page offers the removal."""
    own = clip.uploader_id == user.pk and timezone.now() - clip.uploaded_at < OWN_DELETE_WITHIN
    return allowed(user, Action.DELETE_CLIP, clip.region, own=own)
