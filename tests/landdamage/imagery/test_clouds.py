"""Clouds and their shadows: found where the simulation put them, and nowhere on bright mine ground."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.imagery.cloud_objects import above_dark
from landdamage.imagery.clouds import find_clouds, observed_ground, shadow_sky
from landdamage.imagery.footprint import valid_footprint
from landdamage.simulation import District
from landdamage.simulation.export import write_scene
from landdamage.taxonomy import IGNORE
from minegis import units

DAY = dt.date(2022, 7, 1)
SIDE, CELL = 300, 10.0


def _hidden(path: Path, ground: Any) -> Any:
    """Mask of the image's pixels that are valid and unobserved."""
    with rasterio.open(path) as scene:
        hidden = units.reproject(shapely.difference(valid_footprint(path), ground.geometry), 4490, scene.crs.to_wkt())
        if hidden.is_empty:
            return np.zeros(scene.shape, bool)
        return rasterize([(hidden, 1)], scene.shape, transform=scene.transform).astype(bool)


@pytest.fixture(scope="module")
def cloudy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A simulated district of 2.5 km with two clouds over it, at 2 m, and its scene."""
    path = tmp_path_factory.mktemp("cloudy") / "district_20210830.tif"
    scene = District(101, size=1280, years=(2021, 2022, 2023)).render(2021)
    write_scene(path, scene)
    return path, scene


def test_simulated_clouds_and_shadows_are_found(cloudy: tuple[Path, Any]) -> None:
    path, scene = cloudy
    ground = observed_ground(path, acquired_on=scene.acquired.date())
    truth = scene.valid & (scene.labels == IGNORE)
    hidden = _hidden(path, ground) & scene.valid
    assert truth.mean() > 0.02
    assert (hidden & truth).sum() / truth.sum() > 0.85
    # What is hidden beyond the truth is the margin around it: nothing lies far away.
    assert (hidden & truth).sum() / hidden.sum() > 0.6
    assert not (hidden & ~ndimage.binary_dilation(truth, iterations=60)).any()
    assert ground.detected
    assert ground.cloud_share + ground.shadow_share == pytest.approx(hidden.sum() / scene.valid.sum(), abs=0.01)


def test_a_known_sun_gives_the_same_clouds(cloudy: tuple[Path, Any]) -> None:
    path, _ = cloudy
    ground = observed_ground(path, sun_azimuth=161.6)  # the simulated sun of that day
    assert ground.params["clouds"] == ground.params["shadows"] > 0
    assert ground.params["sun_azimuth"] == pytest.approx(161.6, abs=10)


@pytest.mark.parametrize("seed", [100, 104])
def test_bright_mine_ground_is_no_cloud(seed: int, tmp_path: Path) -> None:
    scene = District(seed, size=768, years=(2021, 2022, 2023)).render(2022)  # pits, dumps, tailings, roofs; no cloud
    assert not (scene.valid & (scene.labels == IGNORE)).any()
    write_scene(tmp_path / "scene.tif", scene)
    ground = observed_ground(tmp_path / "scene.tif", acquired_on=scene.acquired.date())
    assert (ground.cloud_share, ground.shadow_share, ground.detected) == (0.0, 0.0, True)


def _plain(rng: np.random.Generator) -> dict[str, Any]:
    """Reflectances of dry ground with some relief, and a lake that gives the scene a dark end."""
    rough = ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), 3)
    rough *= 0.02 / rough.std()
    ground = {name: value + rough for name, value in {"B": 0.10, "G": 0.12, "R": 0.15, "N": 0.20}.items()}
    for name, value in {"B": 0.06, "G": 0.05, "R": 0.03, "N": 0.01}.items():
        ground[name][:30, :60] = value
    return {name: field.astype(np.float32) for name, field in ground.items()}


def _disc(row: float, column: float, radius: float, soft: float) -> Any:
    down, right = np.ogrid[:SIDE, :SIDE]
    return np.clip((radius - np.hypot(down - row, right - column)) / soft + 0.5, 0, 1).astype(np.float32)


def _lay(ground: dict[str, Any], cover: Any, value: float) -> None:
    for field in ground.values():
        field += cover * (value - field)


def _look(ground: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    pixels = {name: 400 + 5000 * field for name, field in ground.items()}
    return find_clouds(pixels, np.ones((SIDE, SIDE), bool), CELL, shadow_sky(43.0, DAY))


def test_an_undoubted_cloud_goes_with_its_shadow() -> None:
    ground = _plain(np.random.default_rng(1))
    cloud, shadow = _disc(200, 100, 25, 8), _disc(180, 90, 25, 8)  # the sun stands in the south-east
    for field in ground.values():
        field *= 1 - 0.6 * shadow
    _lay(ground, cloud, 0.6)
    found_cloud, found_shadow, params = _look(ground)
    assert (params["clouds"], params["shadows"]) == (1, 1)
    assert params["shadow_m"] == pytest.approx(10 * np.hypot(20, 10), abs=50)
    assert found_cloud[cloud > 0.5].all()
    assert found_shadow[(shadow > 0.5) & (cloud < 0.1)].mean() > 0.95
    assert not (found_cloud | found_shadow)[:150].any()


@pytest.mark.parametrize(("value", "soft"), [(0.45, 8.0), (0.9, 1.0)])
def test_a_bright_object_needs_soft_edges_and_a_shadow(value: float, soft: float) -> None:
    # A white dump with a faded rim casts no shadow; a roof or salt pan, however bright, ends within a cell.
    ground = _plain(np.random.default_rng(2))
    red = {"B": 0.88, "G": 0.95, "R": 1.0, "N": 1.05} if soft > 1 else dict.fromkeys("BGRN", 1.0)
    for name, field in ground.items():
        field += _disc(200, 100, 25, soft) * (value * red[name] - field)
    cloud, shadow, _ = _look(ground)
    assert not cloud.any()
    assert not shadow.any()


def test_a_shadow_decides_between_cloud_and_bright_ground() -> None:
    for dark, expected in ((0.6, 1), (0.0, 0)):
        ground = _plain(np.random.default_rng(3))
        for field in ground.values():
            field *= 1 - dark * _disc(180, 90, 25, 8)
        for name, field in ground.items():
            field += _disc(200, 100, 25, 8) * (0.52 * {"B": 0.97, "G": 1, "R": 1.02, "N": 1.03}[name] - field)
        assert _look(ground)[2]["clouds"] == expected


def test_half_a_scene_under_clouds_is_seen_as_such() -> None:
    ground = _plain(np.random.default_rng(4))
    cover = np.zeros((SIDE, SIDE), np.float32)
    cover[:, 110:] = 1
    _lay(ground, ndimage.gaussian_filter(cover, 4), 0.75)
    cloud, _, _ = _look(ground)
    assert cloud.mean() == pytest.approx(190 / 300, abs=0.03)


def test_the_level_of_the_ground_ignores_units() -> None:
    ground = _plain(np.random.default_rng(5))
    valid = np.ones((SIDE, SIDE), bool)
    one, other = above_dark(ground, valid), above_dark({k: 300 + 7000 * v for k, v in ground.items()}, valid)
    assert other.level == pytest.approx(7000 * one.level, rel=1e-3)
    assert np.allclose(one.whiteness, other.whiteness, atol=1e-2)


@pytest.mark.parametrize(
    ("bands", "gsd", "side", "reason"),
    [("B", 2.0, 256, "bands"), ("BGR", 90.0, 64, "pixel size"), ("BGRN", 0.5, 300, "extent")],
)
def test_images_that_cannot_be_searched_say_why(bands: str, gsd: float, side: int, reason: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(6).integers(200, 900, (len(bands), side, side)).astype(np.uint16)
    layout: dict[str, Any] = {"driver": "GTiff", "width": side, "height": side, "count": len(bands), "dtype": "uint16"}
    where = from_origin(5e5, 4.764e6, gsd, gsd)
    with rasterio.open(tmp_path / "scene.tif", "w", crs="EPSG:4538", transform=where, **layout) as target:
        target.write(pixels)
        target.descriptions = tuple(bands)
    ground = observed_ground(tmp_path / "scene.tif", acquired_on=DAY)
    assert (ground.detected, ground.params["reason"]) == (False, reason)
    assert ground.geometry.equals(valid_footprint(tmp_path / "scene.tif"))


@pytest.mark.data
def test_bright_pits_and_tailings_of_real_scenes_are_no_clouds(shared_data: Path) -> None:
    scenes = sorted((shared_data / "land/tailings_s2/images").glob("*.tif"))[::6]
    shares = [observed_ground(path).cloud_share for path in scenes]
    assert len(shares) >= 10
    assert sum(share > 0.02 for share in shares) == 0
