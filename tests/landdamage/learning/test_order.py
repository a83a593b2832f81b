"""The order of training tiles: each in its turn, a quarter by class, rare ones repeated but not without end."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landdamage.learning.order import BalancedOrder

UNITS = st.lists(st.sets(st.integers(0, 7), max_size=4), min_size=1, max_size=40)


@given(UNITS, st.integers(1, 16), st.integers(0, 2**31))
def test_every_batch_has_its_share_by_class(units: list[set[int]], size: int, seed: int) -> None:
    order = BalancedOrder(units, seed=seed)
    for step in range(6):
        batch = order.batch(step, size)
        assert len(batch) == size
        by_class = [(unit, class_id) for unit, class_id in batch if class_id is not None]
        if any(units):
            assert len(by_class) >= 0.25 * size
        assert all(class_id in units[unit] for unit, class_id in by_class)


@given(UNITS, st.integers(0, 2**31))
def test_every_unit_has_its_turn_before_any_has_two(units: list[set[int]], seed: int) -> None:
    order = BalancedOrder(units, share=0, seed=seed)
    turns = [unit for step in range(2 * len(units)) for unit, _ in order.batch(step, 1)]
    assert sorted(turns[: len(units)]) == sorted(turns[len(units) :]) == list(range(len(units)))


def test_classes_are_drawn_uniformly_however_rare() -> None:
    order = BalancedOrder([{0}] * 90 + [{0, 6}] * 10)
    drawn = Counter(c for step in range(100) for _, c in order.batch(step, 8) if c is not None)
    assert drawn[0] == pytest.approx(100, abs=2)
    assert drawn[6] == pytest.approx(100, abs=2)


def test_rare_tiles_are_repeated_eight_times_an_epoch_at_most() -> None:
    units = [{0}] * 198 + [{0, 6}] * 2  # two ponds in two hundred tiles: a quarter of 200 draws, half of them ponds
    order = BalancedOrder(units, seed=3)
    steps = 200 // 8
    for epoch in range(4):
        by_class = [
            pair
            for step in range(epoch * steps, (epoch + 1) * steps)
            for pair in order.batch(step, 8)
            if pair[1] is not None
        ]
        repeats = Counter(unit for unit, _ in by_class)
        assert max(repeats.values()) <= 7  # and once in its own turn
        assert repeats[198] == repeats[199] == 7
        assert len(by_class) == 50


@given(UNITS, st.integers(1, 9), st.integers(0, 60))
def test_a_step_draws_the_same_whatever_was_drawn_before(units: list[set[int]], size: int, step: int) -> None:
    fresh = BalancedOrder(units, seed=1)
    used = BalancedOrder(units, seed=1)
    for other in range(0, 60, 7):
        used.batch(other, size)
    assert fresh.batch(step, size) == used.batch(step, size)


def test_the_limit_yields_rather_than_the_batch() -> None:
    order = BalancedOrder([{1}, {2}], share=1, most_repeats=1)
    assert len(order.batch(0, 16)) == 16


@pytest.mark.parametrize(("units", "share", "repeats"), [([], 0.25, 8), ([{1}], 1.5, 8), ([{1}], 0.5, 0)])
def test_nonsense_is_refused(units: list[set[int]], share: float, repeats: int) -> None:
    with pytest.raises(ValueError, match=r"no units|share"):
        BalancedOrder(units, share, repeats)
