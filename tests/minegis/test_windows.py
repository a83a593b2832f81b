"""Windows cover every raster, blending is a true mean, and nothing depends on how the work is cut."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from minegis.windows import Plan, StripBlender, pad_window, ramp, window_starts

Array = NDArray[np.float32]


def blend(image: Array, predict: Callable[[Array], Array], plan: Plan, *, resume_at: int | None = None) -> Array:
    """Run ``predict`` over an image in memory; ``resume_at`` starts that strip with a new blender from the carry."""
    out = np.full((image.shape[0], plan.height, plan.width), np.nan, np.float32)
    for panel in plan.panels:
        blender = StripBlender(plan, panel, image.shape[0])
        for strip, row in enumerate(plan.rows):
            for column in panel.columns:
                window = image[:, row : row + plan.window, column : column + plan.window]
                blender.add(column, predict(pad_window(window, plan.window)))
            first, last = plan.final_rows(strip)
            out[:, first:last, panel.left : panel.right] = blender.finished(strip)
            if resume_at == strip + 1:
                carry = blender.carry(strip).copy()
                blender = StripBlender(plan, panel, image.shape[0])
                blender.restore(carry)
            else:
                blender.advance(strip)
    return out


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    window = draw(st.integers(1, 24))
    return Plan(
        height=draw(st.integers(1, 80)),
        width=draw(st.integers(1, 80)),
        window=window,
        overlap=draw(st.integers(0, window - 1)),
        panel_width=draw(st.integers(1, 100)),
    )


@given(plans(), st.integers(0, 2**32 - 1))
@settings(max_examples=150)
def test_identity_network_returns_its_input(plan: Plan, seed: int) -> None:
    image = np.random.default_rng(seed).normal(size=(2, plan.height, plan.width)).astype(np.float32)
    np.testing.assert_allclose(blend(image, lambda x: x, plan), image, rtol=1e-5, atol=1e-5)


@given(plans())
@settings(max_examples=150)
def test_every_pixel_is_covered_and_weights_sum_to_one(plan: Plan) -> None:
    for starts, length, sums in (
        (plan.rows, plan.height, plan.row_weight_sums),
        (plan.columns, plan.width, plan.column_weight_sums),
    ):
        assert starts[0] == 0
        assert starts[-1] + plan.window == max(length, plan.window)
        assert all(0 < b - a <= plan.window - plan.overlap for a, b in itertools.pairwise(starts))
        assert (sums > 0).all()
    ones = np.ones((1, plan.height, plan.width), np.float32)
    np.testing.assert_allclose(blend(ones, np.ones_like, plan), ones, rtol=1e-5)


@given(plans(), st.data())
@settings(max_examples=60)
def test_result_does_not_depend_on_panels_or_on_resuming(plan: Plan, data: st.DataObject) -> None:
    rng = np.random.default_rng(5)
    image = rng.normal(size=(1, plan.height, plan.width)).astype(np.float32)

    def context(window: Array) -> Array:  # a window's result depends on all of it, as a network's does
        return window * 0.5 + window.mean(dtype=np.float32)

    whole = Plan(plan.height, plan.width, plan.window, plan.overlap, panel_width=10_000)
    expected = blend(image, context, whole)
    np.testing.assert_array_equal(blend(image, context, plan), expected)
    cut = data.draw(st.integers(1, len(plan.rows)))
    np.testing.assert_array_equal(blend(image, context, plan, resume_at=cut), expected)


def test_rows_are_final_in_order_and_complete() -> None:
    plan = Plan(height=1300, width=700)
    spans = [plan.final_rows(k) for k in range(len(plan.rows))]
    assert spans[0][0] == 0
    assert spans[-1][1] == 1300
    assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))


def test_the_outermost_weight_is_positive_and_the_ramp_is_symmetric() -> None:
    weights = ramp(512, 128)
    assert weights[0] == weights[-1] == pytest.approx(0.5 / 128)
    np.testing.assert_array_equal(weights, weights[::-1])
    assert weights[128] == 1.0


def test_the_last_window_is_pulled_back_inside() -> None:
    assert window_starts(1000, 512, 128) == (0, 384, 488)
    assert window_starts(512, 512, 128) == (0,)
    assert window_starts(300, 512, 128) == (0,)


@pytest.mark.parametrize(("length", "window", "overlap"), [(0, 4, 1), (4, 0, 0), (4, 4, 4), (4, 4, -1)])
def test_impossible_windows_are_refused(length: int, window: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="no windows"):
        window_starts(length, window, overlap)


def test_a_small_raster_is_filled_by_reflection() -> None:
    pixels = np.array([[[1, 2, 3], [4, 5, 6]]])
    np.testing.assert_array_equal(
        pad_window(pixels, 5)[0],
        [[1, 2, 3, 2, 1], [4, 5, 6, 5, 4], [1, 2, 3, 2, 1], [4, 5, 6, 5, 4], [1, 2, 3, 2, 1]],
    )
    assert pad_window(np.ones((1, 1, 1)), 3).tolist() == [[[1, 1, 1]] * 3]
