"""Evaluation: area errors by damage kind, a readable table, figures kept in the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from landdamage.imagery.radiometry import Stretch
from landdamage.learning import evaluate, simulated
from landdamage.learning.scenes import Scene
from landdamage.networks import build
from minegis.training import checkpoint


def test_area_errors_follow_the_damage_kinds() -> None:
    matrix = np.zeros((8, 8), np.int64)
    matrix[7, 7], matrix[7, 0] = 90, 10  # a tenth of the pit is missed
    matrix[5, 5], matrix[0, 5] = 100, 20  # a fifth too much stockpile
    matrix[2, 2], matrix[2, 7] = 10, 5  # water taken for a pit
    errors = evaluate.area_errors(matrix)
    assert errors["excavation"] == pytest.approx(-0.05)
    assert errors["occupation"] == pytest.approx(0.2)
    assert errors["subsidence"] is None


class Bright(torch.nn.Module):
    """Takes what is bright for tailings (class 6), the rest for background."""

    def __init__(self) -> None:
        super().__init__()
        self.place = torch.nn.Parameter(torch.zeros(1))  # says where the network lies

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(x), 8, *x.shape[2:])
        scores[:, 6] = x[:, 0]
        return scores


def test_tailings_are_scored_by_masks_that_know_nothing_else() -> None:
    pixels = np.full((1, 64, 64), 50.0)
    pixels[:, :, :32] = 250.0  # found as tailings
    labels = np.zeros((64, 64), np.uint8)
    labels[16:48, :] = 1  # half of it is found, and as much is found beside it
    labels[:16, 32:] = 255
    valid = np.ones(labels.shape, bool)
    valid[60:] = False
    stretch = Stretch.from_pixels(pixels, valid)
    scenes = [Scene("a", "a", pixels, labels, valid, stretch, 10.0)] * 2
    scores = evaluate.tailings_on_masks(Bright(), {"tile": 64}, scenes)
    right, missed, false = 32 * 32, 32 * 32, 28 * 32
    assert scores == {
        "iou": pytest.approx(right / (right + missed + false), abs=1e-4),
        "recall": pytest.approx(0.5),
        "precision": pytest.approx(right / (right + false), abs=1e-4),
    }


def test_figures_go_to_table_and_card(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = {"name": "dl", "backbone": "mobilenetv2", "in_channels": 4, "classes": 8, "switches": {}}
    card = {"network": network, "tile": 128, "temperature": 1.0, "metrics": {"validation": {}}}
    weights = tmp_path / "net.safetensors"
    checkpoint.save(weights, build("dl").state_dict(), card)
    scenes = simulated.load_scenes([9000], tmp_path, years=(2021,), size=256)
    loaded, card = evaluate.load_network(weights)
    result = evaluate.evaluate(loaded, card, scenes)
    assert result["regions"] == 1
    assert result["pixels"] == (scenes[0].labels != 255).sum()
    rows = evaluate.table(result).splitlines()
    assert len(rows) == len(result["per_class"]) + 7
    assert len(np.unique(scenes[0].labels)) - 1 == len(result["per_class"])
    evaluate.keep(weights, card, "test", {"on": "district 9000", **result})
    _, kept = checkpoint.load(weights)
    assert kept["metrics"]["test"]["on"] == "district 9000"
    assert kept["metrics"]["test"]["miou_foreground"] == result["miou_foreground"]
    assert "validation" in kept["metrics"]
