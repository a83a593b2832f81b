"""What LEDNet is built of: attention along columns and rows, gated convolutions, and the fusion of two maps."""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Layer norm over the channels of every pixel: (N,C,H,W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Mean 0 and variance 1 over C, then scaled and shifted."""
        last = x.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class AxialAttention(nn.Module):
    """Multi-head attention among the pixels of each column (``axis`` "height") or of each row ("width").

    softmax(q kᵀ / √d) v with tokens along the axis, q, k, v and the output by 1 x 1 convolutions (S1 Fig. 2). In memory
    there is never more than one axis: no pixel sees another that shares neither its row nor its column.

    Args:
        channels: C, a multiple of ``heads``.
        heads: h; d = C / h.
        axis: which way tokens lie.
        trained: tokens per axis in training. On a longer axis the softmax spreads over more of them; multiplying its
            scale by ln L / ln ``trained`` keeps it as sharp. None leaves the scale alone.
    """

    def __init__(self, channels: int, heads: int, axis: str, trained: int | None = None) -> None:
        super().__init__()
        if axis not in ("height", "width"):
            raise ValueError(axis)
        self.heads, self.axis, self.trained = heads, axis, trained
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def scale(self, length: int) -> float:
        """What q kᵀ is multiplied by on an axis of ``length`` tokens."""
        scale = (self.qkv.in_channels // self.heads) ** -0.5
        if self.trained and length > self.trained > 1:
            scale *= math.log(length) / math.log(self.trained)
        return scale

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to the same."""
        n, _, h, w = x.shape
        c = self.qkv.in_channels  # a number also where an exporter traces sizes
        tokens = self.qkv(x).permute(0, 2, 3, 1).reshape(n, h, w, 3, self.heads, c // self.heads)
        # (3, N, lines, heads, tokens, d)
        tokens = tokens.permute(3, 0, 2, 4, 1, 5) if self.axis == "height" else tokens.permute(3, 0, 1, 4, 2, 5)
        q, k, v = tokens.reshape(3, n * tokens.shape[2], self.heads, tokens.shape[4], c // self.heads).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v, scale=self.scale(q.shape[2]))
        lines, length = (w, h) if self.axis == "height" else (h, w)
        mixed = mixed.reshape(n, lines, self.heads, length, c // self.heads)
        mixed = mixed.permute(0, 3, 1, 2, 4) if self.axis == "height" else mixed.permute(0, 1, 3, 2, 4)
        return cast(Tensor, self.out(mixed.reshape(n, h, w, c).permute(0, 3, 1, 2)))


class GatedFeedForward(nn.Module):
    """1 x 1 C → 2eC, depth-wise 3 x 3, GELU(a)·b, 1 x 1 eC → C."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        wide = 2 * expansion * channels
        self.widen = nn.Conv2d(channels, wide, 1)
        self.depthwise = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.narrow = nn.Conv2d(wide // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to the same."""
        a, b = self.depthwise(self.widen(x)).chunk(2, 1)
        return cast(Tensor, self.narrow(F.gelu(a) * b))


class AxialBlock(nn.Module):
    """X += DWConv3x3(X); X += HeightAttention(LN X); X += WidthAttention(LN X); X += FFN(LN X).

    The depth-wise convolution is the code of position: it knows no size, so a network trained on small crops works on
    whole frames.
    """

    def __init__(self, channels: int, heads: int, trained: int | None = None) -> None:
        super().__init__()
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(3))
        self.height = AxialAttention(channels, heads, "height", trained)
        self.width = AxialAttention(channels, heads, "width", trained)
        self.feed_forward = GatedFeedForward(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to the same."""
        x = x + self.position(x)
        for norm, part in zip(self.norms, (self.height, self.width, self.feed_forward), strict=True):
            x = x + part(norm(x))
        return x


class ConvBlock(nn.Module):
    """Convolutional stand-in of :class:`AxialBlock` for comparisons: two depth-wise 7 x 7 for the two attentions."""

    def __init__(self, channels: int, heads: int, trained: int | None = None) -> None:
        super().__init__()
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(3))

        def mixer() -> nn.Sequential:
            wide = nn.Conv2d(channels, 3 * channels, 1)
            far = nn.Conv2d(3 * channels, 3 * channels, 7, padding=3, groups=3 * channels)
            return nn.Sequential(wide, far, nn.GELU(), nn.Conv2d(3 * channels, channels, 1))

        self.first, self.second = mixer(), mixer()
        self.feed_forward = GatedFeedForward(channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to the same."""
        x = x + self.position(x)
        for norm, part in zip(self.norms, (self.first, self.second, self.feed_forward), strict=True):
            x = x + part(norm(x))
        return x


class GatedConvBlock(nn.Module):
    """X += FFN(LN X) with e = 1: light enough for the full size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.feed_forward = GatedFeedForward(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) to the same."""
        return cast(Tensor, x + self.feed_forward(self.norm(x)))


class SelectiveFusion(nn.Module):
    """Two maps of one size, weighed per channel against each other (MIRNet's SKFF with two inputs).

    L' = conv1x1 L; z = PReLU(conv1x1 GAP(L1' + L2')); (s1, s2) = softmax of two conv1x1 of z over the pair;
    U = s1 ⊙ L1' + s2 ⊙ L2'.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        few = max(channels // 8, 4)
        self.first, self.second = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.squeeze = nn.Sequential(nn.Conv2d(channels, few, 1), nn.PReLU())
        self.weigh = nn.ModuleList(nn.Conv2d(few, channels, 1) for _ in range(2))

    def forward(self, decoded: Tensor, encoded: Tensor) -> Tensor:
        """Twice (N,C,H,W) to one."""
        one, two = self.first(decoded), self.second(encoded)
        z = self.squeeze((one + two).mean((2, 3), keepdim=True))
        share = torch.sigmoid(self.weigh[0](z) - self.weigh[1](z))  # the softmax over a pair
        return cast(Tensor, share * one + (1 - share) * two)


class SumFusion(nn.Module):
    """The plain stand-in of :class:`SelectiveFusion` for comparisons: both projected and added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)

    def forward(self, decoded: Tensor, encoded: Tensor) -> Tensor:
        """Twice (N,C,H,W) to one."""
        return cast(Tensor, self.first(decoded) + self.second(encoded))
