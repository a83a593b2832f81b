"""Scores from ONE confusion matrix accumulated over everything evaluated; never averaged per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landdamage.taxonomy import IGNORE

Matrix = NDArray[np.int64]


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
    """

    present: NDArray[np.bool_]
    iou: NDArray[np.float64]
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    dice: NDArray[np.float64]
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
            overall_accuracy=float(agreement),
            kappa=float((agreement - chance) / (1 - chance)) if chance < 1 else 1.0,
        )

    def mean(self, score: str, *, foreground: bool = True) -> float:
        """Mean of ``iou``, ``recall``, ``precision`` or ``dice`` over present classes, without class 0 by default."""
        use = self.present.copy()
        if foreground:
            use[0] = False
        return float(getattr(self, score)[use].mean()) if use.any() else float("nan")


def bootstrap_interval(
    matrices: Sequence[Matrix], *, draws: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Interval of the foreground mean IoU when whole regions are drawn anew with replacement.

    Args:
        matrices: one confusion matrix per region.
        draws: resamples.
        seed: of the draws.
        level: share of resamples inside the interval.
    """
    rng = np.random.default_rng(seed)
    stack = np.stack(matrices)
    values = [Scores.of(stack[rng.integers(len(stack), size=len(stack))].sum(axis=0)).mean("iou") for _ in range(draws)]
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
