"""A night video made bright and sharp: measure every frame, render segment by segment, join; goes on after a stop.

Each frame is enhanced alone; what would flicker is its brightness. Its gain, the mean of ln(after : before), is first
measured on a small copy of every frame, so that its running mean over a second is the same however the video is cut in
segments; then each frame's result is scaled to that mean. The measurements also decide, scene by scene, whether haze is
taken out (not at night) and whether LEDNet works at all (not in daylight).
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import Settings
from enhancement.lednet.apply import Enhancer, Picture
from enhancement.lednet.facts import BRIGHT, DARK, Choice
from enhancement.video import encode
from enhancement.video.atmosphere import Air, Measure, Meter, timeline
from enhancement.video.enhance import Done, Progress, make_ready, part_path, write_rows
from enhancement.video.parallel import in_threads
from enhancement.video.source import SEGMENT_FRAMES, Clip, Segment, frames, probe
from enhancement.video.steady import LEAD, SteadyDehazer
from minegis.errors import Finding, VideoError

FORMAT = 1  # of the files in the work folder: others are thrown away
MEASURING = 0.1
SMALL = 128  # longer side of the copies the gain is measured on
TAU = 1.0  # seconds of the running mean of the gain
MOST = 0.25  # largest correction, of ln gain: more is a change of the scene and not flicker
FLOOR = 1 / 255  # added to both sides of the gain: black has none


@dataclass(frozen=True, slots=True)
class Step:
    """What a frame is enhanced with: its air, whether LEDNet works on it, and the factor on its result."""

    air: Air
    dark: bool
    factor: float


def gain(before: Picture, after: Picture) -> float:
    """Mean of ln of the ratio of luma, after over before; pictures (H, W, 3), B, G, R, bytes."""
    weights = np.array([0.114, 0.587, 0.299], np.float32) / np.float32(255)
    return float(np.mean(np.log((after @ weights + FLOOR) / (before @ weights + FLOOR))))


def small_copy(frame: Any) -> Picture:
    """A decoded frame reduced by areas to at most 128 pixels, bytes (H, W, 3), B, G, R."""
    ratio = min(1.0, SMALL / max(frame.width, frame.height))
    width, height = (max(1, round(length * ratio)) for length in (frame.width, frame.height))
    small = frame.reformat(
        width, height, "bgr24", src_colorspace=encode.matrix(frame), dst_color_range=2, interpolation="AREA"
    )
    return np.ascontiguousarray(small.to_ndarray())


class Brightness:
    """The recursion over frames: whether LEDNet works on them, and the factor on its result that keeps it steady.

    g̅ += (1 - exp(-dt / 1 s)) (g - g̅), anew at cuts; the factor is exp(g̅ - g), within e^±0.25.
    """

    def __init__(self, choice: Choice) -> None:
        self._always = choice.always
        self._mean, self._dark = 0.0, True
        self._time: float | None = None

    def dark(self, measure: Measure, fresh: bool) -> bool:
        """Whether LEDNet works on the next frame; ``fresh`` says that a scene begins with it."""
        if measure.light is not None:
            self._dark = measure.luma < (DARK if fresh or not self._dark else BRIGHT)
        return self._always or self._dark

    def factor(self, time: float, gain: float, fresh: bool) -> float:
        """The factor on the next frame's result, shown at ``time`` seconds, whose own gain is that."""
        if fresh or self._time is None:
            self._mean = gain
        else:
            self._mean += (1 - math.exp(-max(time - self._time, 0.0) / TAU)) * (gain - self._mean)
        self._time = time
        return math.exp(min(max(self._mean - gain, -MOST), MOST))


def steps_of(measures: Sequence[Measure], gains: Sequence[float], settings: Settings, choice: Choice) -> list[Step]:
    """What every frame of a clip is enhanced with; see ``Brightness`` and ``atmosphere.Course``."""
    brightness = Brightness(choice)
    return [
        Step(air, brightness.dark(measure, air.fresh), brightness.factor(measure.time, now, air.fresh))
        for air, measure, now in zip(timeline(measures, settings), measures, gains, strict=True)
    ]


class NightEnhancer:
    """Frames of a video in their order of time through both networks' chain.

    Args:
        enhancer: LEDNet.
        dehazer: or None to take no haze out.
        batch: frames in one pass of the network; more than one pays on a GPU.
    """

    def __init__(self, enhancer: Enhancer, dehazer: Dehazer | None, batch: int = 1) -> None:
        self._enhancer, self._batch = enhancer, batch
        self._steady = SteadyDehazer(dehazer) if dehazer else None
        self._waiting: list[tuple[Picture, Step]] = []

    def watch(self, picture: Picture, step: Step) -> None:
        """Take a frame before the segment into account."""
        if self._steady:
            self._steady.watch(picture, step.air)

    def __call__(self, picture: Picture, step: Step) -> list[Picture]:
        """Take a frame; the frames that are done by it, in order."""
        if self._steady:
            picture = self._steady(picture, step.air)
        self._waiting.append((picture, step))
        return self.flush() if len(self._waiting) >= self._batch else []

    def flush(self) -> list[Picture]:
        """The frames still waiting for others."""
        dark = [picture for picture, step in self._waiting if step.dark]
        bright = iter(self._enhancer.frames(dark) if dark else [])
        done = [scaled(next(bright), step.factor) if step.dark else picture for picture, step in self._waiting]
        self._waiting.clear()
        return done


def scaled(picture: Picture, factor: float) -> Picture:
    """Bytes times a factor, rounded and clipped."""
    table = np.clip(np.arange(256) * factor + 0.5, 0, 255).astype(np.uint8)
    return table[picture]


def night_video(
    source: Path, output: Path, workdir: Path, enhancer: Enhancer, *, choice: Choice | None = None,
    settings: Settings | None = None, workers: int = 1, batch: int = 1,
    progress: Progress = lambda stage, part: None, should_stop: Callable[[], bool] = lambda: False,
    segment_frames: int | None = None, name: str = "",
) -> Done:  # fmt: skip
    """Enhance a video into an MP4. ``workdir`` holds finished parts: give the same one again to go on after a stop.

    ``name`` is what people call the file, if its path does not say it. ``progress(stage, fraction)`` gets "measure",
    "render" or "join" and the share done, 0..1, from this thread.
    ``Done.passed_through`` counts frames that nothing was done to: daylight without haze.

    Raises:
        VideoError: E-VID-01 to E-VID-04, E-VID-09, E-OUT-01.
        JobCancelledError: ``should_stop`` said so; nothing half-written is left.
    """
    choice, settings = choice or Choice(), settings or Settings()
    clip = _plan(source, workdir, enhancer, choice, settings, segment_frames, name)
    dehazer = Dehazer(settings) if choice.dehaze else None
    total = max(1, len(clip.pts))

    def run(stage: str, low: float, high: float, work: Callable[[Segment, Callable[[], None]], None]) -> None:
        in_threads(
            clip.segments, workers, work, should_stop,
            lambda count: progress(stage, low + (high - low) * min(1.0, count / total)),
        )  # fmt: skip

    run("measure", 0, MEASURING, lambda segment, tick: _measure(clip, segment, workdir, enhancer, settings, tick))
    steps = _read_steps(clip, workdir, settings, choice)
    run(
        "render", MEASURING, 1,
        lambda segment, tick: _render(clip, segment, workdir, NightEnhancer(enhancer, dehazer, batch), steps, tick),
    )  # fmt: skip
    progress("join", 1.0)
    written = encode.join(clip, [part_path(workdir, segment) for segment in clip.segments], list(steps), output)
    findings = list(clip.findings)
    if len(clip.pts) > written:
        findings.append(Finding("E-VID-10", values={"value": len(clip.pts) - written}))
    chosen = [(step.dark, choice.dehaze and not step.air.night) for step in steps.values()]
    passed = sum(not any(done) for done in chosen)
    if passed:
        findings.append(Finding("E-ENH-16", values={"value": passed, "total": written}))
    cuts = sum(step.air.fresh for step in steps.values()) - 1
    brightened, dehazed = (sum(column) for column in zip(*chosen, strict=True))
    return Done(output, written, cuts, passed, findings, brightened=brightened, dehazed=dehazed)


def _plan(
    path: Path, workdir: Path, enhancer: Enhancer, choice: Choice, settings: Settings, segment_frames: int | None,
    name: str = "",
) -> Clip:  # fmt: skip
    """Probe a video and make ``workdir`` ready; what it holds of another file, network or choice is thrown away."""
    clip = probe(path, segment_frames or SEGMENT_FRAMES, name)
    stat = path.stat()
    identity = [FORMAT, stat.st_size, stat.st_mtime_ns, asdict(settings), asdict(choice), encode.ENCODER, len(clip.pts)]
    identity += [enhancer.card.get("weights_sha256"), enhancer.bf16, [segment.start for segment in clip.segments]]
    make_ready(workdir, identity)
    return clip


def _measures(workdir: Path, segment: Segment) -> Path:
    return workdir / f"night-{segment.number:05d}.json"


def _measure(
    clip: Clip, segment: Segment, workdir: Path, enhancer: Enhancer, settings: Settings, tick: Callable[[], None]
) -> None:
    path = _measures(workdir, segment)
    if path.is_file():
        return
    meter = Meter(settings)
    rows: list[Any] = []
    base = encode.time_base(clip)
    for pts, frame in frames(clip, segment, lead=2):
        tick()
        index = bisect.bisect_left(clip.pts, pts) if clip.timed else len(rows)
        measure = meter(frame, float(pts * base), index)
        if pts >= segment.start or not clip.timed:
            small = small_copy(frame)
            rows.append([pts, gain(small, enhancer(small)), *asdict(measure).values()])
    write_rows(path, rows)


def _read_steps(clip: Clip, workdir: Path, settings: Settings, choice: Choice) -> dict[int, Step]:
    rows = [row for segment in clip.segments for row in json.loads(_measures(workdir, segment).read_text())]
    if not rows:
        raise VideoError("E-VID-04", value=clip.path.name)
    measures = [Measure(r[2], r[3], r[4], None if r[5] is None else tuple(r[5]), r[6], r[7]) for r in rows]
    steps = steps_of(measures, [row[1] for row in rows], settings, choice)
    return {row[0]: step for row, step in zip(rows, steps, strict=True)}


def _render(
    clip: Clip, segment: Segment, workdir: Path, night: NightEnhancer, steps: dict[int, Step], tick: Callable[[], None]
) -> None:
    path = part_path(workdir, segment)
    if path.is_file():
        return
    writer = encode.SegmentWriter(clip, path)
    waiting: list[tuple[int, Any]] = []

    def write(pictures: Sequence[Picture]) -> None:
        for picture in pictures:
            writer.write(picture, *waiting.pop(0))

    try:
        for pts, frame in frames(clip, segment, lead=LEAD):
            tick()
            step = steps.get(pts)
            if step is None:
                continue  # a frame that only this reading could decode
            picture = encode.picture_of(frame)
            if clip.timed and pts < segment.start:
                night.watch(picture, step)
            else:
                waiting.append((pts, frame))
                write(night(picture, step))
        write(night.flush())
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
