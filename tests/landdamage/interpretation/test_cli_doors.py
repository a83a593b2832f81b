"""Folders, lists and overlapping scenes, an area of interest, several processes, every format that can be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.interpretation import cli, crew, interpret_scene
from landdamage.interpretation.crew import FileClaims, local_crew
from landdamage.interpretation.ground import Ground, inside, read_area
from landdamage.interpretation.mosaic import expand
from minegis.errors import MineGISError
from minegis.units import reproject

ROOT = Path(__file__).resolve().parents[3]
EAST, NORTH = 500_000, 4_780_000


@pytest.fixture
def model(random_model: Callable[..., Path]) -> list[str]:
    import torch

    torch.set_num_threads(1)
    smallest = {"name": "dl", "backbone": "squeezenet", "in_channels": 4, "classes": 8, "switches": {}}
    return ["--model", str(random_model(network=smallest)), "--device", "cpu", "--lang", "en"]


@pytest.fixture
def scene(tmp_path: Path) -> Callable[..., Path]:
    """``scene(name, east=0, ...)``: 2 m, so many metres to the east of the first."""

    def write(name: str, east: float = 0, height: int = 100, width: int = 120, seed: int = 0, epsg: int = 4538) -> Path:
        noise = np.random.default_rng(seed).normal(size=(4, height, width))
        pixels = (2000 + 8000 * ndimage.gaussian_filter(noise, (0, 5, 5))).clip(1, 4095).astype(np.uint16)
        profile = {"driver": "GTiff", "height": height, "width": width, "count": 4, "dtype": "uint16"}
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with rasterio.open(
            path, "w", crs=f"EPSG:{epsg}", transform=from_origin(EAST + east, NORTH, 2, 2), **profile
        ) as out:
            out.write(pixels)
            out.descriptions = ("B", "G", "R", "N")
        return path

    return write


def classes(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)


def test_rasters_are_cogs_and_flatgeobuf_holds_the_same_patches(
    scene: Callable[..., Path], model: list[str], tmp_path: Path
) -> None:
    image = str(scene("GF2_20220701.tif", height=520, width=64))
    squares = [shapely.box(EAST + 10, NORTH - y - 60, EAST + 90, NORTH - y) for y in (20, 300, 700)]
    gpd.GeoDataFrame(geometry=squares, crs=4538).to_file(tmp_path / "squares.gpkg")
    model = [*model, "--aoi", str(tmp_path / "squares.gpkg")]
    outputs = ["--raster", tmp_path / "class.tif", "--confidence", tmp_path / "confidence.tif"]
    assert cli.main([image, *model, "-o", str(tmp_path / "a.gpkg"), *map(str, outputs)]) == 0
    assert cli.main([image, *model, "-o", str(tmp_path / "a.fgb")]) == 0
    one, two = pyogrio.read_dataframe(tmp_path / "a.gpkg"), pyogrio.read_dataframe(tmp_path / "a.fgb")
    assert two.crs.to_epsg() == 4490
    key = ["class_id", "area_cm2"]
    one, two = one.sort_values(key, ignore_index=True), two.sort_values(key, ignore_index=True)
    assert list(two.columns) == list(one.columns)
    assert len(one) >= 3
    assert one.drop(columns="geometry").equals(two.drop(columns="geometry").astype(one.drop(columns="geometry").dtypes))
    assert shapely.equals_exact(shapely.normalize(one.geometry.values), shapely.normalize(two.geometry.values)).all()
    for name in ("class", "confidence"):
        with rasterio.open(tmp_path / f"{name}.tif") as raster:
            assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert (raster.nodata, raster.overviews(1)) == (255, [2])
            assert raster.tags()["MODEL"].startswith("random")
    with rasterio.open(tmp_path / "confidence.tif") as raster:
        assert raster.scales == (1 / 200,)
    assert not list(tmp_path.glob("*.partial*"))


def test_in_a_folder_the_newest_scene_counts_where_scenes_overlap(
    scene: Callable[..., Path], model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene("year/GF2_20210701.tif", east=0, seed=1)
    scene("year/GF2_20220701.tif", east=100, seed=2)
    (tmp_path / "year" / "readme.md").write_text("not an image")
    command = [str(tmp_path / "year"), *model, "-o", str(tmp_path / "all.gpkg"), "--raster", str(tmp_path / "rasters")]
    assert cli.main(command) == 0
    older, newer = (classes(tmp_path / "rasters" / f"GF2_{year}0701.tif") for year in (2021, 2022))
    assert (newer != 255).all()
    assert ((older == 255) == (np.arange(120) >= 50)).all()
    patches = pyogrio.read_dataframe(tmp_path / "all.gpkg")
    assert set(patches["scene"]) <= {"GF2_20210701", "GF2_20220701"}
    assert patches["pixels"].sum() == ((newer != 255) & (newer > 0)).sum() + ((older != 255) & (older > 0)).sum()
    outlines = {name: shapely.union_all(part.geometry.values) for name, part in patches.groupby("scene")}
    shared = shapely.area(shapely.intersection(*outlines.values())) if len(outlines) == 2 else 0
    assert shared == pytest.approx(0, abs=1e-12)

    whole = capsys.readouterr().err
    assert whole.index("GF2_20220701.tif") < whole.index("GF2_20210701.tif")
    alone = tmp_path / "alone.tif"
    assert cli.main([str(tmp_path / "year" / "GF2_20220701.tif"), *model, "--raster", str(alone)]) == 0
    np.testing.assert_array_equal(classes(alone), newer)


def test_in_a_list_the_first_counts_and_a_hidden_scene_is_left_out(
    scene: Callable[..., Path], model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene("a.tif", seed=1)
    scene("b.tif", seed=2)  # of the same ground
    scene("c.tif", seed=3, east=220)  # of 20 m of it
    (tmp_path / "order.txt").write_text("# mine\nb.tif\n\na.tif\nc.tif\n", "utf-8")
    work = ["--resume", str(tmp_path / "work"), "--raster", str(tmp_path / "out")]
    assert cli.main([str(tmp_path / "order.txt"), *model, *work]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.tif", "c.tif"]
    assert "a.tif: The image shows nothing of the wanted ground" in capsys.readouterr().err
    assert ((classes(tmp_path / "out" / "c.tif") == 255) == (np.arange(120) < 10)).all()
    strips = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("strip-*.npy")}
    assert cli.main([str(tmp_path / "order.txt"), *model, *work]) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").rglob("strip-*.npy")} == strips


def test_an_area_of_interest_from_a_file(scene: Callable[..., Path], model: list[str], tmp_path: Path) -> None:
    image = scene("s.tif")
    area = shapely.box(EAST + 50.5, NORTH - 120.5, EAST + 150.5, NORTH - 40.5)
    gpd.GeoDataFrame(geometry=[area], crs=4538).to_file(tmp_path / "aoi.gpkg")
    gpd.GeoDataFrame(geometry=[reproject(area, 4538)], crs=4490).to_crs(4326).to_file(tmp_path / "aoi.geojson")
    for name in ("aoi.gpkg", "aoi.geojson"):
        command = [str(image), *model, "--aoi", str(tmp_path / name), "--raster", str(tmp_path / "out.tif")]
        assert cli.main(command) == 0
        seen = np.argwhere(classes(tmp_path / "out.tif") != 255)
        assert (seen.min(axis=0).tolist(), seen.max(axis=0).tolist()) == ([20, 25], [59, 74])
        assert len(seen) == 40 * 50


def test_an_area_elsewhere_or_none_is_a_coded_error(
    scene: Callable[..., Path], model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = scene("s.tif")
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4538).to_file(tmp_path / "far.gpkg")
    gpd.GeoDataFrame(geometry=[shapely.Point(87, 43)], crs=4490).to_file(tmp_path / "point.gpkg")
    (tmp_path / "broken.geojson").write_text("{")
    (tmp_path / "empty").mkdir()
    for arguments, code in (
        ([image, "--aoi", tmp_path / "far.gpkg"], "E-AOI-02"),
        ([image, "--aoi", tmp_path / "point.gpkg"], "E-AOI-01"),
        ([image, "--aoi", tmp_path / "broken.geojson"], "E-AOI-01"),
        ([tmp_path / "empty"], "E-FMT-09"),
    ):
        assert cli.main([*map(str, arguments), *model]) == cli.FAILED
        assert f"error {code}: " in capsys.readouterr().err


def test_ground_survives_the_way_to_another_process() -> None:
    from pyproj import CRS

    ground = Ground(shapely.box(86.9, 43, 87.1, 43.1), ((shapely.box(0, 0, 9, 9), CRS.from_epsg(4538)),))
    again = Ground.from_dict(json.loads(json.dumps(ground.as_dict())))
    assert again.digest() == ground.digest() != Ground(ground.area).digest()
    assert again.seen[0][1] == ground.seen[0][1]


def test_pixels_count_by_their_centre() -> None:
    triangle = shapely.Polygon([(0.1, 0.2), (30.3, 2.1), (7.7, 40.9)])
    rows, columns = np.indices((50, 40))
    expected = shapely.contains_xy(triangle, columns + 0.5, rows + 0.5)
    np.testing.assert_array_equal(inside(triangle, 0, 0, (50, 40)), expected)
    np.testing.assert_array_equal(inside(triangle, 10, 5, (12, 30)), expected[10:22, 5:35])
    assert not inside(triangle, 45, 0, (5, 40)).any()
    assert inside(triangle, 8, 8, (3, 3)).all()


def test_what_is_named_twice_is_meant_once(tmp_path: Path) -> None:
    for name in ("a.tif", "b.img", "c.txt.bak"):
        (tmp_path / name).touch()
    (tmp_path / "list.lst").write_text("b.img\n")
    found = expand([tmp_path / "b.img", tmp_path, tmp_path / "list.lst"])
    assert [one.path.name for one in found] == ["b.img", "a.tif"]
    (tmp_path / "no.txt").write_text("\n#\n")
    with pytest.raises(MineGISError, match="E-FMT-09"):
        expand([tmp_path / "no.txt"])


def test_a_layer_without_a_coordinate_system_is_no_area(tmp_path: Path) -> None:
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(tmp_path / "a.gpkg")
    with pytest.raises(MineGISError, match="E-AOI-01"):
        read_area(tmp_path / "a.gpkg")


def test_two_processes_give_the_bits_of_one(
    scene: Callable[..., Path],
    model: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[..., Any],
) -> None:
    """The other one is a real process; blocks are made small here, for else the scene would be one.

    This process waits for the first strip of the other, which has yet to load its libraries.
    """

    class Patient(FileClaims):
        def take(self, last: int | None) -> int | None:
            wait_until(lambda: self._shared.store.present(), 120)
            return super().take(last)

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(crew, "FileClaims", Patient)
    monkeypatch.setattr(cli, "interpret_scene", partial(interpret_scene, block_pixels=64 * 96))
    monkeypatch.setattr(cli, "local_crew", partial(local_crew, block_pixels=64 * 96))
    image = scene("GF2_20220701.tif", height=1500, width=64)
    pixels: list[Any] = []
    for workers in (1, 2):
        out, folder = tmp_path / f"{workers}.tif", tmp_path / f"w{workers}"
        command = [str(image), *model, "--raster", str(out), "--resume", str(folder), "--workers", str(workers)]
        assert cli.main(command) == 0
        pixels.append((classes(out), classes(folder / "confidence.tif"), classes(folder / "margin.tif")))
        assert any((folder / "strips").glob("claim-*.lock")) == (workers > 1)
    for ours, theirs in zip(*pixels, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_process_that_fails_is_named_and_its_blocks_are_done_all_the_same(
    scene: Callable[..., Path], model: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(crew.sys, "executable", "/bin/false")
    monkeypatch.setattr(cli, "interpret_scene", partial(interpret_scene, block_pixels=64 * 96))
    command = [str(scene("s.tif", height=300, width=64)), *model, "--workers", "2", "--raster", str(tmp_path / "o.tif")]
    assert cli.main(command) == 0
    assert "warning E-JOB-08: A worker process ended with status 1" in capfd.readouterr().err
    assert (classes(tmp_path / "o.tif") != 255).all()


def test_a_full_disk_is_a_coded_error_that_resume_finishes(
    scene: Callable[..., Path], model: list[str], tmp_path: Path
) -> None:
    """A limit on the size of files makes writes fail as a full disk does, for that process alone."""
    image = scene("s.tif", height=300, width=200)
    child = (
        "import resource, sys; from landdamage.interpretation import cli, result; whole = cli.interpret_scene\n"
        "def limited(*a, **k):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000,) * 2)\n"
        "    return whole(*a, **k)\n"
        "cli.interpret_scene = limited; sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [str(image), *model, "--resume", str(tmp_path / "w"), "--raster", str(tmp_path / "o.tif")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", child, *command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == cli.FAILED, done.stderr
    assert "error E-OUT-02: The disk is full" in done.stderr
    assert "--resume DIR" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o.tif").exists()
    assert cli.main(command) == 0
    assert (classes(tmp_path / "o.tif") != 255).all()
