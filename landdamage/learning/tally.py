"""Everything that is counted when predictions meet the truth; tallies of scenes add up to those of regions and sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landdamage.learning.boundary import boundary_counts, boundary_f1
from landdamage.learning.metrics import SCORES, Matrix, Scores, confusion_matrix
from landdamage.learning.objects import object_accuracy, object_counts

DIGITS = 4


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over one image or many.

    Attributes:
        matrix: confusion matrix (classes, classes), truth by row.
        boundary: outline pixels (classes, 4), see :mod:`landdamage.learning.boundary`.
        objects: reference polygons (classes, 2): right ones, all.
    """

    matrix: Matrix
    boundary: NDArray[np.int64]
    objects: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.uint8], prediction: NDArray[np.uint8], classes: int) -> Tally:
        """Counts of one image: (H,W) classes each, truth 255 = unobserved.

        Raises:
            ValueError: a value is no class.
        """
        return cls(
            confusion_matrix(truth, prediction, classes),
            boundary_counts(truth, prediction, classes),
            object_counts(truth, prediction, classes),
        )

    @classmethod
    def empty(cls, classes: int) -> Tally:
        """Nothing counted yet."""
        return cls(
            np.zeros((classes, classes), np.int64), np.zeros((classes, 4), np.int64), np.zeros((classes, 2), np.int64)
        )

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.matrix + other.matrix, self.boundary + other.boundary, self.objects + other.objects)

    @classmethod
    def total(cls, tallies: Iterable[Tally], classes: int) -> Tally:
        """The sum of tallies."""
        return sum(tallies, start=cls.empty(classes))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "matrix": self.matrix.tolist(),
            "boundary": self.boundary.tolist(),
            "objects": self.objects.tolist(),
        }

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Tally:
        """From JSON."""
        return cls(*(np.array(body[name], dtype=np.int64) for name in ("matrix", "boundary", "objects")))


def means(tally: Tally) -> dict[str, float | None]:
    """The mean scores of a tally: over present foreground classes, and with background; None where undefined.

    ``miou_foreground``, ``mrecall_foreground``, ``mprecision_foreground``, ``mdice_foreground``, each also as
    ``..._with_background``; ``overall_accuracy``, ``kappa``, ``boundary_f1``, ``polygon_accuracy`` (over all polygons).
    """
    scores = Scores.of(tally.matrix)
    out: dict[str, float | None] = {
        f"m{score}_{over}": _defined(scores.mean(score, foreground=over == "foreground"))
        for over in ("foreground", "with_background")
        for score in SCORES
    }
    f1 = boundary_f1(tally.boundary)[1:]
    right, polygons = tally.objects[1:].sum(axis=0)
    out |= {
        "overall_accuracy": _defined(scores.overall_accuracy),
        "kappa": _defined(scores.kappa),
        "boundary_f1": _defined(float(np.nanmean(f1)) if np.isfinite(f1).any() else float("nan")),
        "polygon_accuracy": _defined(float(right / polygons) if polygons else float("nan")),
    }
    return out


def per_class(tally: Tally, names: list[str]) -> dict[str, dict[str, float | int | None]]:
    """Scores of every class with truth pixels, by name."""
    scores = Scores.of(tally.matrix)
    f1, polygons = boundary_f1(tally.boundary), object_accuracy(tally.objects)
    return {
        name: {
            **{score: _rounded(float(getattr(scores, score)[k])) for score in SCORES},
            "boundary_f1": _rounded(float(f1[k])),
            "polygon_accuracy": _rounded(float(polygons[k])),
            "polygons": int(tally.objects[k, 1]),
            "truth_pixels": int(tally.matrix[k].sum()),
        }
        for k, name in enumerate(names)
        if scores.present[k]
    }


def false_of_absent(tally: Tally, names: list[str]) -> dict[str, int]:
    """Pixels predicted as a class the truth lacks, by name; such classes are in no mean."""
    false = Scores.of(tally.matrix).false_of_absent
    return {name: int(false[k]) for k, name in enumerate(names) if false[k]}


def rounded(values: dict[str, float | None]) -> dict[str, float | None]:
    """Scores with the digits a card shows."""
    return {name: None if value is None else round(value, DIGITS) for name, value in values.items()}


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, DIGITS)
