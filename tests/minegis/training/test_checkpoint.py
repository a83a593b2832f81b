"""Checkpoints: what is written is read, what was tampered with is refused."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
from pathlib import Path
from typing import Any

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


def replace(saved: Path, content: bytes) -> None:
    """Put other weights under a card that vouches for them."""
    saved.write_bytes(content)
    card = json.loads(saved.with_suffix(".json").read_text("utf-8"))
    card["weights_sha256"] = hashlib.sha256(content).hexdigest()
    saved.with_suffix(".json").write_text(json.dumps(card), "utf-8")


def framed(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class Trap:
    """Runs code when unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
HOSTILE = {
    "empty": b"",
    "header longer than the file": struct.pack("<Q", 2**63 - 1) + b"{}",
    "header of half a gigabyte": struct.pack("<Q", 2**29) + b"{" + b" " * 100,
    "header that is no JSON": struct.pack("<Q", 4) + b"nope",
    "header nested without end": struct.pack("<Q", 20_000) + b'{"a":' * 4_000,
    "tensor beyond the end": framed({"a": {**TENSOR, "shape": [2**40], "data_offsets": [0, 2**42]}}, b"12345678"),
    "shape that does not fit": framed({"a": {**TENSOR, "shape": [3]}}, b"12345678"),
    "shape that overflows": framed({"a": {**TENSOR, "shape": [2**62, 2**62]}}, b"12345678"),
    "offsets backwards": framed({"a": {**TENSOR, "data_offsets": [8, 0]}}, b"12345678"),
    "unknown type": framed({"a": {**TENSOR, "dtype": "OBJECT"}}, b"12345678"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_weights_are_refused(saved: Path, content: bytes) -> None:
    replace(saved, content)
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)


def test_cut_weights_are_refused_even_under_a_card_that_vouches_for_them(saved: Path) -> None:
    replace(saved, saved.read_bytes()[:-3])
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)


@pytest.mark.parametrize("write", [pickle.dumps, "torch"])
def test_a_pickle_named_safetensors_is_refused_and_not_run(saved: Path, tmp_path: Path, write: Any) -> None:
    mark, buffer = tmp_path / "executed", io.BytesIO()
    if write == "torch":
        torch.save({"a": Trap(mark)}, buffer)
    else:
        buffer.write(write({"a": Trap(mark)}))
    replace(saved, buffer.getvalue())
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)
    assert not mark.exists()


def test_huge_files_are_refused_unread(saved: Path) -> None:
    with saved.open("r+b") as file:
        file.truncate(checkpoint.LARGEST_BYTES + 1)  # a hole, no disk is used
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("dtype", [None, torch.float16])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float, dtype: torch.dtype | None) -> None:
    state = {"a": torch.ones(3), "b.weight": torch.tensor([0.0, value])}
    checkpoint.save(tmp_path / "net", state, {}, dtype=dtype)
    with pytest.raises(ModelError, match=r"b\.weight") as refused:
        checkpoint.load(tmp_path / "net")
    assert refused.value.code == "E-MOD-08"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"weight": torch.zeros(3, 2)}, "weight"),
        ({"weight": torch.zeros(4)}, "weight"),
        ({"more": torch.zeros(1)}, "more"),
        ({"bias": None}, "bias"),
    ],
)
def test_weights_of_another_network_are_refused(change: dict[str, torch.Tensor | None], named: str) -> None:
    network = torch.nn.Linear(2, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = {name: torch.zeros(value.shape) for name, value in before.items()} | change
    with pytest.raises(ModelError, match=named) as refused:
        checkpoint.fit(network, {name: value for name, value in state.items() if value is not None}, "net")
    assert refused.value.code == "E-MOD-07"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_fitting_weights_are_taken_and_widened() -> None:
    network = torch.nn.Linear(2, 2)
    checkpoint.fit(network, {"weight": torch.ones(2, 2, dtype=torch.float16), "bias": torch.ones(2)}, "net")
    assert network.weight.dtype == torch.float32
    assert network.weight.sum() == 4


def test_a_card_nested_without_end_is_refused(saved: Path) -> None:
    saved.with_suffix(".json").write_text("[" * 200_000)
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load_card(saved)


def test_a_huge_card_is_refused_unread(saved: Path) -> None:
    with saved.with_suffix(".json").open("r+b") as file:
        file.truncate(checkpoint.LARGEST_CARD_BYTES + 1)
    with pytest.raises(ModelError, match="E-MOD-03"):
        checkpoint.load_card(saved)


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
