"""The job that makes an enhancement: the result, what it is worth in numbers, both published at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from enhancement import estimates
from enhancement.models import Clip, Enhancement
from enhancement.services import files
from enhancement.services.clips import WORKERS
from enhancement.services.methods import choice_from, settings_from
from minegis.errors import Finding
from minegis.jobs.runner import JobContext
from minegis.version import code_version

if TYPE_CHECKING:
    from enhancement.video.enhance import Done

Made = tuple[dict[str, Any], Path, Path | None]
ON_GPU = 8  # frames in one pass of the network


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


class _Clock:
    """Passes reports of progress on with the time left, reckoned from the rendering alone: measuring goes faster."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._began: tuple[float, float] | None = None  # moment and share when the rendering began
        self._now = 0.0
        self.rendering = 0.0  # seconds of it

    def __call__(self, stage: str, share: float) -> None:
        """``progress`` as the bodies call it."""
        self._now = share
        if stage == "render" and self._began is None:
            self._began = time.monotonic(), share
        if stage == "join" and self._began:
            self.rendering = time.monotonic() - self._began[0]
        self._context.progress(stage, 0.93 * share, self._figures)

    def _figures(self) -> dict[str, Any]:
        if self._began is None or self._now - self._began[1] < 0.02:
            return {}
        elapsed, done = time.monotonic() - self._began[0], self._now - self._began[1]
        return {"seconds_left": round((1 - self._now) * elapsed / done)}


def _video(context: JobContext, row: Enhancement, source: Path) -> Made:
    from enhancement.inspection import inspect
    from enhancement.readings import read_videos

    output, parts = context.workdir / "result.mp4", context.workdir / "parts"
    resumed = any(parts.glob("part-*"))
    clock = _Clock(context)
    done, weights = _rendered(context, row, source, output, clock)
    context.progress("readings", 0.94)
    facts = inspect(output, output.name).facts
    readings: dict[str, Any] = dict(read_videos(source, output, float(facts["seconds"])))
    readings |= {"cuts": done.cuts, "passed_through": done.passed_through}
    if row.at_night:
        readings |= {"brightened": done.brightened / done.frames, "dehazed": done.dehazed / done.frames}
        readings["flicker"] /= max(readings["brightness"], 1.0)  # eight times as bright trembles eight times as much
    work = estimates.megapixels(row.clip, row.method)
    touched = done.brightened if row.at_night else done.dehazed
    if work >= estimates.LEAST and not resumed and 2 * touched >= done.frames:
        context.result[estimates.PACE] = round(1000 * clock.rendering / work * done.frames / touched, 2)
    changes = {
        "media_type": "video/mp4",
        "frames": done.frames,
        "seconds": facts["seconds"],
        "readings": readings,
        "findings": _new_findings(row, done.findings),
        "weights_sha256": weights,
    }
    return changes, output, None


def _rendered(context: JobContext, row: Enhancement, source: Path, output: Path, clock: _Clock) -> tuple[Done, str]:
    """The whole clip by its method, and the SHA-256 of the network's weights where there is one."""
    settings, choice = settings_from(row.params), choice_from(row.method, row.params)
    parts = context.workdir / "parts"
    if choice is None:
        from enhancement.dehaze.fast import Dehazer
        from enhancement.video.enhance import dehaze_video

        done = dehaze_video(
            source, output, parts, Dehazer(settings), workers=WORKERS, progress=clock,
            should_stop=context.should_stop, name=row.clip.file_name,
        )  # fmt: skip
        return done, ""
    from enhancement.lednet.apply import shipped
    from enhancement.lednet.video import night_video

    enhancer = shipped()
    done = night_video(
        source, output, parts, enhancer, choice=choice, settings=settings, workers=WORKERS,
        batch=ON_GPU if enhancer.device.type == "cuda" else 1, progress=clock, should_stop=context.should_stop,
        name=row.clip.file_name,
    )  # fmt: skip
    return done, enhancer.card["weights_sha256"]


def _new_findings(row: Enhancement, found: list[Finding]) -> list[dict[str, Any]]:
    """What is remarkable about a result beside what its clip says already."""
    known = {finding["code"] for finding in row.clip.findings}
    return row.findings + [finding.as_dict() for finding in found if finding.code not in known]


def _still(context: JobContext, row: Enhancement, source: Path) -> Made:
    from enhancement import images
    from enhancement.inspection import eight_bits, inspect, write_picture
    from enhancement.readings import read_pictures

    still = images.read(source, row.clip.file_name)
    context.progress("render", 0.1)
    settings, choice = settings_from(row.params), choice_from(row.method, row.params)
    bits = still.bits if still.pixels.dtype.itemsize > 1 else None
    extra: dict[str, Any]
    if choice is None:
        from enhancement.dehaze.fast import Dehazer

        hazeless = Dehazer(settings, threads=WORKERS)(still.pixels, bits=bits)
        image, findings, weights = hazeless.image, hazeless.findings, ""
        extra = {"passed_through": int(hazeless.passed_through)}
    else:
        from enhancement.lednet.apply import shipped
        from enhancement.lednet.still import night_still

        enhancer = shipped()
        done = night_still(still.pixels, enhancer, choice, settings, bits=bits, threads=WORKERS)
        image, findings, weights = done.image, done.findings, enhancer.card["weights_sha256"]
        extra = {"brightened": float(done.brightened), "dehazed": float(done.dehazed)}
        extra["passed_through"] = int(not (done.brightened or done.dehazed))
    suffix = images.SUFFIXES[row.clip.codec][0]
    output = context.workdir / f"result{suffix}"
    context.progress("join", 0.7)
    images.write(still, image, output)
    found = inspect(output, output.name)
    before = eight_bits(still)
    proxy = None
    if not found.playable:
        proxy = context.workdir / "proxy.webp"
        write_picture(found.picture, proxy, 4096, quality=92)
    changes = {
        "media_type": found.media_type,
        "frames": 1,
        "readings": read_pictures(before, found.picture) | extra,
        "findings": _new_findings(row, findings),
        "weights_sha256": weights,
    }
    return changes, output, proxy
