"""Checkpoints: what is written is read, what was tampered with is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from minegis.errors import ModelError
from minegis.training import checkpoint

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "net.safetensors"
    checkpoint.save(path, STATE, {"name": "net", "limits": "知道"})
    return path


def test_round_trip(saved: Path) -> None:
    state, card = checkpoint.load(saved)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[k], STATE[k]) for k in STATE)
    assert (card["name"], card["limits"]) == ("net", "知道")
    assert sorted(p.name for p in saved.parent.iterdir()) == ["net.json", "net.safetensors"]


def test_half_precision_touches_floats_only(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "net", STATE, {}, dtype=torch.float16)
    state, _ = checkpoint.load(tmp_path / "net")
    assert state["a.weight"].dtype == torch.float16
    assert state["a.count"].dtype == torch.int64


def test_tampered_weights_are_refused(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(bytes(content))
    with pytest.raises(ModelError) as refused:
        checkpoint.load(saved)
    assert refused.value.code == "E-MOD-03"


def test_anything_but_safetensors_is_refused(saved: Path) -> None:
    import hashlib
    import pickle

    content = pickle.dumps({"a": 1})
    saved.write_bytes(content)
    card = json.loads(saved.with_suffix(".json").read_text("utf-8"))
    card["weights_sha256"] = hashlib.sha256(content).hexdigest()
    saved.with_suffix(".json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)


@pytest.mark.parametrize("card", [None, "{", "[]", "{}"])
def test_missing_or_broken_card_is_refused(saved: Path, card: str | None) -> None:
    if card is None:
        saved.with_suffix(".json").unlink()
    else:
        saved.with_suffix(".json").write_text(card, "utf-8")
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)


def test_missing_weights_are_refused(saved: Path) -> None:
    saved.unlink()
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)
