"""Known answers of dehazing: the same for the literal formulas and for the fast path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from enhancement.dehaze import reference
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import Settings

Path = Callable[[np.ndarray, Settings], np.ndarray]
PLAIN = Settings(omega=1.0, non_sky_gain=1.0, sky_thresh=1.0, night_gate=False)


def literal(frame: np.ndarray, settings: Settings) -> np.ndarray:
    return reference.dehaze(frame, settings).image


def fast(frame: np.ndarray, settings: Settings) -> np.ndarray:
    return Dehazer(replace(settings, night_gate=False))(frame).image


both = pytest.mark.parametrize("dehaze", [literal, fast])


def clear_scene(size: int = 60, seed: int = 1) -> np.ndarray:
    """A picture with a black channel in every window of five pixels."""
    picture = np.random.default_rng(seed).uniform(0, 0.6, (size, size, 3))
    picture[::2, ::2, 0] = 0
    picture[1::2, 1::2, 2] = 0
    return picture


def test_a_constant_haze_is_taken_away_exactly() -> None:
    clear, light, t = clear_scene(), np.array([0.8, 0.85, 0.9]), 0.6
    hazy = clear * t + light * (1 - t)
    done = reference.dehaze(hazy, PLAIN, light=light)
    np.testing.assert_allclose(done.transmission, t, atol=1e-12)
    np.testing.assert_allclose(done.image, clear, atol=1e-12)
    quick = Dehazer(PLAIN)(hazy.astype(np.float32), airlight=light.astype(np.float32)).image
    np.testing.assert_allclose(quick, clear, atol=2e-5)


@both
def test_b_ten_by_ten_pixels(dehaze: Path) -> None:
    frame = np.random.default_rng(2).integers(90, 240, (10, 10, 3)).astype(np.uint8)
    out = dehaze(frame, Settings())
    assert out.shape == frame.shape
    assert out.mean() < frame.mean()


@both
@pytest.mark.parametrize("value", [0, 255])
def test_c_black_stays_black_and_white_stays_white(dehaze: Path, value: int) -> None:
    frame = np.full((40, 50, 3), value, np.uint8)
    np.testing.assert_array_equal(dehaze(frame, Settings()), frame)


def test_d_swapping_red_and_blue_changes_only_the_sky() -> None:
    frame = np.random.default_rng(3).uniform(0.3, 0.6, (60, 60, 3))
    frame[:25] = [0.95, 0.85, 0.8]  # bluish and bright in B, G, R
    grey = Settings(sky_thresh=0.7, radius=2)
    image = frame.astype(np.float64)
    light = np.array([0.9, 0.9, 0.9])
    raw = {}
    for name, picture in (("bgr", image), ("rgb", image[..., ::-1])):
        raw[name] = reference.raw_transmission(picture, light, reference.sky_weight(picture, grey), grey)
    np.testing.assert_allclose(raw["bgr"][25:], raw["rgb"][25:])
    assert (raw["bgr"][:25] > raw["rgb"][:25] + 0.1).all()


@both
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_e_the_type_of_the_frame_is_kept(dehaze: Path, kind: type) -> None:
    full = 1.0 if kind is np.float32 else float(np.iinfo(kind).max)
    frame = (np.random.default_rng(4).uniform(0.4, 0.9, (30, 40, 3)) * full).astype(kind)
    assert dehaze(frame, Settings()).dtype == kind
