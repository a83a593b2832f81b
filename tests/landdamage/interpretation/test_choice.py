"""Which engine runs: what is named, what began, what was measured; and what the cache may and may not change."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landdamage.interpretation import ModelCard, choice, choose_engine, conversion, load_engine
from landdamage.interpretation.engine import KINDS
from minegis.errors import ModelError

ROOT = Path(__file__).resolve().parents[3]
LARGE = choice.PIXELS_WORTH_A_MEASUREMENT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a process that remembers nothing."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MINEGIS_CACHE", str(folder))
    monkeypatch.setattr(choice, "_measured", {})
    conversion._converted.cache_clear()
    return folder


def files(folder: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"eager": 1.0, "onnxruntime": 0.8, "openvino": 0.4}, "openvino"),
        ({"eager": 1.0, "onnxruntime": 0.7, "openvino": 0.8}, "onnxruntime"),
        ({"eager": 1.0, "onnxruntime": 0.95}, "eager"),  # no tenth gained
        ({"eager": 1.0, "openvino": 3.0}, "eager"),
        ({"eager": 1.0}, "eager"),
    ],
)
def test_the_fastest_wins_if_it_gains_a_tenth(seconds: dict[Any, float], expected: str) -> None:
    assert choice.fastest(seconds) == expected


def test_a_small_scene_costs_no_conversion(cache: Path, random_model: Callable[..., Path]) -> None:
    card = ModelCard.read(random_model())
    assert choose_engine(card, device="cpu", pixels=LARGE - 1) == "eager"
    assert files(cache) == []


def test_a_large_scene_is_worth_one_measurement(cache: Path, random_model: Callable[..., Path]) -> None:
    card = ModelCard.read(random_model())
    first = choose_engine(card, device="cpu", pixels=LARGE)
    assert first in KINDS
    assert files(cache) == ["model.onnx", "model.sha256", "speeds"]
    (record,) = cache.rglob("speeds-*.json")
    speeds = json.loads(record.read_text())["seconds_per_window"]
    assert set(speeds) == set(KINDS)
    # From now on the record decides, also for small scenes and in other processes.
    record.write_text(json.dumps({"seconds_per_window": {"eager": 9.0, "onnxruntime": 1.0}}))
    assert choose_engine(card, device="cpu") == first
    choice._measured.clear()
    assert choose_engine(card, device="cpu") == "onnxruntime"
    (record.parent / "model.onnx").write_bytes(b"damaged")
    conversion._converted.cache_clear()
    assert load_engine(card, "cpu", "onnxruntime").kind == "onnxruntime"
    assert len((record.parent / "model.onnx").read_bytes()) > 1_000_000


@pytest.mark.parametrize("content", ["", "[]", '{"seconds_per_window": {"eager": "x"}}', '{"seconds_per_window": {}}'])
def test_a_record_that_cannot_be_read_is_none(cache: Path, random_model: Callable[..., Path], content: str) -> None:
    card = ModelCard.read(random_model())
    path = choice._speed_file(card)
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert choice.known_speeds(card) is None
    assert choose_engine(card, device="cpu") == "eager"


def test_other_weights_or_another_machine_are_measured_anew(
    cache: Path, random_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = ModelCard.read(random_model())
    choice._remember(card, {"eager": 9.0, "openvino": 1.0})
    assert choose_engine(card, device="cpu") == "openvino"
    other = ModelCard.read(random_model("other", spread=2000.0))
    assert other.weights_sha256 != card.weights_sha256
    assert choice.known_speeds(other) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "63")
    assert choice.known_speeds(card) is None


def test_what_is_named_is_taken_or_refused(cache: Path, random_model: Callable[..., Path]) -> None:
    card = ModelCard.read(random_model())
    choice._remember(card, {"eager": 9.0, "openvino": 1.0})
    assert choose_engine(card, wanted="onnxruntime") == "onnxruntime"
    assert choose_engine(card, device="cuda") == "eager"
    with pytest.raises(ModelError, match="E-MOD-14"):
        choose_engine(card, wanted="fastest")


def test_without_a_cache_everything_works_and_is_kept_in_the_process(
    tmp_path: Path, random_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINEGIS_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(choice, "_measured", {})
    conversion._converted.cache_clear()
    card = ModelCard.read(random_model())
    choice._remember(card, {"eager": 9.0, "onnxruntime": 1.0})
    assert choose_engine(card, device="cpu") == "onnxruntime"
    first = conversion.converted(card)
    assert conversion.converted(card) is first


def test_a_converted_model_spares_the_process_torch(cache: Path, random_model: Callable[..., Path]) -> None:
    """Importing it takes longer than a small scene; nothing is converted by an import either."""
    path = random_model()
    conversion.converted(ModelCard.read(path))
    choice._remember(ModelCard.read(path), {"eager": 9.0, "openvino": 1.0})
    script = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from landdamage.interpretation import ModelCard, choose_engine, load_engine\n"
        "card = ModelCard.read(Path(sys.argv[1]))\n"
        "engine = load_engine(card, 'cpu', choose_engine(card))\n"
        "engine.probabilities(numpy.zeros((1, 4, 64, 64), numpy.float32))\n"
        "print(engine.kind, 'torch' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["openvino", "False"]


def test_an_engine_that_computes_something_else_is_not_used(
    cache: Path, random_model: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    card = ModelCard.read(random_model())
    wrong = ModelCard.read(random_model("wrong", spread=-3000.0))
    content = conversion.convert(wrong)  # in the place of the right one, and with the right hash
    folder = conversion.model_folder(card)
    assert folder is not None
    conversion.keep(folder / "model.onnx", content)
    conversion.keep(folder / "model.sha256", hashlib.sha256(content).hexdigest().encode())
    seconds = choice.measure(card)
    assert set(seconds) == {"eager"}
    assert np.isfinite(seconds["eager"])
    assert "differs from torch" in caplog.text
