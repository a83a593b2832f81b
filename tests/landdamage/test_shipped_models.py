"""The models in the package are whole, small enough, well described, and can see."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from landdamage.imagery import inspect_scene, write_cog
from landdamage.interpretation import choose_model, interpret_scene, load_engine
from landdamage.interpretation.eager import load_eager
from landdamage.interpretation.engine import KINDS
from landdamage.interpretation.models import WEIGHTS, available
from landdamage.learning.metrics import Scores, confusion_matrix
from landdamage.simulation import District
from landdamage.simulation.export import write_scene
from landdamage.taxonomy import CLASSES

LARGEST = 20 * 10**6
UNSEEN_SEED = 9001  # training draws from 1000-1999, validation from 5000-5999
LEAST_MIOU = 0.75
YEARS = (2021, 2022, 2023)
NEEDED = {
    "name", "version", "network", "bands", "gsd_m", "gsd_range_m", "tile", "normalisation", "temperature",
    "weights_sha256", "trained_on", "metrics", "limits",
}  # fmt: skip
SHIPPED = sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def test_both_resolutions_are_served() -> None:
    assert {"se-cot-dl-mnv2-2m", "se-cot-dl-mnv2-10m"} <= set(SHIPPED)
    assert set(available()) == set(SHIPPED)
    assert choose_model(2.0, tuple("BGRN"))[0].name == "se-cot-dl-mnv2-2m"
    assert choose_model(10.0, tuple("BGR"))[0].name == "se-cot-dl-mnv2-10m"


@pytest.mark.parametrize("name", SHIPPED)
def test_card_and_weights_belong_together(name: str) -> None:
    weights = WEIGHTS / f"{name}.safetensors"
    raw = json.loads((WEIGHTS / f"{name}.json").read_text("utf-8"))
    assert weights.stat().st_size <= LARGEST
    assert set(raw) >= NEEDED
    assert all(raw[key] for key in NEEDED)
    assert raw["name"] == name
    assert raw["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    card = available()[name]
    low, high = card.gsd_range_m
    assert low <= card.gsd_m <= high
    assert card.temperature > 0
    assert set(card.optional_bands) < set(card.bands)
    torch.set_num_threads(1)
    engine = load_engine(card, "cpu")
    batch = np.random.default_rng(0).normal(size=(1, len(card.bands), 64, 64)).astype(np.float32)
    probabilities = engine.probabilities(batch)
    assert probabilities.shape == (1, len(CLASSES), 64, 64)
    assert probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-2)


def test_all_engines_see_the_same_district(tmp_path: Path) -> None:
    """Labels of any two engines may differ where two classes are equally likely, on less than half a percent."""
    torch.set_num_threads(1)
    write_scene(tmp_path / "scene.tif", District(UNSEEN_SEED, size=640, years=YEARS).render(YEARS[-1]))
    card = available()["se-cot-dl-mnv2-2m"]
    engines = [load_eager(card, "cpu", bf16=False), *(load_engine(card, "cpu", kind) for kind in KINDS)]
    labels = []
    for number, engine in enumerate(engines):
        result = interpret_scene(tmp_path / "scene.tif", tmp_path / str(number), engine=engine, bands=tuple("BGRN"))
        assert (result.engine, result.params["engine"]) == (engine.name, engine.kind)
        with rasterio.open(result.class_raster) as raster:
            labels.append(raster.read(1))
    assert len(np.unique(labels[0])) > 4
    for engine, found in zip(engines[1:], labels[1:], strict=True):
        assert (found == labels[0]).mean() >= 0.995, engine.name


def test_the_2m_model_reads_a_district_it_never_saw(tmp_path: Path) -> None:
    scene = District(UNSEEN_SEED, size=1024, years=YEARS).render(YEARS[-1])
    write_scene(tmp_path / "scene.tif", scene)
    report = inspect_scene(tmp_path / "scene.tif")
    write_cog(tmp_path / "scene.tif", tmp_path / "cog.tif", report=report)
    metadata = report.usable()
    assert metadata.gsd_m is not None
    card, findings = choose_model(metadata.gsd_m, metadata.bands)
    assert (card.name, findings) == ("se-cot-dl-mnv2-2m", [])
    engine = load_engine(card, "cpu")
    result = interpret_scene(tmp_path / "cog.tif", tmp_path, engine=engine, bands=metadata.bands)
    with rasterio.open(result.class_raster) as raster:
        found = raster.read(1)
    seen = found != 255
    assert seen.mean() > 0.8
    matrix = confusion_matrix(np.where(seen, scene.labels, 255), np.where(seen, found, 0), len(CLASSES))
    scores = Scores.of(matrix)
    assert scores.mean("iou") >= LEAST_MIOU, dict(zip([c.code for c in CLASSES], scores.iou.round(3), strict=True))
