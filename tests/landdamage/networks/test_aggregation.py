"""CoT's local aggregation: its forms against the formula written out, their gradients, and each other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from landdamage.networks import aggregation
from landdamage.networks.aggregation import TAPS, aggregate, aggregate_loop
from tests.fixtures.formulas import literal_aggregate


def inputs(shape: tuple[int, int, int, int], *, whole: bool = False) -> tuple[Tensor, Tensor]:
    """Kernels and values in float64 of (N, M, H, W); ``whole`` numbers have no rounding to excuse a difference."""
    torch.manual_seed(0)
    n, maps, height, width = shape
    attention, value = torch.randn(n, maps, TAPS, height, width), torch.randn(n, 8 * maps, height, width)
    if whole:
        attention, value = (10 * attention).round(), (10 * value).round()
    return attention.double(), value.double()


@pytest.mark.parametrize("form", [aggregate, aggregate_loop])
@pytest.mark.parametrize("shape", [(2, 2, 4, 5), (1, 3, 1, 7), (1, 1, 3, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_equals_the_formula_to_the_last_bit(form, shape, layout: torch.memory_format) -> None:  # type: ignore[no-untyped-def]
    attention, value = inputs(shape, whole=True)
    value = value.contiguous(memory_format=layout)
    found = form(attention, value)
    assert torch.equal(found, literal_aggregate(attention, value))
    if form is aggregate and value.numel() > 8 * value.shape[-1]:
        assert found.stride() == value.stride()


@pytest.mark.parametrize("form", [aggregate, aggregate_loop])
def test_has_the_right_gradient(form) -> None:  # type: ignore[no-untyped-def]
    attention, value = (x.requires_grad_() for x in inputs((1, 2, 3, 4)))
    assert torch.autograd.gradcheck(form, (attention, value))


def test_both_forms_have_the_same_gradient_in_half_precision() -> None:
    grads = []
    for form in (aggregate, aggregate_loop):
        attention, value = (x.bfloat16().requires_grad_() for x in inputs((1, 4, 8, 8)))
        (form(attention, value) ** 2).sum().backward()
        grads.append((attention.grad, value.grad))
    for ours, plain in zip(*grads, strict=True):
        assert ours is not None
        assert torch.allclose(ours, plain, rtol=0.05, atol=0.5)


def test_the_loop_can_be_compiled_with_equal_result_and_gradient() -> None:
    """What runs on CUDA is this graph; the backend here needs no compiler."""
    compiled = torch.compile(aggregate_loop, dynamic=True, backend="aot_eager")
    ours, plain = (tuple(x.requires_grad_() for x in inputs((1, 2, 5, 6))) for _ in range(2))
    for form, pair in ((compiled, ours), (aggregate_loop, plain)):
        (form(*pair) ** 2).sum().backward()
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: the compiled form cannot run")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_form_for_cuda_equals_the_loop(dtype: torch.dtype) -> None:
    results = []
    for form in (aggregate, aggregate_loop):
        attention, value = (x.to("cuda", dtype).requires_grad_() for x in inputs((2, 32, 33, 20)))
        out = form(attention, value)
        (out.float() ** 2).sum().backward()
        results.append((out, attention.grad, value.grad))
    assert aggregation._fused.usable
    for ours, plain in zip(*results, strict=True):
        assert torch.allclose(ours, plain, rtol=0.05 if dtype is torch.bfloat16 else 1e-4, atol=0.1)
