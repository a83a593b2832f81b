"""A run that one engine began is not finished by another, though a faster one was found in the meantime."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.interpretation import ModelCard, choice, choose_engine, cli, interpret_scene, load_engine
from minegis.errors import JobCancelledError


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).normal(size=(4, 300, 150))
    pixels = (2000 + 8000 * ndimage.gaussian_filter(noise, (0, 5, 5))).clip(1, 4095).astype(np.uint16)
    profile = {"driver": "GTiff", "height": 300, "width": 150, "count": 4, "dtype": "uint16", "crs": "EPSG:4538"}
    with rasterio.open(tmp_path / "scene.tif", "w", transform=from_origin(500_000, 4_780_000, 2, 2), **profile) as file:
        file.write(pixels)
    return tmp_path / "scene.tif"


def pixels(folder: Path) -> list[np.ndarray]:
    found = []
    for name in ("class.tif", "confidence.tif", "margin.tif"):
        with rasterio.open(folder / name) as raster:
            found.append(raster.read())
    return found


@pytest.mark.parametrize(("begun", "faster"), [("openvino", "eager"), ("onnxruntime", "openvino")])
def test_a_resumed_run_ends_as_an_undisturbed_one(
    begun, faster, scene: Path, tmp_path: Path, random_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINEGIS_CACHE", str(tmp_path / "cache"))
    path = random_model()
    card, bands = ModelCard.read(path), tuple("BGRN")
    engine = load_engine(card, "cpu", begun)
    asked = iter(range(9))
    with pytest.raises(JobCancelledError):
        interpret_scene(
            scene, tmp_path / "work", engine=engine, bands=bands, should_stop=lambda: next(asked, None) is None
        )
    strips = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "work" / "strips").glob("strip-*.npy")}
    assert len(strips) == 3
    assert json.loads((tmp_path / "work" / "strips" / "inputs.json").read_text())["engine"][0] == begun

    choice._remember(card, {"eager": 1.0, "onnxruntime": 1.0, "openvino": 1.0} | {faster: 0.1})
    assert choose_engine(card, device="cpu", pixels=10**9) == faster
    assert choose_engine(card, device="cpu", workdir=tmp_path / "work") == begun
    resumed = interpret_scene(
        scene,
        tmp_path / "work",
        engine=load_engine(card, "cpu", choose_engine(card, device="cpu", workdir=tmp_path / "work")),
        bands=bands,
    )
    undisturbed = interpret_scene(scene, tmp_path / "whole", engine=engine, bands=bands)
    assert resumed.windows == undisturbed.windows - 9
    assert all((tmp_path / "work" / "strips" / name).stat().st_mtime_ns == when for name, when in strips.items())
    assert (resumed.engine, resumed.params) == (undisturbed.engine, undisturbed.params)
    for ours, theirs in zip(pixels(tmp_path / "work"), pixels(tmp_path / "whole"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_command_goes_on_with_the_engine_of_its_folder(
    scene: Path, tmp_path: Path, random_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(scene), "--model", str(random_model()), "--bands", "B,G,R,N", "--device", "cpu", "--lang", "en"]
    command += ["--resume", str(tmp_path / "work")]
    assert cli.main([*command, "--engine", "onnxruntime"]) == 0
    assert "(onnxruntime " in capsys.readouterr().out
    assert cli.main(command) == 0
    assert "(onnxruntime " in capsys.readouterr().out
    assert cli.main([*command, "--engine", "eager"]) == 0  # a person's word counts more: computed anew
    assert "(torch " in capsys.readouterr().out
