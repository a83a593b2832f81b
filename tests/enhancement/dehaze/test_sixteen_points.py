"""The sixteen points in which the source report's snippets go wrong, each proved not to happen here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from enhancement.dehaze import reference
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import SKY_CLIP, Settings
from enhancement.dehaze.sky import connected_sky
from minegis.errors import EnhancementError

OPEN = Settings(night_gate=False)


def hazy(height: int = 64, width: int = 80, seed: int = 0, light: float = 0.85, t: float = 0.5) -> np.ndarray:
    clear = np.random.default_rng(seed).uniform(0, 0.6, (height, width, 3))
    return clear * t + light * (1 - t)


def bytes_of(picture: np.ndarray) -> np.ndarray:
    return np.floor(picture * 255 + 0.5).astype(np.uint8)


def test_point_1_thresholds_are_fractions_of_full_scale() -> None:
    picture = hazy()
    eight, sixteen = bytes_of(picture), np.floor(picture * 65535 + 0.5).astype(np.uint16)
    ten = np.floor(picture * 1023 + 0.5).astype(np.uint16)
    as_float = Dehazer(OPEN)(picture.astype(np.float32)).image
    for frame, full, bits in ((eight, 255, None), (sixteen, 65535, None), (ten, 1023, 10)):
        result = Dehazer(OPEN)(frame, bits=bits).image / full
        assert np.abs(result - as_float).max() < 4 / min(full, 1023) + 8 / 255 * (full == 255)
    with pytest.raises(EnhancementError, match="E-ENH-03"):
        Dehazer(OPEN)((picture * 255).astype(np.float32))
    with pytest.raises(EnhancementError, match="E-ENH-03"):
        Dehazer(OPEN)(sixteen, bits=10)


def test_point_2_blue_is_the_first_channel() -> None:
    frame = np.full((20, 20, 3), [0.95, 0.85, 0.8])
    assert reference.sky_weight(frame, OPEN).min() == 1
    assert reference.sky_weight(frame[..., ::-1], OPEN).max() == 0


def test_point_3_bright_bytes_do_not_wrap() -> None:
    frame = bytes_of(hazy(light=0.95, t=0.3))
    exact = reference.dehaze(frame.astype(np.float64) / 255, OPEN).image
    assert np.abs(Dehazer(OPEN)(frame).image / 255.0 - exact).max() < 2 / 255


@pytest.mark.parametrize("mode", ["robust", "seed", "veil"])
def test_point_4_a_channel_without_light_is_no_division_by_zero(mode: str) -> None:
    frame = bytes_of(hazy())
    frame[..., 0] = 0
    settings = replace(OPEN, airlight=mode)
    result = Dehazer(settings)(frame)
    assert result.light.airlight.min() == pytest.approx(0.05)
    np.testing.assert_allclose(result.image, reference.dehaze(frame, settings).image, atol=2)


def test_point_5_small_images_have_one_candidate_not_all() -> None:
    picture = np.full((20, 20, 3), 0.4)
    picture[2:12, 2:12] = 0.7  # the haziest window
    picture[16, 16] = 1.0  # a lamp, the brightest pixel, in a dark window
    assert reference.airlight(picture, 5) == pytest.approx([0.7] * 3)
    assert Dehazer(OPEN).measure(bytes_of(picture)).airlight == pytest.approx([0.7] * 3, abs=1 / 255)


def test_point_6_lamps_do_not_make_the_air_light() -> None:
    picture = np.full((200, 200, 3), 0.6)
    picture[:20, :20] = 0.76  # the haziest place
    picture[150:156, 50:56] = 1.0  # a headlight wider than the window: four windows lie wholly in it
    robust = Dehazer(OPEN).measure(bytes_of(picture)).airlight
    seed = Dehazer(replace(OPEN, airlight="seed")).measure(bytes_of(picture)).airlight
    assert robust.max() < 0.8
    assert seed.min() == 1.0


def test_point_7_the_skys_edge_is_soft() -> None:
    ramp = np.linspace(0.69, 0.75, 61)[None, :, None] * np.ones((5, 1, 3))
    weight = reference.sky_weight(ramp, OPEN)[0]
    assert weight[0] == 0
    assert weight[-1] == pytest.approx(0.5)  # neutral: half
    assert np.abs(np.diff(weight)).max() < 0.05


def test_point_8_sky_transmission_above_its_range_is_clamped_with_a_warning() -> None:
    settings, findings = Settings(sky_trans=1.5).clamped()
    assert settings.sky_trans == 0.98
    assert [(f.code, f.field, f.severity) for f in findings] == [("E-ENH-01", "sky_trans", "warn")]
    assert reference.dehaze(hazy(), Settings(sky_trans=1.5)).transmission.max() <= 1


def test_point_9_sky_is_clipped_from_both_sides() -> None:
    picture = np.full((30, 30, 3), [0.99, 0.9, 0.85])
    light = np.ones(3)
    weight = np.ones((30, 30))
    for omega, expected in ((1.0, 0.85), (0.5, 0.85)):
        t = reference.raw_transmission(picture, light, weight, replace(OPEN, omega=omega))
        assert t == pytest.approx(expected)
    dark = reference.raw_transmission(picture * 0.01, light, weight, OPEN)
    assert dark == pytest.approx(SKY_CLIP)


def test_point_10_overcast_sky_is_half_sky_and_a_white_roof_is_none_when_connected() -> None:
    overcast = np.full((8, 8, 3), [0.847, 0.85, 0.853])
    assert 0 < reference.sky_weight(overcast, OPEN).min() < 0.5
    frame = np.full((128, 160, 3), 0.4)
    frame[:40] = 0.85
    frame[80:110, 60:100] = 0.85
    sky = connected_sky(bytes_of(frame), 255.0, OPEN)
    assert sky[:32].min() == 1
    assert sky[70:].max() == 0
    connected = replace(OPEN, sky_connected=True)
    difference = Dehazer(connected)(bytes_of(frame)).image - reference.dehaze(bytes_of(frame), connected).image.astype(
        int
    )
    assert np.abs(difference).max() <= 2


def test_point_11_the_filters_window_is_odd_and_centred() -> None:
    spike = np.zeros((41, 41))
    spike[20, 20] = 1
    flat = np.full((41, 41), 0.5)
    spread = reference.guided_filter(flat, spike, 3, 1e-3)  # a constant guide makes it two box means
    rows = np.flatnonzero(spread.sum(axis=1) > 1e-12)
    assert (rows[0], rows[-1]) == (20 - 6, 20 + 6)
    np.testing.assert_allclose(spread, spread[::-1, ::-1], atol=1e-12)
    assert (Settings().filter_radius(5), Settings().filter_radius(25)) == (20, 100)


def test_point_12_single_precision_is_enough() -> None:
    picture = np.full((120, 120, 3), 0.9)
    picture += np.random.default_rng(6).uniform(0, 1e-3, picture.shape)  # next to no variance
    frame = picture.astype(np.float32).clip(0, 1)
    difference = Dehazer(OPEN)(frame).image - reference.dehaze(frame.astype(np.float64), OPEN).image
    assert np.abs(difference).max() < 1 / 255


def test_point_13_the_guide_is_grey() -> None:
    settings = replace(OPEN, omega=1.0)
    done = reference.dehaze(hazy(), settings)
    assert done.transmission.shape == (64, 80)


def test_point_14_the_filter_cannot_pull_the_sky_below_its_floor() -> None:
    picture = np.full((60, 60, 3), 0.2)
    picture[:20] = [0.95, 0.85, 0.8]
    picture[20:] *= np.random.default_rng(7).uniform(0.5, 3, (40, 60, 1))
    done = reference.dehaze(picture, OPEN)
    assert done.transmission[:20].min() >= 0.9 * OPEN.sky_trans - 1e-12
    assert done.transmission.min() >= OPEN.t0
    assert done.transmission.max() <= 1


def test_point_15_the_window_can_follow_the_image() -> None:
    auto = Settings(window_size="auto")
    assert (auto.window(1080, 1920), auto.window(100, 100), Settings().window(1080, 1920)) == (27, 3, 5)
    assert all(auto.window(side, side) % 2 == 1 for side in range(40, 1200, 37))


def test_point_16_night_and_clear_frames_pass_through() -> None:
    night = np.random.default_rng(8).integers(0, 60, (64, 80, 3)).astype(np.uint8)
    night[30:34, 40:44] = 255
    clear = np.random.default_rng(9).integers(0, 256, (64, 80, 3)).astype(np.uint8)
    for frame, code in ((night, "E-ENH-04"), (clear, "E-ENH-05")):
        result = Dehazer(Settings())(frame)
        assert result.passed_through
        assert [finding.code for finding in result.findings] == [code]
        np.testing.assert_array_equal(result.image, frame)
    assert not Dehazer(Settings())(bytes_of(hazy())).passed_through
