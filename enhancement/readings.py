"""What an enhanced file is worth, in numbers that need no clear picture beside it: haze left, contrast, flicker."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
from scipy import ndimage

from enhancement.dehaze.pixels import Frame
from enhancement.quality import GREY, read_haze
from enhancement.video.playable import zero_of
from enhancement.video.shots import shot_at, upright
from enhancement.video.source import open_video

SAMPLES = 6  # frames of a video that are measured
LONGEST = 480  # pixels of a measured frame's longer side
STILL_FRAMES = 24  # successive frames whose brightness tells the flicker
LEAST = 0.1 / 255  # of a tremble: below it is the rounding of the codec
Readings = dict[str, float]


def read_pictures(before: Frame, after: Frame, longest: int = LONGEST) -> Readings:
    """The readings of two pictures of bytes: those of ``quality.HazeReading``; ``brightness``, the ratio of the mean
    luma, result over original; ``noise``, the ratio of the noise in proportion to it (below 1 is cleaner)."""
    first, second = (shrunk(picture, longest) / 255.0 for picture in (before, after))
    dark, bright = (max(float((picture @ GREY).mean()), LEAST) for picture in (first, second))
    return asdict(read_haze(first, second)) | {"brightness": bright / dark, "noise": _noise(before, after)}


def _noise(before: Frame, after: Frame) -> float:
    parts = [middle(picture) for picture in (before, after)]
    first, second = (max(noise_of(part), LEAST) / max(float((part @ GREY).mean()) / 255, LEAST) for part in parts)
    return second / first


def noise_of(picture: Frame) -> float:
    """The noise of a picture of bytes, 0..1: the mean of what a difference of two Laplacians leaves (Immerkær 1996).

    Straight edges count for nothing, fine texture counts as noise.
    """
    grey = picture @ GREY / 255
    if min(grey.shape) < 3:
        return 0.0
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    left = ndimage.correlate(grey, kernel, mode="nearest")[1:-1, 1:-1]
    return float(math.sqrt(math.pi / 2) / 6 * np.abs(left).mean())


def middle(picture: Frame, side: int = 256) -> Frame:
    """The middle of a picture in its own pixels: shrinking would take the noise away."""
    top, left = (max(0, (length - side) // 2) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def shrunk(picture: Frame, longest: int = LONGEST) -> Frame:
    """A picture with its longer side no longer than that, by taking every n-th pixel."""
    step = -(-max(picture.shape[:2]) // longest)
    return picture[::step, ::step]


def read_videos(before: Path, after: Path, seconds: float) -> Readings:
    """Means of the readings over frames of a video and its result; ``flicker`` is the ratio of their unsteadiness over
    successive frames in the middle, result over original (1 is as steady as before)."""
    times = [seconds * (i + 0.5) / SAMPLES for i in range(SAMPLES)]
    rows = [read_pictures(shot_at(before, t, LONGEST).picture, shot_at(after, t, LONGEST).picture) for t in times]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    whole = _noise(*(shot_at(path, seconds / 2).picture for path in (before, after)))
    steady, result = (unsteadiness(_brightness(path, seconds / 2)) for path in (before, after))
    return means | {"noise": whole, "flicker": max(result, LEAST) / max(steady, LEAST)}


def unsteadiness(means: list[float]) -> float:
    """How much the brightness of successive frames trembles: their second differences, root mean square, over sqrt(6).

    Of a white tremble that is its standard deviation; a steady change, as of a camera that pans, counts for nothing.
    """
    second = np.diff(means, n=2)
    return float(np.sqrt(np.mean(second**2) / 6)) if second.size else 0.0


def _brightness(path: Path, time: float) -> list[float]:
    """Means of the frames shown from ``time`` on, 0..1."""
    found: list[float] = []
    zero = zero_of(path)
    with open_video(path) as container:
        stream = container.streams.video[0]
        first = float(zero) + time - 1e-3
        container.seek(max(0, int(first / stream.time_base)), stream=stream, backward=True)
        for frame in container.decode(stream):
            if frame.pts is not None and frame.pts * stream.time_base < first:
                continue
            found.append(float(upright(frame, LONGEST).mean()) / 255)
            if len(found) == STILL_FRAMES:
                break
    return found
