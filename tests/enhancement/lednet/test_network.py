"""The network beside its definition: sizes, cost, attention row by row, gradients, learning."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from enhancement.lednet.blocks import AxialAttention, AxialBlock, ChannelNorm, SelectiveFusion
from enhancement.lednet.network import SIZES, LEDNet, build, cost
from minegis.errors import ModelError

# Parameters in millions; GFLOP of convolutions and of attention at 256² and 512² (the models' notes, B.4 and B.5).
STATED = {
    "T": (1.216, (4.9, 1.5), (19.8, 11.8)),
    "S": (4.030, (15.7, 2.7), (62.9, 21.7)),
    "B": (7.232, (31.6, 5.8), (126, 46.2)),
}


@pytest.mark.parametrize("size", SIZES)
def test_parameters_and_operations_are_those_stated(size):
    parameters, *operations = STATED[size]
    for side, (convolution, attention) in zip((256, 512), operations, strict=True):
        found = cost(LEDNet(size), side, side)
        assert found.parameters / 1e6 == pytest.approx(parameters, rel=0.01)
        assert found.convolution_flop / 1e9 == pytest.approx(convolution, rel=0.01, abs=0.06)
        assert found.attention_flop / 1e9 == pytest.approx(attention, rel=0.01, abs=0.06)


def attend_literally(layer, x):
    """Axial attention line by line, head by head, token by token, in float64."""
    n, c, h, w = x.shape
    heads, d = layer.heads, c // layer.heads
    weights, bias = (t.detach().double().numpy() for t in (layer.qkv.weight.flatten(1), layer.qkv.bias))
    values = np.einsum("oc,nchw->nohw", weights, x.double().numpy()) + bias[:, None, None]
    q, k, v = values[:, :c], values[:, c : 2 * c], values[:, 2 * c :]
    mixed = np.zeros((n, c, h, w))
    for picture in range(n):
        for line in range(w if layer.axis == "height" else h):
            at = (picture, slice(None), slice(None), line) if layer.axis == "height" else (picture, slice(None), line)
            for head in range(heads):
                own = slice(head * d, (head + 1) * d)
                for token in range(h if layer.axis == "height" else w):
                    scores = q[at][own][:, token] @ k[at][own] / math.sqrt(d)
                    shares = np.exp(scores - scores.max())
                    mixed[at][own][:, token] = v[at][own] @ (shares / shares.sum())
    out, out_bias = (t.detach().double().numpy() for t in (layer.out.weight.flatten(1), layer.out.bias))
    return np.einsum("oc,nchw->nohw", out, mixed) + out_bias[:, None, None]


@pytest.mark.parametrize("axis", ["height", "width"])
def test_attention_equals_the_literal_loop(axis):
    torch.manual_seed(0)
    layer, x = AxialAttention(8, 2, axis), torch.randn(2, 8, 5, 7)
    with torch.no_grad():
        np.testing.assert_allclose(layer(x).numpy(), attend_literally(layer, x), atol=1e-6)


def test_a_pixel_sees_its_row_and_column_only():
    torch.manual_seed(0)
    layer, x = AxialAttention(8, 1, "height"), torch.randn(1, 8, 6, 6, requires_grad=True)
    layer(x)[0, :, 2, 3].sum().backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    assert seen[:, 3].all()
    assert seen.sum() == 6


def test_attention_is_sharpened_on_longer_axes_only():
    layer = AxialAttention(8, 2, "width", trained=64)
    assert layer.scale(32) == layer.scale(64) == 0.5
    assert layer.scale(256) == pytest.approx(0.5 * math.log(256) / math.log(64))


def test_norm_and_fusion_follow_their_formulas():
    torch.manual_seed(0)
    x = torch.randn(2, 16, 3, 4)
    normal = ChannelNorm(16)(x)
    assert torch.allclose(normal.mean(1), torch.zeros(2, 3, 4), atol=1e-6)
    assert torch.allclose(normal.var(1, unbiased=False), torch.ones(2, 3, 4), atol=1e-4)
    fusion, y = SelectiveFusion(16), torch.randn(2, 16, 3, 4)
    one, two = fusion.first(x), fusion.second(y)
    z = fusion.squeeze((one + two).mean((2, 3), keepdim=True))
    shares = torch.softmax(torch.stack([weigh(z) for weigh in fusion.weigh]), 0)
    assert torch.allclose(fusion(x, y), shares[0] * one + shares[1] * two, atol=1e-6)


def test_an_untrained_network_returns_its_input_and_a_small_one_in_training():
    network, x = LEDNet("T"), torch.rand(1, 3, 24, 32)
    full, small = network.train()(x)
    assert torch.equal(full, x)
    assert small.shape == (1, 3, 3, 4)
    assert torch.allclose(small, torch.nn.functional.avg_pool2d(x, 8))
    assert torch.equal(network.eval()(x), x)


def test_every_weight_gets_a_gradient():
    torch.manual_seed(0)
    network = LEDNet("T")
    torch.nn.init.normal_(network.last.weight, std=0.1)
    torch.nn.init.normal_(network.side.weight, std=0.1)
    full, small = network(torch.rand(2, 3, 32, 32))
    (full.square().mean() + small.square().mean()).backward()
    # The bias of the keys moves all scores of a softmax alike, and so has none by its nature.
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_the_gradient_of_a_block_is_that_of_its_differences():
    torch.manual_seed(0)
    block = AxialBlock(4, 2).double()
    x = torch.randn(1, 4, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(block, x, fast_mode=True)


def test_two_pictures_are_learned_by_heart():
    torch.manual_seed(0)
    network = LEDNet("T")
    dark, bright = torch.rand(2, 3, 16, 16) * 0.2, torch.rand(2, 3, 16, 16)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = (network(dark)[0] - bright).abs().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize("switches", [{"mixer": "convolution"}, {"fusion": "sum"}, {"side_head": False}])
def test_variants_for_comparisons_run(switches):
    network = LEDNet("T", **switches).train()
    out = network(torch.rand(1, 3, 16, 16))
    assert isinstance(out, torch.Tensor) == (switches == {"side_head": False})


@pytest.mark.parametrize(
    "described",
    [
        None,
        [],
        {"name": "other"},
        {"name": "lednet", "size": "XXL"},
        {"name": "lednet", "size": "T", "switches": {"k": 1}},
    ],
)
def test_a_card_of_no_such_network_is_refused(described):
    with pytest.raises(ModelError) as refused:
        build({"name": "x", "network": described})
    assert refused.value.code == "E-MOD-07"
