"""Small pieces the blocks share."""

from __future__ import annotations

import torch
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
