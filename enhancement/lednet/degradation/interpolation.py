"""Frames between the frames of a slow video, so that averaging them gives blur and not ghosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
from av.error import FFmpegError

Picture = np.ndarray[Any, np.dtype[Any]]
TIMES = 8  # as many frames per second: what 25 per second need to look continuous


def between(frames: Sequence[Picture], times: int = TIMES) -> list[Picture]:
    """Motion-compensated frames between successive ones (FFmpeg's ``minterpolate``).

    Args:
        frames: bytes (H, W, 3), B, G, R, all of one size, at least 3.
        times: how many steps one becomes.

    Returns:
        Bytes; frame k·``times`` is input frame k. The filter gives nothing for the last interval, so the list ends
        between the last two.
    """
    height, width = frames[0].shape[:2]
    base = Fraction(1, 25 * times)
    graph = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("bgr24", width, height), time_base=base)
    chain = [source]
    for name, arguments in (
        ("format", "yuv444p"),
        ("minterpolate", f"fps={25 * times}:mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none"),
        ("format", "bgr24"),
        ("buffersink", None),
    ):
        node = graph.add(name, arguments) if arguments else graph.add(name)
        chain[-1].link_to(node)
        chain.append(node)
    graph.configure()
    result: list[Picture] = []
    # The filter looks one frame ahead and one back: the ends are given twice.
    for number, picture in enumerate([*frames, frames[-1], frames[-1]]):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "bgr24")
        frame.pts, frame.time_base = number * times, base
        source.push(frame)
        result.extend(_drained(graph))
    return result[: (len(frames) - 1) * times + 1]


def _drained(graph: Any) -> Iterator[Picture]:
    while True:
        try:
            yield graph.pull().to_ndarray(format="bgr24")
        except (FFmpegError, BlockingIOError, EOFError):
            return
