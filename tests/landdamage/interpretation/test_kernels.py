"""The compiled passes say what their literal forms in double precision say."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label as scipy_label

from landdamage.interpretation.kernels import add_softmax, count_borders, count_steps, decide, label_components


@given(
    classes=st.integers(1, 9),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 40)),
    spread=st.sampled_from([0.0, 1.0, 30.0, 1e4]),
    temperature=st.floats(0.2, 5.0),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_softmax_is_added_to_the_part_of_the_strip_it_belongs_to(  # type: ignore[no-untyped-def]
    classes, shape, spread, temperature, seed
) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = shape
    logits = (rng.normal(size=(classes, *shape)) * spread).astype(np.float32)
    first = int(rng.integers(0, columns))
    count = int(rng.integers(1, columns - first + 1))
    left = int(rng.integers(0, 4))
    width = left + count + int(rng.integers(0, 4))
    total = rng.random((classes, rows, width)).astype(np.float32)
    down, across = rng.random(rows).astype(np.float32), rng.random(count).astype(np.float32)

    power = np.exp((logits - logits.max(axis=0)) / np.float64(temperature))
    expected = total.astype(np.float64)
    expected[:, :, left : left + count] += (power / power.sum(axis=0) * down[:, None])[
        :, :, first : first + count
    ] * across
    add_softmax(total, left, logits, first, down, across, np.float32(1 / temperature))
    # Large logits lose digits in the product with 1/temperature, which is rounded to float32.
    np.testing.assert_allclose(total, expected, atol=2e-3 if spread > 100 else 1e-5)


def test_small_probabilities_keep_their_relative_precision() -> None:
    logits = np.linspace(-80, 0, 4000, dtype=np.float32).reshape(1, 1, -1)
    logits = np.concatenate([logits, np.zeros_like(logits)])
    total = np.zeros_like(logits)
    one = np.ones(4000, np.float32)
    add_softmax(total, 0, logits, 0, one[:1], one, np.float32(1))
    power = np.exp(logits.astype(np.float64))
    np.testing.assert_allclose(total, power / power.sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("classes", [1, 2, 8])
def test_the_decision_is_the_literal_one(classes: int) -> None:
    rng = np.random.default_rng(classes)
    rows, columns = 40, 60
    share = rng.dirichlet(np.ones(classes), (rows + 3, columns)).transpose(2, 0, 1)
    share[:, 5] = 1 / classes  # a tie goes to the lowest class
    down, across = rng.uniform(0.5, 2, rows + 3), rng.uniform(0.5, 2, columns)
    total = np.ascontiguousarray(share * down[:, None] * across, np.float32)
    valid = rng.random((rows, columns)) < 0.8
    out = np.empty((3, rows, columns), np.uint8)
    decide(total, down[:rows].astype(np.float32), across.astype(np.float32), valid, np.float32(200), out)

    ordered = np.sort(total[:, :rows] / (down[:rows, None] * across), axis=0)
    second = ordered[-2] if classes > 1 else np.zeros((rows, columns))
    assert (out[:, ~valid] == 255).all()
    assert (out[0][valid] == total[:, :rows].argmax(axis=0)[valid]).all()
    for layer, wanted in ((out[1], ordered[-1]), (out[2], ordered[-1] - second)):
        assert np.abs(layer[valid] / 200 - wanted[valid]).max() < 0.5 / 200 + 1e-6


@given(
    shape=st.tuples(st.integers(1, 25), st.integers(1, 25)), classes=st.integers(1, 4), seed=st.integers(0, 2**32 - 1)
)
@settings(max_examples=150, deadline=None)
def test_components_are_those_of_scipy_numbered_by_first_pixel(shape, classes, seed) -> None:  # type: ignore[no-untyped-def]
    image = np.random.default_rng(seed).integers(0, classes, shape).astype(np.uint8)
    found, count = label_components(image)
    expected = np.full(shape, -1)
    for value in range(classes):
        parts, number = scipy_label(image == value)
        for part in range(1, number + 1):
            expected[parts == part] = np.flatnonzero((parts == part).ravel())[0]
    np.testing.assert_array_equal(found, np.unique(expected, return_inverse=True)[1].reshape(shape))
    assert count == found.max() + 1


def test_every_pixel_is_counted_with_its_piece() -> None:
    rng = np.random.default_rng(3)
    label = rng.integers(0, 7, (30, 40)).astype(np.int32)
    of_label = np.array([3, -1, 0, 4, -1, 1, 2], np.int32)
    piece = of_label[label]
    confidence, margin = (rng.integers(0, 201, piece.shape).astype(np.uint8) for _ in range(2))
    steps, margins = np.zeros((5, 201), np.int64), np.zeros(5, np.int64)
    count_steps(label, of_label, confidence, margin, steps, margins)
    for number in range(5):
        assert (steps[number] == np.bincount(confidence[piece == number], minlength=201)).all()
        assert margins[number] == margin[piece == number].sum(dtype=np.int64)


@pytest.mark.parametrize(
    ("shape", "labels"), [((1, 1), 1), ((40, 1), 3), ((1, 40), 3), ((60, 70), 4), ((90, 80), 7200)]
)
def test_borders_are_counted_edge_by_edge(shape: tuple[int, int], labels: int) -> None:
    """With 7200 labels there are more pairs than the table begins with."""
    label = np.random.default_rng(0).integers(0, labels, shape).astype(np.int32)
    expected = Counter(
        (min(pair), max(pair))
        for first, second in ((label[1:], label[:-1]), (label[:, 1:], label[:, :-1]))
        for pair in zip(first.ravel().tolist(), second.ravel().tolist(), strict=True)
        if pair[0] != pair[1]
    )
    assert sorted((low, high, times) for low, high, times in count_borders(label).T.tolist()) == sorted(
        (*pair, times) for pair, times in expected.items()
    )
