"""Metrics: known values, and the inequalities no confusion matrix can break."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landdamage.learning.metrics import (
    SCORES,
    Scores,
    bootstrap_interval,
    confusion_matrix,
    mean_scores,
    paired_difference,
)

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
    assert scores.false_of_absent.tolist() == [0, 0, 0]


def test_what_is_predicted_of_absent_classes_is_counted_apart() -> None:
    scores = Scores.of(np.array([[5, 0, 2, 0], [0, 5, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]))
    assert scores.false_of_absent.tolist() == [0, 0, 3, 0]
    assert scores.mean("iou") == pytest.approx(5 / 6)
    assert scores.mean("iou", foreground=False) == pytest.approx((5 / 7 + 5 / 6) / 2)


def test_class_never_predicted_has_precision_zero() -> None:
    scores = Scores.of(np.array([[5, 0, 0], [0, 5, 0], [0, 5, 0]]))
    assert scores.precision[2] == 0
    assert scores.mean("precision") == pytest.approx(0.25)


# Counts of any size, with classes absent from the truth or never predicted.
SPARSE = st.builds(
    lambda m, rows, columns: m * np.outer(rows, columns),
    arrays(np.int64, (8, 8), elements=st.integers(0, 10**9)),
    arrays(np.int64, 8, elements=st.integers(0, 1)),
    arrays(np.int64, 8, elements=st.integers(0, 1)),
).filter(lambda m: m[1:].sum() > 0)


@given(st.one_of(MATRICES, SPARSE), st.booleans())
def test_inequalities_between_scores(matrix: np.ndarray, foreground: bool) -> None:
    s = Scores.of(matrix)
    tiny = 1e-12
    with np.errstate(invalid="ignore"):
        assert (s.iou[s.present] <= np.minimum(s.precision, s.recall)[s.present] + tiny).all()
        assert np.allclose(s.dice[s.present], (2 * s.iou / (1 + s.iou))[s.present])
    iou, dice, p, r = (s.mean(k, foreground=foreground) for k in ("iou", "dice", "precision", "recall"))
    assert iou <= min(p, r) + tiny
    assert iou <= dice + tiny
    assert dice <= 2 * iou / (1 + iou) + tiny
    assert dice * (p + r) <= 2 * p * r + tiny
    assert s.kappa <= s.overall_accuracy + tiny
    assert all(0 <= s.mean(k) <= 1 for k in SCORES)


@given(st.one_of(MATRICES, SPARSE))
def test_the_class_set_is_that_of_the_truth(matrix: np.ndarray) -> None:
    s = Scores.of(matrix)
    assert s.present.tolist() == (matrix.sum(axis=1) > 0).tolist()
    for score in SCORES:
        values = getattr(s, score)
        assert np.isfinite(values[s.present]).all()
        assert np.isnan(values[~s.present]).all()
    assert s.false_of_absent.sum() == matrix[:, ~s.present].sum()
    never = s.present & (matrix.sum(axis=0) == 0)
    assert (s.precision[never] == 0).all()


@given(MATRICES, st.permutations(range(1, 8)))
def test_means_do_not_depend_on_the_order_of_classes(matrix: np.ndarray, order: list[int]) -> None:
    new = np.array([0, *order])
    moved = Scores.of(matrix[np.ix_(new, new)])
    assert all(moved.mean(k) == pytest.approx(Scores.of(matrix).mean(k)) for k in SCORES)


@given(st.one_of(MATRICES, SPARSE), MATRICES, st.booleans())
def test_many_at_once_score_as_one_by_one(a: np.ndarray, b: np.ndarray, foreground: bool) -> None:
    for score in SCORES:
        found = mean_scores(np.stack([a, b]), score, foreground=foreground)
        assert found == pytest.approx([Scores.of(m).mean(score, foreground=foreground) for m in (a, b)])


@given(MATRICES, MATRICES)
def test_interval_of_regions_holds_the_pooled_score_or_nearly(a: np.ndarray, b: np.ndarray) -> None:
    low, high = bootstrap_interval([a, b], draws=20)
    assert 0 <= low <= high <= 1


def test_one_region_has_no_spread() -> None:
    matrix = np.array([[5, 1], [2, 7]])
    low, high = bootstrap_interval([matrix], "recall", draws=10)
    assert low == high == pytest.approx(7 / 9)


def test_difference_of_equal_runs_is_zero_and_a_better_one_is_seen() -> None:
    rng = np.random.default_rng(0)
    worse = [[rng.integers(1, 100, (3, 3)) for _ in range(4)] for _ in range(2)]
    better = [[m + np.diag([500, 500, 500]) for m in run] for run in worse]
    assert paired_difference(worse, worse, draws=20) == (0, 0, 0)
    found, low, high = paired_difference(better, worse, "dice", draws=50)
    assert 0 < low <= found <= high
    swapped = paired_difference(worse, better, "dice", draws=50)
    assert swapped == pytest.approx((-found, -high, -low))


def test_runs_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="same seeds and regions"):
        paired_difference([[np.eye(2)]], [[np.eye(2), np.eye(2)]])
