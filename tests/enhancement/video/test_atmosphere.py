"""The air light over time: steady, quick where it must be, deaf to flashes."""

from __future__ import annotations

import numpy as np
import pytest

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.haze_simulation import add_haze, mining_scene
from enhancement.quality import flicker
from enhancement.video.atmosphere import STEP, TAU, Air, Airs, Measure, differ, timeline
from enhancement.video.steady import SteadyDehazer

SETTINGS = preset("standard")
RATE = 25


def measures(lights: list[float], cuts: dict[int, tuple[bool, bool]] | None = None) -> list[Measure]:
    """One measure per frame; ``cuts`` gives (differs, differs from the second) for single frames."""
    found = []
    for i, light in enumerate(lights):
        differs, second = (cuts or {}).get(i, (False, False))
        found.append(Measure(i / RATE, differs, second, (light,) * 3, 0.6, 0.5))
    return found


def lights(airs: list[Air]) -> np.ndarray:
    return np.array([air.light[0] for air in airs])


def test_a_step_of_the_haze_converges_within_three_tau() -> None:
    frames = round(3 * TAU * RATE)
    path = lights(timeline(measures([0.6] + [0.9] * frames), SETTINGS))
    assert path[0] == pytest.approx(0.6)
    assert abs(path[-1] - 0.9) <= 0.05 * 0.3 + 1e-6
    assert np.diff(path).max() <= STEP + 1e-6
    assert (np.diff(path) >= 0).all()


def test_no_frame_moves_the_light_by_more_than_its_limit() -> None:
    path = lights(
        timeline([Measure(i * 0.9, False, False, (0.2 + 0.8 * (i % 2),) * 3, 0.6, 0.5) for i in range(20)], SETTINGS)
    )
    assert np.abs(np.diff(path)).max() <= STEP + 1e-6


def test_a_scene_cut_resets_in_one_frame() -> None:
    airs = timeline(measures([0.6] * 10 + [0.95] * 10, {10: (True, True), 11: (False, True)}), SETTINGS)
    assert [i for i, air in enumerate(airs) if air.fresh] == [0, 10]
    assert airs[9].light[0] == pytest.approx(0.6)
    assert airs[10].light[0] == pytest.approx(0.95)


def test_a_flash_changes_nothing() -> None:
    values = [0.6] * 10 + [1.0] + [0.6] * 10
    airs = timeline(measures(values, {10: (True, True), 11: (True, False)}), SETTINGS)
    assert lights(airs) == pytest.approx([0.6] * 21)
    assert sum(air.fresh for air in airs) == 1


def test_a_gap_of_more_than_a_second_starts_anew() -> None:
    airs = timeline(
        [Measure(0, False, False, (0.6,) * 3, 0.6, 0.5), Measure(1.5, False, False, (0.9,) * 3, 0.6, 0.5)], SETTINGS
    )
    assert airs[1].fresh
    assert airs[1].light[0] == pytest.approx(0.9)


def test_night_does_not_flicker_around_its_threshold() -> None:
    rng = np.random.default_rng(1)
    noisy = [Measure(i / RATE, False, False, (0.8,) * 3, 0.25 + 0.01 * rng.normal(), 0.5) for i in range(200)]
    nights = np.array([air.night for air in timeline(noisy, SETTINGS)])
    assert np.count_nonzero(np.diff(nights)) <= 1


def test_scenes_differ_by_brightness_or_by_contents() -> None:
    dark, bright = np.full((36, 64), 0.3, np.float32), np.full((36, 64), 0.5, np.float32)
    assert differ(dark, bright)
    assert not differ(dark, dark + 0.01)
    rng = np.random.default_rng(0)
    noise = np.clip(0.3 + rng.choice([-0.11, 0.11], (36, 64)), 0, 1).astype(np.float32)
    assert differ(dark, noise)  # a mean difference of 0.11, but another histogram


def test_a_static_scene_does_not_flicker() -> None:
    """Noise and a trembling air light in, a picture at most 1.2 times as restless out, which frame by frame is not."""
    hazy = add_haze(mining_scene(4, height=108, width=192), "dense", 4).hazy
    rng = np.random.default_rng(2)
    frames = [
        np.clip(hazy + rng.normal(0, 4, hazy.shape) + rng.normal(0, 0.8), 0, 255).astype(np.uint8) for _ in range(60)
    ]
    dehazer = Dehazer(SETTINGS)
    found = [dehazer.measure(frame) for frame in frames]
    rows = [Measure(i / RATE, False, False, tuple(map(float, x.airlight)), x.luma, x.dark) for i, x in enumerate(found)]  # type: ignore[arg-type]
    steady = SteadyDehazer(dehazer)
    results = [steady(frame, air) for frame, air in zip(frames, timeline(rows, SETTINGS), strict=True)]
    alone = [dehazer(frame).image for frame in frames]
    assert flicker(results[5:]) <= 1.2 * flicker(frames[5:])
    assert flicker(results[5:]) < flicker(alone[5:])


def test_the_air_of_many_frames_is_found_by_timestamp() -> None:
    given = {40: Air(np.array([0.5, 0.6, 0.7], np.float32), True, False), 80: Air(np.ones(3, np.float32), False, True)}
    given[60] = Air(np.zeros(3, np.float32), False, False)  # out of order, as in a damaged file
    airs = Airs(given.items())
    assert list(airs) == [40, 80, 60]
    for pts, air in given.items():
        found = airs[pts]
        assert (found.fresh, found.night) == (air.fresh, air.night)
        np.testing.assert_array_equal(found.light, air.light)
    assert [airs.get(pts) for pts in (0, 50, 100)] == [None] * 3
    assert (airs.night.sum(), airs.fresh.sum(), len(airs), len(Airs([]))) == (1, 1, 3, 0)
