"""Networks by the names of the ablation: plain, with CoT, with SENetV2, with both."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from torch import nn

from landdamage.networks.deeplabv3plus import DeepLabV3Plus

NETWORKS = MappingProxyType(
    {
        "dl": {"cot_at": "none", "sae_at": "none"},
        "cot-dl": {"cot_at": "aspp_out", "sae_at": "none"},
        "se-dl": {"cot_at": "none", "sae_at": "concat"},
        "se-cot-dl": {"cot_at": "aspp_out", "sae_at": "concat"},
    }
)


def build(
    name: str, backbone: str = "mobilenetv2", in_channels: int = 4, classes: int = 8, **switches: Any
) -> nn.Module:
    """A network with random weights, mapping (N,in_channels,H,W) float to logits (N,classes,H,W).

    Args:
        name: ``dl``, ``cot-dl``, ``se-dl`` or ``se-cot-dl``.
        backbone: ``mobilenetv2`` or ``resnet50``.
        in_channels: bands of the input, 3 or more.
        classes: classes out.
        switches: keyword arguments of :class:`DeepLabV3Plus`; they override those of the name (e.g. ``cot_at``).

    Raises:
        ValueError: unknown name, backbone or value of a switch.
        TypeError: unknown switch.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is not one of {sorted(NETWORKS)}")
    return DeepLabV3Plus(backbone, in_channels, classes, **{**NETWORKS[name], **switches})
