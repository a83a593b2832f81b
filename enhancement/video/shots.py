"""Single frames out of a clip: the picture shown at a moment, upright, and which frame of the clip that is."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError

from enhancement.dehaze.pixels import Frame
from enhancement.video.encode import picture_of, scaled
from enhancement.video.playable import zero_of
from enhancement.video.source import open_video, probe
from minegis.errors import VideoError

_EARLY = 1e-4  # seconds: players round the times they tell


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture (H, W, 3), B, G, R, bytes, turned upright, the time from which players show it, in seconds, and the
    longer side of the frame it was made from, in pixels."""

    picture: Frame
    time: float
    longest: int


def shot_at(path: Path, time: float, longest: int | None = None) -> Shot:
    """The frame that players show at ``time`` seconds; after the last one, that.

    ``longest`` shrinks the picture so that its longer side is no longer, by whole factors.

    Raises:
        VideoError: E-VID-01, E-VID-02, E-VID-04 for files without a frame; E-VID-17, a negative time or no number.
    """
    if not time >= 0 or time > 1e7:
        raise VideoError("E-VID-17", value=time)
    zero = zero_of(path)
    with open_video(path) as container:
        if not container.streams.video:
            raise VideoError("E-VID-03", value=path.name)
        stream = container.streams.video[0]
        base = stream.time_base
        wanted = (zero + _fraction(time + _EARLY)) / base
        found = None
        try:
            if time > 0:
                container.seek(int(wanted), stream=stream, backward=True)
            for frame in container.decode(stream):
                if found is not None and frame.pts is not None and frame.pts > wanted:
                    break
                found = frame
        except FFmpegError:
            pass  # what was decoded before the damage is shown
        if found is None:
            raise VideoError("E-VID-04", value=path.name)
        at = float((found.pts or 0) * base - zero)
        return Shot(upright(found, longest), max(0.0, at), max(found.width, found.height))


def _fraction(seconds: float) -> Fraction:
    return Fraction(seconds).limit_denominator(10**6)


def upright(frame: Any, longest: int | None = None) -> Frame:
    """A decoded frame as bytes (H, W, 3), B, G, R, as players turn it."""
    shrink = 1 if longest is None else -(-max(frame.width, frame.height) // longest)
    if shrink == 1:
        picture = picture_of(frame)
    else:
        picture = scaled(frame, max(1, frame.width // shrink), max(1, frame.height // shrink))
    return np.ascontiguousarray(np.rot90(picture, int(frame.rotation) // 90))


def number_of(path: Path, time: float) -> tuple[int, float]:
    """Which frame players show at ``time`` seconds: its number, counted from 0, and its own time in seconds.

    Raises:
        VideoError: as ``probe``; E-VID-17, the clip has ended by then.
    """
    clip = probe(path)
    if not clip.timed:
        number = int((time + _EARLY) * clip.rate)
        if not number >= 0:
            raise VideoError("E-VID-17", value=time)
        return number, float(number / clip.rate)
    zero = zero_of(path)
    last = (clip.pts[-1] * clip.time_base) - zero
    if not 0 <= time <= float(last) + 1 / min(float(clip.rate), 1000) + 1:
        raise VideoError("E-VID-17", value=time)
    number = bisect.bisect_right(clip.pts, (zero + _fraction(time + _EARLY)) / clip.time_base) - 1
    number = max(0, number)
    return number, float(clip.pts[number] * clip.time_base - zero)
