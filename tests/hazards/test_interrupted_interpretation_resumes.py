"""kill -9 half-way: finished strips are not computed again and the result equals that of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.interpretation import cli
from landdamage.networks import build
from minegis.training import checkpoint

ROOT = Path(__file__).resolve().parents[2]
STRIPS = 12  # rows of windows in the scene


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Arguments that interpret a scene of 576 x 180 pixels in 12 strips of windows of 64."""
    torch.set_num_threads(1)
    torch.manual_seed(4)
    card = {
        "name": "random",
        "version": "1",
        "network": {"name": "se-cot-dl", "backbone": "mobilenetv2", "in_channels": 4, "classes": 8, "switches": {}},
        "bands": ["B", "G", "R", "N"],
        "gsd_m": 2.0,
        "gsd_range_m": [1, 4],
        "tile": 64,
        "normalisation": "percentile-2-98",
        "temperature": 1.0,
    }
    checkpoint.save(tmp_path / "random.safetensors", build("se-cot-dl").state_dict(), card)
    noise = np.random.default_rng(0).normal(size=(4, 576, 180))
    pixels = (2000 + 8000 * ndimage.gaussian_filter(noise, (0, 5, 5))).clip(1, 4095).astype(np.uint16)
    pixels[:, 100:180, 50:120] = 0
    profile = {"driver": "GTiff", "height": 576, "width": 180, "count": 4, "dtype": "uint16", "crs": "EPSG:4538"}
    transform = from_origin(500_000, 4_780_000, 2, 2)
    with rasterio.open(tmp_path / "scene.tif", "w", transform=transform, nodata=0, **profile) as scene:
        scene.write(pixels)
    return [str(tmp_path / "scene.tif"), "--model", str(tmp_path / "random.json"), "--bands", "B,G,R,N"]


def finished(folder: Path) -> dict[str, int]:
    """Finished strips and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "strips").glob("strip-*.npy")}


def test_killed_half_way_it_goes_on_and_ends_equal(command: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    child = subprocess.Popen(
        [sys.executable, "manage.py", "interpret", *command, "--resume", folder, "--device", "cpu"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while len(finished(folder)) < STRIPS // 2 and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)  # polls the journal: the child cannot tell
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    before = finished(folder)
    assert STRIPS // 2 <= len(before) < STRIPS

    assert cli.main([*command, "--resume", str(folder), "--device", "cpu"]) == 0
    after = finished(folder)
    assert len(after) == STRIPS
    assert {name: after[name] for name in before} == before

    undisturbed = tmp_path / "undisturbed"
    assert cli.main([*command, "--resume", str(undisturbed), "--device", "cpu"]) == 0
    for name in ("class.tif", "confidence.tif", "margin.tif"):
        with rasterio.open(folder / name) as ours, rasterio.open(undisturbed / name) as theirs:
            np.testing.assert_array_equal(ours.read(), theirs.read())
