"""FCN-8s (Long, Shelhamer and Darrell 2015): class scores at 1/32, 1/16 and 1/8, added on the way up."""

from __future__ import annotations

from torch import Tensor, nn

from landdamage.networks.backbones import Backbone
from landdamage.networks.layers import resize, score_conv
from landdamage.networks.segmenter import Segmenter


class FCN8s(Segmenter):
    """(N,C,H,W) float -> logits (N,classes,H,W); ×2, ×2 and ×8 are bilinear.

    Args:
        backbone: ``mobilenetv2``, ``resnet50``, ``resnet101``, or ``vgg16`` as in the paper.
        in_channels: bands of the input, 3 or more.
        classes: classes out.

    Raises:
        ValueError: the backbone has no map at 1/32.
    """

    multiple = 32

    def __init__(self, backbone: str = "mobilenetv2", in_channels: int = 4, classes: int = 8) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, in_channels, 32)
        if len(self.backbone.channels) < 5:
            raise ValueError(f"backbone {backbone!r} is not one of those with a map at 1/32")
        self.heads = nn.ModuleList(score_conv(channels, classes) for channels in self.backbone.channels[2:])

    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> logits (N,classes,H/8,W/8)."""
        eighth, sixteenth, last = (
            head(features) for head, features in zip(self.heads, self.backbone.pyramid(x)[2:], strict=True)
        )
        sixteenth = sixteenth + resize(last, sixteenth)
        return eighth + resize(sixteenth, eighth)
