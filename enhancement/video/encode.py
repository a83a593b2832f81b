"""H.264 out: each segment to a file of its own; segments and sound joined into one MP4 that plays while it loads."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from av.video.reformatter import Interpolation

from enhancement.dehaze.pixels import Frame
from enhancement.video.colour import from_yuv420, to_yuv420
from enhancement.video.source import Clip
from minegis.errors import VideoError

# No B-frames: then a segment's packets come in the order of showing, and the next one's follow without a gap.
# Each frame of lookahead costs an encoder 7 MB at 1080p, and there is one per worker; 3 lose next to nothing.
ENCODER = {"preset": "veryfast", "crf": "20", "bf": "0", "rc-lookahead": "3"}
KEY_SECONDS = 2.0  # between key frames, so that players can jump
COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus")  # sound that MP4 holds as it is; other kinds become AAC
_TAGS = ("color_primaries", "color_trc", "colorspace")
_FULL = 2  # FFmpeg's number of the full range of YUV values


class SegmentWriter:
    """Encodes frames of a clip in order; the file appears under its name only when it is whole."""

    def __init__(self, clip: Clip, path: Path, threads: int = 1) -> None:
        self.clip, self.path, self.threads = clip, path, threads
        self._partial = path.with_name(f".{path.name}.partial")
        self._out = av.open(str(self._partial), "w", format="nut")  # keeps any time base exactly
        self._stream: Any = None
        self.frames = 0

    def _start(self, like: Any, height: int, width: int) -> None:
        clip = self.clip
        rate = clip.rate if 0 < clip.rate <= 240 else Fraction(25)
        stream = self._out.add_stream("libx264", rate=rate, options=dict(ENCODER))
        stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        stream.codec_context.time_base = stream.time_base = time_base(clip)
        stream.codec_context.gop_size = max(1, round(KEY_SECONDS * float(rate)))
        stream.codec_context.thread_count = self.threads
        stream.codec_context.max_b_frames = 0
        for tag in _TAGS:
            setattr(stream.codec_context, tag, getattr(like, tag))
        stream.codec_context.color_range = 1  # video range, whatever came in
        self._stream = stream

    def write(self, picture: Frame, pts: int, like: Any) -> None:
        """Add a picture (H, W, 3), B, G, R, bytes; ``like`` is the decoded frame whose colour tags it takes over."""
        height, width = picture.shape[:2]
        if self._stream is None:
            self._start(like, height, width)
        if height % 2 or width % 2:
            picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = to_yuv420(picture, matrix(like))
        for tag in _TAGS:
            setattr(frame, tag, getattr(like, tag))
        self._encode(frame, pts)

    def write_through(self, frame: Any, pts: int) -> None:
        """Add a decoded frame as it is: only the codec touches it, where it is of the encoder's kind."""
        plain = frame.format.name == "yuv420p" and frame.color_range != _FULL
        if not plain or frame.height % 2 or frame.width % 2:
            self.write(picture_of(frame), pts, frame)
            return
        if self._stream is None:
            self._start(frame, frame.height, frame.width)
        frame.pict_type = PictureType.NONE  # where key frames come is this encoder's choice
        self._encode(frame, pts)

    def _encode(self, frame: Any, pts: int) -> None:
        frame.pts, frame.time_base = pts, time_base(self.clip)
        self._out.mux(self._stream.encode(frame))
        self.frames += 1

    def finish(self) -> None:
        """Flush and give the file its name."""
        if self._stream is not None:
            self._out.mux(self._stream.encode(None))
        self._out.close()
        self._partial.replace(self.path)

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._out.close()
        self._partial.unlink(missing_ok=True)


def matrix(frame: Any) -> int:
    """The YUV matrix of a frame as swscale names it: what it says, else BT.709 from 720 rows on, BT.601 below."""
    said = int(frame.colorspace)
    if said in (1, 4, 5, 6, 7, 9):
        return {6: 5, 10: 9}.get(said, said)
    return 1 if frame.height >= 720 else 5


def time_base(clip: Clip) -> Fraction:
    """What a clip's timestamps count in."""
    return clip.time_base if clip.timed else 1 / clip.rate


def picture_of(frame: Any) -> Frame:
    """A decoded frame as bytes (H, W, 3), B, G, R."""
    if frame.format.name in ("yuv420p", "yuvj420p"):
        full = frame.format.name == "yuvj420p" or frame.color_range == _FULL
        return from_yuv420(frame, matrix(frame), full)
    return scaled(frame, frame.width, frame.height, Interpolation.BILINEAR)


def scaled(frame: Any, width: int, height: int, interpolation: Interpolation = Interpolation.AREA) -> Frame:
    """A decoded frame of any format in another size, as bytes (H, W, 3), B, G, R."""
    made = frame.reformat(
        width, height, "bgr24", src_colorspace=matrix(frame), dst_color_range=_FULL,
        interpolation=interpolation | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT, threads=1,
    )  # fmt: skip
    return np.ascontiguousarray(made.to_ndarray())


def join(clip: Clip, parts: Sequence[Path], pts: Sequence[int], output: Path) -> int:
    """Copy the segments' packets and the clip's sound into an MP4 with its index in front; returns the frames written.

    ``pts`` are all frames' timestamps. The clip begins at 0 in the result; sound keeps its distance from the picture.
    Memory does not grow with length: packets are merged by time as they are read.

    Raises:
        VideoError: E-VID-09, frames are missing or double; E-OUT-01, the file cannot be written.
    """
    partial = output.with_name(f".{output.name}.partial")
    try:
        written = _join(clip, parts, pts, partial)
        if written != len(pts):
            raise VideoError("E-VID-09", expected=len(pts), found=written)
        partial.replace(output)
    except OSError as error:
        raise VideoError("E-OUT-01", value=output) from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _join(clip: Clip, parts: Sequence[Path], pts: Sequence[int], partial: Path) -> int:
    base = time_base(clip)
    with (
        av.open(str(clip.path)) as source,
        av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as out,
    ):
        given = source.streams.video[0]
        with av.open(str(parts[0])) as first:
            video = out.add_stream_from_template(first.streams.video[0])
        video.time_base = base
        if given.sample_aspect_ratio:
            video.sample_aspect_ratio = given.sample_aspect_ratio
        rotation = _rotation(clip)
        if rotation:
            video.set_display_rotation(rotation)
        begins = (s.start_time * s.time_base for s in source.streams.audio if s.start_time is not None and s.time_base)
        zero: Fraction = min([pts[0] * base, *begins])
        if not clip.timed:
            zero = Fraction(0)
        packets = [_pictures(parts, pts, base, video, zero)]
        sounds = [(stream, _sound_stream(out, stream)) for stream in source.streams.audio if stream.codec_context]
        for index, (stream, target) in enumerate(sounds, 1):
            packets.append(_sounds(clip, stream.index, target, zero, index))
        written = 0
        for _, track, _, packet in heapq.merge(*packets, key=lambda item: item[:3]):
            out.mux(packet)
            written += track == 0
        return written


def _pictures(
    parts: Sequence[Path], pts: Sequence[int], base: Fraction, video: Any, zero: Fraction
) -> Iterator[tuple[Fraction, int, int, Any]]:
    usual = pts[-1] - pts[-2] if len(pts) > 1 else round(1 / (video.average_rate or 25) / base)
    shift = round(zero / base)
    number = 0
    packet: Any  # one with bytes has all its times, which PyAV's types do not say
    for part in parts:
        with av.open(str(part)) as container:
            for packet in container.demux(video=0):
                if packet.size == 0:
                    continue
                shown = round(packet.pts * packet.time_base / base)
                if number >= len(pts) or shown != pts[number]:
                    raise VideoError("E-VID-09", expected=len(pts), found=number)
                following = pts[number + 1] if number + 1 < len(pts) else shown + usual
                packet.stream = video
                packet.time_base = base
                packet.pts = packet.dts = shown - shift
                packet.duration = following - shown
                yield (shown - shift) * base, 0, number, packet
                number += 1


def _sound_stream(out: Any, stream: Any) -> Any:
    if stream.codec_context.name in COPIED:
        return out.add_stream_from_template(stream)
    made = out.add_stream("aac", rate=stream.codec_context.sample_rate or 44100)
    made.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    return made


def _sounds(
    clip: Clip, index: int, target: Any, zero: Fraction, track: int
) -> Iterator[tuple[Fraction, int, int, Any]]:
    """Packets of one sound stream, copied or encoded anew."""
    number = itertools.count()
    packet: Any
    piece: Any
    with av.open(str(clip.path)) as container:
        stream = container.streams[index]
        copied = stream.codec_context.name in COPIED
        resampler = (
            None if copied else av.AudioResampler("fltp", target.codec_context.layout, target.codec_context.rate)
        )
        try:
            for packet in container.demux(stream):
                if copied:
                    if packet.size == 0 or packet.dts is None:
                        continue
                    shift = round(zero / packet.time_base)
                    packet.pts = (packet.dts if packet.pts is None else packet.pts) - shift
                    packet.dts -= shift
                    packet.stream = target
                    yield packet.dts * packet.time_base, track, next(number), packet
                    continue
                for frame in packet.decode():
                    for piece in resampler.resample(frame):  # type: ignore[union-attr]
                        if piece.pts is not None:
                            piece.pts -= round(zero / piece.time_base)
                        yield from _numbered(target.encode(piece), track, number)
        except FFmpegError:
            pass  # sound that breaks off is kept as far as it goes, like the picture
        if not copied:
            yield from _numbered(target.encode(None), track, number)


def _numbered(packets: Any, track: int, number: Iterator[int]) -> Iterator[tuple[Fraction, int, int, Any]]:
    for packet in packets:
        yield (packet.dts or 0) * packet.time_base, track, next(number), packet


def _rotation(clip: Clip) -> int:
    """Degrees by which players turn the clip, counter-clockwise."""
    with av.open(str(clip.path)) as container:
        for packet in container.demux(video=0):
            try:
                for frame in packet.decode():
                    return int(frame.rotation)
            except FFmpegError:
                continue
    return 0
