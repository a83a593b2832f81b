"""SqueezeNet 1.1 feature extractor (Iandola et al. 2016), with torchvision's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landdamage.networks.layers import dilate, kaiming

TAPS = (1, 4, 7, 12)  # features whose maps are the last of their size


class Fire(nn.Module):
    """Squeeze by 1×1, expand by 1×1 and 3×3 side by side: (N,Ci,H,W) -> (N,2·expand,H,W)."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self.squeeze_activation(self.squeeze(x))
        sides = [self.expand1x1_activation(self.expand1x1(x)), self.expand3x3_activation(self.expand3x3(x))]
        return torch.cat(sides, dim=1)


class SqueezeNet(nn.Module):
    """(N,3,H,W) -> maps at 1/2, 1/4, 1/8, 1/16, the last ones no coarser than 1/output_stride.

    It has no batch norm, so it is meant for pretrained weights. Unlike torchvision's its stem and poolings are
    padded by one, so that the maps are exact fractions of the input as those of the other backbones; the filters see
    the same picture 15 pixels further on.

    Args:
        output_stride: 8, or 16 or 32 (the same: it never goes below 1/16).
    """

    channels = (64, 128, 256, 512)

    def __init__(self, output_stride: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, padding=1),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2 if output_stride > 8 else 1, padding=1),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        kaiming(self, mode="fan_in")
        if output_stride < 16:
            dilate(self.features[9:], 16 // output_stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps = []
        for index, module in enumerate(self.features):
            x = module(x)
            if index in TAPS:
                maps.append(x)
        return maps
