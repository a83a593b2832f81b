"""Polygon-level accuracy against cases drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landdamage.learning.objects import areas, object_accuracy, object_counts

LABELS = arrays(np.uint8, (16, 18), elements=st.sampled_from([0, 1, 2, 255]))


def canvas(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    labels = np.zeros((40, 60), np.uint8)
    for class_id, top, left, height, width in boxes:
        labels[top : top + height, left : left + width] = class_id
    return labels


TRUTH = canvas((1, 5, 5, 10, 10), (2, 5, 30, 10, 10))


@pytest.mark.parametrize(
    ("prediction", "right"),
    [
        (TRUTH, (1, 1)),
        (canvas((1, 5, 5, 10, 7), (2, 5, 30, 10, 10)), (1, 1)),  # IoU 0.7
        (canvas((1, 5, 5, 10, 4)), (0, 0)),  # most of it is background
        (canvas((2, 5, 5, 10, 10), (1, 5, 30, 10, 10)), (0, 0)),  # found, but as the other
        (canvas((1, 0, 0, 22, 22)), (0, 0)),  # majority right, outline far too large
        (canvas((1, 5, 5, 10, 21), (2, 5, 30, 10, 10)), (0, 1)),  # IoU 100 / 210
        (canvas((1, 5, 5, 10, 20), (2, 5, 30, 10, 10)), (1, 1)),  # IoU exactly one half
    ],
)
def test_majority_and_overlap(prediction: np.ndarray, right: tuple[int, int]) -> None:
    counts = object_counts(TRUTH, prediction, 3)
    assert counts[:, 1].tolist() == [0, 1, 1]
    assert tuple(counts[1:, 0]) == right


def test_a_polygon_found_in_two_pieces_is_measured_by_the_larger() -> None:
    prediction = canvas((1, 5, 5, 10, 4), (1, 5, 11, 10, 4))
    assert object_counts(canvas((1, 5, 5, 10, 10)), prediction, 2)[1].tolist() == [0, 1]


def test_unobserved_ground_is_left_out_of_polygon_and_prediction() -> None:
    truth = canvas((1, 5, 5, 10, 10))
    truth[:, 15:] = 255
    prediction = canvas((1, 5, 5, 10, 50))
    assert object_counts(truth, prediction, 2)[1].tolist() == [1, 1]


def test_slivers_are_no_polygons() -> None:
    truth = canvas((1, 5, 5, 1, 3), (1, 20, 20, 2, 2))
    assert object_counts(truth, truth, 2)[1].tolist() == [1, 1]


def test_drawn_polygons_part_what_touches() -> None:
    truth = canvas((1, 5, 5, 10, 20))
    polygons = np.zeros(truth.shape, np.int32)
    polygons[5:15, 5:15], polygons[5:15, 15:25] = 7, 9
    prediction = canvas((1, 5, 5, 10, 10))
    assert object_counts(truth, prediction, 2)[1].tolist() == [0, 1]  # as one area IoU 1/2, majority a tie lost
    assert object_counts(truth, prediction, 2, polygons)[1].tolist() == [1, 2]
    assert object_accuracy(np.array([[0, 0], [1, 2]])).tolist()[1] == 0.5


def test_areas_hang_together_over_corners() -> None:
    labels = np.array([[1, 0, 2], [0, 1, 2], [255, 0, 0]], np.uint8)
    found = areas(labels)
    assert found[0, 0] == found[1, 1] != 0
    assert found[0, 2] == found[1, 2] != found[0, 0]
    assert (found[labels == 0] == 0).all()
    assert found[2, 0] == 0


@given(LABELS, LABELS)
def test_counts_stay_in_range_and_truth_is_right(truth: np.ndarray, prediction: np.ndarray) -> None:
    prediction[prediction == 255] = 0
    counts = object_counts(truth, prediction, 3)
    assert (counts[:, 0] <= counts[:, 1]).all()
    assert counts[0].tolist() == [0, 0]
    sizes = np.bincount(areas(truth).ravel())[1:]
    assert counts[:, 1].sum() == (sizes >= 4).sum()


@given(arrays(np.uint8, (16, 18), elements=st.sampled_from([0, 1, 2])))
def test_the_truth_itself_has_every_polygon_right(truth: np.ndarray) -> None:
    counts = object_counts(truth, truth, 3)
    assert (counts[:, 0] == counts[:, 1]).all()
