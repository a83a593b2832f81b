"""MobileNetV2 feature extractor (Sandler et al. 2018), with torchvision's parameter names."""

from __future__ import annotations

from torch import Tensor, nn

from landdamage.networks.layers import dilate, kaiming

# Expansion, channels, blocks, stride of the first block (table 2 of the paper).
SETTINGS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TAPS = (1, 3, 6, 13, 17)  # features whose maps are the last of their size


class ConvBNReLU6(nn.Sequential):
    """Convolution without bias, batch norm, ReLU6."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU6(inplace=True),
        )


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow; a shortcut where the shape is kept."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        self.shortcut = stride == 1 and channels_in == channels_out
        widen = [ConvBNReLU6(channels_in, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *widen,
            ConvBNReLU6(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N,Ci,H,W) -> (N,Co,H/stride,W/stride)."""
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNetV2(nn.Module):
    """(N,3,H,W) -> maps at 1/2, 1/4, 1/8, 1/16, 1/32, the last ones no coarser than 1/output_stride.

    The closing 1×1 convolution (320 -> 1280) is left out: it serves ImageNet's classifier only.

    Args:
        output_stride: 8, 16 or 32; blocks beyond it keep their size and are dilated instead.
    """

    channels = (16, 24, 32, 96, 320)

    def __init__(self, output_stride: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvBNReLU6(3, 32, 3, 2)]
        channels = 32
        for expansion, out, count, first_stride in SETTINGS:
            for index in range(count):
                layers.append(InvertedResidual(channels, out, first_stride if index == 0 else 1, expansion))
                channels = out
        self.features = nn.Sequential(*layers)
        kaiming(self, mode="fan_out")
        for module in self.modules():
            if isinstance(module, InvertedResidual) and module.shortcut:
                nn.init.zeros_(module.conv[-1].weight)  # type: ignore[arg-type]  # see resnet.py
        if output_stride < 32:
            dilate(self.features[14:], 32 // output_stride)
        if output_stride < 16:
            dilate(self.features[7:14], 16 // output_stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps = []
        for index, module in enumerate(self.features):
            x = module(x)
            if index in TAPS:
                maps.append(x)
        return maps
