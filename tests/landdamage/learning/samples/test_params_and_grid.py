"""Parameters within their ranges; grids of one sampling distance over images of any."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from landdamage.imagery.open import open_raster
from landdamage.learning.samples.grid import Grid
from landdamage.learning.samples.images import ImageSource, image_of_file, open_image, safe_name
from landdamage.learning.samples.params import Params
from minegis.errors import SampleSetError
from minegis.units import area_m2
from tests.fixtures.labelled import GSD, SIDE, origin


def test_parameters_survive_json() -> None:
    params = Params(gsd_m=10, bands=("B", "G", "R"), folds=5, ring_px=2)
    assert Params.from_dict(json.loads(json.dumps(params.as_dict()))) == params
    assert json.dumps(params.as_dict()) == json.dumps(Params.from_dict(params.as_dict()).as_dict())
    assert Params.from_dict({}) == Params()
    assert Params.from_dict({"bands": "b, g,r"}).bands == ("B", "G", "R")


@pytest.mark.parametrize(
    "wrong",
    [
        {"gsd_m": 0}, {"tile": 16}, {"stride": 0}, {"most_background": 1}, {"folds": 1}, {"folds": 3, "split": "s2"},
        {"split": "random"}, {"regions": "county"}, {"bands": []}, {"bands": "B,B"}, {"tiles": 512}, {"tile": "many"},
        {"tile": 31.5}, {"seed": True}, {"gap_tiles": float("nan")},
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SampleSetError) as caught:
        Params.from_dict(wrong)
    assert caught.value.code == "E-SET-24"
    assert next(iter(wrong)) in caught.value.message("zh")


def test_own_pixels_are_kept_where_they_nearly_fit(write_image: Callable[..., ImageSource]) -> None:
    with open_raster(write_image(0).path) as dataset:
        grid = Grid.of(dataset, 2.1)
        assert not grid.resampled
        assert (grid.height, grid.width) == (SIDE, SIDE)
        assert abs(grid.gsd_m - 2.0) < 0.01
        half = Grid.of(dataset, 4.0)
        assert half.resampled
        assert (half.height, half.width) == (SIDE // 2, SIDE // 2)
        assert half.outline.equals(grid.outline)


def test_pixels_of_degrees_become_square(write_image: Callable[..., ImageSource]) -> None:
    source = write_image(0, crs="EPSG:4326", transform=from_origin(87.0, 43.5, 1e-4, 1e-4))
    with open_raster(source.path) as dataset:
        grid = Grid.of(dataset, 5.0)
    assert grid.height / grid.width == pytest.approx(111.1 / 80.9, rel=0.02)
    footprint = grid.footprints(np.array([0]), np.array([0]), 20)[0]
    assert area_m2(footprint) == pytest.approx((20 * 5.0) ** 2, rel=0.03)


def test_an_image_without_place_has_no_grid(write_image: Callable[..., ImageSource]) -> None:
    source = write_image(0, crs=None)
    with pytest.raises(Exception, match="E-GEO-01"), open_image(source, 2.0, ("B",)):
        pass


def test_windows_cover_the_grid(write_image: Callable[..., ImageSource]) -> None:
    with open_raster(write_image(0).path) as dataset:
        grid = Grid.of(dataset, 2.0)
    rows = [row for row, column in grid.starts(32, 24) if column == 0]
    assert rows == [0, 24, 48, 64]  # overlapping windows end at the edge
    assert [row for row, column in grid.starts(40, 40) if column == 0] == [0, 40, 80]  # touching ones stay apart
    assert grid.starts(512, 384) == [(0, 0)]
    footprints = grid.footprints(np.array([0, 80]), np.array([0, 80]), 40)
    assert area_m2(footprints[0]) == pytest.approx(80.0**2, rel=1e-3)
    assert area_m2(footprints[1]) == pytest.approx(32.0**2, rel=1e-3)  # cut at the edge
    assert shapely.is_valid(footprints).all()


def test_tiles_are_the_pixels_of_the_file(write_image: Callable[..., ImageSource]) -> None:
    source = write_image(1)
    with rasterio.open(source.path) as dataset:
        whole = dataset.read()
    with open_image(source, GSD, ("N", "B")) as image:
        pixels, valid = image.tile(10, 20, 32)
        assert np.array_equal(pixels, whole[[3, 0], 10:42, 20:52])
        assert valid.all()
        pixels, valid = image.tile(80, 0, 32)
        assert np.array_equal(pixels[:, :16], whole[[3, 0], 80:, :32])
        assert not valid[16:].any()
        assert (pixels[:, 16:] == 0).all()


def test_resampling_averages_and_shuns_nodata(write_image: Callable[..., ImageSource]) -> None:
    pixels = np.full((4, SIDE, SIDE), 1000, np.uint16)
    pixels[:, ::2] += 200
    pixels[:, :, 50:] = 0  # nodata
    with open_image(write_image(2, pixels=pixels), 4.0, ("B", "G", "R", "N")) as image:
        found, valid = image.tile(0, 0, 48)
    assert (found[:, valid] == 1100).all()
    assert valid[:, :24].all()
    assert not valid[:, 26:].any()
    with open_image(write_image(3, pixels=pixels), 1.0, ("B",)) as image:
        finer, seen = image.tile(40, 90, 32)
    assert seen[:, :9].all()
    assert not seen[:, 11:].any()
    assert finer[0][seen].min() >= 1000


def test_a_missing_band_is_named(write_image: Callable[..., ImageSource]) -> None:
    source = write_image(0, bands=("B", "G", "R"))
    with pytest.raises(SampleSetError, match="E-SET-20") as caught, open_image(source, 2.0, ("B", "N")):
        pass
    assert "N" in caught.value.message("zh")


def test_an_image_file_tells_about_itself(write_image: Callable[..., ImageSource]) -> None:
    path = write_image(0, "GF2_PMS1_E87.0_N43.0_20220714_L1A0006591234").path
    found = image_of_file(path)
    assert (found.sensor, str(found.acquired), found.bands) == ("GF2 PMS1", "2022-07-14", ("B", "G", "R", "N"))
    assert len(found.sha256) == 64


def test_names_make_safe_files() -> None:
    assert safe_name("../../etc/passwd") == "etc_passwd"
    assert safe_name("矿区 2022.tif") == "矿区_2022.tif"
    assert safe_name("") == "image"
    assert len(safe_name("x" * 500)) == 80
    assert origin(0) != origin(1)
