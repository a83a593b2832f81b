from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landdamage.reports.closing import close_matrix, close_parts

UNIT = 10**6


@given(st.lists(st.integers(-(10**9), 10**10), max_size=30))
def test_parts_add_up_and_move_by_less_than_a_unit(parts):
    closed = close_parts(parts, UNIT)
    assert sum(closed) == round(Fraction(sum(parts), UNIT))
    assert all(abs(Fraction(p, UNIT) - c) < 1 for p, c in zip(parts, closed, strict=True))


def test_the_missing_unit_goes_to_the_largest_remainder_then_the_larger_part():
    assert close_parts([1_400_000, 2_400_000, 200_000], UNIT) == [1, 3, 0]
    with pytest.raises(ValueError, match="cannot be made"):
        close_parts([1_400_000], UNIT, total=3)


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 10**8), min_size=4, max_size=4), min_size=1, max_size=12))
def test_columns_close_exactly_and_rows_balance_where_the_totals_do(raw):
    rows = [[*row, row[0] + row[1] - row[2] + row[3]] for row in raw]  # the last column is the balance of the others
    signs = [1, 1, -1, 1, -1]
    units, totals, good = close_matrix(rows, UNIT, signs)
    exact = [sum(column) for column in zip(*rows, strict=True)]
    assert totals.tolist() == [round(Fraction(t, UNIT)) for t in exact]
    assert (units.sum(axis=0) == totals).all()
    for row, made in zip(rows, units, strict=True):
        assert all(abs(Fraction(x, UNIT) - int(m)) < 1 for x, m in zip(row, made, strict=True))
    off = units @ np.array(signs)
    # Rows can only be off by what the totals are off: a network always has a whole-number solution.
    assert abs(off).sum() == abs(int(totals @ np.array(signs)))
    assert good == (abs(off).sum() == 0)


def test_one_column_is_the_largest_remainder_rule():
    parts = [1_500_000, 2_500_000, 499_999, 700_000, 1]
    units, totals, _ = close_matrix([[p] for p in parts], UNIT, [0])
    assert units[:, 0].tolist() == close_parts(parts, UNIT)
    assert totals.tolist() == [5]
