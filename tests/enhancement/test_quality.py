"""Measures of pictures: known values and the literature's."""

from __future__ import annotations

import numpy as np
import pytest

from enhancement import quality
from enhancement.haze_simulation import scene
from minegis.errors import EnhancementError


def pictures(shape: tuple[int, int, int] = (48, 64, 3)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.random(shape), rng.random(shape)


def test_psnr_and_mae_of_a_known_error() -> None:
    a = np.full((8, 8, 3), 0.5)
    assert quality.psnr(a, a + 0.1) == pytest.approx(20)
    assert quality.mae(a, a + 0.1) == pytest.approx(0.1)
    assert quality.psnr(a, a) == float("inf")


def test_ssim_is_one_for_equal_pictures_and_small_for_strangers() -> None:
    a, b = pictures()
    assert quality.ssim(a, a) == pytest.approx(1)
    assert abs(quality.ssim(a, b)) < 0.1
    flat = np.full((32, 32, 3), 0.5)  # means alone: (2ab + c) / (a² + b² + c)
    assert quality.ssim(flat, flat + 0.2) == pytest.approx((2 * 0.35 + 1e-4) / (0.25 + 0.49 + 1e-4))


def test_pictures_of_other_sizes_are_not_compared() -> None:
    with pytest.raises(EnhancementError, match="E-ENH-03"):
        quality.psnr(np.zeros((4, 4, 3)), np.zeros((4, 5, 3)))


def test_a_clearer_picture_reads_as_clearer() -> None:
    hazy = scene(1, "dense", height=120, width=160)
    reading = quality.read_haze(hazy.hazy / 255, hazy.clear)
    same = quality.read_haze(hazy.clear, hazy.clear)
    assert reading.residual < 0.2 < float((hazy.hazy / 255).min(axis=2).mean())
    assert reading.contrast_gain > 1.5
    assert (same.contrast_gain, same.colour_shift, same.saturated) == (pytest.approx(1), 0, 0)
    burnt = quality.read_haze(np.full((20, 20, 3), 0.5), np.ones((20, 20, 3)))
    assert burnt.saturated == 1


def test_flicker_is_the_deviation_of_the_means() -> None:
    frames = [np.full((4, 4, 3), value) for value in (0.4, 0.6)]
    assert quality.flicker(frames) == pytest.approx(0.1)
