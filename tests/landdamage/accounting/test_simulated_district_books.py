"""The books of a simulated district, with the truth in place of the interpretation, against flows counted on pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from landdamage.accounting.rules import Rules
from landdamage.accounting.states import DAMAGE, KINDS, Flow
from landdamage.accounting.territories import MineArea, Territory, partition
from tests.fixtures.simulated_books import SimulatedTruth, book_years

NO_FILTER = Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=0.0, min_area_m2=0.0, epsilon_m=0.0)
REAL = Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=0.0)
CM2_PER_M2 = 10_000


def test_flows_equal_the_truth_to_the_square_centimetre(
    simulated_truth: SimulatedTruth, whole_district: list[Territory]
):
    books = book_years(simulated_truth, whole_district, NO_FILTER)
    largest = 0.0
    for year, booked in books.items():
        truth = simulated_truth.flows_cm2(year)
        off = booked.differences(truth)
        # Each cell is rounded once, by half a unit; the truth is exact on the same grid.
        assert max(map(abs, off.values())) <= len(booked.cells) / 2 + 1, off
        largest = max(largest, *(flows.get("new", 0.0) for flows in truth.values()))
    assert largest > 10_000 * CM2_PER_M2  # there was something to find
    assert simulated_truth.flows_cm2(2023)["occupation"]["restored"] > 10_000 * CM2_PER_M2


def test_mines_and_counties_add_up_to_the_truth(simulated_truth: SimulatedTruth):
    """Licences, zones and county borders right across the patches of the district."""
    blocks = [(40, 40, 150, 170), (60, 220, 190, 330), (210, 90, 340, 230)]
    mines = [
        MineArea(name, name, simulated_truth.outline(*block), simulated_truth.outline(*_wider(block)))
        for name, block in zip("ABC", blocks, strict=True)
    ]
    territories = partition(mines, simulated_truth.outline(), simulated_truth.regions)
    assert len(territories) == 5
    books = book_years(simulated_truth, territories, NO_FILTER)
    for year, booked in books.items():
        # A border bends by up to half a step of the grid wherever another one crosses it.
        off = booked.differences(simulated_truth.flows_cm2(year))
        assert max(map(abs, off.values())) <= CM2_PER_M2, off
    damage = books[2023].cells[np.isin(books[2023].cells["new_state"], DAMAGE)]
    assert set(damage["region"]) == {0, 1}
    assert damage["mine"].nunique(dropna=False) == 4


def _wider(block: tuple[int, int, int, int], by: int = 40) -> tuple[int, int, int, int]:
    return block[0] - by, block[1] - by, block[2] + by, block[3] + by


def test_real_rules_delay_growth_and_lose_less_than_a_rim(
    simulated_truth: SimulatedTruth, whole_district: list[Territory]
):
    books = book_years(simulated_truth, whole_district, REAL)
    for year, booked in books.items():
        kinds, ground = booked.statement.kinds, booked.statement.ground
        truth = simulated_truth.flows_cm2(year)
        for kind in KINDS:
            # What the books do not show is what the filter still holds back.
            missing = truth[kind]["closing"] - kinds.at[kind, "closing"]
            assert abs(missing) <= ground.at["total", "filtered"] + len(booked.cells), (year, kind)
    # All held-back ground is narrower than epsilon or smaller than the mapping unit.
    held = books[2023].cells[books[2023].cells["filtered"]]
    rest = shapely.buffer(shapely.union_all(held.geometry.to_numpy()), -REAL.epsilon / 2 - 0.1, join_style="mitre")
    assert all(part.area < REAL.mmu_m2 for part in shapely.get_parts(rest))
    new = {year: sum(simulated_truth.flows_cm2(year)[kind]["new"] for kind in KINDS) for year in (2022, 2023)}
    found = {year: float(books[year].statement.kinds["new"].sum()) for year in (2022, 2023)}
    assert 0.8 < found[2022] / new[2022] <= 1.0
    assert found[2023] > new[2023]  # part of the growth of 2022 is booked once it is wide enough
    assert sum(found.values()) == pytest.approx(sum(new.values()), rel=0.05)


def test_shrinking_the_mask_never_adds_new_or_restored(
    simulated_truth: SimulatedTruth, whole_district: list[Territory]
):
    size = simulated_truth.district.size
    rng = np.random.default_rng(13)
    for rules in (NO_FILTER, REAL):
        seen = simulated_truth.outline()
        larger = book_years(simulated_truth, whole_district, rules, until=2022)[2022].statement.kinds
        for _ in range(2):
            row, col = rng.integers(0, size - 128, 2)
            seen = seen - simulated_truth.outline(row, col, row + 128, col + 100)
            smaller = book_years(simulated_truth, whole_district, rules, {2022: seen}, until=2022)[2022].statement.kinds
            for flow in ("new", "restored"):
                # Cutting a piece may round each of its parts up.
                assert (smaller[flow] <= larger[flow] + 20).all(), (rules, flow)
            larger = smaller


def test_nothing_observed_changes_nothing(simulated_truth: SimulatedTruth, whole_district: list[Territory]):
    books = book_years(simulated_truth, whole_district, REAL, {2022: shapely.Point(0, 0).buffer(1e-6)})
    assert set(books[2022].cells["flow"]) == {Flow.CARRIED}
    assert (books[2022].cells["new_state"] == books[2022].cells["prev_state"]).all()
    # What grew in 2022 is booked as new when it is seen, and says since when.
    fresh = books[2023].cells[books[2023].cells["flow"] == Flow.NEW]
    assert set(fresh["since_year"]) == {2021}
