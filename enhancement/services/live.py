"""Writes about live streams: asking for one, the job that relays it, its end when nobody watches."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from enhancement.lednet.facts import shipped_card
from enhancement.models import Enhancement, LiveStream
from enhancement.services.methods import DEFAULT_PRESET, choice_from, params_of, settings_from
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.addresses import check_stream_address
from minegis.errors import JobError, VideoError
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_cancel, job_submit
from minegis.registry.models import Camera

UNWATCHED = timedelta(minutes=2)  # after which a stream nobody asks for ends
WATCHED_EVERY = timedelta(seconds=10)  # how exactly that is known


def folder_of(stream_id: UUID) -> Path:
    """Where the playlist of a stream lies while it runs."""
    return Path(settings.STORAGE_ROOT) / "live" / str(stream_id)


@transaction.atomic
def live_start(*, camera: Camera, user: User) -> LiveStream:
    """Queue the relay of a camera with the parameters remembered for it; the one that runs already is returned.

    Raises:
        ForbiddenError: the user may not enhance pictures of the region.
        VideoError: E-VID-21, the camera has no stream.
        EnhancementError: E-ENH-15, its pictures want the night enhancement, whose weights are not there.
        MineGISError: E-REG-03, E-REG-06, its address is none, or outside the allowed networks.
    """
    require(user, Action.START_ENHANCEMENT, camera.region)
    camera = Camera.objects.select_for_update(of=("self",)).select_related("region").get(pk=camera.pk)
    if not camera.stream_address:
        raise VideoError("E-VID-21", value=camera.code)
    check_stream_address(camera.stream_address, settings.CAMERA_NETWORKS)
    running = LiveStream.objects.filter(camera=camera, running=True).first()
    if running is not None:
        live_watched(stream=running)
        return running
    method = camera.preset.get("method") or Enhancement.Method.DEHAZE
    if method != Enhancement.Method.DEHAZE:
        shipped_card()
    kept = camera.preset.get("params") or params_of(method, DEFAULT_PRESET, {})[0]
    made = LiveStream.objects.create(camera=camera, method=method, params=kept, started_by=user)
    made.job = job_submit(
        kind="live", params={"stream_id": str(made.pk)}, created_by=user, region=camera.region, title=camera.name
    )
    made.save(update_fields=["job"])
    return made


def live_stop(*, stream: LiveStream, user: User) -> None:
    """End a stream for everybody.

    Raises:
        ForbiddenError: the user may not.
    """
    require(user, Action.START_ENHANCEMENT, stream.region)
    if stream.job is not None and stream.job.is_active:
        job_cancel(job=stream.job)


def live_watched(*, stream: LiveStream) -> None:
    """Note that somebody looks."""
    now = timezone.now()
    LiveStream.objects.filter(pk=stream.pk, watched_at__lt=now - WATCHED_EVERY).update(watched_at=now)


def live_run(context: JobContext) -> None:
    """The live job: relay until it is cancelled or nobody has watched for a while."""
    from enhancement.dehaze.fast import Dehazer
    from enhancement.video.live import Status, relay

    stream = LiveStream.objects.select_related("camera").get(pk=context.params["stream_id"])
    folder = folder_of(stream.pk)
    shutil.rmtree(folder, ignore_errors=True)  # of a killed attempt
    alone = False

    def tell(status: Status) -> None:
        nonlocal alone
        context.progress("streaming" if status.connected else "connecting", 0.0)
        watched = LiveStream.objects.values_list("watched_at", flat=True).get(pk=stream.pk)
        alone = timezone.now() - watched > UNWATCHED

    try:
        dehazer = Dehazer(settings_from(stream.params))
        choice, night = choice_from(stream.method, stream.params), None
        if choice is not None:
            from enhancement.lednet.apply import shipped
            from enhancement.lednet.live import LiveNight

            context.progress("connecting", 0.0)
            night = LiveNight(shipped(), dehazer, choice)
        status = relay(
            stream.camera.stream_address, folder, dehazer, tell=tell, treat=night,
            longest=night.longest if night else None, should_stop=lambda: alone or context.should_stop(),
            networks=settings.CAMERA_NETWORKS,
        )  # fmt: skip
        context.progress("streaming", 0.0)  # a cancelled job ends as cancelled
        with context.publish():
            LiveStream.objects.filter(pk=stream.pk).update(running=False)
            context.result |= asdict(status)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def live_job_ended(job: Job) -> None:
    """A failed or cancelled relay is over; a camera may get another one."""
    LiveStream.objects.filter(pk=job.params["stream_id"]).update(running=False)
    folder = folder_of(UUID(job.params["stream_id"]))
    transaction.on_commit(lambda: shutil.rmtree(folder, ignore_errors=True))


def live_job_retried(job: Job) -> None:
    """A retried relay runs again, unless the camera has another one by now.

    Raises:
        JobError: E-JOB-01, it has.
    """
    stream = LiveStream.objects.select_related("camera").get(pk=job.params["stream_id"])
    if LiveStream.objects.filter(camera=stream.camera, running=True).exists():
        raise JobError("E-JOB-01", state=job.state)
    LiveStream.objects.filter(pk=stream.pk).update(running=True, watched_at=timezone.now())


def live_status(stream: LiveStream) -> dict[str, Any]:
    """What the relay says of itself: see ``enhancement.video.live.Status``; empty before its first word."""
    try:
        found: dict[str, Any] = json.loads((folder_of(stream.pk) / "status.json").read_text())
    except (OSError, ValueError):
        return {}
    return found
