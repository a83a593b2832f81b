"""Pictures to YUV and back: to the bit where both hold the colour, in every matrix and range, for any size."""

from __future__ import annotations

import av
import numpy as np
import pytest

from enhancement.video.colour import WEIGHTS, from_yuv420, to_yuv420
from enhancement.video.encode import picture_of, scaled


def gradients(height: int, width: int) -> np.ndarray:
    """Every two by two pixels of one colour, so that halving chroma loses nothing."""
    y, x = np.mgrid[0:height, 0:width] // 2 * 2
    return np.dstack([40 + 170 * x / width, 30 + 190 * y / height, 220 - 120 * x / width]).astype(np.uint8)


@pytest.mark.parametrize("matrix", WEIGHTS)
def test_what_goes_to_yuv_comes_back_and_goes_again_to_the_bit(matrix: int) -> None:
    picture = gradients(36, 64)
    there = to_yuv420(picture, matrix)
    back = from_yuv420(there, matrix, full=False)
    assert np.abs(back.astype(int) - picture).max() <= 2  # 219 levels stand for 256
    assert abs((back.astype(float) - picture).mean()) < 0.1
    np.testing.assert_array_equal(to_yuv420(back, matrix).to_ndarray(), there.to_ndarray())


@pytest.mark.parametrize(("matrix", "full"), [(1, False), (1, True), (5, False), (5, True), (9, False)])
@pytest.mark.parametrize("size", [(36, 64), (35, 63)])
def test_the_formula(matrix: int, full: bool, size: tuple[int, int]) -> None:
    """Against the matrix written out in float64; odd sizes have half a chroma sample at their border."""
    height, width = size
    rng = np.random.default_rng(5)
    frame = av.VideoFrame(width, height, "yuv420p")
    values = []
    for plane in frame.planes:
        data = rng.integers(16, 236, (plane.height, plane.line_size), dtype=np.uint8)
        plane.update(data.tobytes())
        values.append(data[:, : plane.width].astype(float))
    y, u, v = values
    u, v = (np.repeat(np.repeat(c, 2, 0), 2, 1)[:height, :width] - 128 for c in (u, v))
    y, u, v = (y, u, v) if full else ((y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224)
    red, blue = WEIGHTS[matrix]
    b, r = y + 2 * (1 - blue) * u, y + 2 * (1 - red) * v
    g = (y - blue * b - red * r) / (1 - red - blue)
    expected = np.clip(np.dstack([b, g, r]), 0, 255)
    assert np.abs(from_yuv420(frame, matrix, full) - expected).max() <= 0.501


@pytest.mark.parametrize("pix_fmt", ["yuv422p", "yuv444p", "yuv420p10le", "rgb24", "gray", "nv12"])
def test_no_format_darkens(pix_fmt: str) -> None:
    picture = gradients(36, 64)
    if pix_fmt == "gray":
        picture = np.repeat(picture[:, :, 1:2], 3, axis=2)
    made = to_yuv420(picture, 5)
    made.colorspace = 5
    frame = made if pix_fmt == "yuv420p" else made.reformat(format=pix_fmt, interpolation=2 | 0x40000 | 0x2000)
    found = picture_of(frame).astype(float)
    assert np.abs((found - picture).mean(axis=(0, 1))).max() < 0.75
    small = scaled(frame, 16, 9).astype(float)
    assert np.abs(small.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 1.0
