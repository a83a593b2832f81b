"""DeepLabV3+ (Chen et al. 2018) with places for a CoT block and a SENetV2 block."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from landdamage.networks.backbones import Backbone
from landdamage.networks.cot import CoT
from landdamage.networks.layers import ConvBNReLU, SeparableConvBNReLU, check, kaiming, resize, score_conv
from landdamage.networks.segmenter import Segmenter
from landdamage.networks.senetv2 import SaE

CotPlace = Literal["none", "aspp_out", "backbone_out", "aspp_branch"]
SaePlace = Literal["none", "concat", "low"]
Separable = Literal["none", "aspp", "all"]

WIDTH = 256
LOW_WIDTH = 48
RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: 1×1, three dilated 3×3, image pooling, an optional CoT branch; projected to 256.

    (N,C,h,w) -> (N,256,h,w). The pooled branch normalises over N×1×1, so training needs a batch of at least two.
    """

    def __init__(self, channels: int, rates: tuple[int, int, int], separable: bool, cot_branch: bool) -> None:
        super().__init__()
        conv = SeparableConvBNReLU if separable else ConvBNReLU
        self.branches = nn.ModuleList(
            [ConvBNReLU(channels, WIDTH, 1), *(conv(channels, WIDTH, 3, dilation=rate) for rate in rates)]
        )
        self.pool = ConvBNReLU(channels, WIDTH, 1)
        if cot_branch:
            self.branches.append(nn.Sequential(ConvBNReLU(channels, WIDTH, 1), CoT(WIDTH)))
        self.project = nn.Sequential(ConvBNReLU((len(self.branches) + 1) * WIDTH, WIDTH, 1), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,h,w) -> (N,256,h,w)."""
        pooled = self.pool(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return self.project(torch.cat([*(branch(x) for branch in self.branches), pooled], dim=1))


class DeepLabV3Plus(Segmenter):
    """(N,C,H,W) float -> logits (N,classes,H,W).

    Args:
        backbone: a name of ``backbones.BODIES``.
        in_channels: bands of the input, 3 or more.
        classes: classes out.
        cot_at: where the CoT block sits: after the ASPP's projection, before the ASPP, as its sixth branch, or nowhere.
        sae_at: where the SENetV2 block sits: on the concatenation, on the low-level map, or nowhere.
        decoder_convs: 3×3 convolutions of the decoder, 1 or 2.
        separable: which 3×3 convolutions are depthwise separable.
        output_stride: 16 or 8.

    Raises:
        ValueError: a switch has no such value.
    """

    def __init__(
        self,
        backbone: str = "mobilenetv2",
        in_channels: int = 4,
        classes: int = 8,
        *,
        cot_at: CotPlace = "none",
        sae_at: SaePlace = "none",
        decoder_convs: int = 1,
        separable: Separable = "none",
        output_stride: int = 16,
    ) -> None:
        super().__init__()
        check("cot_at", cot_at, ("none", "aspp_out", "backbone_out", "aspp_branch"))
        check("sae_at", sae_at, ("none", "concat", "low"))
        check("separable", separable, ("none", "aspp", "all"))
        check("decoder_convs", decoder_convs, (1, 2))
        check("output_stride", output_stride, tuple(RATES))
        self.multiple = output_stride
        self.backbone = Backbone(backbone, in_channels, output_stride)
        high, low = self.backbone.high_channels, self.backbone.low_channels
        self.cot_before = CoT(high) if cot_at == "backbone_out" else nn.Identity()
        self.aspp = ASPP(high, RATES[output_stride], separable != "none", cot_at == "aspp_branch")
        self.cot_after = CoT(WIDTH) if cot_at == "aspp_out" else nn.Identity()
        self.low = ConvBNReLU(low, LOW_WIDTH, 1)
        self.sae_low = SaE(LOW_WIDTH, reduction=4) if sae_at == "low" else nn.Identity()
        self.sae = SaE(WIDTH + LOW_WIDTH) if sae_at == "concat" else nn.Identity()
        conv = SeparableConvBNReLU if separable == "all" else ConvBNReLU
        self.decoder = nn.Sequential(
            conv(WIDTH + LOW_WIDTH, WIDTH, 3), *(conv(WIDTH, WIDTH, 3) for _ in range(decoder_convs - 1))
        )
        for part in (self.cot_before, self.aspp, self.cot_after, self.low, self.decoder):
            kaiming(part)
        self.classifier = score_conv(WIDTH, classes)

    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> logits (N,classes,H/4,W/4)."""
        low, high = self.backbone(x)
        context = self.cot_after(self.aspp(self.cot_before(high)))
        detail = self.sae_low(self.low(low))
        merged = self.sae(torch.cat([resize(context, detail), detail], dim=1))
        return self.classifier(self.decoder(merged))
