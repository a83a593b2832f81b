"""A few metres of misregistration are not new damage on one side and restoration on the other.

A common defect of differencing two maps: every outline leaves a rim of false change, in all more than the true one.
"""

from __future__ import annotations

import pytest
from shapely.affinity import translate

from landdamage.accounting.ledger import settle
from landdamage.accounting.statement import statement
from landdamage.accounting.states import State
from tests.fixtures.units_of_ground import SQUARE, first_book, random_patches, year_on


@pytest.mark.parametrize("seed", range(4))
def test_the_same_ground_two_metres_beside_itself(seed: int) -> None:
    labels = [
        (state, shape.buffer(-4, join_style="mitre").buffer(4, join_style="mitre").intersection(shape))
        for state, shape in random_patches(seed, states=(State.OPEN_PIT, State.STOCKPILE))
    ]
    moved = [(state, translate(shape, 1.6, 1.2).intersection(SQUARE)) for state, shape in labels]
    made = year_on(first_book(labels), moved)
    found = statement(settle(made.cells, {}))
    assert made.pieces.empty
    assert found.ground.at["total", "filtered"] > 0
    assert (found.kinds["closing"] == found.kinds["opening"]).all()
