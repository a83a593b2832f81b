"""The networks against their published definitions and parameter counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from landdamage.networks import build
from landdamage.networks.aggregation import TAPS
from landdamage.networks.backbones import widen_stem
from landdamage.networks.cot import CoT
from landdamage.networks.pspnet import AuxiliaryLoss, _bins
from landdamage.networks.senetv2 import SaE
from tests.fixtures.formulas import literal_aggregate


def millions(network: nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6


def test_cot_equals_its_definition_step_by_step() -> None:
    torch.manual_seed(0)
    block = CoT(16).double().eval()
    x = torch.randn(2, 16, 6, 5, dtype=torch.float64)
    static = block.key(x)
    logits = block.embed(torch.cat([x, static], dim=1))
    grouped = logits.reshape(2, 2, -1)  # two maps, each normalised over its nine weights and all pixels
    normal = (grouped - grouped.mean(-1, keepdim=True)) / (grouped.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    attention = normal.reshape(2, 2, TAPS, 6, 5)
    dynamic = block.dynamic(literal_aggregate(attention, block.value(x)))
    s = block.fuse((static + dynamic).mean((2, 3), keepdim=True))
    to_dynamic, to_static = s[:, 0::2].exp(), s[:, 1::2].exp()
    expected = (to_dynamic * dynamic + to_static * static) / (to_dynamic + to_static)
    assert torch.allclose(block(x), expected, atol=1e-12)


def test_cot_has_the_published_size_and_refuses_odd_widths() -> None:
    with torch.device("meta"):
        assert millions(CoT(256)) == pytest.approx(0.417, rel=0.01)
    with pytest.raises(ValueError, match="divisible by 8"):
        CoT(20)


def test_sae_is_x_times_one_plus_the_excitation() -> None:
    torch.manual_seed(0)
    block = SaE(304).double()
    x = torch.randn(2, 304, 5, 7, dtype=torch.float64)
    z = x.mean((2, 3))
    weights, biases = block.squeeze.weight.chunk(4), block.squeeze.bias.chunk(4)
    assert weights[0].shape == (304 // 16, 304)
    branches = [(z @ w.T + b).clamp(min=0) for w, b in zip(weights, biases, strict=True)]
    s = torch.sigmoid(torch.cat(branches, 1) @ block.excite.weight.T + block.excite.bias)
    assert torch.allclose(block(x), x + x * s[:, :, None, None], atol=1e-12)
    assert sum(p.numel() for p in block.parameters()) == 46_588


def test_switches_off_are_plain_deeplab() -> None:
    with torch.device("meta"):
        keys = {name: set(build(name).state_dict()) for name in ("dl", "cot-dl", "se-dl", "se-cot-dl")}
    assert keys["dl"] < keys["cot-dl"] < keys["se-cot-dl"]
    assert keys["dl"] < keys["se-dl"] < keys["se-cot-dl"]
    assert keys["cot-dl"] | keys["se-dl"] == keys["se-cot-dl"]


@pytest.mark.parametrize("backbone", ["mobilenetv2", "resnet50", "squeezenet"])
@pytest.mark.parametrize("stride", [16, 8])
def test_any_size_and_four_bands(backbone: str, stride: int) -> None:
    network = build("se-cot-dl", backbone, 4, output_stride=stride).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 4, 97, 64)).shape == (1, 8, 97, 64)
        low, high = network.backbone(torch.randn(1, 4, 64, 96))
    assert low.shape[2:] == (16, 24)
    assert high.shape[2:] == (64 // stride, 96 // stride)


def test_padding_leaves_sizes_that_fit_alone() -> None:
    torch.manual_seed(0)
    network = build("dl", in_channels=3).eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        padded = torch.nn.functional.pad(x[..., :57, :50], (0, 14, 0, 7), mode="reflect")
        assert torch.equal(network(x[..., :57, :50]), network(padded)[..., :57, :50])


PEERS = [("fcn", "mobilenetv2"), ("unet", "mobilenetv2"), ("unet", "squeezenet"), ("unet-64", None), ("pspnet", None)]


@pytest.mark.parametrize(("name", "backbone"), PEERS)
@pytest.mark.parametrize("channels", [3, 4])
def test_peers_take_any_size_too(name: str, backbone: str | None, channels: int) -> None:
    network = build(name, backbone, channels).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, channels, 97, 64)).shape == (1, 8, 97, 64)


@pytest.mark.parametrize(("name", "backbone"), [("se-cot-dl", None), ("dl", "squeezenet"), *PEERS])
def test_first_loss_is_that_of_a_coin_with_eight_sides(name: str, backbone: str | None) -> None:
    torch.manual_seed(0)
    network = build(name, backbone).train()
    loss = nn.functional.cross_entropy(network(torch.randn(2, 4, 64, 64)), torch.randint(0, 8, (2, 64, 64)))
    assert loss.item() == pytest.approx(math.log(8), abs=0.05)


def test_widened_stem_keeps_three_bands_meaningful() -> None:
    stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
    wide = widen_stem(stem, 4)
    grey = torch.rand(1, 1, 8, 8)
    assert torch.allclose(wide(grey.expand(1, 4, 8, 8)), stem(grey.expand(1, 3, 8, 8)), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "switches"),
    [
        (("segnet",), {}),
        (("dl", "vgg"), {}),
        (("dl", "vgg16"), {}),  # it has no output stride of 16
        (("fcn", "squeezenet"), {}),  # it has no map at 1/32
        (("unet-64", "resnet50"), {}),
        (("unet", "none"), {}),
        (("pspnet",), {"output_stride": 32}),
        (("pspnet",), {"auxiliary": "yes"}),
        (("dl", "mobilenetv2", 2), {}),
        (("dl",), {"cot_at": "here"}),
        (("dl",), {"decoder_convs": 3}),
        (("dl",), {"output_stride": 32}),
    ],
)
def test_unknown_names_and_values_are_refused(arguments: tuple[object, ...], switches: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not one of|at least 3"):
        build(*arguments, **switches)  # type: ignore[arg-type]


def test_the_auxiliary_head_speaks_in_training_only() -> None:
    torch.manual_seed(0)
    network, x, target = build("pspnet", auxiliary=True), torch.randn(2, 4, 57, 40), torch.randint(0, 8, (2, 57, 40))
    loss = AuxiliaryLoss(nn.functional.cross_entropy)
    both = network.train()(x)
    assert [tuple(part.shape) for part in both] == [(2, 8, 57, 40)] * 2
    main, auxiliary = (nn.functional.cross_entropy(part, target) for part in both)
    assert torch.allclose(loss(both, target), main + 0.4 * auxiliary)
    loss(both, target).backward()
    assert all(p.grad is not None for p in network.auxiliary_classifier.parameters())
    alone = network.eval()(x)
    assert torch.equal(loss(alone, target), nn.functional.cross_entropy(alone, target))


@pytest.mark.parametrize(("height", "size"), [(16, 6), (7, 3), (5, 6)])
def test_bins_as_products_are_the_pooling(height: int, size: int) -> None:
    x = torch.randn(2, 3, height, height + 4, dtype=torch.float64)
    rows, columns = (_bins(n, size).double() for n in x.shape[-2:])
    assert torch.allclose(rows @ x @ columns.T, nn.functional.adaptive_avg_pool2d(x, size), atol=1e-7)
