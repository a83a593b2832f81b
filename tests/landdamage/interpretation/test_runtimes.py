"""Converted models: the same probabilities as torch, whatever the network, and repeatable to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from landdamage.interpretation import ModelCard, load_engine
from landdamage.interpretation.conversion import convert
from landdamage.interpretation.eager import load_eager, load_network
from landdamage.interpretation.engine import softmax
from landdamage.interpretation.runtimes import OnnxRuntimeEngine
from landdamage.networks import build
from landdamage.networks.export import to_onnx
from minegis.errors import ModelError
from minegis.openvino import cpu_has_bf16

CONVERTED = ["onnxruntime", "openvino"]


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 4, 64, 64)).astype(np.float32)


@pytest.mark.parametrize("kind", CONVERTED)
def test_probabilities_are_those_of_torch(kind, random_model: Callable[..., Path], windows: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    card = ModelCard.read(random_model())
    exact = load_eager(card, "cpu", bf16=False).probabilities(windows)
    engine = load_engine(card, "cpu", kind)
    found = engine.probabilities(windows)
    assert (found.shape, found.dtype, engine.kind, engine.batch) == ((3, 8, 64, 64), np.float32, kind, 1)
    half = kind == "openvino" and cpu_has_bf16()
    assert engine.name.endswith("bfloat16" if half else "float32")
    np.testing.assert_allclose(found, exact, atol=0.1 if half else 1e-3)
    assert np.abs(found - exact).mean() < 5e-3
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    assert exact.max() > 0.5  # else agreement would mean little
    again = load_engine(card, "cpu", kind)
    np.testing.assert_array_equal(again.probabilities(windows), found)
    np.testing.assert_array_equal(np.concatenate([again.probabilities(w[None]) for w in windows]), found)


@pytest.mark.parametrize(
    ("name", "backbone", "switches"),
    [
        ("dl", "squeezenet", {"output_stride": 8}),
        ("se-cot-dl", "mobilenetv2", {"cot_at": "backbone_out", "sae_at": "low", "separable": "all"}),
        ("fcn", "mobilenetv2", {}),
        ("unet", "mobilenetv2", {}),
        ("pspnet", "squeezenet", {"auxiliary": True}),
    ],
)
def test_every_network_converts(name: str, backbone: str, switches: dict[str, object]) -> None:
    """Any number of windows, and a tile no stride divides, which the network itself pads."""
    torch.manual_seed(0)
    network = build(name, backbone, 3, 8, **switches).eval()
    model = to_onnx(network, 3, 72)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        x = torch.randn(count, 3, 72, 72)
        with torch.inference_mode():
            expected = network(x).numpy()
        (found,) = session.run(["logits"], {"windows": x.numpy()})
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(found - expected).max() <= 1e-3 * scale


def test_the_file_says_what_it_is(random_model: Callable[..., Path]) -> None:
    card = ModelCard.read(random_model(window=96))
    model = onnx.load_from_string(convert(card))
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["weights_sha256"] == card.weights_sha256
    assert (facts["bands"], facts["window"], facts["temperature"]) == ("B,G,R,N", "96", "1.5")
    assert facts["classes"].split(",")[7] == "open_pit"
    sides = [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["n", 4, 96, 96]


def test_a_passing_fault_is_computed_again_in_single_precision(
    random_model: Callable[..., Path], windows: np.ndarray
) -> None:
    card = ModelCard.read(random_model())
    spoiled = load_network(card)
    with torch.no_grad():
        spoiled.classifier.bias[3] = torch.nan  # type: ignore[union-attr,index,operator]
    engine = OnnxRuntimeEngine(card, to_onnx(spoiled, 4, 64))
    assert np.isnan(engine._logits(windows)).any()
    expected = load_eager(card, "cpu", bf16=False).probabilities(windows)
    np.testing.assert_array_equal(engine.probabilities(windows), expected)


def test_softmax_follows_the_temperature() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 8, 3, 5)).astype(np.float32) * 90
    expected = torch.from_numpy(logits / 0.7).softmax(dim=1).numpy()
    np.testing.assert_allclose(softmax(logits, 0.7), expected, atol=1e-6)


@pytest.mark.parametrize("kind", CONVERTED)
@pytest.mark.parametrize("fault", ["weights", "missing"])
def test_weights_that_are_not_the_cards_are_refused(kind, fault: str, random_model: Callable[..., Path]) -> None:  # type: ignore[no-untyped-def]
    """Also when a converted model is in the cache."""
    path = random_model()
    card = ModelCard.read(path)
    load_engine(card, "cpu", kind)
    weights = path.with_suffix(".safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    if fault == "missing":
        weights.unlink()
    with pytest.raises(ModelError, match="E-MOD-03"):
        load_engine(card, "cpu", kind)


def test_engines_for_cpus_do_not_pretend_to_be_others(random_model: Callable[..., Path]) -> None:
    card = ModelCard.read(random_model())
    for device, kind in (("cuda", "openvino"), ("cpu", "tensorrt")):
        with pytest.raises(ModelError, match="E-MOD-14"):
            load_engine(card, device, kind)  # type: ignore[arg-type]
