"""``manage.py export_model``: a file other programs can run, and coded errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from django.core.management import CommandError, call_command

from landdamage.interpretation import ModelCard, export_cli
from landdamage.interpretation.eager import load_network

ROOT = Path(__file__).resolve().parents[3]


def test_a_shipped_model_becomes_a_file_without_settings(tmp_path: Path) -> None:
    """And its logits are those of torch to a thousandth."""
    output = tmp_path / "model.onnx"
    command = [sys.executable, "manage.py", "export_model", "se-cot-dl-mnv2-10m", "-o", output, "--lang", "en"]
    bare = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "windows (n, 3 [B,G,R], 256 x 256) float32 -> logits (n, 8, 256 x 256) float32" in done.stdout
    assert done.stderr == ""
    network = load_network(ModelCard.read(ROOT / "landdamage" / "weights" / "se-cot-dl-mnv2-10m.json"))
    session = onnxruntime.InferenceSession(output, providers=["CPUExecutionProvider"])
    windows = np.random.default_rng(0).normal(size=(2, 3, 256, 256)).astype(np.float32)
    with torch.inference_mode():
        expected = network(torch.from_numpy(windows)).numpy()
    (found,) = session.run(["logits"], {"windows": windows})
    assert np.abs(found - expected).max() <= 1e-3
    assert expected.std() > 1


@pytest.mark.parametrize(
    ("model", "output", "code"), [("absent", "x.onnx", "E-MOD-01"), ("", "no/file.onnx", "E-OUT-01")]
)
def test_what_goes_wrong_has_a_code(
    model: str, output: str, code: str, tmp_path: Path, random_model: Callable[..., Path], capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "no").touch()
    target = str(tmp_path / output)
    assert export_cli.main([model or str(random_model()), "-o", target, "--lang", "zh"]) == 2
    assert f"错误 {code}" in capsys.readouterr().err


def test_django_s_command_is_the_same(tmp_path: Path, random_model: Callable[..., Path]) -> None:
    call_command("export_model", str(random_model()), "-o", str(tmp_path / "m.onnx"))
    assert (tmp_path / "m.onnx").stat().st_size > 1_000_000
    with pytest.raises(CommandError) as caught:
        call_command("export_model", "absent", "-o", str(tmp_path / "x.onnx"))
    assert caught.value.returncode == 2
