"""A shared batch norm of one process is a batch norm: values, gradients, running statistics, names."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from minegis.training.norms import SharedBatchNorm, share_norms


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("affine", [True, False])
def test_it_is_a_batch_norm(momentum: float | None, affine: bool) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=momentum, affine=affine))
    shared = copy.deepcopy(plain)
    parameters = list(shared.parameters())
    shared = share_norms(shared, torch.device("cpu"))
    assert isinstance(shared[1], SharedBatchNorm)
    assert all(a is b for a, b in zip(parameters, shared.parameters(), strict=True))
    assert plain.state_dict().keys() == shared.state_dict().keys()
    for _ in range(3):
        x = torch.randn(5, 3, 6, 6) * 3 + 100
        target = torch.randn(5, 4, 6, 6)
        for network in (plain, shared):
            network.zero_grad()
            (network(x) * target).sum().backward()
        for a, b in zip(plain.parameters(), shared.parameters(), strict=True):
            assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-3)
        for a, b in zip(plain.state_dict().values(), shared.state_dict().values(), strict=True):
            assert torch.allclose(a, b, rtol=1e-4)
    assert torch.allclose(plain.eval()(x), shared.eval()(x), atol=1e-5)
