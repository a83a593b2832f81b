"""Contextual Transformer block (CoT; Li, Yao, Pan and Mei 2021), kernel 3, in plain torch operations.

A static context (3×3 convolution) and the input yield one 3×3 attention kernel per pixel and map, without softmax; it
gathers the values around the pixel (the dynamic context), and both contexts are fused by a split attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from landdamage.networks.aggregation import KERNEL, SHARE, TAPS, aggregate
from landdamage.networks.layers import at_least_float32


class CoT(nn.Module):
    """Shape-preserving contextual transformer: (N,C,H,W) -> (N,C,H,W), C divisible by 8.

    Group norm and both poolings take statistics over the whole window, so a pixel's output depends on its size:
    judge a network with windows of the size it will read.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % SHARE:
            raise ValueError(f"CoT needs channels divisible by {SHARE}, got {channels}")
        maps = channels // SHARE
        fusion = max(channels // 2, 32)
        self.key = nn.Sequential(
            nn.Conv2d(channels, channels, KERNEL, padding=1, groups=4, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.value = nn.Sequential(nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.embed = nn.Sequential(
            nn.Conv2d(2 * channels, channels // 2, 1, bias=False),
            nn.BatchNorm2d(channels // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // 2, TAPS * maps, 1),
        )
        self.attention_norm = nn.GroupNorm(maps, TAPS * maps)
        self.dynamic = nn.Sequential(nn.BatchNorm2d(channels), nn.SiLU(inplace=True))
        self.fuse = nn.Sequential(
            nn.Conv2d(channels, fusion, 1),
            nn.BatchNorm2d(fusion),
            nn.ReLU(inplace=True),
            nn.Conv2d(fusion, 2 * channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> (N,C,H,W)."""
        static = self.key(x)
        value = self.value(x)
        logits = self.attention_norm(at_least_float32(self.embed(torch.cat([x, static], dim=1))))
        attention = logits.to(value.dtype).unflatten(1, (-1, TAPS))
        dynamic = self.dynamic(aggregate(attention, value))
        pooled = (static + dynamic).mean(dim=(2, 3), keepdim=True)
        # Logits lie channel-major: 2c belongs to the dynamic context, 2c + 1 to the static one.
        share = at_least_float32(self.fuse(pooled)).unflatten(1, (-1, 2)).softmax(dim=2).to(dynamic.dtype)
        return share[:, :, 0] * dynamic + share[:, :, 1] * static
