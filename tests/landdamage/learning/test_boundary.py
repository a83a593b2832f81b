"""Boundary F1: found within three pixels, lost beyond, symmetric, blind to what nobody observed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from landdamage.learning.boundary import boundary_counts, boundary_f1, near

LABELS = arrays(np.uint8, (20, 24), elements=st.sampled_from([0, 1, 2, 255]))


def square(top: int, left: int, side: int = 20) -> np.ndarray:
    labels = np.zeros((60, 60), np.uint8)
    labels[top : top + side, left : left + side] = 1
    return labels


@pytest.mark.parametrize(("shift", "score"), [(0, 1.0), (3, 1.6 / 1.8), (4, 0.0)])
def test_outline_within_three_pixels_is_found(shift: int, score: float) -> None:
    """Three pixels larger, a fifth of the outline lies round the corners, farther away."""
    truth, prediction = square(20, 20), np.zeros((60, 60), np.uint8)
    prediction[20 - shift : 40 + shift, 20 - shift : 40 + shift] = 1
    f1 = boundary_f1(boundary_counts(truth, prediction, 3))
    assert f1[1] == pytest.approx(score)
    assert np.isnan(f1[2])


def test_a_class_never_predicted_scores_zero() -> None:
    assert boundary_f1(boundary_counts(square(20, 20), np.zeros((60, 60), np.uint8), 2))[1] == 0


def test_what_nobody_observed_bounds_nothing() -> None:
    truth = square(20, 20)
    truth[:, 30:] = 255
    counts = boundary_counts(truth, square(20, 20, 40), 2)
    assert counts[1, 3] == 10 + 10 + 18  # top, bottom and left side, no right one
    assert counts[1, 1] == 10 + 40 - 1  # the prediction goes on unseen


@given(arrays(np.bool_, (15, 17)), st.integers(1, 5))
def test_near_is_the_disc(mask: np.ndarray, radius: int) -> None:
    distance = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
    assert (near(mask, radius) == (distance <= radius)).all()


@given(LABELS, LABELS)
def test_counts_hold_together(truth: np.ndarray, prediction: np.ndarray) -> None:
    prediction[prediction == 255] = 0
    counts = boundary_counts(truth, prediction, 3)
    assert (counts[:, 0] <= counts[:, 1]).all()
    assert (counts[:, 2] <= counts[:, 3]).all()
    f1 = boundary_f1(counts)
    assert ((f1[counts[:, 3] > 0] >= 0) & (f1[counts[:, 3] > 0] <= 1)).all()
    observed = truth != 255
    both = np.where(observed, prediction, 255).astype(np.uint8)
    swapped = boundary_counts(both, np.where(observed, truth, 0).astype(np.uint8), 3)
    assert (swapped == counts[:, [2, 3, 0, 1]]).all()
    same = boundary_counts(truth, np.where(observed, truth, 0).astype(np.uint8), 3)
    assert (same[:, 0] == same[:, 1]).all()
    assert (same[:, 2] == same[:, 3]).all()
