"""Weights from elsewhere: read where they are tensors, refused with a code where they are anything else."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from minegis.errors import ModelError
from minegis.training import foreign

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


@pytest.mark.parametrize("kind", ["safetensors", "pth", "wrapped", "old"])
def test_what_was_saved_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"net.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        safetensors.torch.save_file(STATE, path)
    else:
        content: Any = {"epoch": 3, "state_dict": STATE} if kind == "wrapped" else STATE
        torch.save(content, path, _use_new_zipfile_serialization=kind != "old")
    state, sha256 = foreign.read_state_dict(path)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)
    assert len(sha256) == 64


class Payload:
    """Unpickled freely, this would run."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize(
    "content",
    [
        "payload", "pickle", "text", "empty", "absent", "folder", "list", "no tensors", "not a name", "sparse",
        "cut short", "cut safetensors", "nothing",
    ],
)  # fmt: skip
def test_hostile_and_broken_files_are_refused(tmp_path: Path, content: str) -> None:
    path, trace = tmp_path / "net.pth", tmp_path / "trace"
    match content:
        case "payload":
            torch.save({"a": Payload(trace)}, path)
        case "pickle":
            path.write_bytes(pickle.dumps({"a": Payload(trace)}))
        case "text":
            path.write_text("not weights")
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "list":
            torch.save([torch.ones(1)], path)
        case "no tensors":
            torch.save({"a": 1}, path)
        case "not a name":
            torch.save({1: torch.ones(1)}, path)
        case "sparse":
            torch.save({"a": torch.eye(2).to_sparse()}, path)
        case "nothing":
            torch.save({}, path)
        case "cut short":
            torch.save(STATE, path)
            path.write_bytes(path.read_bytes()[:-200])
        case "cut safetensors":
            path = tmp_path / "net.safetensors"
            safetensors.torch.save_file(STATE, path)
            path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ModelError) as caught:
        foreign.read_state_dict(path)
    assert caught.value.code == "E-MOD-11"
    assert path.name in caught.value.message("zh")
    assert not trace.exists()


def test_an_archive_that_would_grow_beyond_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data/0", bytes(1 << 20))
    monkeypatch.setattr(foreign, "LARGEST_BYTES", 1 << 16)
    assert path.stat().st_size < 1 << 16
    with pytest.raises(ModelError, match="E-MOD-11"):
        foreign.read_state_dict(path)
