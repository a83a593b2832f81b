"""Half precision where it can be trusted."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn


def depthwise_in_single_precision(model: nn.Module) -> None:
    """Let every depthwise convolution of a network compute in float32 under autocast on a CPU, in place.

    The bfloat16 gradient of dilated depthwise weights reads memory nobody wrote (torch 2.13.0 on a CPU, seen in a
    MobileNetV2 of output stride 16): it differs from call to call, by four powers of ten or into NaN when the block of
    memory was in use before. They are a hundredth of the arithmetic, so the price is small.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.forward = partial(_single_precision, module)  # type: ignore[method-assign]


def _single_precision(convolution: nn.Conv2d, inputs: Tensor) -> Tensor:
    with torch.autocast(inputs.device.type, enabled=False):
        return nn.Conv2d.forward(convolution, inputs.float())
