"""Real images go through the command with the shipped models, whatever they are: a result or a coded error.

``MINEGIS_ALL_SCENES=1`` takes every image of the collections instead of a sample.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from landdamage.interpretation import cli
from landdamage.taxonomy import CLASSES

pytestmark = [pytest.mark.data, pytest.mark.timeout(1500)]

EVERY = 1 if os.environ.get("MINEGIS_ALL_SCENES") else 10
AWKWARD = Path(__file__).parents[1] / "imagery" / "awkward.csv"


def interpret(path: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, list[str]]:
    """Exit status, standard output and the lines of standard error that name a fault."""
    torch.set_num_threads(1)
    status = cli.main([str(path), "--lang", "en", "--device", "cpu", *arguments])
    out, err = capsys.readouterr()
    lines = [line.rsplit("\r", 1)[-1] for line in err.splitlines()]
    return status, out, [line for line in lines if line.startswith(("error ", "warning "))]


def codes(lines: list[str], kind: str) -> list[str]:
    return [line.split()[1].rstrip(":") for line in lines if line.startswith(kind)]


@pytest.mark.parametrize(
    "name",
    [
        "tailings_s2/images/img_000.tif",
        "naip_dates/m_4709963_se_14_1_20190904.tif",
        "landsat_pucallpa/2020.tif",
    ],
)
def test_the_class_raster_lies_on_the_image(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    scene = shared_data / "land" / name
    assert interpret(scene, capsys, "--raster", str(tmp_path / "classes.tif"))[0] == 0
    with rasterio.open(scene) as image, rasterio.open(tmp_path / "classes.tif") as classes:
        assert (classes.shape, classes.bounds) == (image.shape, image.bounds)
        pixels, found = image.read(), classes.read(1)
    assert ((found == 255) == (pixels == 0).all(axis=0)).mean() > 0.999
    assert len(np.unique(found)) > 2


@pytest.mark.parametrize(
    ("folder", "every", "count"),
    [("naip_dates", 1, 4), ("landsat_pucallpa", 1, 5), ("tailings_s2/images", EVERY, len(range(0, 90, EVERY)))],
)
def test_every_real_scene_ends_in_an_area_table(
    shared_data: Path, capsys: pytest.CaptureFixture[str], folder: str, every: int, count: int
) -> None:
    files = sorted((shared_data / "land" / folder).glob("*.tif"))[::every]
    assert len(files) == count
    for path in files:
        status, out, faults = interpret(path, capsys)
        assert status == 0, (path.name, faults)
        assert all(c.en in out for c in CLASSES if c.id), path.name
        assert "Damage in all" in out, path.name


def test_awkward_files_end_as_their_table_says(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AWKWARD.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert {row["state"] for row in table} == {"restricted", "rejected"}
    for row in table:
        status, out, faults = interpret(shared_data / "land" / "awkward" / row["file"], capsys)
        assert codes(faults, "error") == row["errors"].split(), row["file"]
        warnings = codes(faults, "warning")
        assert warnings[: len(row["warnings"].split())] == row["warnings"].split(), row["file"]
        assert (status, "Damage in all" in out) == ((cli.FAILED, False) if row["errors"] else (0, True)), row["file"]
