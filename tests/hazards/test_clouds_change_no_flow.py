"""Clouds over half of a district: what they hide is carried, nothing else moves."""

from __future__ import annotations

import numpy as np

from landdamage.accounting.rules import Rules
from landdamage.accounting.states import KINDS
from landdamage.accounting.territories import Territory
from tests.fixtures.simulated_books import SimulatedTruth, book_years

NO_FILTER = Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=0.0, min_area_m2=0.0, epsilon_m=0.0)


def test_clouds_change_no_flow(simulated_truth: SimulatedTruth, whole_district: list[Territory]):
    size = simulated_truth.district.size
    clear = np.zeros((size, size), bool)
    clear[:, : size // 2] = True
    books = book_years(simulated_truth, whole_district, NO_FILTER, {2022: simulated_truth.outline(col1=size // 2)})
    cloudy = books[2022]
    seen, hidden = simulated_truth.flows_cm2(2022, clear), simulated_truth.flows_cm2(2022, ~clear)
    before = simulated_truth.flows_cm2(2021)
    bound = len(cloudy.cells) + 1
    for kind in KINDS:
        row = cloudy.statement.kinds.loc[kind]
        for flow in ("new", "restored", "moved_in", "moved_out"):
            assert abs(row[flow] - seen[kind][flow]) <= bound, (kind, flow)
        assert abs(row["carried"] - hidden[kind]["opening"]) <= bound
        assert abs(row["opening"] - before[kind]["closing"]) <= bound
        assert row["first_seen"] == row["pending"] == row["undecided"] == row["exit"] == 0
    assert sum(hidden[kind]["new"] for kind in KINDS) > 1e6  # there was growth under the cloud
    assert cloudy.statement.kinds["carried"].sum() > 1e8
    covered = cloudy.cells[cloudy.cells["flow"] == "carried"]
    assert (covered["new_state"] == covered["prev_state"]).all()
    assert (covered["observed_year"] == 2021).all()

    # The sky clears: the books come out where they would have been.
    for kind in KINDS:
        closing = books[2023].statement.kinds.at[kind, "closing"]
        assert abs(closing - simulated_truth.flows_cm2(2023)[kind]["closing"]) <= len(books[2023].cells) + 1
