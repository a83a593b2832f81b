"""``manage.py samples``: files in, a folder out, without Django, in both languages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio

from landdamage.learning.samples.cli import main
from landdamage.learning.samples.images import ImageSource
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.taxonomy import BY_CODE, IGNORE
from tests.fixtures.labelled import EPSG, SIDE, box, mine

ROOT = Path(__file__).resolve().parents[4]
SIZES = ["--tile", "48", "--stride", "36"]


@pytest.fixture
def files(write_image: Callable[..., ImageSource], tmp_path: Path) -> Path:
    """Four images, ``mines.gpkg`` with the polygons on them, ``ground.gpkg`` around them, label rasters."""
    images = [write_image(place, f"scene{place}_20220715") for place in range(4)]
    drawn = [item for place in range(4) for item in mine(place)]
    names = [BY_CODE[code].zh for code, _ in drawn]
    gpd.GeoDataFrame({"DWMC": names}, geometry=[s for _, s in drawn], crs=EPSG).to_file(tmp_path / "mines.gpkg")
    ground = gpd.GeoDataFrame({"code": range(4)}, geometry=[box(p, 0, 0, SIDE, SIDE) for p in range(4)], crs=EPSG)
    ground.to_file(tmp_path / "ground.gpkg")
    (tmp_path / "labels").mkdir()
    for image in images:
        labels = np.full((SIDE, SIDE), IGNORE, np.uint8)
        labels[10:60, 10:60] = 1
        labels[20:40, 20:40] = 9
        with rasterio.open(image.path) as source:
            profile = source.profile | {"count": 1, "dtype": "uint8", "nodata": IGNORE}
        with rasterio.open(tmp_path / "labels" / image.path.name, "w", **profile) as target:
            target.write(labels, 1)
    return tmp_path


def test_vectors_become_a_set(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--vectors", str(files / "mines.gpkg"), "--surveyed", str(files / "ground.gpkg")]
    arguments += ["--images", str(files / "images"), "-o", str(files / "set"), "--lang", "zh", *SIZES]
    assert main(arguments) == 0
    shown = capsys.readouterr()
    made = SampleSet.open(files / "set")
    assert "尾矿库" in shown.out
    assert made.sha256 in shown.err
    assert "E-SET-06" in shown.err  # the pond in the pit
    assert "m²" in shown.err
    assert (made.kind, made.params.bands) == ("vectors", ("B", "G", "R", "N"))
    assert {tile.acquired for tile in made.tiles} == {"2022-07-15"}
    assert main(["--check", str(files / "set"), "--lang", "en"]) == 0
    assert "nothing leaks" in capsys.readouterr().out


def test_rasters_become_a_set(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--labels", str(files / "labels"), "--images", str(files / "images"), "-o", str(files / "set"), *SIZES]
    assert main([*arguments, "--lang", "en"]) == 2
    assert "E-SET-08" in capsys.readouterr().err
    assert not (files / "set").exists()
    assert main([*arguments, "--lang", "en", "--map", "1=open_pit", "--map", "9=tailings_pond", "--folds", "2"]) == 0
    assert "fold 2 polygons" in capsys.readouterr().out
    made = SampleSet.open(files / "set")
    assert {c for tile in made.tiles for c in range(8) if tile.pixels[c]} == {6, 7}


def test_every_fault_of_a_vector_file_is_printed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = gpd.read_file(files / "mines.gpkg")
    frame.loc[0, "DWMC"] = "温室"
    frame.loc[1, "DWMC"] = "固体废弃物"
    frame.to_file(files / "bad.gpkg")
    arguments = ["--vectors", str(files / "bad.gpkg"), "--images", str(files / "images"), "-o", str(files / "set")]
    assert main([*arguments, "--lang", "zh"]) == 2
    shown = capsys.readouterr().err
    assert "E-VEC-10" in shown
    assert "E-VEC-11" in shown
    answers = ["--map", "温室=skip", "--map", "固体废弃物=stockpile"]
    assert main([*arguments, "--lang", "zh", *answers, *SIZES]) == 0


def test_wrong_values_and_damage_end_with_two(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--labels", str(files / "labels"), "--images", str(files / "images"), "-o", str(files / "set")]
    assert main([*arguments, "--tile", "7", "--lang", "zh"]) == 2
    assert "E-SET-24" in capsys.readouterr().err
    assert main(["--check", str(files), "--lang", "zh"]) == 2
    assert "E-SET-16" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--labels", str(files / "labels")])
    with pytest.raises(SystemExit):
        main([*arguments, "--map", "1"])


def test_no_settings_and_no_database_are_needed(files: Path) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "samples", "--vectors", str(files / "mines.gpkg")]
    command += ["--images", str(files / "images"), "-o", str(files / "set"), "--lang", "en", *SIZES]
    env = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "SECRET_KEY", "DEBUG", "REDIS_URL")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Open pit" in done.stdout
    assert SampleSet.open(files / "set").tiles


@pytest.mark.data
def test_the_public_scenes_split_as_their_owner_did(shared_data: Path) -> None:
    """Overlap groups found on the ground never cut a group of the set's own table."""
    import csv

    from landdamage.learning.samples.images import image_of_file
    from landdamage.learning.samples.look import look
    from landdamage.learning.samples.material import RasterMaterial
    from landdamage.learning.samples.params import Params
    from landdamage.learning.samples.regions import joined

    folder = shared_data / "land" / "tailings_s2"
    images = [image_of_file(path, ("B", "G", "R")) for path in sorted((folder / "images").glob("*.tif"))]
    material = RasterMaterial(images, {image.name: folder / "labels7" / image.path.name for image in images})
    params = Params(gsd_m=10, bands=("B", "G", "R"), regions="image", split="s2")
    seen = look(material, params, [])
    groups = joined(seen.windows.region, seen.windows.footprint, 0.0)
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as table:
        owner: dict[str, set[str]] = {}
        for row in csv.DictReader(table):
            owner.setdefault(row["group"], set()).add(groups[f"image:img_{row['scene']}"])
    assert all(len(found) == 1 for found in owner.values())
    assert sum(len(t.class_id) for t in seen.things) > 1000
