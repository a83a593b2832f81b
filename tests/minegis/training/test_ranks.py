"""Two processes train as one: same batch, shared norms, averaged gradients, one log."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from minegis.errors import TrainingError
from minegis.training.journal import curves
from minegis.training.ranks import Ranks, find_device, joined
from tests.fixtures import tiny_training

ROOT = Path(__file__).resolve().parents[3]


def two_processes(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "tests.fixtures.tiny_training", str(folder), "--dropout", "0", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=200, capture_output=True, text=True)


def test_two_processes_equal_one_and_resume_to_the_same_bits(tmp_path: Path) -> None:
    """Batch 4 in one process and 2 × 2 in two: the norms see all four items, so the weights agree up to rounding."""
    killed = two_processes(tmp_path / "parts", "--kill-at", "7")
    assert killed.returncode != 0
    assert not (tmp_path / "parts" / "end.safetensors").exists()
    assert [step for step, _ in curves(tmp_path / "parts")["loss"]] == list(range(1, 8))
    resumed = two_processes(tmp_path / "parts", "--resume", "--whole", str(tmp_path / "two"))
    assert resumed.returncode == 0, resumed.stderr
    tiny_training.train(tmp_path / "one", Ranks(), dropout=0)
    one, two, parts = (
        safetensors.torch.load_file(tmp_path / part / "end.safetensors") for part in ("one", "two", "parts")
    )
    assert all(torch.equal(two[name], parts[name]) for name in two)
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), rtol=1e-3, atol=1e-5), name
    entries = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [e["step"] for e in entries if "loss" in e] == list(range(1, 13))  # one process logs


def test_a_batch_is_shared_out_whole() -> None:
    shares = [list(Ranks(rank, 3).share(6)) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(6))
    with pytest.raises(TrainingError, match="E-TRN-06"):
        Ranks(0, 4).share(6)


def test_alone_without_torchrun() -> None:
    with joined("cpu") as ranks:
        assert (ranks.rank, ranks.count, ranks.main, ranks.device.type) == (0, 1, True, "cpu")
        assert ranks.any([True, False]) == [True, False]
        assert ranks.from_main(2.5) == 2.5


@pytest.mark.parametrize("name", ["tpu", "cuda:99", "meta", ""])
def test_absent_devices_are_named(name: str) -> None:
    with pytest.raises(TrainingError, match="E-TRN-07"):
        find_device(name)
