"""ResNet-50 and -101 feature extractors (He et al. 2016, stride in the 3×3), with torchvision's parameter names."""

from __future__ import annotations

from types import MappingProxyType

from torch import Tensor, nn

from landdamage.networks.layers import dilate, kaiming

BLOCKS = MappingProxyType({"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)})
EXPANSION = 4


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 with a shortcut: (N,Ci,H,W) -> (N,4·width,H/stride,W/stride)."""

    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out = EXPANSION * width
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            if stride != 1 or channels != out
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNet(nn.Module):
    """(N,3,H,W) -> maps at 1/2, 1/4, 1/8, 1/16, 1/32, the last ones no coarser than 1/output_stride.

    Args:
        name: a key of ``BLOCKS``.
        output_stride: 8, 16 or 32; layers beyond it keep their size and are dilated instead.
    """

    channels = (64, 256, 512, 1024, 2048)

    def __init__(self, name: str, output_stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        channels = 64
        for number, count in enumerate(BLOCKS[name], start=1):
            width = 64 << (number - 1)
            blocks = []
            for index in range(count):
                blocks.append(Bottleneck(channels, width, 2 if index == 0 and number > 1 else 1))
                channels = EXPANSION * width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        kaiming(self, mode="fan_out")
        for module in self.modules():
            if isinstance(module, Bottleneck):
                # A residual branch that starts at zero: shallow at first, it trains from scratch more calmly.
                nn.init.zeros_(module.bn3.weight)
        if output_stride < 32:
            dilate(self.get_submodule("layer4"), 32 // output_stride)
        if output_stride < 16:
            dilate(self.get_submodule("layer3"), 16 // output_stride)

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(maps[0])
        for number in range(1, 5):
            x = self.get_submodule(f"layer{number}")(x)
            maps.append(x)
        return maps
