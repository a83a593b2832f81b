"""Encoders by name: an input becomes a pyramid of feature maps, of which DeepLab takes two."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from landdamage.networks.mobilenetv2 import MobileNetV2
from landdamage.networks.resnet import ResNet
from landdamage.networks.squeezenet import SqueezeNet
from landdamage.networks.vgg import VGG16

BODIES: MappingProxyType[str, Callable[[int], nn.Module]] = MappingProxyType(
    {
        "mobilenetv2": MobileNetV2,
        "resnet50": partial(ResNet, "resnet50"),
        "resnet101": partial(ResNet, "resnet101"),
        "squeezenet": SqueezeNet,
        "vgg16": VGG16,
    }
)
_STEMS = MappingProxyType({"mobilenetv2": "features.0.0", "squeezenet": "features.0", "vgg16": "features.0"})


def widen_stem(conv: nn.Conv2d, channels: int) -> nn.Conv2d:
    """A stem for ``channels`` ≥ 3 bands from one of 3: new slices are the mean of the three, all scaled by 3/channels.

    The scale keeps the activations' size, so that weights learned on three bands stay useful.
    """
    bias = conv.bias is not None
    wide = nn.Conv2d(channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, bias=bias)  # type: ignore[arg-type]
    if wide.weight.is_meta:
        return wide
    with torch.no_grad():
        extra = conv.weight.mean(dim=1, keepdim=True).expand(-1, channels - 3, -1, -1)
        wide.weight.copy_(torch.cat([conv.weight, extra], dim=1) * (3 / channels))
        if wide.bias is not None and conv.bias is not None:
            wide.bias.copy_(conv.bias)
    return wide


class Backbone(nn.Module):
    """Feature extractor, randomly initialised (nothing is fetched).

    Args:
        name: a key of ``BODIES``.
        in_channels: bands of the input, 3 or more.
        output_stride: 8, 16 or 32 (``vgg16`` 32 only; ``squeezenet`` stops at 16).

    Attributes:
        channels: of the maps of ``pyramid``.
        low_channels: channels of the map at 1/4 (mobilenetv2 24, resnet 256, squeezenet 128).
        high_channels: channels of the last map (mobilenetv2 320, resnet 2048, squeezenet 512).
        stem_name: path of the first convolution in ``body``.

    Raises:
        ValueError: no such backbone, too few channels, or a stride it does not have.
    """

    def __init__(self, name: str, in_channels: int, output_stride: int) -> None:
        super().__init__()
        if name not in BODIES:
            raise ValueError(f"backbone {name!r} is not one of {sorted(BODIES)}")
        if in_channels < 3:
            raise ValueError(f"at least 3 input channels, got {in_channels}")
        self.name = name
        self.body = BODIES[name](output_stride)
        self.channels: tuple[int, ...] = self.body.channels  # type: ignore[assignment]  # every body has them
        self.low_channels, self.high_channels = self.channels[1], self.channels[-1]
        self.stem_name = _STEMS.get(name, "conv1")
        if in_channels != 3:
            stem = self.body.get_submodule(self.stem_name)
            assert isinstance(stem, nn.Conv2d)
            self.body.set_submodule(self.stem_name, widen_stem(stem, in_channels))

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """(N,C,H,W), H and W multiples of the output stride -> maps at 1/2, 1/4, ..., none coarser than the stride."""
        return self.body(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N,C,H,W), H and W multiples of the output stride -> maps at 1/4 and at 1/output_stride."""
        maps = self.body(x)
        return maps[1], maps[-1]
