"""Writes about enhancements: asking for one, the job that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from enhancement.dehaze.settings import Settings, preset
from enhancement.models import Clip, Enhancement
from enhancement.services import files
from enhancement.services.clips import WORKERS
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import EnhancementError, Finding, VideoError
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext
from minegis.jobs.services import job_submit, workdir
from minegis.registry.services import camera_remember
from minegis.version import code_version

DEFAULT_PRESET = "standard"
_NUMBERS = {"omega", "sky_thresh", "sky_trans", "non_sky_gain", "t0", "eps"}
_WHOLE = {"window_size", "radius"}
_SWITCHES = {"sky_connected", "night_gate"}


def settings_of(preset_name: str, params: Mapping[str, Any]) -> tuple[Settings, list[Finding]]:
    """A preset with some parameters replaced, within their ranges; texts of forms are read as numbers.

    Raises:
        EnhancementError: E-ENH-02, no such preset or parameter, or a value that cannot be.
    """
    changes = {name: _value(name, value) for name, value in params.items() if value not in ("", None)}
    return preset(preset_name or DEFAULT_PRESET, **changes).clamped()


def _value(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        if name in _NUMBERS:
            return float(value)
        if name in _WHOLE and value != "auto":
            return int(float(value))
    except (ValueError, OverflowError):
        raise EnhancementError("E-ENH-02", field=name, value=value[:40]) from None
    return value.lower() in ("1", "true", "on") if name in _SWITCHES else value


def settings_from(params: Mapping[str, Any]) -> Settings:
    """The settings that a row keeps."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in params.items() if name in known})


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
        method: ``dehaze``; the others have a name and no network yet.
        preset_name: where the parameters begin.
        params: those that differ.
        remember: keep them for the clip's camera.

    Raises:
        ForbiddenError: the user may not enhance clips of the region.
        VideoError: E-VID-16 the clip is not ready; E-VID-19 the very same one is under way or done.
        EnhancementError: E-ENH-02, a method or parameter cannot be.
    """
    require(user, Action.START_ENHANCEMENT, clip.region, own=clip.uploader_id == user.pk)
    clip = Clip.objects.select_for_update(of=("self",)).select_related("region", "camera").get(pk=clip.pk)
    if not clip.is_ready:
        raise VideoError("E-VID-16", state=clip.state)
    if method != Enhancement.Method.DEHAZE:
        raise EnhancementError("E-ENH-02", field="method", value=method)
    settings, findings = settings_of(preset_name, params or {})
    kept = asdict(settings)
    same = clip.enhancements.filter(method=method, params=kept, state__in=(*Enhancement.ACTIVE, "succeeded")).first()
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
        kind="enhance",
        params={"enhancement_id": str(made.pk)},
        created_by=user,
        region=clip.region,
        title=clip.file_name,
    )
    made.save(update_fields=["job"])
    if remember and clip.camera is not None:
        camera_remember(camera=clip.camera, preset={"method": method, "preset": made.preset, "params": kept})
    return made


def enhancement_run(context: JobContext) -> None:
    """The enhance job: make the result, measure it, publish both. Finished segments survive a killed worker."""
    row = Enhancement.objects.select_related("clip").get(pk=context.params["enhancement_id"])
    Enhancement.objects.filter(pk=row.pk).update(state=Enhancement.State.RUNNING)
    source = files.path_of(row.clip.sha256)
    make = _still if row.clip.kind == Clip.Kind.IMAGE else _video
    changes, result, proxy = make(context, row, source)
    context.progress("keep", 0.98)
    stored = files.keep(result, context.workdir)
    changes |= {"result_sha256": stored.sha256, "result_bytes": stored.bytes}
    if proxy is not None:
        changes["proxy_sha256"] = files.keep(proxy, context.workdir).sha256
    left = files.kept(context.workdir)
    with context.publish():
        if stored.sha256 not in files.store():  # a cancelled twin of another region has taken it along
            files.store().put(result)
        Enhancement.objects.filter(pk=row.pk).update(
            state=Enhancement.State.SUCCEEDED, finished_at=timezone.now(), code_version=code_version(), **changes
        )
        context.result |= {"frames": changes["frames"], "result": stored.sha256}
    files.discard_unused(left)


Made = tuple[dict[str, Any], Path, Path | None]


def _video(context: JobContext, row: Enhancement, source: Path) -> Made:
    from enhancement.dehaze.fast import Dehazer
    from enhancement.inspection import inspect
    from enhancement.readings import read_videos
    from enhancement.video.enhance import dehaze_video

    output = context.workdir / "result.mp4"
    done = dehaze_video(
        source, output, context.workdir / "parts", Dehazer(settings_from(row.params)), workers=WORKERS,
        progress=lambda stage, share: context.progress(stage, 0.93 * share), should_stop=context.should_stop,
        name=row.clip.file_name,
    )  # fmt: skip
    context.progress("readings", 0.94)
    facts = inspect(output, output.name).facts
    readings: dict[str, Any] = dict(read_videos(source, output, float(facts["seconds"])))
    changes = {
        "media_type": "video/mp4",
        "frames": done.frames,
        "seconds": facts["seconds"],
        "readings": readings | {"cuts": done.cuts, "passed_through": done.passed_through},
        "findings": _new_findings(row, done.findings),
    }
    return changes, output, None


def _new_findings(row: Enhancement, found: list[Finding]) -> list[dict[str, Any]]:
    """What is remarkable about a result beside what its clip says already."""
    known = {finding["code"] for finding in row.clip.findings}
    return row.findings + [finding.as_dict() for finding in found if finding.code not in known]


def _still(context: JobContext, row: Enhancement, source: Path) -> Made:
    from enhancement import images
    from enhancement.dehaze.fast import Dehazer
    from enhancement.inspection import eight_bits, inspect, write_picture
    from enhancement.readings import read_pictures

    still = images.read(source, row.clip.file_name)
    context.progress("render", 0.1)
    dehazer = Dehazer(settings_from(row.params), threads=WORKERS)
    done = dehazer(still.pixels, bits=still.bits if still.pixels.dtype.itemsize > 1 else None)
    suffix = images.SUFFIXES[row.clip.codec][0]
    output = context.workdir / f"result{suffix}"
    context.progress("join", 0.7)
    images.write(still, done.image, output)
    found = inspect(output, output.name)
    before = eight_bits(still)
    proxy = None
    if not found.playable:
        proxy = context.workdir / "proxy.webp"
        write_picture(found.picture, proxy, 4096, quality=92)
    changes = {
        "media_type": found.media_type,
        "frames": 1,
        "readings": read_pictures(before, found.picture) | {"passed_through": int(done.passed_through)},
        "findings": _new_findings(row, done.findings),
    }
    return changes, output, proxy


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
