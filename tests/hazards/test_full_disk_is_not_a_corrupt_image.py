"""A disk that fills up while an image is prepared is the disk's fault: never E-FMT-02, never half a COG."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rasterio.transform import from_origin

ROOT = Path(__file__).resolve().parents[2]
# A limit on the size of files makes writes fail as a full disk does, for this process alone.
CHILD = """
import resource, sys
from landdamage.imagery import inspect_scene, write_cog
report = inspect_scene(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    write_cog(sys.argv[1], sys.argv[2], report=report)
except Exception as error:
    print(type(error).__name__, getattr(error, "code", ""))
else:
    print("written")
"""


@pytest.mark.parametrize("limit", [100_000, 4_000_000])
@pytest.mark.parametrize("height", [2, 4])
def test_a_full_disk_is_an_operating_system_error(
    make_raster: Callable[..., Path], tmp_path: Path, limit: int, height: int
) -> None:
    pixels = np.random.default_rng(1).integers(300, 900, (4, 800, 700)).astype("uint16")  # 4.5 MB
    image = make_raster(pixels=pixels, transform=from_origin(548_924, 4_762_894, 2, height))
    command = [sys.executable, "-c", CHILD, str(image), str(tmp_path / "scene.cog.tif"), str(limit)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["OSError"], done.stderr
    assert list(tmp_path.iterdir()) == [image]


def test_with_room_enough_the_same_image_is_written(make_raster: Callable[..., Path], tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(300, 900, (4, 800, 700)).astype("uint16")
    command = [sys.executable, "-c", CHILD, str(make_raster(pixels=pixels)), str(tmp_path / "c.tif"), "100000000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["written"], done.stderr
