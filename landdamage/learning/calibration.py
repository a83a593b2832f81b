"""Temperature scaling (Guo et al. 2017): one number that makes softmax confidences mean what they say."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T > 0 that minimises the cross-entropy of softmax(logits / T).

    Args:
        logits: (P,classes) float32 of pixels the network was not trained on.
        labels: (P,) int64 classes.
    """
    log_t = torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([log_t], max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(logits / log_t.exp(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return float(log_t.detach().exp())


def expected_calibration_error(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> float:
    """Mean gap between confidence and accuracy over 15 bins of equal count, 0-1."""
    confidence, predicted = (logits / temperature).softmax(dim=1).max(dim=1)
    order = confidence.argsort()
    right = (predicted == labels).float()[order]
    gaps = [
        (c.mean() - r.mean()).abs() * len(c) / len(order)
        for c, r in zip(confidence[order].tensor_split(BINS), right.tensor_split(BINS), strict=True)
        if len(c)
    ]
    return float(torch.stack(gaps).sum())
