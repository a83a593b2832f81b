"""Segmentation losses: cross-entropy, focal, soft Dice, Lovász-softmax, and the mixtures training uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from landdamage.taxonomy import BY_CODE, IGNORE

# A label of training scenes only: some class or other, but no tailings. Masks of one class say no more of the rest.
NOT_TAILINGS = 253
SMOOTHING = 0.05
GAMMA = 2.0
LOVASZ_FROM = 0.8  # share of the run after which Lovász takes the place of Dice


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


def cross_entropy(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, label_smoothing: float = SMOOTHING
) -> Tensor:
    """Cross-entropy with label smoothing, weighted mean over observed pixels; scalar.

    Args:
        logits: (N,classes,H,W) float32.
        target: (N,H,W) int64, 255 is not counted; a batch without one observed pixel gives 0.
        weights: (classes,); None weighs every pixel alike, which keeps areas unbiased.
        label_smoothing: share of the target spread over all classes.
    """
    total = F.cross_entropy(
        logits, target, weights, ignore_index=IGNORE, label_smoothing=label_smoothing, reduction="sum"
    )
    return total / _weight(target, weights)


def focal_loss(logits: Tensor, target: Tensor, weights: Tensor | None = None, gamma: float = GAMMA) -> Tensor:
    """Focal loss (Lin et al. 2017): (1 - p)^γ · -ln p of the true class, weighted mean over observed pixels; scalar.

    Pixels that are already right count little. Arguments as of :func:`cross_entropy`; γ = 0 is cross-entropy.
    """
    log_p = -F.cross_entropy(logits, target, ignore_index=IGNORE, reduction="none")
    losses = -((1 - log_p.exp()).clamp(min=0) ** gamma) * log_p * (target != IGNORE)
    if weights is not None:
        losses = losses * weights[target.masked_fill(target == IGNORE, 0)]
    return losses.sum() / _weight(target, weights)


def _weight(target: Tensor, weights: Tensor | None) -> float:
    """Sum of the observed pixels' weights, never 0."""
    seen = target[target != IGNORE]
    return max(float(seen.numel() if weights is None else weights[seen].sum()), 1e-6)


def lovasz_softmax(logits: Tensor, target: Tensor) -> Tensor:
    """Lovász-softmax (Berman et al. 2018): a surrogate of 1 - IoU, mean over the classes present in the batch; scalar.

    Args:
        logits: (N,classes,H,W) float32.
        target: (N,H,W) int64, 255 is not counted; a batch without one observed pixel gives 0.
    """
    seen = target != IGNORE
    probabilities = logits.softmax(dim=1).movedim(1, -1)[seen]
    labels = target[seen]
    losses = []
    for class_id in labels.unique().tolist():
        own = (labels == class_id).float()
        errors, order = (own - probabilities[:, class_id]).abs().sort(descending=True)
        losses.append(torch.dot(errors, _lovasz_gradient(own[order])))
    return torch.stack(losses).mean() if losses else logits.sum() * 0


def _lovasz_gradient(own: Tensor) -> Tensor:
    """Gradient of the Lovász extension of 1 - IoU for pixels of a class (1 or 0) in the order of falling errors."""
    total = own.sum()
    jaccard = 1 - (total - own.cumsum(0)) / (total + (1 - own).cumsum(0))
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])


def segmentation_loss(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, label_smoothing: float = SMOOTHING
) -> Tensor:
    """0.5 · cross-entropy with label smoothing + 0.5 · Dice; 255 is ignored by both; scalar."""
    return 0.5 * cross_entropy(logits, target, weights, label_smoothing) + 0.5 * dice_loss(logits, target)


def exclusion_loss(logits: Tensor, excluded: Tensor, class_id: int) -> Tensor:
    """Sum of -ln(1 - p) over pixels of which only a class they do not have is known; scalar.

    Args:
        logits: (N,classes,H,W) float32.
        excluded: (N,H,W) bool.
        class_id: the class they do not have.
    """
    own = logits.movedim(1, -1)[excluded]
    others = torch.cat([own[:, :class_id], own[:, class_id + 1 :]], dim=1)
    return (own.logsumexp(dim=1) - others.logsumexp(dim=1)).sum()


@dataclass(frozen=True, slots=True)
class Mixture:
    """Half a loss per pixel, half a loss per region; pixels labelled ``NOT_TAILINGS`` count in the first alone.

    Attributes:
        pixels: (logits, target, weights) -> scalar.
        region: (logits, target) -> scalar.
        region_late: the one for the last fifth of the run.
    """

    pixels: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    region: Callable[[Tensor, Tensor], Tensor]
    region_late: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, logits: Tensor, target: Tensor, weights: Tensor | None, progress: float) -> Tensor:
        """Loss of a batch at a share 0-1 of the run."""
        region = self.region if progress < LOVASZ_FROM else self.region_late
        excluded = target == NOT_TAILINGS
        known = target.masked_fill(excluded, IGNORE)
        pixels = self.pixels(logits, known, weights)
        if excluded.any():
            of_known, of_excluded = (known != IGNORE).sum(), excluded.sum()
            barred = exclusion_loss(logits, excluded, BY_CODE["tailings_pond"].id)
            pixels = (pixels * of_known + barred) / (of_known + of_excluded)
        return 0.5 * pixels + 0.5 * region(logits, known)


LOSSES = MappingProxyType(
    {
        "ce-dice": Mixture(cross_entropy, dice_loss, dice_loss),
        "focal-dice": Mixture(focal_loss, dice_loss, dice_loss),
        "ce-dice-lovasz": Mixture(cross_entropy, dice_loss, lovasz_softmax),
        "ce-lovasz": Mixture(cross_entropy, lovasz_softmax, lovasz_softmax),
    }
)


def class_weights(pixels: Tensor) -> Tensor:
    """w ∝ 1/√frequency, clipped to [0.5, 4] around a mean of 1, then normalised to mean 1.

    Args:
        pixels: (classes,) counts; a class without pixels gets the weight of the rarest one present.
    """
    counts = pixels.float().masked_fill(pixels == 0, float(pixels[pixels > 0].min()))
    weights = counts.rsqrt()
    weights = (weights / weights.mean()).clamp(0.5, 4.0)
    return weights / weights.mean()
