"""Encoders by name: an input becomes a detail map at 1/4 and a semantic map at the output stride."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor, nn

from landdamage.networks import _torchvision  # noqa: F401 - must precede smp

# isort: split
import segmentation_models_pytorch as smp
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.models.resnet import Bottleneck

ENCODERS = MappingProxyType({"mobilenetv2": "mobilenet_v2", "resnet50": "resnet50"})


def widen_stem(conv: nn.Conv2d, channels: int) -> nn.Conv2d:
    """A stem for ``channels`` ≥ 3 bands from one of 3: new slices are the mean of the three, all scaled by 3/channels.

    The scale keeps the activations' size, so that weights learned on three bands stay useful.
    """
    wide = nn.Conv2d(channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=False)  # type: ignore[arg-type]
    with torch.no_grad():
        extra = conv.weight.mean(dim=1, keepdim=True).expand(-1, channels - 3, -1, -1)
        wide.weight.copy_(torch.cat([conv.weight, extra], dim=1) * (3 / channels))
    return wide


def _zero_last_norms(encoder: nn.Module) -> None:
    """Start every residual branch at zero: the network begins shallow and trains from scratch more calmly."""
    for block in encoder.modules():
        if isinstance(block, Bottleneck):
            nn.init.zeros_(block.bn3.weight)
        elif isinstance(block, InvertedResidual) and block.use_res_connect:
            nn.init.zeros_(block.conv[-1].weight)


class Backbone(nn.Module):
    """Feature extractor, randomly initialised (nothing is fetched).

    Attributes:
        low_channels: channels of the map at 1/4 (mobilenetv2 24, resnet50 256).
        high_channels: channels of the map at 1/output_stride (mobilenetv2 320, resnet50 2048).
    """

    def __init__(self, name: str, in_channels: int, output_stride: int) -> None:
        super().__init__()
        if name not in ENCODERS:
            raise ValueError(f"backbone {name!r} is not one of {sorted(ENCODERS)}")
        if in_channels < 3:
            raise ValueError(f"at least 3 input channels, got {in_channels}")
        body = smp.encoders.get_encoder(ENCODERS[name], in_channels=3, depth=5, weights=None)
        body.make_dilated(output_stride=output_stride)
        channels = list(body.out_channels)
        if name == "mobilenetv2":
            # The closing 1×1 convolution (320 -> 1280) only serves ImageNet's classifier.
            body.features = body.features[:-1]
            body._out_indexes[-1] = len(body.features) - 1
            channels[-1] = body.features[-1].out_channels
            if in_channels != 3:
                body.features[0][0] = widen_stem(body.features[0][0], in_channels)
        elif in_channels != 3:
            body.conv1 = widen_stem(body.conv1, in_channels)
        _zero_last_norms(body)
        self.body = body
        self.low_channels, self.high_channels = channels[2], channels[-1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N,C,H,W), H and W multiples of the output stride -> maps at 1/4 and at 1/output_stride."""
        features = self.body(x)
        return features[2], features[-1]
