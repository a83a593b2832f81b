"""The segmentation loss: half cross-entropy, half soft Dice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from landdamage.taxonomy import IGNORE


def dice_loss(logits: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - mean Dice over the classes present in the batch, from softmax probabilities; scalar.

    Args:
        logits: (N,classes,H,W) float32.
        target: (N,H,W) int64, 255 is not counted.
        smooth: added above and below, so that a class of a few pixels does not swing.
    """
    seen = (target != IGNORE).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * seen
    truth = torch.zeros_like(logits).scatter_(1, target.masked_fill(target == IGNORE, 0).unsqueeze(1), 1.0) * seen
    overlap = (probabilities * truth).sum(dim=(0, 2, 3))
    sizes = probabilities.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    missed = 1 - (2 * overlap + smooth) / (sizes + smooth)
    return (missed * present).sum() / present.sum().clamp(min=1)


def segmentation_loss(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, label_smoothing: float = 0.05
) -> Tensor:
    """0.5 · cross-entropy with label smoothing + 0.5 · Dice; 255 is ignored by both; scalar.

    Args:
        logits: (N,classes,H,W) float32.
        target: (N,H,W) int64; a batch without one observed pixel gives 0.
        weights: (classes,) of the cross-entropy; None weighs every pixel alike, which keeps areas unbiased.
        label_smoothing: share of the target spread over all classes.
    """
    seen = target[target != IGNORE]
    weight = seen.numel() if weights is None else weights[seen].sum()
    cross_entropy = F.cross_entropy(
        logits, target, weights, ignore_index=IGNORE, label_smoothing=label_smoothing, reduction="sum"
    )
    return 0.5 * cross_entropy / max(float(weight), 1e-6) + 0.5 * dice_loss(logits, target)


def class_weights(pixels: Tensor) -> Tensor:
    """w ∝ 1/√frequency, clipped to [0.5, 4] around a mean of 1, then normalised to mean 1.

    Args:
        pixels: (classes,) counts; a class without pixels gets the weight of the rarest one present.
    """
    counts = pixels.float().masked_fill(pixels == 0, float(pixels[pixels > 0].min()))
    weights = counts.rsqrt()
    weights = (weights / weights.mean()).clamp(0.5, 4.0)
    return weights / weights.mean()
