"""Writes about enhancements: asking for one, what becomes of it when its job ends otherwise than well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from enhancement import estimates
from enhancement.lednet.facts import shipped_card
from enhancement.models import Clip, Enhancement
from enhancement.services import files
from enhancement.services.methods import DEFAULT_PRESET, JOB_KIND, NIGHT, params_of
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import EnhancementError, VideoError
from minegis.jobs.models import Job
from minegis.jobs.services import job_submit, workdir
from minegis.registry.services import camera_remember


@transaction.atomic
def enhancement_start(
    *,
    clip: Clip,
    user: User,
    method: str = Enhancement.Method.DEHAZE,
    preset_name: str = DEFAULT_PRESET,
    params: Mapping[str, Any] | None = None,
    remember: bool = False,
) -> Enhancement:
    """Write down an enhancement and queue it.

    Args:
        clip: a ready one.
        user: who wants it.
        method: ``dehaze``; ``lednet``, the night enhancement; ``chain``, scene by scene what it needs.
        preset_name: where the parameters of dehazing begin.
        params: those that differ; for the night also ``dehaze`` and ``always``, see ``lednet.facts.Choice``.
        remember: keep them for the clip's camera.

    Raises:
        ForbiddenError: the user may not enhance clips of the region.
        VideoError: E-VID-16 the clip is not ready; E-VID-19 the very same one is under way or done.
        EnhancementError: E-ENH-02, a method or parameter cannot be; E-ENH-15, the network's weights are not there;
            E-ENH-17, it would take longer than a job may.
    """
    require(user, Action.START_ENHANCEMENT, clip.region, own=clip.uploader_id == user.pk)
    if method in NIGHT:
        _require_in_time(clip, method)  # may try how fast the machine is: before any row is held
    clip = Clip.objects.select_for_update(of=("self",)).select_related("region", "camera").get(pk=clip.pk)
    if not clip.is_ready:
        raise VideoError("E-VID-16", state=clip.state)
    kept, findings = params_of(method, preset_name, params or {})
    alike = Q(state__in=Enhancement.ACTIVE) | Q(state=Enhancement.State.SUCCEEDED)
    if method in NIGHT:  # what earlier weights made may be made again
        alike = Q(state__in=Enhancement.ACTIVE) | Q(weights_sha256=shipped_card()["weights_sha256"])
    same = clip.enhancements.filter(alike, method=method, params=kept).first()
    if same is not None:
        raise VideoError("E-VID-19", value=same.pk)
    made = Enhancement.objects.create(
        clip=clip,
        method=method,
        preset=preset_name or DEFAULT_PRESET,
        params=kept,
        findings=[finding.as_dict() for finding in findings],
        started_by=user,
    )
    made.job = job_submit(
        kind=JOB_KIND[made.method],
        params={"enhancement_id": str(made.pk)},
        created_by=user,
        region=clip.region,
        title=clip.file_name,
    )
    made.save(update_fields=["job"])
    if remember and clip.camera is not None:
        camera_remember(camera=clip.camera, preset={"method": method, "preset": made.preset, "params": kept})
    return made


def _require_in_time(clip: Clip, method: str) -> None:
    """Refuse what a worker could not finish.

    Raises:
        EnhancementError: E-ENH-17.
    """
    if estimates.megapixels(clip, method) < estimates.LARGE:
        return
    needed, limit = estimates.estimate(clip, method).seconds, settings.LONGEST_JOB_SECONDS
    if needed > limit:
        raise EnhancementError("E-ENH-17", needed=f"{needed / 3600:.1f} h", limit=f"{limit / 3600:.0f} h")


def enhance_job_ended(job: Job) -> None:
    """A job that failed or was cancelled takes its enhancement along, and what its attempts have stored."""
    states = {"failed": Enhancement.State.FAILED, "cancelled": Enhancement.State.CANCELLED}
    Enhancement.objects.filter(pk=job.params["enhancement_id"]).exclude(state=Enhancement.State.SUCCEEDED).update(
        state=states[job.state], finished_at=timezone.now()
    )
    left = files.kept(workdir(job.pk))
    transaction.on_commit(lambda: files.discard_unused(left))


def enhance_job_retried(job: Job) -> None:
    """A retried job puts its enhancement back in the queue."""
    Enhancement.objects.filter(pk=job.params["enhancement_id"]).update(state=Enhancement.State.QUEUED, finished_at=None)
