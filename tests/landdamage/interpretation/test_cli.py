"""The command: no settings, no database, coded errors in two languages, an area table at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import torch
from django.core.management import CommandError, call_command
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.interpretation import cli
from landdamage.interpretation.output import area_table
from landdamage.networks import build
from minegis.training import checkpoint

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights and a scene beside it."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("cli")
    card = {
        "name": "random",
        "version": "7",
        "network": {"name": "dl", "backbone": "mobilenetv2", "in_channels": 3, "classes": 8, "switches": {}},
        "bands": ["B", "G", "R"],
        "gsd_m": 2.0,
        "gsd_range_m": [1.5, 3.0],
        "tile": 64,
        "normalisation": "percentile-2-98",
        "temperature": 1.0,
    }
    checkpoint.save(folder / "random.safetensors", build("dl", in_channels=3).state_dict(), card)
    noise = np.random.default_rng(0).normal(size=(4, 100, 120))
    pixels = (2000 + 8000 * ndimage.gaussian_filter(noise, (0, 5, 5))).clip(1, 4095).astype(np.uint16)
    profile = {"driver": "GTiff", "height": 100, "width": 120, "count": 4, "dtype": "uint16", "crs": "EPSG:4538"}
    transform = from_origin(500_000, 4_780_000, 4, 4)
    with rasterio.open(folder / "GF2_20220701.tif", "w", transform=transform, **profile) as scene:
        scene.write(pixels)
        scene.descriptions = ("B", "G", "R", "N")
    return folder


def test_it_runs_without_settings_and_writes_what_was_asked_for(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "interpret", folder / "GF2_20220701.tif", "--model", folder / "random.json"]
    command += ["-o", tmp_path / "out.gpkg", "--raster", tmp_path / "out.tif", "--device", "cpu"]
    bare = {"PATH": os.environ["PATH"], "LANG": "zh_CN.UTF-8", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    assert "警告 E-MOD-02" in done.stderr
    assert "100%" in done.stderr
    assert "random 7 (torch" in done.stdout
    assert "损毁合计" in done.stdout
    patches = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="patches")
    assert patches.crs.to_epsg() == 4490
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.shape, raster.nodata) == ((100, 120), 255)
        assert raster.colormap(1)[7] == (0xD5, 0x5E, 0x00, 255)
        assert patches["pixels"].sum() == (raster.read(1) > 0).sum()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["absent.tif"], "E-FMT-01"),
        (["GF2_20220701.tif", "--model", "unknown"], "E-MOD-01"),
        (["GF2_20220701.tif", "--model", "random.json", "--bands", "N,X,Y,Z"], "E-MOD-04"),
        (["GF2_20220701.tif", "--model", "random.json", "-o", "no/such/folder/out.gpkg"], "E-OUT-01"),
        (["GF2_20220701.tif", "--model", "random.json", "-o", "out.shp"], "E-OUT-04"),
        (["GF2_20220701.tif", "GF2_20220701.tif", "absent.tif", "--raster", "out.tif"], "E-OUT-03"),
        (["GF2_20220701.tif", "--aoi", "GF2_20220701.tif"], "E-AOI-01"),
    ],
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_coded_error_is_a_line_and_a_status(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: str,
    language: str,
) -> None:
    monkeypatch.chdir(folder)
    assert cli.main([*arguments, "--lang", language]) == cli.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith(f"{'错误' if language == 'zh' else 'error'} {code}: ") for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_the_area_table_is_closed_and_aligned() -> None:
    areas = {1: 123_456_789_012, 2: 5, 3: 4_400_000, 4: 4_400_000, 5: 4_400_000, 6: 0, 7: 4_600_000}
    english = area_table(areas, "en").splitlines()
    cells = {line[:19].strip(): line[19:].split() for line in english[2:-1] if not line.startswith("-")}
    assert cells["Vegetation"] == ["1,234.57", "18,518.5"]
    damaged = ["Living area", "Industrial square", "Stockpile", "Tailings pond", "Open pit"]
    assert [cells[name][0] for name in damaged] == [
        "0.05",
        "0.04",
        "0.04",
        "0.00",
        "0.05",
    ]  # 0.044, 0.044, 0.044, 0, 0.046
    assert [cells[name][0] for name in ("Occupation", "Excavation", "Damage in all")] == ["0.13", "0.05", "0.18"]
    assert cells["Damage in all"][1] == "2.7"
    chinese = area_table(areas, "zh").splitlines()
    assert len({cli_width(line) for line in chinese[:-1]}) == 1


def cli_width(line: str) -> int:
    return sum(2 if ord(char) > 0x2E80 else 1 for char in line)


def test_django_lists_the_same_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("interpret", folder / "absent.tif", "--lang", "en")
    assert caught.value.returncode == cli.FAILED
    assert "error E-FMT-01" in capsys.readouterr().err
