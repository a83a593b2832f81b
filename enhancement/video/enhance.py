"""A video without its haze: measure every frame, render segment by segment, join. Resumes from what a folder holds.

``plan`` looks through the file, ``measure_part`` and ``render_part`` do one segment each and leave a file, so that any
number of workers can share a video; ``dehaze_video`` runs them in threads of this process.
"""

from __future__ import annotations

import bisect
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import Settings
from enhancement.video import encode
from enhancement.video.atmosphere import Airs, Measure, Meter, course_of
from enhancement.video.parallel import in_threads
from enhancement.video.source import SEGMENT_FRAMES, Clip, Segment, frames, probe
from enhancement.video.steady import LEAD, SteadyDehazer
from minegis.errors import Finding, VideoError

MEASURING = 0.2  # share of the work that measuring is, for the progress
FORMAT = 2  # of the files in the work folder: others are thrown away
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What came out: the file, its frames, cuts of scene found, frames passed through, what was remarkable, and of how
    many frames haze was taken and LEDNet brightened."""

    path: Path
    frames: int
    cuts: int
    passed_through: int
    findings: list[Finding]
    dehazed: int = 0
    brightened: int = 0


def plan(path: Path, workdir: Path, settings: Settings, segment_frames: int | None = None, name: str = "") -> Clip:
    """Probe a video and make ``workdir`` ready; what it holds of another file or other settings is thrown away.

    Raises:
        VideoError: see ``probe``.
    """
    clip = probe(path, segment_frames or SEGMENT_FRAMES, name)
    stat = path.stat()
    identity = [FORMAT, stat.st_size, stat.st_mtime_ns, asdict(settings), encode.ENCODER, len(clip.pts)]
    identity.append([segment.start for segment in clip.segments])
    make_ready(workdir, identity)
    return clip


def make_ready(workdir: Path, identity: list[Any]) -> None:
    """Have ``workdir`` hold finished parts of this work alone; ``identity``, JSON, says which work that is."""
    text = json.dumps(identity)
    mark = workdir / "plan.json"
    if not mark.is_file() or mark.read_text() != text:
        shutil.rmtree(workdir, ignore_errors=True)
        workdir.mkdir(parents=True)
        mark.write_text(text)
    for partial in workdir.glob(".*.partial"):
        partial.unlink()


def write_rows(path: Path, rows: list[Any]) -> None:
    """Write measurements as JSON; the file appears whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(rows))
    partial.replace(path)


def measure_part(
    clip: Clip, segment: Segment, workdir: Path, settings: Settings, tick: Callable[[], None] = lambda: None
) -> None:
    """Measure a segment's frames into ``measures-N.json``, unless that is there. ``tick`` is called per frame."""
    path = workdir / f"measures-{segment.number:05d}.json"
    if path.is_file():
        return
    meter = Meter(settings)
    rows: list[Any] = []
    base = encode.time_base(clip)
    for pts, frame in frames(clip, segment, lead=2):
        tick()
        # Counted through the whole clip, so that the same frames are measured however it is cut.
        index = bisect.bisect_left(clip.pts, pts) if clip.timed else len(rows)
        measure = meter(frame, float(pts * base), index)
        if pts >= segment.start or not clip.timed:
            rows.append([pts, *asdict(measure).values()])
    write_rows(path, rows)


def airs_of(clip: Clip, workdir: Path, settings: Settings) -> Airs:
    """The air of every frame by timestamp, in order, once all segments are measured.

    Raises:
        VideoError: E-VID-04, nothing could be decoded.
    """
    rows, again = itertools.tee(_measured(clip, workdir))
    airs = Airs(zip((pts for pts, _ in rows), course_of((measure for _, measure in again), settings), strict=True))
    if not airs:
        raise VideoError("E-VID-04", value=clip.path.name)
    return airs


def _measured(clip: Clip, workdir: Path) -> Iterator[tuple[int, Measure]]:
    for segment in clip.segments:
        for row in json.loads((workdir / f"measures-{segment.number:05d}.json").read_text()):
            yield row[0], Measure(row[1], row[2], row[3], None if row[4] is None else tuple(row[4]), row[5], row[6])


def part_path(workdir: Path, segment: Segment) -> Path:
    """Where a rendered segment lies."""
    return workdir / f"part-{segment.number:05d}.nut"


def render_part(
    clip: Clip, segment: Segment, workdir: Path, dehazer: Dehazer, airs: Airs,
    tick: Callable[[], None] = lambda: None, threads: int = 1,
) -> None:  # fmt: skip
    """Dehaze and encode a segment, unless its file is there. ``tick`` is called per frame and may raise to stop.

    ``threads`` is what the encoder may use beside this one.
    """
    path = part_path(workdir, segment)
    if path.is_file():
        return
    steady = SteadyDehazer(dehazer)
    writer = encode.SegmentWriter(clip, path, threads)
    try:
        for pts, frame in frames(clip, segment, lead=LEAD):
            tick()
            air = airs.get(pts)
            if air is None:
                continue  # a frame that only this reading could decode
            leading = clip.timed and pts < segment.start
            if air.night:
                steady.forget()
                if not leading:
                    writer.write_through(frame, pts)
                continue
            picture = encode.picture_of(frame)
            if leading:
                steady.watch(picture, air)
            else:
                writer.write(steady(picture, air), pts, frame)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise


def dehaze_video(
    source: Path, output: Path, workdir: Path, dehazer: Dehazer, *, workers: int = 1,
    progress: Progress = lambda stage, part: None, should_stop: Callable[[], bool] = lambda: False,
    segment_frames: int | None = None, name: str = "",
) -> Done:  # fmt: skip
    """Dehaze a video into an MP4. ``workdir`` holds finished parts: give the same one again to go on after a stop.

    ``name`` is what people call the file, if its path does not say it.

    ``progress(stage, fraction)`` gets "measure", "render" or "join" and the share done, 0..1, from this thread.

    Raises:
        VideoError: E-VID-01 to E-VID-04, E-VID-09, E-OUT-01.
        JobCancelledError: ``should_stop`` said so; nothing half-written is left.
    """
    settings = dehazer.settings
    clip = plan(source, workdir, settings, segment_frames, name)
    total = max(1, len(clip.pts))

    def run(stage: str, low: float, high: float, work: Callable[[Segment, Callable[[], None]], None]) -> None:
        in_threads(
            clip.segments, workers, work, should_stop,
            lambda count: progress(stage, low + (high - low) * min(1.0, count / total)),
        )  # fmt: skip

    run("measure", 0, MEASURING, lambda segment, tick: measure_part(clip, segment, workdir, settings, tick))
    airs = airs_of(clip, workdir, settings)
    threads = max(1, workers // len(clip.segments))  # a short clip is one segment: then its encoder shares the cores
    run("render", MEASURING, 1, lambda segment, tick: render_part(clip, segment, workdir, dehazer, airs, tick, threads))
    progress("join", 1.0)
    written = encode.join(clip, [part_path(workdir, segment) for segment in clip.segments], list(airs), output)
    findings = list(clip.findings)
    if len(clip.pts) > written:
        findings.append(Finding("E-VID-10", values={"value": len(clip.pts) - written}))
    passed = int(airs.night.sum())
    if passed:
        findings.append(Finding("E-VID-11", values={"value": passed, "total": written}))
    return Done(output, written, int(airs.fresh.sum()) - 1, passed, findings, written - passed)
