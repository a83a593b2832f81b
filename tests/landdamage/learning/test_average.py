"""The mean of trainings: computed exactly, judged, described in its card, refused where it makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from landdamage.learning import simulated
from landdamage.learning.average import average, mean_of
from landdamage.networks import build
from minegis.errors import ModelError
from minegis.training import checkpoint

CARD = {
    "name": "net",
    "version": "1",
    "network": {"name": "dl", "backbone": "mobilenetv2", "in_channels": 4, "classes": 8, "switches": {}},
    "tile": 128,
    "temperature": 1.0,
    "metrics": {"validation": {"miou_foreground": 1.0}},
}


def test_mean_is_computed_in_single_precision_and_counters_are_kept() -> None:
    a = {"w": torch.tensor([60000.0, 1.0], dtype=torch.float16), "n": torch.tensor(3)}
    b = {"w": torch.tensor([60000.0, 2.0], dtype=torch.float16), "n": torch.tensor(5)}
    mean = mean_of({"a": a, "b": b})
    assert mean["w"].tolist() == [60000.0, 1.5]  # the sum would overflow half precision
    assert mean["n"].item() == 3


def test_result_is_judged_and_says_what_it_is_made_of(tmp_path: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        state = build("dl").state_dict()
        checkpoint.save(tmp_path / f"{seed}.safetensors", state, {**CARD, "training": {"seed": seed}})
    scenes = simulated.load_scenes([9000], tmp_path, years=(2021,), size=256)
    paths = [tmp_path / "0.safetensors", tmp_path / "1.safetensors"]
    average(paths, tmp_path / "mean.safetensors", scenes, "2")
    state, card = checkpoint.load(tmp_path / "mean.safetensors")
    assert card["version"] == "2"
    assert [part["training"]["seed"] for part in card["training"]["mean_of"]] == [0, 1]
    assert card["metrics"]["validation"]["miou_foreground"] < 1  # judged anew, not taken over
    assert card["temperature"] == card["calibration"]["temperature"]
    name = next(iter(state))
    first, second = (checkpoint.load(path)[0][name] for path in paths)
    assert torch.allclose(state[name].float(), (first + second) / 2, atol=1e-3)


def test_weights_of_different_networks_are_refused(tmp_path: Path) -> None:
    for name in ("dl", "se-dl"):
        checkpoint.save(tmp_path / f"{name}.safetensors", build(name).state_dict(), CARD)
    with pytest.raises(ModelError) as caught:
        average([tmp_path / "dl.safetensors", tmp_path / "se-dl.safetensors"], tmp_path / "mean.safetensors", [])
    assert caught.value.code == "E-MOD-07"
    assert not (tmp_path / "mean.safetensors").exists()
