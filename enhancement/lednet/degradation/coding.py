"""What storing does: 8 bits, JPEG, H.264."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from PIL import Image

Picture = np.ndarray[Any, np.dtype[Any]]
JPEG = (30, 90)
CRF = (23, 38)
GOP = (25, 50)
# As cameras code: without looking ahead. Nothing is left to the timing of threads, so equal clips give equal bytes.
ENCODER = {"preset": "veryfast", "tune": "zerolatency", "bf": "0"}


def quantised(shown: Picture) -> Picture:
    """[0, 1] to bytes, rounded."""
    return np.floor(np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)


def jpeg(picture: Picture, quality: int) -> Picture:
    """Bytes (H, W, 3), B, G, R, through JPEG."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[:, :, ::-1])).save(stream, "JPEG", quality=quality)
    stream.seek(0)
    with Image.open(stream) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def h264(pictures: Sequence[Picture], crf: int, gop: int, rate: int = 25) -> list[Picture]:
    """A clip of bytes (H, W, 3), B, G, R, through H.264 (4:2:0); odd sides are padded for the encoder and cut again."""
    height, width = pictures[0].shape[:2]
    stream = io.BytesIO()
    with av.open(stream, "w", format="nut") as out:
        track = out.add_stream("libx264", rate=rate, options=ENCODER | {"crf": str(crf)})
        track.width, track.height, track.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
        track.codec_context.thread_count = 1
        track.codec_context.gop_size = gop
        for number, picture in enumerate(pictures):
            padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), "bgr24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(track.encode(frame))
        out.mux(track.encode(None))
    stream.seek(0)
    with av.open(stream, "r") as source:
        decoded = [frame.to_ndarray(format="bgr24") for frame in source.decode(video=0)]
    return [np.ascontiguousarray(picture[:height, :width]) for picture in decoded]
