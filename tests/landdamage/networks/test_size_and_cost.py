"""Parameters and operations of every network against the figures of the specification, ±1 %."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from landdamage.networks import build

TWO: dict[str, Any] = {"decoder_convs": 2}
# Name, backbone, switches, millions of parameters, GFLOP (2 per multiply-accumulate) for 3 x 512 x 512 and 8 classes.
FIGURES = [
    ("dl", "resnet50", TWO, 40.349, 138.3),
    ("cot-dl", "resnet50", TWO, 40.766, 139.0),
    ("se-dl", "resnet50", TWO, 40.395, 138.3),
    ("se-cot-dl", "resnet50", TWO, 40.813, 139.0),
    ("se-cot-dl", "resnet50", {}, 40.22, 119.7),
    ("se-cot-dl", "resnet50", TWO | {"cot_at": "backbone_out"}, 66.900, 179.7),
    ("se-cot-dl", "resnet50", TWO | {"cot_at": "aspp_branch"}, 41.403, 140.2),
    ("se-cot-dl", "resnet50", TWO | {"output_stride": 8}, 40.813, 367.6),
    ("dl", "resnet101", TWO, 59.341, 177.1),
    ("dl", "mobilenetv2", TWO, 5.813, 52.5),
    ("se-cot-dl", "mobilenetv2", TWO, 6.277, 53.2),
    ("se-cot-dl", "mobilenetv2", TWO | {"separable": "aspp"}, 4.321, 49.2),
    ("unet-64", "none", {}, 31.04, 386),
    ("pspnet", "resnet50", {}, 46.59, 354),
    ("fcn", "vgg16", {}, 134.3, 222),
]


def measure(name: str, backbone: str, switches: dict[str, Any]) -> tuple[float, float]:
    """Millions of parameters and GFLOP, without computing anything."""
    with torch.device("meta"):
        network = build(name, backbone, 3, 8, **switches).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.empty(1, 3, 512, 512))
    return sum(p.numel() for p in network.parameters()) / 1e6, counter.get_total_flops() / 1e9


@pytest.mark.parametrize(("name", "backbone", "switches", "parameters", "gflop"), FIGURES)
def test_size_and_cost_are_those_of_the_specification(
    name: str, backbone: str, switches: dict[str, Any], parameters: float, gflop: float
) -> None:
    assert measure(name, backbone, switches) == (pytest.approx(parameters, rel=0.01), pytest.approx(gflop, rel=0.01))


@pytest.mark.parametrize("backbone", ["resnet50", "mobilenetv2"])
def test_the_second_decoder_convolution_costs_what_it_should(backbone: str) -> None:
    (two, flops), (one, fewer) = (measure("dl", backbone, {"decoder_convs": n}) for n in (2, 1))
    assert two - one == pytest.approx(0.590, rel=0.01)
    assert flops - fewer == pytest.approx(19.3, rel=0.01)


def test_the_auxiliary_head_costs_nothing_once_trained() -> None:
    plain, extra = (measure("pspnet", "resnet50", {"auxiliary": on}) for on in (False, True))
    assert extra[1] == plain[1]
    assert extra[0] > plain[0]
