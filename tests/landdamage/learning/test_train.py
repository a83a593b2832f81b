"""The whole way at toy size: a network overfits a few tiles; the command writes weights the engine can read."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch

from landdamage.imagery.radiometry import Stretch
from landdamage.learning import simulated
from landdamage.learning.losses import segmentation_loss
from landdamage.learning.metrics import Scores, confusion_matrix
from landdamage.learning.predict import predict_scene
from landdamage.learning.recipes import RECIPES, Folders, Stage
from landdamage.learning.scenes import Scene
from landdamage.learning.train import Run, transfer
from landdamage.networks import build
from minegis.training import checkpoint


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


def test_run_writes_weights_and_a_card_the_engine_can_use(tmp_path: Path) -> None:
    def load(folders: Folders) -> tuple[list[Scene], list[Scene]]:
        train = simulated.load_scenes([1000], folders.cache, years=(2021,), size=256)
        return train, simulated.load_scenes([5000], folders.cache, years=(2021,), size=256)

    recipe = dataclasses.replace(RECIPES["2m"], load=load, stages=(Stage(1.0, 64, 2),))
    run = Run(recipe, Folders(tmp_path / "cache", tmp_path), tmp_path / "out", steps=2)
    weights = run.train()
    state, card = checkpoint.load(weights)
    assert weights.stat().st_size < 20e6
    network = build(
        card["network"]["name"],
        card["network"]["backbone"],
        card["network"]["in_channels"],
        card["network"]["classes"],
        **card["network"]["switches"],
    )
    network.load_state_dict(state)
    assert card["bands"] == ["B", "G", "R", "N"]
    assert card["tile"] == 64
    assert 0 <= card["metrics"]["validation"]["miou_foreground"] <= 1
    assert card["training"]["steps"] == 2


class Colour(torch.nn.Module):
    """Says class k where band k is the brightest."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x * 10, (0, 0, 0, 0, 0, 5), value=-100.0)


def test_windows_of_a_scene_are_joined_in_place() -> None:
    labels = np.kron(np.random.default_rng(0).integers(0, 3, (9, 7)), np.ones((10, 10))).astype(np.uint8)
    pixels = np.stack([(labels == k) * 100.0 for k in range(3)])
    valid = np.ones(labels.shape, bool)
    valid[:5] = False
    scene = Scene("a", "a", pixels, labels, valid, Stretch.from_pixels(pixels), 2.0)
    found = predict_scene(Colour(), scene, tile=32, overlap=8)
    assert (found[5:] == labels[5:]).all()
    assert (found[:5] == 255).all()


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
