"""An uploaded file looked through: video or still, what is in it, everything remarkable; a picture to know it by."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from enhancement import images
from enhancement.dehaze.pixels import Frame
from enhancement.quality import GREY
from enhancement.video.playable import plays
from enhancement.video.shots import shot_at, upright
from enhancement.video.source import open_video, probe
from minegis.errors import EnhancementError, Finding

SHOWN = ("JPEG", "PNG", "WEBP")  # stills that browsers show as they are, with 8 bits
MOST_SHOWN = 40_000_000  # pixels of a still that a page gets as it is


@dataclass(frozen=True, slots=True)
class Inspected:
    """What was found: ``kind`` "video" or "image", facts as plain values, a first picture, whether browsers show it."""

    kind: str
    facts: dict[str, Any]
    picture: Frame
    playable: bool
    media_type: str
    findings: list[Finding] = field(default_factory=list)


def inspect(path: Path, name: str) -> Inspected:
    """Look through a file by its content; ``name`` is what people call it.

    Facts of a video: container, codec, width, height (as shown), frames, seconds, rate (per second), rotation, pixels
    (FFmpeg's pixel format), sound (codec or ""), luma (mean, 0..1). Of a still: codec, width, height, bits, luma.

    Raises:
        VideoError, EnhancementError: E-VID-01 to E-VID-04, E-ENH-07, E-ENH-08, E-ENH-10.
    """
    if images.format_of(path) is not None:
        return _still(path, name)
    if Path(name).suffix.lower() in images.ALL_SUFFIXES and not _opens(path):
        raise EnhancementError("E-ENH-08", value=name)
    return _video(path, name)


def _opens(path: Path) -> bool:
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}):
            return True
    except (av.FFmpegError, OSError, ValueError):
        return False


def _still(path: Path, name: str) -> Inspected:
    kind = images.format_of(path) or ""
    still = images.read(path, name)
    height, width = still.pixels.shape[:2]
    shown = eight_bits(still)
    facts = {"codec": kind, "width": width, "height": height, "bits": still.bits, "luma": round(_luma(shown), 3)}
    playable = kind in SHOWN and still.bits == 8 and width * height <= MOST_SHOWN
    media = f"image/{kind.lower()}"
    return Inspected("image", facts, shown, playable, media, still.findings)


def _luma(picture: Frame) -> float:
    """Mean luma of bytes, 0..1, of every n-th pixel."""
    step = -(-max(picture.shape[:2]) // 256)
    return float((picture[::step, ::step] @ GREY).mean() / 255)


def eight_bits(still: images.Still) -> Frame:
    """A still's pixels as bytes."""
    if still.pixels.dtype == np.uint8:
        return still.pixels
    return (still.pixels.astype(np.float32) * (255 / (2**still.bits - 1)) + 0.5).astype(np.uint8)


def _video(path: Path, name: str) -> Inspected:
    clip = probe(path, name=name)
    shot = shot_at(path, 0)
    with open_video(path, name) as container:
        stream = container.streams.video[0]
        sound = next((s.codec_context.name for s in container.streams.audio if s.codec_context), "")
        pixels = stream.codec_context.pix_fmt
        media = "video/webm" if clip.container.startswith("matroska") else "video/mp4"
    frames = len(clip.pts) if clip.pts else 0
    last = (clip.pts[-1] - clip.pts[0]) * clip.time_base + 1 / clip.rate if clip.timed else frames / clip.rate
    height, width = shot.picture.shape[:2]
    facts = {
        "container": clip.container.split(",")[0], "codec": clip.codec, "width": width, "height": height,
        "frames": frames, "seconds": round(float(last), 4), "rate": round(float(clip.rate), 4), "pixels": pixels,
        "sound": sound, "luma": round(_mean_luma(path, float(last), shot.picture), 3),
    }  # fmt: skip
    playable = plays(clip, Path(name).suffix)
    return Inspected("video", facts, shot.picture, playable, media, clip.findings)


def _mean_luma(path: Path, seconds: float, first: Frame) -> float:
    """Mean luma of the first picture and of those that key frames near a third and two thirds of the clip show."""
    found = [_luma(first)]
    with open_video(path) as container:
        stream = container.streams.video[0]
        start = stream.start_time or 0
        for share in (1 / 3, 2 / 3):
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):  # not every container can be sought in
                container.seek(start + int(share * seconds / stream.time_base), stream=stream, backward=True)
                frame = next(container.decode(stream), None)
                if frame is not None:
                    found.append(_luma(upright(frame, 256)))
    return sum(found) / len(found)


def write_picture(picture: Frame, path: Path, longest: int, quality: int = 82) -> None:
    """A picture as WebP with its longer side no longer than that."""
    image = Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    image.thumbnail((longest, longest))
    image.save(path, format="WEBP", quality=quality, method=3)
