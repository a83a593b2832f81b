"""A training killed with SIGKILL goes on from its saved state and ends with the very bits of an undisturbed one."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from minegis.training.journal import curves

ROOT = Path(__file__).resolve().parents[2]


def process(folder: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "tests.fixtures.tiny_training", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=120).returncode


def test_killed_training_resumes_to_the_same_bits(tmp_path: Path) -> None:
    assert process(tmp_path / "parts", "--kill-at", "7") == -signal.SIGKILL
    assert not (tmp_path / "parts" / "end.safetensors").exists()
    (tmp_path / "parts" / "state.pt.partial").write_bytes(b"half a state")
    assert process(tmp_path / "parts", "--resume", "--whole", str(tmp_path / "whole")) == 0
    ends = [(tmp_path / part / "end.safetensors") for part in ("whole", "parts")]
    whole, resumed = (safetensors.torch.load_file(end) for end in ends)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert {safetensors.safe_open(end, "pt").metadata()["best"] for end in ends} == {"6"}
    assert [step for step, _ in curves(tmp_path / "parts")["loss"]] == list(range(1, 13))
    assert curves(tmp_path / "whole")["loss"] == curves(tmp_path / "parts")["loss"]
