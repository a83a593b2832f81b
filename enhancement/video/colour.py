"""YUV 4:2:0 to pictures and back, rounded: swscale's fast ways cut off, and darken by a level and a half both ways.

Chroma is repeated on the way in and averaged over its four pixels on the way out, so that what is inside the cube of
colours comes back to the bit.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from numba import njit

from enhancement.dehaze.pixels import Frame

# Luma weights of red and blue by swscale's number of the matrix: BT.709, FCC, BT.601 (two names), SMPTE 240M, BT.2020.
WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
_VIDEO_RANGE = 1  # FFmpeg's number of it
_f = np.float32
_loop = njit(fastmath={"nnan", "nsz", "contract", "reassoc"}, nogil=True, cache=True)


@_loop
def _luma(pixels, blue, green, red, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        value = blue * _f(pixels[3 * x]) + green * _f(pixels[3 * x + 1]) + red * _f(pixels[3 * x + 2])
        out[x] = value + _f(16.5)


@_loop
def _chroma(upper, lower, blue, green, red, out):  # type: ignore[no-untyped-def]
    for x in range(out.shape[0]):
        b = _f(upper[6 * x]) + _f(upper[6 * x + 3]) + _f(lower[6 * x]) + _f(lower[6 * x + 3])
        g = _f(upper[6 * x + 1]) + _f(upper[6 * x + 4]) + _f(lower[6 * x + 1]) + _f(lower[6 * x + 4])
        r = _f(upper[6 * x + 2]) + _f(upper[6 * x + 5]) + _f(lower[6 * x + 2]) + _f(lower[6 * x + 5])
        out[x] = blue * b + green * g + red * r + _f(128.5)


@_loop
def _colours(u, v, blue_u, green_u, green_v, red_v, blue, green, red):  # type: ignore[no-untyped-def]
    """What chroma adds to each channel, for two pixels each."""
    for x in range(u.shape[0]):
        a, b = _f(u[x]) - _f(128), _f(v[x]) - _f(128)
        blue[2 * x] = blue[2 * x + 1] = blue_u * a
        green[2 * x] = green[2 * x + 1] = green_u * a + green_v * b
        red[2 * x] = red[2 * x + 1] = red_v * b


@_loop
def _pixels(y, scale, offset, blue, green, red, out):  # type: ignore[no-untyped-def]
    for x in range(y.shape[0]):
        grey = _f(y[x]) * scale + offset
        out[3 * x] = np.uint8(min(max(grey + blue[x], _f(0)), _f(255.5)))
        out[3 * x + 1] = np.uint8(min(max(grey + green[x], _f(0)), _f(255.5)))
        out[3 * x + 2] = np.uint8(min(max(grey + red[x], _f(0)), _f(255.5)))


@_loop
def _read(y, u, v, scale, offset, weights, out):  # type: ignore[no-untyped-def]
    height, width, _ = out.shape
    rows = out.reshape(height, 3 * width)
    half = (width + 1) // 2
    blue, green, red = np.empty((3, 2 * half), np.float32)
    for chroma in range((height + 1) // 2):
        _colours(u[chroma, :half], v[chroma, :half], weights[0], weights[1], weights[2], weights[3], blue, green, red)
        for row in range(2 * chroma, min(2 * chroma + 2, height)):
            _pixels(y[row, :width], scale, offset, blue[:width], green[:width], red[:width], rows[row])


@_loop
def _write(picture, y_weights, u_weights, v_weights, y, u, v):  # type: ignore[no-untyped-def]
    height, width, _ = picture.shape
    rows = picture.reshape(height, 3 * width)
    for row in range(height):
        _luma(rows[row], y_weights[0], y_weights[1], y_weights[2], y[row, :width])
    half = width // 2
    for row in range(height // 2):
        upper, lower = rows[2 * row], rows[2 * row + 1]
        _chroma(upper, lower, u_weights[0], u_weights[1], u_weights[2], u[row, :half])
        _chroma(upper, lower, v_weights[0], v_weights[1], v_weights[2], v[row, :half])


def _rows(plane: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A plane's bytes as (rows, bytes of a row), which are its width or more; not copied."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)


def to_yuv420(picture: Frame, matrix: int) -> Any:
    """Bytes (H, W, 3), B, G, R, even sides, to an av.VideoFrame of YUV 4:2:0 in video range."""
    red, blue = WEIGHTS[matrix]
    luma = np.array([blue, 1 - red - blue, red])
    u = (np.array([1.0, 0, 0]) - luma) / (2 * (1 - blue))
    v = (np.array([0, 0, 1.0]) - luma) / (2 * (1 - red))
    height, width = picture.shape[:2]
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.color_range = _VIDEO_RANGE
    chroma = np.float32(224 / 255 / 4)
    _write(
        np.ascontiguousarray(picture), (luma * 219 / 255).astype(np.float32), u.astype(np.float32) * chroma,
        v.astype(np.float32) * chroma, *(_rows(plane) for plane in frame.planes),
    )  # fmt: skip
    return frame


def from_yuv420(frame: Any, matrix: int, full: bool) -> Frame:
    """A decoded frame in 8-bit YUV 4:2:0, of full or of video range, to bytes (H, W, 3), B, G, R."""
    red, blue = WEIGHTS[matrix]
    green = 1 - red - blue
    scale, offset, share = (1.0, 0.5, 2.0) if full else (255 / 219, 0.5 - 16 * 255 / 219, 2 * 255 / 224)
    weights = share * np.array(
        [1 - blue, -(1 - blue) * blue / green, -(1 - red) * red / green, 1 - red]
    )  # of U in blue, of U and V in green, of V in red
    y, u, v = (_rows(plane) for plane in frame.planes)
    out = np.empty((frame.height, frame.width, 3), np.uint8)
    _read(y, u, v, np.float32(scale), np.float32(offset), weights.astype(np.float32), out)
    return out
