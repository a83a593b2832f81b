"""What browsers play: whether a file is of that kind, and a copy that is. The copy has every frame at its own time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from enhancement.video import encode
from enhancement.video.parallel import in_threads
from enhancement.video.source import Clip, Segment, frames, open_video, probe
from minegis.errors import VideoError

# By container: codecs of picture and sound that Chromium, Firefox and Safari all play.
PICTURES = {"mov,mp4,m4a,3gp,3g2,mj2": ("h264",), "matroska,webm": ("vp8", "vp9")}
SOUNDS = {"mov,mp4,m4a,3gp,3g2,mj2": ("aac", "mp3"), "matroska,webm": ("opus", "vorbis")}
FORMATS = ("yuv420p", "yuvj420p")
PROXY_SECONDS = 30.0  # of a segment: what a killed worker encodes again at most


def zero_of(path: Path) -> Fraction:
    """The time in a file, in seconds, that players show as 0: where its first picture or sound begins."""
    with open_video(path) as container:
        streams = [*container.streams.video[:1], *container.streams.audio]
        begins = [s.start_time * s.time_base for s in streams if s.start_time is not None and s.time_base]
        return min(begins, default=Fraction(0))


def plays(clip: Clip, suffix: str) -> bool:
    """Whether browsers play a file as it is, from its first frame on; ``suffix`` is that of its name."""
    if clip.codec not in PICTURES.get(clip.container, ()) or not clip.timed:
        return False
    if clip.container.startswith("matroska") and suffix.lower() != ".webm":  # an MKV holds whatever it likes
        return False
    with open_video(clip.path) as container:
        stream = container.streams.video[0]
        sounds = [s.codec_context.name for s in container.streams.audio if s.codec_context]
        late = abs(clip.pts[0] * clip.time_base) > 1 / (2 * clip.rate)
        return (
            stream.codec_context.pix_fmt in FORMATS
            and not late
            and not clip.width % 2
            and not clip.height % 2
            and all(name in SOUNDS[clip.container] for name in sounds)
        )


def make_proxy(
    source: Path, output: Path, workdir: Path, *, workers: int = 1,
    progress: Callable[[str, float], None] = lambda stage, part: None,
    should_stop: Callable[[], bool] = lambda: False, segment_frames: int | None = None,
) -> int:  # fmt: skip
    """Write a clip anew as H.264 in an MP4 with its index in front; returns its frames.

    ``workdir`` holds finished segments: give the same one again to go on after a stop.

    Raises:
        VideoError: E-VID-01 to E-VID-04, E-VID-09, E-OUT-01.
        JobCancelledError: ``should_stop`` said so; nothing half-written is left.
    """
    clip = probe(source)
    clip = probe(source, segment_frames or max(1, round(PROXY_SECONDS * float(clip.rate))))
    mark = workdir / "plan.json"
    text = json.dumps([source.stat().st_size, len(clip.pts), [s.start for s in clip.segments], encode.ENCODER])
    if not mark.is_file() or mark.read_text() != text:
        shutil.rmtree(workdir, ignore_errors=True)
        workdir.mkdir(parents=True)
        mark.write_text(text)
    for partial in workdir.glob(".*.partial"):
        partial.unlink()
    total = max(1, len(clip.pts))
    in_threads(
        clip.segments, workers, lambda segment, tick: _copy(clip, segment, workdir, tick), should_stop,
        lambda count: progress("proxy", min(1.0, count / total)),
    )  # fmt: skip
    pts: list[int] = []
    for segment in clip.segments:
        pts += json.loads((workdir / f"pts-{segment.number:05d}.json").read_text())
    if not pts:
        raise VideoError("E-VID-04", value=source.name)
    return encode.join(clip, [_part(workdir, segment) for segment in clip.segments], pts, output)


def _part(workdir: Path, segment: Segment) -> Path:
    return workdir / f"part-{segment.number:05d}.nut"


def _copy(clip: Clip, segment: Segment, workdir: Path, tick: Callable[[], None]) -> None:
    path = _part(workdir, segment)
    if path.is_file():
        return
    writer = encode.SegmentWriter(clip, path)
    pts: list[int] = []
    frame: Any
    try:
        for at, frame in frames(clip, segment):
            tick()
            writer.write_through(frame, at)
            pts.append(at)
        times = workdir / f"pts-{segment.number:05d}.json"  # before the part, whose being there means both are
        times.with_suffix(".partial").write_text(json.dumps(pts))
        times.with_suffix(".partial").replace(times)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
