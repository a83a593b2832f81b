"""Every step of the degradation alone, and one seed that gives one pair."""

from __future__ import annotations

import numpy as np
import pytest

from enhancement.haze_simulation import mining_scene
from enhancement.lednet.degradation import coding, darkness, dust, interpolation, lens, motion, noise, response
from enhancement.lednet.degradation.pipeline import KINDS, Chances, degrade
from enhancement.quality import psnr

SRGB = response.SRGB()


@pytest.fixture(scope="module")
def scene():
    return mining_scene(1, height=72, width=96).astype(np.float32)


@pytest.mark.parametrize("curve", [SRGB, response.Gamma(), response.Curve((np.arange(256) / 255) ** 1.8)])
def test_light_and_what_is_shown_are_inverse(curve):
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(curve.to_shown(curve.to_linear(levels)), levels, atol=2e-5)
    assert curve.to_linear(np.float32(0.5)) < 0.35


def test_a_camera_curve_is_recovered_from_an_exposure_bracket():
    light = np.exp(np.random.default_rng(0).uniform(-5, 0.5, (40, 40)))
    times = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4]
    bracket = [coding.quantised(np.clip(light * t, 0, 1) ** (1 / 2.2))[..., None] for t in times]
    found = response.recover(bracket, times)
    levels = np.linspace(0.15, 0.85, 30, dtype=np.float32)
    ratio = found.to_linear(levels) / levels**2.2
    assert ratio.std() / ratio.mean() < 0.1


def test_the_mean_is_taken_in_light_not_in_what_is_shown():
    black, white = np.zeros((2, 2, 3), np.float32), np.full((2, 2, 3), 0.9, np.float32)
    found = motion.average([black, white, black], SRGB, np.random.default_rng(0))
    np.testing.assert_allclose(found, SRGB.to_linear(white) / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="middle"):
        motion.average([black, white], SRGB, np.random.default_rng(0))


def test_only_clipped_regions_are_taken_to_be_brighter_and_each_by_its_own_factor():
    shown = np.full((9, 9, 3), 0.5, np.float32)
    shown[1:3, 1:3] = shown[6:8, 6:8] = 1.0
    ratio = motion.true_light(shown, SRGB, np.random.default_rng(0)) / SRGB.to_linear(shown)
    first, second = ratio[1, 1, 0], ratio[7, 7, 0]
    assert np.unique(ratio.round(5)).size == 3
    assert first != second
    assert min(first, second) >= 1.2
    assert max(first, second) <= 8


def test_a_lamp_leaves_a_streak_brighter_than_its_mean():
    shown = np.zeros((21, 21, 3), np.float32)
    shown[10, 10] = 1
    course = np.stack([np.arange(-4, 5), np.zeros(9), np.zeros(9)], 1).astype(np.float32)
    light = motion.shaken(motion.true_light(shown, SRGB, np.random.default_rng(3)), course)
    streak = light[10, 6:15, 0]
    assert streak.min() > 1.2 / 9 - 1e-3
    assert light[8].max() < 1e-3


def test_a_still_camera_changes_nothing_and_a_shift_moves_pixels(scene):
    still = np.zeros((3, 3), np.float32)
    np.testing.assert_allclose(motion.shaken(scene, still), scene, atol=1e-5)
    moved = motion.shaken(scene, np.array([[3.0, 2.0, 0.0]], np.float32))
    np.testing.assert_allclose(moved[:-2, :-3], scene[2:, 3:], atol=1e-4)


def test_a_shake_stays_in_reach_and_passes_the_label_in_its_middle():
    for seed in range(20):
        course = motion.shake(np.random.default_rng(seed), 17, 6.0, 0.01)
        assert (course[8] == 0).all()
        assert np.hypot(course[:, 0], course[:, 1]).max() == pytest.approx(6, rel=1e-4)
        assert np.abs(course[:, 2]).max() == pytest.approx(0.01, rel=1e-4)


def test_the_sharpest_frame_is_found(scene):
    blurred = lens.blur(scene, lens.kernel(9, (2, 2), 0, 1))
    assert motion.sharpest([blurred, scene, blurred]) == 1


def test_lens_kernels_sum_to_one_and_have_their_shape():
    for seed in range(20):
        weights = lens.draw(np.random.default_rng(seed))
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        assert 7 <= weights.shape[0] <= 21
    gaussian = lens.kernel(21, (2.0, 2.0), 0.0, 1.0)
    assert gaussian[10, 12] / gaussian[10, 10] == pytest.approx(np.exp(-0.5), rel=1e-4)
    long = lens.kernel(21, (3.0, 0.5), 0.0, 1.0)
    assert long[10, 13] > 10 * long[13, 10]
    impulse = np.zeros((11, 11, 3), np.float32)
    impulse[5, 5] = 1
    np.testing.assert_allclose(lens.blur(impulse, lens.kernel(7, (3.0, 0.7), 0.4, 1.0))[2:9, 2:9, 0],
                               lens.kernel(7, (3.0, 0.7), 0.4, 1.0), atol=1e-6)  # fmt: skip


def test_dust_takes_contrast_and_is_as_dark_as_the_night(scene):
    day = dust.dusty(scene, np.random.default_rng(1))
    night = dust.dusty(scene * 0.01, np.random.default_rng(1))
    assert day.std() < scene.std()
    np.testing.assert_allclose(night, day * 0.01, atol=1e-4)


def test_dirt_that_hides_is_marked(scene):
    for seed in range(10):
        dirty, seen = dust.dirty(scene, np.random.default_rng(seed))
        assert dirty.shape == scene.shape
        assert seen.shape == scene.shape[:2]
    changed = np.abs(dirty - scene).max(axis=2) > 1e-6
    assert changed.any()
    assert not changed.all()
    assert not (~seen & ~changed).any()


def test_darkness_by_power_keeps_lamps_and_reaches_its_luma(scene):
    picture = scene.copy()
    picture[:4, :4] = 1.0
    exponent, factor = darkness.draw_power(picture, np.random.default_rng(0))
    dark = darkness.by_power(picture, exponent, factor)
    np.testing.assert_allclose(dark[:4, :4], 1.0, atol=1e-5)
    np.testing.assert_allclose(dark[20, 20], factor * picture[20, 20] ** exponent, rtol=1e-4)
    assert 0.03 <= float((dark @ darkness.GREY).mean()) <= 0.25


def test_less_light_is_a_factor_of_light(scene):
    np.testing.assert_allclose(darkness.by_exposure(scene, -3), scene / 8)


def test_noise_has_the_variance_of_its_sensor():
    light = np.full((200, 200, 3), 0.3, np.float32)
    read = noise.noisy(light, noise.Sensor(0.01, 1e-4), np.random.default_rng(0))
    assert read.mean() == pytest.approx(0.3, abs=1e-3)
    assert read.var() == pytest.approx(0.01 * 0.3 + 1e-4, rel=0.05)
    lined = noise.noisy(light, noise.Sensor(1e-6, 1e-6, 0.05), np.random.default_rng(0))
    assert lined.mean(axis=(1, 2)).std() == pytest.approx(0.05, rel=0.2)
    assert lined.mean(axis=(0, 2)).std() < 0.001
    drawn = [noise.draw(np.random.default_rng(k)) for k in range(200)]
    assert all(1e-4 <= s.shot <= 1.2e-2 for s in drawn)
    assert 0.1 < np.mean([s.rows > 0 for s in drawn]) < 0.3


def test_coding_keeps_size_and_loses_more_at_lower_quality(scene):
    picture = coding.quantised(scene)[:71, :95]
    good, bad = coding.jpeg(picture, 90), coding.jpeg(picture, 30)
    assert good.shape == picture.shape
    assert psnr(good / 255, picture / 255) > psnr(bad / 255, picture / 255) > 15
    clip = [picture] * 3
    fine, coarse = coding.h264(clip, 23, 25), coding.h264(clip, 38, 25)
    assert len(fine) == 3
    assert fine[2].shape == picture.shape
    assert psnr(fine[2] / 255, picture / 255) > psnr(coarse[2] / 255, picture / 255)


def test_a_pair_can_be_coded_as_a_frame_of_a_clip(scene):
    jpeg, h264 = (degrade(scene, 4, "night", Chances(coded=1, h264=share)) for share in (0.0, 1.0))
    assert "jpeg" in jpeg.steps
    assert 23 <= h264.steps["h264"] <= 38
    assert (jpeg.dark != h264.dark).any()
    assert (degrade(scene, 4, "night", Chances(coded=1, h264=1)).dark == h264.dark).all()


def test_frames_between_frames_lie_between_them():
    rng = np.random.default_rng(0)
    texture = np.kron(rng.integers(0, 256, (18, 40)), np.ones((8, 8))).astype(np.uint8)
    frames = [np.repeat(texture[:128, 8 * k : 8 * k + 192, None], 3, 2) for k in range(4)]
    found = interpolation.between(frames, 4)
    assert len(found) >= 9
    for k in range(2):
        assert np.abs(found[4 * k].astype(int) - frames[k]).mean() < 3
    nearer = [np.abs(found[6].astype(int) - frame).mean() for frame in frames]
    half = np.abs(found[6].astype(int) - np.repeat(texture[:128, 12:204, None], 3, 2))[32:96, 32:160].mean()
    assert half < min(nearer) / 2


@pytest.mark.parametrize("kind", KINDS)
def test_one_seed_gives_one_pair(scene, kind):
    one, same, other = degrade(scene, 5, kind), degrade(scene, 5, kind), degrade(scene, 6, kind)
    assert (one.dark == same.dark).all()
    assert one.steps == same.steps
    assert (one.clear == coding.quantised(scene)).all()
    assert one.dark.dtype == np.uint8
    assert (one.dark == other.dark).all() == (kind == "clean")
    luma = [float((x / 255 @ darkness.GREY).mean()) for x in (one.dark, one.clear)]
    assert (luma[0] < luma[1] - 0.1) == (kind in ("night", "dark"))


def test_a_sequence_is_labelled_by_its_middle_and_a_step_draws_for_itself(scene):
    frames = [np.roll(scene, k, axis=1) for k in (-2, -1, 0, 1, 2)]
    pair = degrade(frames, 1, "blur", Chances(lens=0, coded=0))
    assert (pair.clear == coding.quantised(scene)).all()
    assert psnr(pair.dark / 255, pair.clear / 255) < 30
    # Whether there is dust does not change what later steps draw.
    with_dust, without = (degrade(scene, 3, "night", Chances(dust=share)) for share in (1.0, 0.0))
    assert with_dust.steps["noise"] == without.steps["noise"]
    assert with_dust.steps["shake"] == without.steps["shake"]


@pytest.mark.parametrize("picture", [np.zeros((1, 1, 3), np.uint8), np.full((20, 30, 3), 255, np.uint8),
                                     np.full((9, 9, 3), np.nan, np.float32)])  # fmt: skip
def test_odd_pictures_give_finite_pairs(picture):
    for kind in KINDS:
        pair = degrade(picture, 0, kind)
        assert pair.dark.shape == pair.clear.shape == picture.shape
