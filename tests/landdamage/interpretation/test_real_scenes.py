"""Real images go through the command with the shipped models, whatever they are: a result or a coded error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from landdamage.interpretation import cli

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    "name",
    [
        "tailings_s2/images/img_000.tif",
        "naip_dates/m_4709963_se_14_1_20190904.tif",
        "landsat_pucallpa/2020.tif",
    ],
)
def test_a_real_scene_is_interpreted(shared_data: Path, tmp_path: Path, name: str) -> None:
    torch.set_num_threads(1)
    scene = shared_data / "land" / name
    assert cli.main([str(scene), "--raster", str(tmp_path / "classes.tif")]) == 0
    with rasterio.open(scene) as image, rasterio.open(tmp_path / "classes.tif") as classes:
        assert (classes.shape, classes.bounds) == (image.shape, image.bounds)
        pixels, found = image.read(), classes.read(1)
    assert ((found == 255) == (pixels == 0).all(axis=0)).mean() > 0.999
    assert len(np.unique(found)) > 2


def test_awkward_files_give_a_result_or_a_coded_error(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    folder = shared_data / "land" / "awkward"
    files = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in (".txt", ".csv", ".md")
    ]
    statuses = {}
    for path in files:
        statuses[path.name] = cli.main([str(path), "--lang", "en", "--device", "cpu"])
        if statuses[path.name]:
            assert "error E-" in capsys.readouterr().err, path
    assert set(statuses.values()) == {0, cli.FAILED}
    assert statuses["RGB.byte.tif"] == 0
