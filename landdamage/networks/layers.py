"""Small pieces the blocks share."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBNReLU(nn.Sequential):
    """Convolution k×k without bias (padding keeps the size) + batch norm + ReLU: (N,Ci,H,W) -> (N,Co,H,W)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(
                channels_in, channels_out, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False
            ),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


class SeparableConvBNReLU(nn.Sequential):
    """Depthwise 3×3 then pointwise 1×1, batch norm, ReLU: (N,Ci,H,W) -> (N,Co,H,W)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3, dilation: int = 1) -> None:
        super().__init__(
            nn.Conv2d(
                channels_in,
                channels_in,
                kernel,
                padding=dilation * (kernel // 2),
                dilation=dilation,
                groups=channels_in,
                bias=False,
            ),
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )


def at_least_float32(x: Tensor) -> Tensor:
    """Lift half precision to float32 where statistics over a whole tile would lose digits; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def resize(x: Tensor, like: Tensor) -> Tensor:
    """Bilinear interpolation to the height and width of ``like`` (never by a fixed factor, so odd sizes work)."""
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def dilate(stage: nn.Module, rate: int) -> None:
    """Let a stage keep its size: every convolution gets stride 1 and the dilation that restores what it saw."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            reach = module.kernel_size[0] // 2 * rate
            module.stride, module.dilation, module.padding = (1, 1), (rate, rate), (reach, reach)


def kaiming(module: nn.Module, mode: Literal["fan_in", "fan_out"] = "fan_in") -> None:
    """He initialisation of every convolution inside; biases start at zero."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and not part.weight.is_meta:  # torch would load its compiler to draw nothing
            nn.init.kaiming_normal_(part.weight, mode=mode, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def score_conv(channels: int, classes: int) -> nn.Conv2d:
    """The 1×1 convolution that ends a network, with near-equal scores at the start: the first loss is ln(classes)."""
    conv = nn.Conv2d(channels, classes, 1)
    if not conv.weight.is_meta:
        nn.init.normal_(conv.weight, std=0.01)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has one
    return conv


def check(switch: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a value that a switch does not have.

    Raises:
        ValueError: it has no such value.
    """
    if value not in allowed:
        raise ValueError(f"{switch}={value!r} is not one of {allowed}")
