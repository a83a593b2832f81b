"""Scores from ONE confusion matrix accumulated over everything evaluated; never averaged per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from landdamage.taxonomy import IGNORE

Matrix = NDArray[np.int64]
ScoreName = Literal["iou", "recall", "precision", "dice"]
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
DRAWS = 1000


def confusion_matrix(truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> Matrix:
    """Counts M[i, j] of pixels with truth i and prediction j, int64 (classes, classes); truth 255 is not counted.

    Raises:
        ValueError: a value is no class.
    """
    seen = truth != IGNORE
    i, j = truth[seen].astype(np.int64), prediction[seen].astype(np.int64)
    if i.size and max(i.max(), j.max()) >= classes:
        raise ValueError(f"class {max(i.max(), j.max())} in a matrix of {classes} classes")
    return np.bincount(i * classes + j, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True, slots=True)
class Scores:
    """Per-class scores 0-1 (float64, one per class; NaN for classes absent from the truth) and their means.

    The classes of all means are those with truth pixels; a class of these that is never predicted has precision 0.

    Attributes:
        present: classes with truth pixels.
        iou, recall, precision, dice: per class.
        false_of_absent: int64, pixels predicted as a class that the truth lacks; such classes are in no mean.
        overall_accuracy: share of pixels predicted right.
        kappa: agreement beyond chance (Cohen).
    """

    present: NDArray[np.bool_]
    iou: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    dice: NDArray[np.float64]
    false_of_absent: NDArray[np.int64]
    overall_accuracy: float
    kappa: float

    @classmethod
    def of(cls, matrix: Matrix) -> Scores:
        """Scores of a confusion matrix."""
        m = matrix.astype(np.float64)
        tp = np.diag(m)
        truth, predicted, total = m.sum(axis=1), m.sum(axis=0), m.sum()
        present = truth > 0

        def ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
            value = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
            return np.where(present, value, np.nan)

        agreement = tp.sum() / total if total else float("nan")
        chance = (truth * predicted).sum() / total**2 if total else float("nan")
        return cls(
            present=present,
            iou=ratio(tp, truth + predicted - tp),
            recall=ratio(tp, truth),
            precision=ratio(tp, predicted),
            dice=ratio(2 * tp, truth + predicted),
            false_of_absent=np.where(present, 0, matrix.sum(axis=0)).astype(np.int64),
            overall_accuracy=float(agreement),
            kappa=float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0,
        )

    def mean(self, score: ScoreName, *, foreground: bool = True) -> float:
        """Mean of a score over present classes, without class 0 by default; NaN if there are none."""
        use = self.present.copy()
        if foreground:
            use[0] = False
        return float(getattr(self, score)[use].mean()) if use.any() else float("nan")


def mean_scores(matrices: Matrix, score: ScoreName, *, foreground: bool = True) -> NDArray[np.float64]:
    """``Scores.of(m).mean(score)`` of many confusion matrices at once: (..., classes, classes) -> (...)."""
    first = 1 if foreground else 0
    tp = np.diagonal(matrices, axis1=-2, axis2=-1)[..., first:].astype(np.float64)
    truth, predicted = matrices.sum(axis=-1)[..., first:], matrices.sum(axis=-2)[..., first:]
    present = truth > 0
    above, below = {
        "iou": (tp, truth + predicted - tp),
        "recall": (tp, truth),
        "precision": (tp, predicted),
        "dice": (2 * tp, truth + predicted),
    }[score]
    values = np.divide(above, below, out=np.zeros_like(tp), where=present & (below > 0))
    count = present.sum(axis=-1)
    return np.divide(values.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0)


def interval(values: Sequence[float] | NDArray[np.float64], level: float = 0.95) -> tuple[float, float]:
    """The interval that holds a share ``level`` of resampled values, as much left out below as above; NaN is none."""
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_interval(
    matrices: Sequence[Matrix],
    score: ScoreName = "iou",
    *,
    foreground: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval of a mean score when whole regions are drawn anew with replacement.

    Args:
        matrices: one confusion matrix per region.
        score: which.
        foreground: whether class 0 is left out of the mean.
        draws: resamples.
        seed: of the draws.
        level: share of resamples inside the interval.
    """
    rng = np.random.default_rng(seed)
    stack = np.stack(matrices)
    chosen = rng.integers(len(stack), size=(draws, len(stack)))
    return interval(mean_scores(stack[chosen].sum(axis=1), score, foreground=foreground), level)


def paired_difference(
    ours: Sequence[Sequence[Matrix]],
    theirs: Sequence[Sequence[Matrix]],
    score: ScoreName = "iou",
    *,
    foreground: bool = True,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Mean difference of a score between two networks trained with the same seeds, and its 95 % interval.

    Seeds and regions are drawn anew together and alike for both networks, so what both share (a hard region, a lucky
    order of tiles) cancels. With one seed the interval says nothing about the spread between seeds.

    Args:
        ours: per seed, one confusion matrix per region.
        theirs: the same of the other network, same seeds and regions in the same order.
        score: which.
        foreground: whether class 0 is left out of the mean.
        draws: resamples.
        seed: of the draws.

    Returns:
        Difference ours - theirs, lower and upper bound.

    Raises:
        ValueError: the seeds or regions are not the same.
    """
    a, b = np.array(ours, dtype=np.int64), np.array(theirs, dtype=np.int64)
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"not the same seeds and regions: {a.shape} and {b.shape}")

    def difference(seeds: NDArray[np.int64], regions: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of every draw: (draws, seeds) and (draws, regions) -> (draws,)."""
        ours_, theirs_ = (
            mean_scores(side[seeds[:, :, None], regions[:, None, :]].sum(axis=2), score, foreground=foreground)
            for side in (a, b)
        )
        return (ours_ - theirs_).mean(axis=1)

    rng = np.random.default_rng(seed)
    count_seeds, count_regions = a.shape[:2]
    (found,) = difference(np.arange(count_seeds)[None], np.arange(count_regions)[None])
    low, high = interval(
        difference(
            rng.integers(count_seeds, size=(draws, count_seeds)),
            rng.integers(count_regions, size=(draws, count_regions)),
        )
    )
    return float(found), low, high
