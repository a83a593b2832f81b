"""What all segmentation networks have in common: any input size, logits of the input's size."""

from __future__ import annotations

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from landdamage.networks.layers import resize


class Segmenter(nn.Module):
    """(N,C,H,W) float -> logits (N,classes,H,W).

    Attributes:
        multiple: heights and widths the network takes are multiples of this; others are padded by reflection and the
            result is cropped.
    """

    multiple: int

    @abstractmethod
    def scores(self, x: Tensor) -> Tensor:
        """(N,C,H,W), H and W multiples of ``multiple`` -> logits (N,classes,h,w) of any size."""

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> (N,classes,H,W); any H, W larger than half of ``multiple``."""
        height, width = x.shape[-2:]
        padded = self.padded(x)
        return resize(self.scores(padded), padded)[..., :height, :width]

    def padded(self, x: Tensor) -> Tensor:
        """The input, continued by reflection to the right and below up to the next multiple."""
        height, width = x.shape[-2:]
        return F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="reflect")
