"""The engine: calibrated probabilities, faithful in bfloat16, and refusing weights that are not the card's."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from landdamage.interpretation import EagerEngine, ModelCard, load_engine
from landdamage.networks import build
from minegis.errors import ModelError
from minegis.openvino import cpu_has_bf16
from minegis.training import checkpoint

NETWORK = {"name": "dl", "backbone": "mobilenetv2", "in_channels": 3, "classes": 8, "switches": {}}


def save_model(folder: Path, **changes: Any) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(2)
    card = {
        "name": "random",
        "version": "1",
        "network": NETWORK,
        "bands": ["B", "G", "R"],
        "gsd_m": 2.0,
        "gsd_range_m": [1, 4],
        "tile": 64,
        "normalisation": "percentile-2-98",
        "temperature": 1.0,
        **changes,
    }
    checkpoint.save(folder / "random.safetensors", build("dl", in_channels=3).state_dict(), card)
    return folder / "random.json"


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 96, 96)).astype(np.float32)


def test_probabilities_sum_to_one_and_follow_the_temperature(tmp_path: Path, windows: np.ndarray) -> None:
    engine = load_engine(ModelCard.read(save_model(tmp_path)), "cpu")
    found = engine.probabilities(windows)
    assert (found.shape, found.dtype) == ((2, 8, 96, 96), np.float32)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    (tmp_path / "t").mkdir()
    softer = load_engine(ModelCard.read(save_model(tmp_path / "t", temperature=2.0)), "cpu").probabilities(windows)
    root = np.sqrt(found)
    np.testing.assert_allclose(softer, root / root.sum(axis=1, keepdims=True), atol=1e-4)


def test_bfloat16_agrees_with_float32(tmp_path: Path, windows: np.ndarray) -> None:
    """Random weights spread the logits little, so this is harder than for trained ones."""
    card = ModelCard.read(save_model(tmp_path))
    network = build("dl", in_channels=3)
    network.load_state_dict(checkpoint.load(card.path)[0])
    exact = EagerEngine(card, network, "cpu", bf16=False).probabilities(windows)
    fast = EagerEngine(card, network, "cpu", bf16=True).probabilities(windows)
    np.testing.assert_allclose(fast, exact, atol=0.02)
    assert (fast.argmax(axis=1) == exact.argmax(axis=1)).mean() > 0.97


def test_a_mirrored_card_averages_each_window_with_its_mirror_image(tmp_path: Path, windows: np.ndarray) -> None:
    card = ModelCard.read(save_model(tmp_path))
    once, both = (load_engine(one, "cpu") for one in (card, dataclasses.replace(card, mirrored=True)))
    expected = (once.probabilities(windows) + once.probabilities(windows[..., ::-1].copy())[..., ::-1]) / 2
    np.testing.assert_allclose(both.probabilities(windows), expected, atol=1e-6)
    assert np.abs(expected - once.probabilities(windows)).max() > 1e-4  # the network is not symmetrical
    np.testing.assert_allclose(both.probabilities(windows[..., ::-1].copy())[..., ::-1], expected, atol=1e-6)


def test_the_engine_names_what_computed(tmp_path: Path) -> None:
    card = ModelCard.read(save_model(tmp_path))
    network = build("dl", in_channels=3)
    assert EagerEngine(card, network, "cpu", bf16=False).name == f"torch {torch.__version__}, cpu, float32"
    assert EagerEngine(card, network, "cpu", bf16=True).name.endswith("bfloat16")


class Overflowing(torch.nn.Module):
    """Not a number wherever autocast is on; with ``always`` in single precision too."""

    def __init__(self, *, always: bool) -> None:
        super().__init__()
        self.always = always

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        logits = windows.new_zeros(len(windows), 8, *windows.shape[2:])
        if self.always or torch.is_autocast_enabled("cpu"):
            logits[0, 3, 5, 5] = torch.nan
        return logits


def test_a_passing_fault_of_half_precision_never_becomes_background(tmp_path: Path, windows: np.ndarray) -> None:
    card = ModelCard.read(save_model(tmp_path))
    found = EagerEngine(card, Overflowing(always=False), "cpu", bf16=True).probabilities(windows)
    np.testing.assert_allclose(found, 1 / 8)
    with pytest.raises(ModelError, match="E-MOD-06"):
        EagerEngine(card, Overflowing(always=True), "cpu", bf16=True).probabilities(windows)


@pytest.mark.parametrize("fault", ["weights", "missing", "network"])
def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path, fault: str) -> None:
    changes = {"network": {**NETWORK, "in_channels": 4}} if fault == "network" else {}
    path = save_model(tmp_path, **changes)
    weights = path.with_suffix(".safetensors")
    if fault == "weights":
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    if fault == "missing":
        weights.unlink()
    with pytest.raises(ModelError) as caught:
        load_engine(ModelCard.read(path), "cpu")
    assert caught.value.code == ("E-MOD-07" if fault == "network" else "E-MOD-03")


def test_bfloat16_is_used_where_the_cpu_has_it(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("flags : fpu avx512f avx512_bf16 amx_bf16\n")
    assert cpu_has_bf16(info)
    info.write_text("flags : fpu avx2\n")
    assert not cpu_has_bf16(info)
    assert not cpu_has_bf16(tmp_path / "absent")
