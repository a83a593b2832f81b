"""Pictures to the encoder's YUV 4:2:0, rounded: swscale's own way there cuts off, and darkens by a level each time."""

from __future__ import annotations

from typing import Any

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
def _convert(picture, y_weights, u_weights, v_weights, out):  # type: ignore[no-untyped-def]
    height, width, _ = picture.shape
    rows = picture.reshape(height, 3 * width)
    flat = out.reshape(out.size)
    area, quarter = height * width, height * width // 4
    for y in range(height):
        _luma(rows[y], y_weights[0], y_weights[1], y_weights[2], flat[y * width : (y + 1) * width])
    half = width // 2
    for y in range(height // 2):
        upper, lower = rows[2 * y], rows[2 * y + 1]
        start = area + y * half
        _chroma(upper, lower, u_weights[0], u_weights[1], u_weights[2], flat[start : start + half])
        start += quarter
        _chroma(upper, lower, v_weights[0], v_weights[1], v_weights[2], flat[start : start + half])


def to_yuv420(picture: Frame, matrix: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Bytes (H, W, 3), B, G, R, even sides, to planes (3 H / 2, W) of video range."""
    red, blue = WEIGHTS[matrix]
    luma = np.array([blue, 1 - red - blue, red])
    u = (np.array([1.0, 0, 0]) - luma) / (2 * (1 - blue))
    v = (np.array([0, 0, 1.0]) - luma) / (2 * (1 - red))
    height, width = picture.shape[:2]
    out = np.empty((height * 3 // 2, width), np.uint8)
    chroma = np.float32(224 / 255 / 4)
    _convert(
        np.ascontiguousarray(picture), (luma * 219 / 255).astype(np.float32), u.astype(np.float32) * chroma,
        v.astype(np.float32) * chroma, out,
    )  # fmt: skip
    return out
