"""The network: an encoder that brightens, judged at 1/8 of the size, and a decoder that takes the blur away."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from enhancement.lednet.blocks import AxialAttention, AxialBlock, ConvBlock, GatedConvBlock, SelectiveFusion, SumFusion
from enhancement.lednet.tiles import MULTIPLE
from minegis.errors import ModelError

TRAINED_SIDE = 128  # pixels of the crops in training


@dataclass(frozen=True, slots=True)
class Size:
    """How large a network is.

    Attributes:
        widths: channels at 1, 1/2, 1/4 and 1/8 of the size.
        convolutions: gated blocks at the full size, before and after.
        blocks: axial blocks at 1/2, 1/4, 1/8; the decoder mirrors the first two.
        heads: of attention at 1/2, 1/4, 1/8.
    """

    widths: tuple[int, int, int, int]
    convolutions: int
    blocks: tuple[int, int, int]
    heads: tuple[int, int, int]


SIZES = {
    "T": Size((16, 32, 64, 128), 1, (1, 1, 2), (1, 2, 4)),
    "S": Size((24, 48, 96, 192), 2, (1, 2, 4), (2, 4, 8)),
    "B": Size((32, 64, 128, 256), 2, (2, 2, 4), (2, 4, 8)),
}
BOTTLENECK = 2


class LEDNet(nn.Module):
    """Dark, blurred pictures to bright, sharp ones: (N,3,H,W) R, G, B in [0, 1], H and W multiples of 8.

    Args:
        size: "T", "S" or "B".
        residual: add the input to the last convolution.
        length_scaling: sharpen attention on axes longer than those of the training (``AxialAttention.trained``).
        trained_side: pixels of the training's crops, for ``length_scaling``.
        mixer: "axial", or "convolution" for comparisons.
        fusion: "selective", or "sum" for comparisons.
        side_head: have the head at 1/8 at all.
    """

    def __init__(
        self, size: str = "T", *, residual: bool = True, length_scaling: bool = False,
        trained_side: int = TRAINED_SIDE, mixer: str = "axial", fusion: str = "selective", side_head: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        shape = SIZES[size]
        block = {"axial": AxialBlock, "convolution": ConvBlock}[mixer]
        fuse = {"selective": SelectiveFusion, "sum": SumFusion}[fusion]
        widths, self.residual = shape.widths, residual
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.before = nn.Sequential(*(GatedConvBlock(widths[0]) for _ in range(shape.convolutions)))
        self.after = nn.Sequential(*(GatedConvBlock(widths[0]) for _ in range(shape.convolutions)))

        def level(k: int, count: int) -> nn.Sequential:
            tokens = trained_side // 2**k if length_scaling else None
            return nn.Sequential(*(block(widths[k], shape.heads[k - 1], tokens) for _ in range(count)))

        self.encoder = nn.ModuleList(level(k, shape.blocks[k - 1]) for k in (1, 2, 3))
        self.bottleneck = level(3, BOTTLENECK)
        self.decoder = nn.ModuleList(level(k, shape.blocks[k - 1]) for k in (2, 1))
        self.down = nn.ModuleList(nn.Conv2d(widths[k], widths[k + 1], 2, 2) for k in range(3))
        self.up = nn.ModuleList(nn.Conv2d(widths[k + 1], 4 * widths[k], 1) for k in (2, 1, 0))
        self.fusion = nn.ModuleList(fuse(widths[k]) for k in (2, 1, 0))
        self.side = nn.Conv2d(widths[3], 3, 3, padding=1) if side_head else None
        self.last = nn.Conv2d(widths[0], 3, 3, padding=1)
        # At first the network returns its input: training starts from a picture, not from noise.
        for head in (self.last, self.side):
            if head is not None and residual:
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The bright, sharp picture, not clipped; in training mode also the small one at 1/8, if it has that head."""
        full = self.before(self.stem(x))
        skips = [full]
        for down, level in zip(self.down, self.encoder, strict=True):
            skips.append(level(down(skips[-1])))
        deep = skips.pop()
        small = None
        if self.training and self.side is not None:
            small = self.side(deep)
            if self.residual:
                small = small + F.avg_pool2d(x, MULTIPLE)
        y = self.bottleneck(deep)
        for k, (up, fuse) in enumerate(zip(self.up, self.fusion, strict=True)):
            y = fuse(F.pixel_shuffle(up(y), 2), skips.pop())
            y = self.decoder[k](y) if k < 2 else self.after(y)
        out = self.last(y)
        if self.residual:
            out = out + x
        return out if small is None else (out, small)


def build(card: dict[str, Any]) -> LEDNet:
    """The network a model card's ``network`` describes: ``{"name": "lednet", "size": "T", "switches": {...}}``.

    Raises:
        ModelError: E-MOD-07 it describes none.
    """
    try:
        described = card["network"]
        if described["name"] != "lednet":
            raise ValueError(described["name"])
        return LEDNet(described["size"], **described.get("switches", {}))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError("E-MOD-07", value=str(card.get("name", "?"))[:80], tensor="network") from error


@dataclass(frozen=True, slots=True)
class Cost:
    """Operations of one pass (a multiplication and an addition count as two) and learned numbers."""

    convolution_flop: int
    attention_flop: int
    parameters: int

    def as_dict(self) -> dict[str, int]:
        """For a table."""
        return asdict(self)


def cost(network: LEDNet, height: int, width: int) -> Cost:
    """Count a pass over a height x width picture by its layers' shapes; nothing is computed.

    Convolutions: 2·k²·Cin/groups·Cout per place. Attention: 4·C·HW·L with L tokens along the axis (q kᵀ and its
    product with v).
    """
    counted = {"convolution": 0, "attention": 0}

    def convolution(layer: nn.Module, _: Any, out: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        places = out.shape[-1] * out.shape[-2]
        counted["convolution"] += 2 * places * layer.weight.numel()

    def attention(layer: nn.Module, _: Any, out: Tensor) -> None:
        _, c, h, w = out.shape
        assert isinstance(layer, AxialAttention)
        counted["attention"] += 4 * c * h * w * (h if layer.axis == "height" else w)

    parameters = sum(p.numel() for p in network.parameters())
    ghost = copy.deepcopy(network).to("meta").train()
    for layer in ghost.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(convolution)
        elif isinstance(layer, AxialAttention):
            layer.register_forward_hook(attention)
    ghost(torch.empty(1, 3, height, width, device="meta"))
    return Cost(counted["convolution"], counted["attention"], parameters)
