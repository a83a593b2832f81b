"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, settings
from rasterio.transform import from_origin

pytest_plugins = [
    "tests.fixtures.platform",
    "tests.fixtures.interpreted",
    "tests.fixtures.class_scenes",
    "tests.fixtures.models",
    "tests.fixtures.labelled",
    "tests.fixtures.sample_scenes",
    "tests.fixtures.books",
    "tests.fixtures.simulated_books",
    "tests.fixtures.accounted",
    "tests.fixtures.plot",
    "tests.fixtures.model_world",
    "tests.fixtures.shared_scenes",
    "tests.fixtures.footage",
    "tests.fixtures.s3",
]

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the user's cache holds must not decide which engine a test uses; child processes inherit this one."""
    os.environ["MINEGIS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test material: ``$MINEGIS_DATA``, else ``shared/data`` beside the clone; skips without."""
    folder = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "land").is_dir():
        pytest.skip(f"public test material not found at {folder}; set MINEGIS_DATA to its folder")
    return folder


@pytest.fixture
def make_raster(tmp_path: Path) -> Callable[..., Path]:
    """Write a small image: by default a faultless one, BGRN in uint16 at 2 m in CGCS2000 Gauss-Kruger 87°E, July 2021.

    ``pixels`` is (bands, H, W) or None for seeded noise of ``shape`` (bands, H, W); ``bands`` become the descriptions;
    anything else goes to rasterio (``crs``, ``transform``, ``nodata``, ``driver`` ...).
    """

    def write(
        name: str = "scene_20210715.tif",
        *,
        shape: tuple[int, int, int] = (4, 64, 80),
        dtype: str = "uint16",
        pixels: np.ndarray | None = None,
        bands: tuple[str, ...] | None = ("B", "G", "R", "N"),
        mask: np.ndarray | None = None,
        **profile: Any,
    ) -> Path:
        if pixels is None:
            levels = np.array([60, 70, 80, 120], "float64")[np.arange(shape[0]) % 4]
            noise = np.random.default_rng(7).normal(0, 0.15, shape)
            scale = 1.0 if dtype in ("uint8", "int8") else 10.0
            pixels = (levels[:, None, None] * scale * np.exp(noise)).clip(1, 120 * scale).astype(dtype)
        options: dict[str, Any] = {
            "driver": "GTiff",
            "crs": "EPSG:4538",
            "transform": from_origin(548_924.0, 4_762_894.0, 2, 2),
            "photometric": "MINISBLACK",
        }
        options |= {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
        options |= profile
        if options["driver"] != "GTiff":
            options.pop("photometric")
        path = tmp_path / name
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"), rasterio.open(path, "w", **options) as out:
            out.write(pixels)
            if bands is not None:
                out.descriptions = bands[: len(pixels)]
            if mask is not None:
                out.write_mask(mask)
        return path

    return write
