"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from landdamage.interpretation import Engine

pytest_plugins = ["tests.fixtures.platform", "tests.fixtures.interpreted"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test material: ``$MINEGIS_DATA``, else ``shared/data`` beside the clone; skips without."""
    folder = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "land").is_dir():
        pytest.skip(f"public test material not found at {folder}; set MINEGIS_DATA to its folder")
    return folder


@pytest.fixture
def class_scene(tmp_path: Path) -> Callable[..., Path]:
    """Write a class raster as an image of eight bands, band k bright where the class is k; 255 becomes nodata."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    def write(truth: Any, *, crs: str = "EPSG:4538", transform: Any = None, name: str = "scene.tif") -> Path:
        pixels = np.where(truth == np.arange(8, dtype=np.uint8)[:, None, None], 1000, 100).astype(np.uint16)
        pixels[:, truth == 255] = 0
        profile = {"driver": "GTiff", "dtype": "uint16", "count": 8, "height": truth.shape[0], "width": truth.shape[1]}
        transform = transform or from_origin(500_000, 4_780_000, 2, 2)
        with rasterio.open(tmp_path / name, "w", crs=crs, transform=transform, nodata=0, **profile) as scene:
            scene.write(pixels)
        return tmp_path / name

    return write


@pytest.fixture
def class_engine(tmp_path: Path) -> Callable[..., Engine]:
    """An engine whose network reads the classes of ``class_scene`` back: a 1x1 convolution of a given sharpness."""
    import torch

    from landdamage.interpretation import Engine, ModelCard

    def make(*, sharpness: float = 4.0, gsd_m: float = 2.0, tile: int = 64) -> Engine:
        torch.set_num_threads(1)
        network = torch.nn.Conv2d(8, 8, 1, bias=False)
        with torch.no_grad():
            network.weight.copy_(sharpness * torch.eye(8)[:, :, None, None])
        card = ModelCard(
            name="class-reader",
            version="1",
            network={"classes": 8},
            bands=tuple("01234567"),
            gsd_m=gsd_m,
            gsd_range_m=(gsd_m / 1.5, gsd_m * 1.5),
            tile=tile,
            normalisation="percentile-2-98",
            temperature=1.0,
            weights_sha256="0" * 64,
            path=tmp_path / "class-reader.json",
        )
        return Engine(card, network, "cpu", bf16=False)

    return make
