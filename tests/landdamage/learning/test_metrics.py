"""Metrics: known values, and the inequalities no confusion matrix can break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landdamage.learning.metrics import Scores, bootstrap_interval, confusion_matrix

MATRICES = arrays(np.int64, (8, 8), elements=st.integers(0, 10**9)).filter(lambda m: m[1:].sum() > 0)


def test_matrix_counts_truth_by_row_and_ignores_255() -> None:
    truth = np.array([[0, 1], [2, 255]], np.uint8)
    prediction = np.array([[0, 2], [2, 1]], np.uint8)
    matrix = confusion_matrix(truth, prediction, 3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_value_that_is_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="class 9"):
        confusion_matrix(np.array([0], np.uint8), np.array([9], np.uint8), 8)


def test_known_scores() -> None:
    scores = Scores.of(np.array([[50, 10, 0], [5, 35, 0], [0, 0, 0]]))
    assert scores.present.tolist() == [True, True, False]
    assert scores.iou[1] == pytest.approx(35 / 50)
    assert scores.recall[1] == pytest.approx(35 / 40)
    assert scores.precision[1] == pytest.approx(35 / 45)
    assert scores.overall_accuracy == pytest.approx(0.85)
    assert scores.kappa == pytest.approx((0.85 - 0.51) / 0.49)
    assert np.isnan(scores.iou[2])


def test_class_never_predicted_has_precision_zero() -> None:
    scores = Scores.of(np.array([[5, 0, 0], [0, 5, 0], [0, 5, 0]]))
    assert scores.precision[2] == 0
    assert scores.mean("precision") == pytest.approx(0.25)


@given(MATRICES)
def test_inequalities_between_scores(matrix: np.ndarray) -> None:
    s = Scores.of(matrix)
    tiny = 1e-12
    with np.errstate(invalid="ignore"):
        assert (s.iou[s.present] <= np.minimum(s.precision, s.recall)[s.present] + tiny).all()
    iou, dice, p, r = (s.mean(k) for k in ("iou", "dice", "precision", "recall"))
    assert iou <= min(p, r) + tiny
    assert iou <= dice + tiny
    assert dice <= 2 * iou / (1 + iou) + tiny
    assert dice * (p + r) <= 2 * p * r + tiny


@given(MATRICES, MATRICES)
def test_matrices_add_up(a: np.ndarray, b: np.ndarray) -> None:
    low, high = bootstrap_interval([a, b], draws=20)
    assert 0 <= low <= high <= 1
