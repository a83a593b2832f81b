"""The local matrix multiplication inside CoT: every pixel gathers its 3×3 neighbours with a kernel of its own.

D[c,y,x] = Σ_j A[c mod M, j, y, x] · V[c, y+dy_j, x+dx_j], zero padding, taps row-major: j = (dy+1)·3 + (dx+1).

Three forms of it: :func:`aggregate_loop` adds nine shifted products with ordinary operations, so that it can be traced,
exported and compiled; a function with a gradient of its own does the same in place, without the nine full-size
gradients that autograd would add up; on CUDA a compiled form fuses the loop into one kernel.
"""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

KERNEL = 3
TAPS = KERNEL * KERNEL
SHARE = 8  # channels served by one attention map, interleaved: map m serves m, m + M, ..., m + 7M


def aggregate(attention: Tensor, value: Tensor) -> Tensor:
    """The formula above, in the form that suits the device.

    Args:
        attention: (N, M, 9, H, W), kernels; M maps.
        value: (N, C, H, W) with C = 8·M, of the same type.

    Returns:
        (N, C, H, W), in the memory layout of ``value``.
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return aggregate_loop(attention, value)
    if value.is_cuda and _fused.usable:
        return _fused(attention, value)
    return _Aggregate.apply(attention, value)


def aggregate_loop(attention: Tensor, value: Tensor) -> Tensor:
    """The sum of nine shifted products; beyond its result it needs the padded values only, not nine copies of them."""
    padded = F.pad(value, (1, 1, 1, 1)).unflatten(1, (SHARE, -1))
    out = attention[:, None, :, 0] * padded[_shifted(0, value)]
    for tap in range(1, TAPS):
        out = torch.addcmul(out, attention[:, None, :, tap], padded[_shifted(tap, value)])
    return out.flatten(1, 2)


def _shifted(tap: int, like: Tensor) -> tuple[Any, ...]:
    """Where in the padded map the neighbours at ``tap`` of all pixels lie."""
    dy, dx = divmod(tap, KERNEL)
    height, width = like.shape[-2:]
    return (..., slice(dy, dy + height), slice(dx, dx + width))


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, attention: Tensor, value: Tensor) -> Tensor:  # type: ignore[override]
        last = value.is_contiguous(memory_format=torch.channels_last) and not value.is_contiguous()
        # Rows of pixels side by side: with channels side by side every tap would stride through the kernels.
        attention, padded = attention.contiguous(), F.pad(value.contiguous(), (1, 1, 1, 1))
        ctx.save_for_backward(attention, padded)
        shares = padded.unflatten(1, (SHARE, -1))
        out = attention[:, None, :, 0] * shares[_shifted(0, value)]
        for tap in range(1, TAPS):
            out.addcmul_(attention[:, None, :, tap], shares[_shifted(tap, value)])
        out = out.flatten(1, 2)
        return out.contiguous(memory_format=torch.channels_last) if last else out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        attention, padded = ctx.saved_tensors
        shares, grad = padded.unflatten(1, (SHARE, -1)), grad.contiguous().unflatten(1, (SHARE, -1))
        to_attention, to_padded = torch.empty_like(attention), torch.zeros_like(shares)
        for tap in range(TAPS):
            there = _shifted(tap, grad)
            to_padded[there].addcmul_(attention[:, None, :, tap], grad)
            to_attention[:, :, tap] = (grad * shares[there]).sum(1)
        return to_attention, to_padded.flatten(1, 2)[..., 1:-1, 1:-1]


class _Fused:
    """The loop compiled for CUDA at its first use; where that fails, it says so once and is not tried again."""

    def __init__(self) -> None:
        self.usable = True

    def __call__(self, attention: Tensor, value: Tensor) -> Tensor:
        try:
            return compiled_loop()(attention, value)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            self.usable = False
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            warnings.warn(f"CoT runs in its uncompiled form on CUDA: {reason}", RuntimeWarning, stacklevel=2)
            return _Aggregate.apply(attention, value)


_fused = _Fused()


@cache
def compiled_loop() -> Any:
    """:func:`aggregate_loop` through torch.compile, for any size; compilation happens at the first call."""
    return torch.compile(aggregate_loop, dynamic=True)
