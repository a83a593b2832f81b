"""The files of a district open again and say what the district says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from landdamage import taxonomy
from landdamage.simulation import District


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[District, Path, list[Path]]:
    district = District(3, 320)
    folder = tmp_path_factory.mktemp("district") / "deep"
    names: list[str] = []
    paths = district.write(folder, names.append)
    assert names == [p.name for p in paths]
    return district, folder, paths


def test_writes_every_promised_file(written):
    _, folder, paths = written
    expected = {"mines.gpkg", "hydrography.gpkg", "region.gpkg"}
    for year in (2021, 2022, 2023):
        expected |= {f"scene_{year}.tif", f"truth_{year}.tif", f"truth_{year}.gpkg", f"observed_{year}.gpkg"}
    assert {p.name for p in paths} == {p.name for p in folder.iterdir()} == expected


def test_the_mapped_river_lies_where_the_water_is(written):
    district, folder, _ = written
    [bed] = gpd.read_file(folder / "hydrography.gpkg").geometry
    truth = district.truth_polygons(2021)
    stream = max(truth.geometry[truth["class_code"] == "water"], key=lambda shape: shape.area)
    assert (stream & bed).area > 0.8 * stream.area
    assert (stream & bed).area > 0.8 * bed.area


def test_scene_opens_again(written):
    district, folder, _ = written
    scene = district.render(2022)
    with rasterio.open(folder / "scene_2022.tif") as source:
        assert source.crs.to_epsg() == 4538
        assert source.transform == district.transform
        assert source.descriptions == ("B", "G", "R", "N")
        assert source.colorinterp == (ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.nir)
        assert source.nodata == 0
        assert source.block_shapes == [(256, 256)] * 4
        assert source.compression.value == "DEFLATE"
        assert source.tags()["ACQUISITION_DATE"] == scene.acquired.date().isoformat()
        assert source.tags()["TIFFTAG_DATETIME"].startswith("2022:")
        assert np.array_equal(source.read(), scene.pixels)


def test_truth_raster_and_polygons_agree(written):
    district, folder, _ = written
    with rasterio.open(folder / "truth_2023.tif") as source:
        truth = source.read(1)
        palette = source.colormap(1)
        assert source.nodata == taxonomy.IGNORE
    assert np.array_equal(truth, district.truth(2023))
    assert palette[7] == (*taxonomy.BY_ID[7].rgb, 255)
    frame = gpd.read_file(folder / "truth_2023.gpkg")
    for class_id, part in frame.groupby("class_id"):
        assert part.geometry.area.sum() == pytest.approx((truth == class_id).sum() * 4)
        assert set(part.class_code) == {taxonomy.BY_ID[class_id].code}


def test_mines_and_region_open_again(written):
    _, folder, _ = written
    mines, region = gpd.read_file(folder / "mines.gpkg"), gpd.read_file(folder / "region.gpkg")
    assert {"code", "name_zh", "name_en"} <= set(mines.columns)
    assert mines.crs.to_epsg() == region.crs.to_epsg() == 4538
    assert mines.within(region.geometry.iloc[0].buffer(1)).all()


def test_command_line_writes_a_district(tmp_path):
    arguments = ["--seed", "9", "--size", "256", "--years", "2021", "-o", str(tmp_path)]
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "landdamage.simulation", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, timeout=120)
    assert "region.gpkg" in done.stderr
    with rasterio.open(tmp_path / "scene_2021.tif") as source:
        assert source.shape == (256, 256)
