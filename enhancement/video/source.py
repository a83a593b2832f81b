"""A video file as numbers: what is in it, where it can be cut, and its frames from one timestamp to another."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError, InvalidDataError

from minegis.errors import Finding, VideoError

# Containers and codecs that are opened: none that names other files (playlists), none of the exotic decoders.
FORMATS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "h264", "hevc", "mjpeg", "asf")
CODECS = ("h264", "hevc", "mjpeg", "mpeg4", "mpeg2video", "vp8", "vp9", "av1", "ffv1", "rawvideo")
# The usual suffixes of each format; a file of another one is read as what it is, and said to be.
SUFFIXES_OF = {
    "mov,mp4,m4a,3gp,3g2,mj2": (".mp4", ".mov", ".m4v", ".3gp"),
    "matroska,webm": (".mkv", ".webm"),
    "avi": (".avi",),
    "mpegts": (".ts", ".mts", ".m2ts"),
    "mpeg": (".mpg", ".mpeg", ".vob"),
    "flv": (".flv",),
    "h264": (".h264", ".264"),
    "hevc": (".h265", ".265", ".hevc"),
    "mjpeg": (".mjpeg", ".mjpg"),
    "asf": (".asf", ".wmv"),
}
SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts", ".mpg", ".mpeg", ".flv", ".h264", ".h265")
SEGMENT_FRAMES = 250  # least length of a segment: what a killed worker loses at most


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames with ``start`` <= pts < ``stop`` (None: to the end), in units of the clip's time base."""

    number: int
    start: int
    stop: int | None


@dataclass(slots=True)
class Clip:
    """What was found out about a video without decoding it.

    ``pts`` are the packets' timestamps in order of showing; ``timed`` is False if the file has none that can be used:
    then frames are counted (one per ``rate``) and there is one segment. ``container`` is a key of ``SUFFIXES_OF``.
    """

    path: Path
    container: str
    width: int
    height: int
    codec: str
    rate: Fraction
    time_base: Fraction
    pts: list[int]
    segments: list[Segment]
    timed: bool
    findings: list[Finding] = field(default_factory=list)


def looks_like_video(path: Path) -> bool:
    """Whether a file's first bytes are those of MP4, Matroska, AVI, FLV or MPEG-TS."""
    try:
        with path.open("rb") as file:
            head = file.read(377)
    except OSError:
        return False
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") or head.startswith((b"\x1a\x45\xdf\xa3", b"FLV\x01")):
        return True
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return True
    return len(head) == 377 and head[0] == head[188] == head[376] == 0x47


def open_video(path: Path, name: str = "") -> Any:
    """A container of an allowed format, opened for reading; ``name`` is what errors call the file.

    Raises:
        VideoError: E-VID-01 damaged or no video file, E-VID-02 unusual format.
    """
    try:
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError("E-VID-01", value=name or path.name) from error
    if container.format.name not in FORMATS:
        container.close()
        raise VideoError("E-VID-02", value=container.format.name)
    return container


def probe(path: Path, segment_frames: int = SEGMENT_FRAMES, name: str = "") -> Clip:
    """Look through a video's packets; ``name`` is what people call the file, if its path does not say it.

    Raises:
        VideoError: E-VID-01 damaged or no video file, E-VID-02 unusual format, E-VID-03 no picture in it (sound only),
            E-VID-04 no frame.
    """
    name = name or path.name
    with open_video(path, name) as container:
        if not container.streams.video:
            raise VideoError("E-VID-03", value=name)
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec is None or codec.name not in CODECS:
            raise VideoError("E-VID-02", value=getattr(codec, "name", "?"))
        pts: list[int] = []
        keys: list[int] = []
        timed, packets = True, 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0:
                    continue
                packets += 1
                if packet.pts is None:
                    timed = False
                    continue
                pts.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        except FFmpegError:
            pass  # a cut-off file: what came before is used, and the decoder says what is missing
        if not packets or not codec.width or not codec.height or codec.pix_fmt is None:
            raise VideoError("E-VID-04", value=name)
        pts.sort()
        timed = timed and len(set(pts)) == len(pts)
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        clip = Clip(
            path, container.format.name, codec.width, codec.height, codec.name, rate, Fraction(stream.time_base), pts,
            [Segment(0, pts[0] if pts else 0, None)], timed,
        )  # fmt: skip
        if timed:
            clip.segments = _cut(pts, sorted(keys), segment_frames)
        clip.findings = _remarks(clip, codec, name)
        return clip


def _cut(pts: list[int], keys: list[int], least: int) -> list[Segment]:
    """Segments that begin where a decoder can begin, none shorter than ``least`` frames save a clip's only one."""
    starts = [pts[0]]
    last = 0
    for key in keys:
        index = bisect.bisect_left(pts, key)
        if index - last >= least and len(pts) - index >= least:
            starts.append(key)
            last = index
    return [Segment(i, start, stop) for i, (start, stop) in enumerate(zip(starts, [*starts[1:], None], strict=True))]


def _remarks(clip: Clip, codec: Any, name: str) -> list[Finding]:
    found = []
    if Path(name).suffix.lower() not in SUFFIXES_OF[clip.container]:
        kind = SUFFIXES_OF[clip.container][0].lstrip(".").upper()
        found.append(Finding("E-VID-13", values={"value": name, "kind": kind}))
    if clip.width % 2 or clip.height % 2:
        found.append(Finding("E-VID-05", values={"value": f"{clip.width} x {clip.height}"}))
    if codec.format is not None:
        if max((component.bits for component in codec.format.components), default=8) > 8:
            found.append(Finding("E-VID-06", values={"value": codec.format.name}))
        if any(component.is_alpha for component in codec.format.components):
            found.append(Finding("E-VID-07", values={"value": codec.format.name}))
    if not clip.timed:
        found.append(Finding("E-VID-08", values={"value": float(round(clip.rate, 3))}))
    return found


def frames(clip: Clip, segment: Segment, lead: int = 0, threads: int = 1) -> Iterator[tuple[int, Any]]:
    """The frames of a segment as (pts, av.VideoFrame), and before them up to ``lead`` frames that precede it.

    Packets that cannot be decoded are skipped, as players do; ``probe`` and this count the same on every reading.

    Raises:
        VideoError: E-VID-01, the file can no longer be opened.
    """
    first = bisect.bisect_left(clip.pts, segment.start) if clip.timed else 0
    begin = clip.pts[max(0, first - lead)] if clip.timed and clip.pts else 0
    target: int | None = begin if clip.timed and segment.number else None
    while True:
        with open_video(clip.path) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = threads
            stream.codec_context.thread_type = "AUTO" if threads > 1 else "NONE"
            if target is not None:
                container.seek(target, stream=stream, backward=True)
            count = 0
            late = False
            for frame in _decoded(container, stream):
                pts = frame.pts if clip.timed else count
                count += 1
                if pts is None:
                    continue
                if count == 1 and target is not None and pts > begin:
                    late = True  # the index led behind the wanted frame: read from the start
                    break
                if segment.stop is not None and pts >= segment.stop:
                    return
                if pts >= begin:
                    yield pts, frame
            if not late:
                return
        target = None


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            packet = None  # the file ends in the middle of something
        if packet is None:
            return
        try:
            yield from packet.decode()
        except InvalidDataError:
            continue
