"""SENetV2's aggregated squeeze-excitation (SaE, Narayanan 2023) with its residual term."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CARDINALITY = 4


class SaE(nn.Module):
    """Re-weight channels: out = x · (1 + s), s = sigmoid(W_e · ReLU(W_q · GAP(x))), shape kept.

    The four squeeze branches C -> C/r, concatenated, are one linear layer C -> 4·C/r (identical arithmetic).

    Args:
        channels: C.
        reduction: r; every branch has max(C // r, 4) units.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = CARDINALITY * max(channels // reduction, 4)
        self.squeeze = nn.Linear(channels, hidden)
        self.excite = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N,C,H,W) -> (N,C,H,W)."""
        z = x.mean(dim=(2, 3))
        s = torch.sigmoid(self.excite(torch.relu(self.squeeze(z))))
        return x * (1 + s[:, :, None, None].to(x.dtype))
