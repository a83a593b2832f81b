"""The whole way at toy size: a network overfits a few tiles; a run writes what the engine reads, and resumes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landdamage.interpretation import ModelCard, load_engine
from landdamage.learning import simulated, train
from landdamage.learning.losses import segmentation_loss
from landdamage.learning.metrics import Scores, confusion_matrix
from landdamage.learning.recipes import RECIPES, Folders, Recipe, Stage
from landdamage.learning.run import Run, transfer
from landdamage.learning.scenes import Scene
from landdamage.networks import build
from minegis import __version__
from minegis.errors import JobCancelledError, TrainingError
from minegis.training import checkpoint
from minegis.training.journal import curves


def test_overfits_a_few_tiles() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 4, (4, 3, 3)), np.ones((16, 16))).astype(np.uint8)
    images = np.stack([labels * 0.7, 2 - labels * 0.5, np.sin(labels)], axis=1) + rng.normal(0, 0.1, (4, 3, 48, 48))
    x, y = torch.from_numpy(images).float(), torch.from_numpy(labels).long()
    network = build("se-cot-dl", in_channels=3).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(60):
        loss = segmentation_loss(network(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        found = network(x).argmax(1).numpy().astype(np.uint8)
    assert Scores.of(confusion_matrix(labels, found, 8)).mean("iou", foreground=False) > 0.8


def test_weights_move_to_a_network_with_fewer_bands() -> None:
    torch.manual_seed(0)
    four, three = build("dl").eval(), build("dl", in_channels=3).eval()
    transfer(three, four.state_dict())
    grey = torch.rand(1, 1, 32, 32)
    stem = "backbone.body.features.0.0.weight"
    ratio = three.state_dict()[stem] / four.state_dict()[stem][:, :3]
    assert torch.allclose(ratio, torch.tensor(4 / 3))
    assert torch.equal(three.classifier.weight, four.classifier.weight)
    assert three(grey.expand(1, 3, 32, 32)).shape == (1, 8, 32, 32)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Runs of a toy recipe over one small district each, every one with an output folder of its own."""
    cache = tmp_path_factory.mktemp("districts")

    def load(folders: Folders) -> tuple[list[Scene], list[Scene]]:
        train = simulated.load_scenes([1000], cache, years=(2021,), size=256)
        return train, simulated.load_scenes([5000], cache, years=(2021,), size=256)

    def run(folder: Path, **options: Any) -> Run:
        settings = {"load": load, "stages": (Stage(1.0, 64, 2),), "network": "dl", "validate_every": 2}
        names = {f.name for f in dataclasses.fields(Recipe)}
        settings |= {name: options.pop(name) for name in list(options) if name in names and name != "steps"}
        recipe = dataclasses.replace(RECIPES["2m"], **settings)
        return Run(recipe, Folders(folder / "cache", folder), folder / "out", **{"steps": 2, **options})

    return run


def test_run_writes_weights_and_a_card_the_engine_can_use(tmp_path: Path, toy: Callable[..., Run]) -> None:
    run = toy(tmp_path, network="se-cot-dl", by_class=0.25, loss="focal-dice", weighted_loss=True)
    weights = run.train()
    _, card = checkpoint.load(weights)
    assert weights.stat().st_size < 20e6
    load_engine(ModelCard.read(weights.with_suffix(".json")), "cpu")
    assert card["bands"] == ["B", "G", "R", "N"]
    assert card["tile"] == 64
    assert 0 <= card["metrics"]["validation"]["miou_foreground"] <= 1
    assert card["training"]["steps"] == 2
    assert card["training"]["processes"] == 1
    assert card["encoder_weights"] == {"source": "none"}
    assert card["code"]["torch"] == torch.__version__
    assert card["code"]["minegis"].startswith(__version__)
    assert card["recipe"]["loss"] == "focal-dice"
    assert card["recipe"]["sampling"]["photometry"]["noise"] == 0.03
    assert card["data"]["train"]["scenes"] == 1
    assert card["data"]["train"]["sha256"] != card["data"]["validation"]["sha256"]
    assert card["temperature"] == card["calibration"]["temperature"]
    assert card["calibration"]["pixels"] <= 16 * 500
    assert card["calibration"]["after"]["nll"] <= card["calibration"]["before"]["nll"]
    assert curves(run.folder)["miou_foreground"][0][0] == 2


def test_what_an_earlier_run_left_is_not_overwritten(tmp_path: Path, toy: Callable[..., Run]) -> None:
    weights = toy(tmp_path).train()
    before = weights.read_bytes()
    with pytest.raises(TrainingError, match="E-TRN-08"):
        toy(tmp_path).train()
    assert weights.read_bytes() == before
    toy(tmp_path, anew=True, seed=9).train()
    assert checkpoint.load_card(weights)["training"]["seed"] == 9
    assert [step for step, _ in curves(tmp_path / "cache" / "se-cot-dl-mnv2-2m")["loss"]] == [1, 2]


def test_a_stopped_run_goes_on_and_another_one_does_not_take_its_place(tmp_path: Path, toy: Callable[..., Run]) -> None:
    toy(tmp_path / "whole", steps=4).train()
    stopped = toy(tmp_path / "parts", steps=4, should_stop=lambda: True)
    with pytest.raises(JobCancelledError):
        stopped.train()
    assert not stopped.weights.exists()
    with pytest.raises(TrainingError, match="E-TRN-04"):
        toy(tmp_path / "parts", steps=4, resume=True, seed=5).train()
    toy(tmp_path / "parts", steps=4, resume=True).train()
    whole, parts = (checkpoint.load(tmp_path / part / "out" / "se-cot-dl-mnv2-2m")[0] for part in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_auxiliary_heads_are_trained_too(tmp_path: Path, toy: Callable[..., Run]) -> None:
    run = toy(tmp_path, network="pspnet", switches={"auxiliary": True}, steps=1)
    _, card = checkpoint.load(run.train())
    assert card["network"] == {
        "name": "pspnet",
        "backbone": "mobilenetv2",
        "in_channels": 4,
        "classes": 8,
        "switches": {"auxiliary": True},
    }


def test_absent_data_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = train.main(["--recipe", "10m", "--data", str(tmp_path), "--cache", str(tmp_path), "--lang", "zh"])
    assert status == 2
    shown = capsys.readouterr().err
    assert "E-TRN-09" in shown
    assert str(tmp_path / "tailings_s2" / "scenes.csv") in shown
    assert "找不到训练数据" in shown


def test_absent_device_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--recipe", "10m", "--device", "cuda:77", "--lang", "en"]) == 2
    assert "E-TRN-07" in capsys.readouterr().err


def test_the_command_needs_no_settings() -> None:
    command = [sys.executable, "manage.py", "train", "--help"]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("SECRET_KEY", "DEBUG", "DATABASE_URL")
    }
    root = Path(__file__).resolve().parents[3]
    shown = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True, timeout=120)
    assert "--recipe" in shown.stdout
