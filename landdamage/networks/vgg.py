"""VGG-16 feature extractor (Simonyan and Zisserman 2015) with the two convolutions FCN makes of its classifier."""

from __future__ import annotations

from torch import Tensor, nn

from landdamage.networks.layers import kaiming

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
CLASSIFIER_WIDTH = 4096


class VGG16(nn.Module):
    """(N,3,H,W) -> maps at 1/2, 1/4, 1/8, 1/16 (after the poolings) and 4096 channels at 1/32.

    Parameter names of ``features`` are torchvision's; ``fc6`` and ``fc7`` are the linear layers as convolutions
    (Long et al. 2015), padded so that the size is kept.

    Args:
        output_stride: 32.
    """

    channels = (64, 128, 256, 512, CLASSIFIER_WIDTH)

    def __init__(self, output_stride: int) -> None:
        super().__init__()
        if output_stride != 32:
            raise ValueError(f"output_stride={output_stride} is not one of (32,) for vgg16")
        layers: list[nn.Module] = []
        channels = 3
        for widths in WIDTHS:
            for width in widths:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Sequential(nn.Conv2d(channels, CLASSIFIER_WIDTH, 7, padding=3), nn.ReLU(inplace=True))
        self.fc7 = nn.Sequential(nn.Conv2d(CLASSIFIER_WIDTH, CLASSIFIER_WIDTH, 1), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout2d(0.5)
        kaiming(self, mode="fan_in")

    def forward(self, x: Tensor) -> list[Tensor]:
        """See the class."""
        maps = []
        for module in self.features:
            x = module(x)
            if isinstance(module, nn.MaxPool2d):
                maps.append(x)
        maps[-1] = self.dropout(self.fc7(self.dropout(self.fc6(x))))
        return maps
