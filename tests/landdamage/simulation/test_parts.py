"""The parts the ground and the sensor are made of."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landdamage.simulation.noise import Wobble, generator, spectral_noise
from landdamage.simulation.sensor import (
    CLOUD_LIMIT,
    LATITUDE,
    blur_and_shift,
    cloud_layers,
    collar,
    digitise,
    illumination,
    plan_acquisition,
)
from landdamage.simulation.spectra import radial_spectrum, slope
from landdamage.simulation.terrain import without_small
from minegis.sun import Sun, sun_position


@pytest.mark.parametrize("beta", [1.0, 2.0, 3.0])
def test_noise_has_the_spectrum_asked_for(beta):
    field = spectral_noise(generator(1), 512, beta, shortest=0.5)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-3)
    assert slope(*radial_spectrum(field)) == pytest.approx(beta, abs=0.25)


def test_spectrum_refuses_an_image_without_a_whole_tile():
    with pytest.raises(ValueError, match="128"):
        radial_spectrum(np.zeros((100, 300)))


def test_wobble_closes_on_itself():
    edge = Wobble(generator(4))
    assert edge(np.array([-np.pi])) == pytest.approx(edge(np.array([np.pi])), abs=1e-5)


@pytest.mark.parametrize(("day", "zenith"), [((2021, 7, 15), 25.5), ((2021, 10, 15), 52.3), ((2021, 12, 15), 67.5)])
def test_sun_stands_where_an_almanac_puts_it(day, zenith):
    # 13:10 Beijing time at 87 E is 10:58 mean solar time, to which the equation of time is added.
    minutes = {7: -6, 10: 14, 12: 5}[day[1]]
    sun = sun_position(dt.date(*day), 10 + (58 + minutes) / 60, LATITUDE)
    assert 90 - sun.elevation == pytest.approx(zenith, abs=1.5)
    assert 90 < sun.azimuth < 180


def test_slopes_towards_the_sun_are_brighter_and_walls_cast_shadows():
    flat = np.zeros((64, 64), np.float32)
    assert illumination(flat, flat, 2.0, Sun(135, 50)) == pytest.approx(1.0, abs=1e-5)
    east = np.tile(np.arange(64, dtype=np.float32) * -0.5, (64, 1))  # falls to the east
    assert illumination(east, flat, 2.0, Sun(90, 50)).mean() > illumination(east, flat, 2.0, Sun(270, 50)).mean() + 0.3
    wall = flat.copy()
    wall[:, 30:32] = 10.0
    light = illumination(flat, wall, 2.0, Sun(90, 45))  # sun in the east: shadow to the west, 5 pixels
    assert light[32, 27] < 0.4
    assert light[32, 34] == pytest.approx(1.0, abs=1e-5)
    assert light[32, 20] == pytest.approx(1.0, abs=1e-5)


def test_shift_moves_content_down_and_right():
    image = spectral_noise(generator(2), 64, 3.0, 6.0)
    size = image.shape[0]
    image = image * np.hanning(size)[:, None].astype(np.float32) * np.hanning(size)[None, :].astype(np.float32)
    moved = blur_and_shift(image, 0.0, (2.0, 3.0))
    assert moved == pytest.approx(np.roll(image, (2, 3), axis=(0, 1)), abs=1e-4)


def test_point_spread_has_its_width():
    image = np.zeros((65, 65), np.float32)
    image[32, 32] = 1
    spread = blur_and_shift(image, 1.2, (0.0, 0.0))
    rows = np.arange(65) - 32
    assert spread.sum() == pytest.approx(1, abs=1e-4)
    assert (spread.sum(axis=1) * rows**2).sum() == pytest.approx(1.2**2, rel=0.02)


def test_noise_grows_with_the_signal():
    ones = np.ones(4, np.float32)
    dark, bright = (np.full((4, 200, 200), value, np.float32) for value in (0.02, 0.5))
    spread = [digitise(image, ones, ones * 0, generator(1)).std() for image in (dark, bright)]
    assert spread[0] == pytest.approx(np.sqrt(16 + 0.1 * (110 + 104)), rel=0.05)
    assert spread[1] == pytest.approx(np.sqrt(16 + 0.1 * (110 + 2600)), rel=0.05)


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_clouds_with_their_shadows_stay_below_the_limit(seed):
    cloud, shade = cloud_layers(seed, 2021, 256, 2.0, Sun(150, 55), 3)
    assert ((cloud > 0.04) | (shade > 0.04)).mean() <= CLOUD_LIMIT
    assert 0 <= min(cloud.min(), shade.min()) <= max(cloud.max(), shade.max()) <= 1.001


@given(seed=st.integers(0, 10_000))
def test_neighbouring_years_lie_one_to_two_pixels_apart(seed):
    years = (2020, 2021, 2022, 2023)
    shifts = [np.array(plan_acquisition(seed, years, year).shift) for year in years]
    assert shifts[0] == pytest.approx([0, 0])
    assert all(1.0 <= np.hypot(*(b - a)) <= 2.0 for a, b in pairwise(shifts))


@given(seed=st.integers(0, 10_000))
def test_collar_leaves_most_of_the_frame(seed):
    valid = collar(generator(seed), 300)
    assert 0.88 < valid.mean() < 1
    assert valid[150, 150]


def test_small_pieces_and_holes_go():
    mask = np.zeros((40, 40), bool)
    mask[5:25, 5:25] = True
    mask[10:12, 10:12] = False
    mask[35:37, 35:37] = True
    clean = without_small(mask, 10)
    assert clean[10, 10]
    assert not clean[35, 35]
    assert clean.sum() == 400
