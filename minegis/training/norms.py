"""Batch norms that take their statistics over the batch of all processes, not of each alone.

On CUDA this is torch's own ``SyncBatchNorm``; that one refuses CPU tensors, so CPUs get the same in plain collectives.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

Norm = nn.modules.batchnorm._BatchNorm


class _SumOverProcesses(torch.autograd.Function):
    """Sum over the processes; the gradient of a sum that every process uses is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total


class SharedBatchNorm(Norm):
    """Batch norm over all processes: (N,C,...) -> the same shape. In eval mode it is an ordinary one.

    Mean first, then the mean squared distance from it: the difference of two large sums would lose digits.
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.ndim < 2:
            raise ValueError(f"expected at least 2 dimensions, got {x.ndim}")

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,...) -> (N,C,...)."""
        if not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        dtype, x = x.dtype, x.float()
        axes = [0, *range(2, x.ndim)]
        shape = [1, -1, *([1] * (x.ndim - 2))]
        count = x.new_full((1,), x.numel() // x.shape[1])
        total = _SumOverProcesses.apply(torch.cat([x.sum(axes), count]))  # type: ignore[no-untyped-call]
        values = total[-1].detach()
        mean = total[:-1] / values
        centred = x - mean.reshape(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(axes)) / values  # type: ignore[no-untyped-call]
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * values / (values - 1).clamp(min=1))
        out = centred * torch.rsqrt(variance + self.eps).reshape(shape)
        if self.affine:
            out = out * self.weight.reshape(shape) + self.bias.reshape(shape)
        return out.to(dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)


def share_norms(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with its batch norms shared among processes; parameters, buffers and names stay the same objects."""
    if device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name, child in model.named_children():
        if isinstance(child, Norm):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum, child.affine)
            for own in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(shared, own, getattr(child, own))
            shared.track_running_stats = child.track_running_stats
            shared.train(child.training)
            setattr(model, name, shared)
        else:
            share_norms(child, device)
    return model
