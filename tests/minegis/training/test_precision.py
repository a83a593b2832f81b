"""Depthwise convolutions keep float32 under autocast, and with it a gradient that is the same every time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from minegis.training.precision import depthwise_in_single_precision


def _gradient(network: nn.Module, inputs: Tensor) -> Tensor:
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(inputs)
    outputs.float().square().mean().backward()  # type: ignore[no-untyped-call]
    (weight,) = network.parameters()
    assert weight.grad is not None
    return weight.grad.clone()


def test_gradient_is_that_of_single_precision() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(64, 64, 3, padding=2, dilation=2, groups=64, bias=False))
    inputs = torch.randn(2, 64, 32, 32).contiguous(memory_format=torch.channels_last)
    network(inputs).square().mean().backward()
    (weight,) = network.parameters()
    assert weight.grad is not None
    exact = weight.grad.clone()
    depthwise_in_single_precision(network)
    for _ in range(5):
        assert torch.equal(_gradient(network, inputs), exact)


def test_other_convolutions_stay_in_half_precision() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 8, 1))
    depthwise_in_single_precision(network)
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.randn(1, 8, 9, 9)).dtype is torch.bfloat16


def test_weights_keep_their_names() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8))
    names = list(network.state_dict())
    depthwise_in_single_precision(network)
    assert list(network.state_dict()) == names
