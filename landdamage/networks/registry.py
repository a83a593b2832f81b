"""Networks by name: the four of the ablation (plain, with CoT, with SENetV2, with both) and their peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import nn

from landdamage.networks.deeplabv3plus import DeepLabV3Plus
from landdamage.networks.fcn import FCN8s
from landdamage.networks.pspnet import PSPNet
from landdamage.networks.unet import UNet, UNet64

NETWORKS: MappingProxyType[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "dl": partial(DeepLabV3Plus, cot_at="none", sae_at="none"),
        "cot-dl": partial(DeepLabV3Plus, cot_at="aspp_out", sae_at="none"),
        "se-dl": partial(DeepLabV3Plus, cot_at="none", sae_at="concat"),
        "se-cot-dl": partial(DeepLabV3Plus, cot_at="aspp_out", sae_at="concat"),
        "fcn": FCN8s,
        "unet": UNet,
        "unet-64": UNet64,
        "pspnet": PSPNet,
    }
)


def default_backbone(name: str) -> str:
    """The encoder a network gets when none is named: ``none`` where it has its own."""
    return "none" if name == "unet-64" else "mobilenetv2"


def build(name: str, backbone: str | None = None, in_channels: int = 4, classes: int = 8, **switches: Any) -> nn.Module:
    """A network with random weights, mapping (N,in_channels,H,W) float to logits (N,classes,H,W).

    Args:
        name: ``dl``, ``cot-dl``, ``se-dl``, ``se-cot-dl`` (DeepLabV3+), ``fcn``, ``unet``, ``unet-64`` or ``pspnet``.
        backbone: ``mobilenetv2``, ``resnet50``, ``resnet101`` or ``squeezenet`` (not for ``fcn``, which takes
            ``vgg16``); ``unet-64`` has its own encoder and takes ``none``. None is ``mobilenetv2``, or ``none``.
        in_channels: bands of the input, 3 or more.
        classes: classes out.
        switches: keyword arguments of the network's class; they override those of the name (e.g. ``cot_at``).

    Raises:
        ValueError: unknown name, backbone or value of a switch.
        TypeError: unknown switch.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is not one of {sorted(NETWORKS)}")
    return NETWORKS[name](backbone or default_backbone(name), in_channels, classes, **switches)
