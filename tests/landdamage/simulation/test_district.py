"""The simulated district: same every time, true to its own truth, and where it says it is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pyproj import Transformer

from landdamage import taxonomy
from landdamage.simulation import District
from minegis.units import GEOD, reproject

SEED, SIZE = 5, 384
ID = {code: c.id for code, c in taxonomy.BY_CODE.items()}


@pytest.fixture(scope="module")
def district() -> District:
    return District(SEED, SIZE)


@pytest.fixture(scope="module")
def truths(district: District) -> dict[int, np.ndarray]:
    return {year: district.truth(year) for year in district.years}


@pytest.fixture(scope="module")
def scenes(district: District) -> dict:
    return {year: district.render(year) for year in district.years}


def test_same_seed_gives_the_same_pixels_in_any_order(district, truths, scenes):
    again = District(SEED, SIZE)
    for year in reversed(district.years):
        scene = again.render(year)
        assert np.array_equal(scene.pixels, scenes[year].pixels)
        assert np.array_equal(scene.labels, scenes[year].labels)
        assert np.array_equal(again.truth(year), truths[year])


def test_another_seed_gives_another_district(truths):
    other = District(SEED + 1, SIZE).truth(2021)
    assert (other != truths[2021]).mean() > 0.2


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_every_class_covers_a_fair_share(seed):
    truth = District(seed, 512).truth(2023)
    shares = np.bincount(truth.ravel(), minlength=taxonomy.NETWORK_CLASS_COUNT) / truth.size
    assert shares.size == taxonomy.NETWORK_CLASS_COUNT
    assert shares.min() > 0.005
    assert shares[ID["vegetation"]] > 0.1


def test_pits_only_grow(truths):
    dug = [np.isin(t, (ID["open_pit"],)).sum() for t in truths.values()]
    assert dug[0] < dug[1] < dug[2]
    open_or_flooded = [np.isin(t, (ID["open_pit"], ID["water"])) for t in truths.values()]
    pit = truths[2021] == ID["open_pit"]
    assert (pit & ~open_or_flooded[2]).sum() == 0


def test_a_dump_is_restored_in_the_last_year(truths):
    heaped = truths[2022] == ID["stockpile"]
    restored = heaped & np.isin(truths[2023], (ID["vegetation"], ID["background"]))
    assert restored.sum() * 4 > 5000  # m²


def test_digital_numbers_are_12_bit_and_zero_only_outside(scenes):
    for scene in scenes.values():
        assert scene.pixels.dtype == np.uint16
        assert scene.pixels.shape == (4, SIZE, SIZE)
        inside = scene.pixels[:, scene.valid]
        assert inside.min() >= 1
        assert inside.max() <= 4095
        assert (scene.pixels[:, ~scene.valid] == 0).all()
        assert (scene.labels[~scene.valid] == taxonomy.IGNORE).all()
        assert 0.9 < scene.valid.mean() < 1


def test_plants_are_brighter_in_near_infrared_than_in_red(scenes):
    for scene in scenes.values():
        _, _, red, nir = (band.astype(float) for band in scene.pixels)
        plants, rock = scene.labels == ID["vegetation"], scene.labels == ID["background"]
        ndvi = (nir - red) / (nir + red + 1e-9)
        assert ndvi[plants].mean() > ndvi[rock].mean() + 0.15


def _displacement(fixed: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Rows and columns by which ``moved`` lies off ``fixed``, by phase correlation refined with a parabola."""
    window = np.hanning(fixed.shape[0])[:, None] * np.hanning(fixed.shape[1])[None, :]
    a, b = (np.fft.fft2((x - x.mean()) * window) for x in (fixed, moved))
    cross = np.conj(a) * b
    peak = np.fft.fftshift(np.fft.ifft2(cross / (np.abs(cross) + 1e-9)).real)
    r, c = np.unravel_index(peak.argmax(), peak.shape)

    def vertex(low: float, top: float, high: float) -> float:
        return 0.5 * (low - high) / (low - 2 * top + high)

    fine = (
        r + vertex(peak[r - 1, c], peak[r, c], peak[r + 1, c]),
        c + vertex(peak[r, c - 1], peak[r, c], peak[r, c + 1]),
    )
    return np.array(fine) - np.array(peak.shape) // 2


def test_scenes_lie_one_to_two_pixels_off_each_other(scenes):
    shifts = [np.array(scene.shift) for scene in scenes.values()]
    for first, second in pairwise(shifts):
        assert 1.0 <= np.hypot(*(second - first)) <= 2.0
    # Bright buildings stay: what the images show must be what the scene declares.
    core = slice(32, SIZE - 32)
    images = [s.pixels[1, core, core].astype(float) for s in scenes.values()]
    found = _displacement(images[0], images[1])
    assert found == pytest.approx(shifts[1] - shifts[0], abs=0.6)


def test_labels_follow_the_image(district, truths, scenes):
    for year, scene in scenes.items():
        dr, dc = (round(s) for s in scene.shift)
        moved = np.roll(truths[year], (dr, dc), axis=(0, 1))
        seen = scene.labels != taxonomy.IGNORE
        seen[:4], seen[-4:], seen[:, :4], seen[:, -4:] = False, False, False, False
        assert (moved == scene.labels)[seen].mean() > 0.995


def test_acquired_between_may_and_october_with_a_high_sun(district, scenes):
    days = set()
    for year, scene in scenes.items():
        assert scene.acquired.year == year
        assert 5 <= scene.acquired.month <= 10
        days.add(scene.acquired.timetuple().tm_yday)
        assert 30 < district.acquisition(year).sun.elevation < 72
    assert len(days) == 3


def test_true_polygons_have_the_area_of_the_truth_raster(district, truths):
    frame = district.truth_polygons(2022)
    assert set(frame.columns) == {"class_id", "class_code", "damage_kind", "area_m2", "geometry"}
    assert frame.crs.to_epsg() == 4538
    counted = np.bincount(truths[2022].ravel(), minlength=8) * district.gsd**2
    by_class = frame.groupby("class_id").area_m2.sum()
    for class_id, area in by_class.items():
        # Near the central meridian the grid is true to scale to some parts in a million, less the height above it.
        assert area == pytest.approx(counted[class_id], rel=2e-5)
    assert frame.area_m2.sum() == pytest.approx((SIZE * district.gsd) ** 2, rel=2e-5)
    assert set(frame[frame.class_code == "open_pit"].damage_kind) == {"excavation"}


def test_lies_near_43_north_87_east(district):
    outline = reproject(district.region().geometry.iloc[0], 4538)
    lon, lat = outline.centroid.coords[0]
    assert GEOD.inv(lon, lat, 87.0, 43.0)[2] < 5000


def test_origin_moves_the_district():
    moved = District(SEED, 256, origin=(510_000.0, 4_770_000.0))
    assert (moved.transform.c, moved.transform.f) == (510_000.0, 4_770_000.0)
    lon, lat = Transformer.from_crs(4538, 4490, always_xy=True).transform(510_000.0, 4_770_000.0)
    assert moved.region().to_crs(4490).total_bounds[[0, 3]] == pytest.approx([lon, lat], abs=1e-4)


def test_mines_hold_their_pits(district, truths):
    mines = district.mines()
    assert list(mines.columns) == ["code", "name_zh", "name_en", "boundary"]
    assert mines.geometry.is_valid.all()
    polygons = district.truth_polygons(2023)
    pits = polygons[polygons.class_code == "open_pit"]
    assert pits.within(mines.geometry.union_all().buffer(20)).all()


def test_a_larger_district_has_several_mines_with_distinct_names():
    mines = District(1, 2048).mines()
    assert 3 <= len(mines) <= 6
    assert mines.code.is_unique
    assert mines.name_zh.is_unique
    assert not any(a.intersection(b).area > 1 for i, a in enumerate(mines.geometry) for b in mines.geometry[i + 1 :])


@pytest.mark.parametrize("bad", [{"seed": -1}, {"size": 100}, {"gsd": 0.1}, {"years": (2022, 2021)}, {"years": ()}])
def test_refuses_what_it_cannot_draw(bad):
    with pytest.raises(ValueError):
        District(**({"seed": 1, "size": 256} | bad))


def test_refuses_a_year_it_does_not_know(district):
    with pytest.raises(ValueError, match="2030"):
        district.truth(2030)
