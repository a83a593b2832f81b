"""Chips: the right ground, the scene's stretch, the outline on top."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.transform import from_origin

from landdamage.imagery.chip import LEAST_PIXELS, chip, chip_window
from landdamage.imagery.radiometry import Stretch
from minegis import units

EAST, NORTH = 548_924.0, 4_762_894.0


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """400 m x 400 m at 2 m: digital number 100, but 900 in the square 160-240 m from the north-west corner."""
    pixels = np.full((3, 200, 200), 100, np.uint16)
    pixels[:, 80:120, 80:120] = 900
    layout: dict[str, Any] = {"crs": "EPSG:4538", "transform": from_origin(EAST, NORTH, 2, 2), "dtype": "uint16"}
    with rasterio.open(
        tmp_path / "scene.tif", "w", driver="GTiff", count=3, width=200, height=200, nodata=0, **layout
    ) as out:
        out.write(pixels)
    return tmp_path / "scene.tif"


def _ground(*box: float) -> Any:
    west, south, east, north = box
    return units.reproject(shapely.box(EAST + west, NORTH - south, EAST + east, NORTH - north), 4538)


def _cut(scene: Path, outline: Any, size: int = 256) -> np.ndarray:
    window, epsg = chip_window(outline, 2.0)
    stretch = Stretch(np.full(3, 100.0), np.full(3, 900.0))
    png = chip(scene, outline, stretch=stretch, indexes=(1, 2, 3), window=window, epsg=epsg, size=size)
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("many", [False, True])
def test_outline_encloses_the_bright_square(scene: Path, many: bool) -> None:
    outline = _ground(160, 240, 240, 160)
    picture = _cut(scene, shapely.MultiPolygon([outline]) if many else outline)
    assert picture.shape == (256, 256, 4)
    magenta = (picture[..., :3] == (0xD0, 0x00, 0x6F)).all(-1)
    rows, columns = np.nonzero(magenta)
    inside = picture[rows.min() + 6 : rows.max() - 6, columns.min() + 6 : columns.max() - 6, 0]
    assert (inside > 250).all()
    assert picture[4, 4, 0] < 5
    share = (columns.max() - columns.min()) / 256
    assert share == pytest.approx(1 / 1.7, abs=0.03)


def test_ground_beyond_the_scene_is_transparent(scene: Path) -> None:
    picture = _cut(scene, _ground(-40, 40, 40, -40))
    assert picture[2, 2, 3] == 0
    assert picture[-3, -3, 3] == 255


def test_small_outline_keeps_ground_around_it() -> None:
    (west, south, east, north), epsg = chip_window(_ground(100, 104, 104, 100), 8.0)
    assert epsg == 4538
    assert east - west == pytest.approx(LEAST_PIXELS * 8.0)
    assert north - south == pytest.approx(LEAST_PIXELS * 8.0)
