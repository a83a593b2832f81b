"""U-Net (Ronneberger, Fischer and Brox 2015), as published but padded, and as a decoder on a named backbone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landdamage.networks.backbones import Backbone
from landdamage.networks.layers import ConvBNReLU, check, kaiming, resize, score_conv
from landdamage.networks.segmenter import Segmenter

WIDTHS = (64, 128, 256, 512, 1024)
DECODER_WIDTHS = (256, 128, 64, 32, 16)


def _two_convs(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(ConvBNReLU(channels_in, channels_out, 3), ConvBNReLU(channels_out, channels_out, 3))


class UNet64(Segmenter):
    """(N,C,H,W) float -> logits (N,classes,H,W): five levels of 64 to 1024 channels, two padded 3×3 each.

    Args:
        backbone: ``none``: it has its own encoder.
        in_channels: bands of the input.
        classes: classes out.
    """

    multiple = 16

    def __init__(self, backbone: str = "none", in_channels: int = 4, classes: int = 8) -> None:
        super().__init__()
        check("backbone", backbone, ("none",))
        self.down = nn.ModuleList(
            _two_convs(lower, width) for lower, width in zip((in_channels, *WIDTHS[:-1]), WIDTHS, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.rise = nn.ModuleList(nn.ConvTranspose2d(width, width // 2, 2, 2) for width in WIDTHS[:0:-1])
        self.up = nn.ModuleList(_two_convs(width, width // 2) for width in WIDTHS[:0:-1])
        kaiming(self)
        self.classifier = score_conv(WIDTHS[0], classes)

    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> logits (N,classes,H,W)."""
        skips: list[Tensor] = []
        for level, convs in enumerate(self.down):
            x = convs(x if level == 0 else self.pool(x))
            skips.append(x)
        for skip, rise, convs in zip(skips[-2::-1], self.rise, self.up, strict=True):
            x = convs(torch.cat([skip, rise(x)], dim=1))
        return self.classifier(x)


class UNet(Segmenter):
    """(N,C,H,W) float -> logits (N,classes,H,W): the decoder of a U-Net on a backbone's pyramid.

    Every step up is bilinear to the size of the next finer map, which is concatenated, then two 3×3; the last step,
    from 1/2 to the full size, has nothing to concatenate. Widths are 256, 128, 64, 32, 16.

    Args:
        backbone: ``mobilenetv2``, ``resnet50``, ``resnet101`` or ``squeezenet``.
        in_channels: bands of the input, 3 or more.
        classes: classes out.

    Raises:
        ValueError: no such backbone.
    """

    multiple = 32

    def __init__(self, backbone: str = "mobilenetv2", in_channels: int = 4, classes: int = 8) -> None:
        super().__init__()
        check("backbone", backbone, ("mobilenetv2", "resnet50", "resnet101", "squeezenet"))
        self.backbone = Backbone(backbone, in_channels, 32)
        *skips, channels = self.backbone.channels
        widths = DECODER_WIDTHS[-len(skips) - 1 :]
        blocks = []
        for skip, width in zip((*skips[::-1], 0), widths, strict=True):
            blocks.append(_two_convs(channels + skip, width))
            channels = width
        self.blocks = nn.ModuleList(blocks)
        for block in self.blocks:
            kaiming(block)
        self.classifier = score_conv(channels, classes)

    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> logits (N,classes,H,W)."""
        *skips, y = self.backbone.pyramid(x)
        for block, skip in zip(self.blocks, skips[::-1], strict=False):
            y = block(torch.cat([resize(y, skip), skip], dim=1))
        return self.classifier(self.blocks[-1](resize(y, x)))
