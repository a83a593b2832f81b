"""The change filter: position error is no change, true change keeps its area to the cm²."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.affinity import rotate, translate

from landdamage.accounting.ledger import settle
from landdamage.accounting.statement import statement
from landdamage.accounting.states import Flow, PieceKind, State
from tests.fixtures.units_of_ground import (
    RULES,
    SQUARE,
    Label,
    first_book,
    next_opening,
    place,
    random_patches,
    year_on,
)

CM2 = 10_000
PIT = shapely.box(300, 300, 700, 700)
EPSILON = 6.0


def flows(book: object, labels: list[Label], observed: shapely.Geometry = SQUARE) -> dict[str, float]:
    """m² per flow of the next year, every new piece decided as new and every released one as restored."""
    made = year_on(book, labels, observed)
    decided = {
        piece: Flow.NEW if kind == PieceKind.NEW else Flow.RESTORED
        for piece, kind in zip(made.pieces["piece"], made.pieces["kind"], strict=True)
    }
    return (settle(made.cells, decided).groupby("flow")["area_cm2"].sum() / CM2).to_dict()


def test_a_pit_shifted_three_metres_is_the_same_pit() -> None:
    step = 3 / np.sqrt(2)
    found = flows(first_book([(State.OPEN_PIT, PIT)]), [(State.OPEN_PIT, translate(PIT, step, step))])
    assert set(found) == {Flow.PERSIST, Flow.PLAIN, Flow.FILTERED}
    assert found[Flow.FILTERED] == pytest.approx(2 * (400**2 - (400 - step) ** 2), abs=4)


def test_true_growth_keeps_its_area_exactly() -> None:
    grown = shapely.union(PIT, shapely.box(700, 400, 760, 480))
    found = flows(first_book([(State.OPEN_PIT, PIT)]), [(State.OPEN_PIT, grown)])
    assert found[Flow.NEW] == 4800.0
    assert Flow.FILTERED not in found


def test_true_growth_beside_a_shifted_rim_counts_without_the_rim() -> None:
    grown = shapely.union(translate(PIT, 2, 2), shapely.box(700, 400, 760, 480))
    found = flows(first_book([(State.OPEN_PIT, PIT)]), [(State.OPEN_PIT, grown)])
    assert found[Flow.NEW] == pytest.approx(4800.0, abs=1)
    assert found[Flow.FILTERED] > 3000
    assert Flow.RESTORED not in found


@pytest.mark.parametrize("angle", [0, 17, 45, 60, 88])
@pytest.mark.parametrize("direction", [0, 30, 45, 110, 200, 315])
def test_a_shift_below_half_epsilon_moves_nothing(angle: float, direction: float) -> None:
    shape = rotate(shapely.union(shapely.box(300, 300, 500, 650), shapely.box(500, 300, 700, 420)), angle)
    way = np.deg2rad(direction)
    there = translate(shape, 0.49 * EPSILON * np.cos(way), 0.49 * EPSILON * np.sin(way))
    found = flows(first_book([(State.STOCKPILE, shape)]), [(State.STOCKPILE, there)])
    assert not {Flow.NEW, Flow.RESTORED} & set(found)


def test_creep_is_booked_once_it_exceeds_epsilon() -> None:
    book, total = first_book([(State.OPEN_PIT, PIT)]), []
    for year in (1, 2):
        labels = [(State.OPEN_PIT, shapely.box(300, 300, 700 + 0.6 * EPSILON * year, 700))]
        made = year_on(book, labels)
        settled = settle(made.cells, dict.fromkeys(made.pieces["piece"], Flow.NEW))
        total.append(int(statement(settled).kinds.at["excavation", "new"]))
        book = next_opening(settled)
    assert total == [0, round(1.2 * EPSILON * 400) * CM2]


def test_pieces_below_the_mapping_unit_revert() -> None:
    book = first_book([(State.OPEN_PIT, PIT)])
    small, large = shapely.box(100, 100, 119.9, 120), shapely.box(100, 800, 120, 820)
    found = flows(book, [(State.OPEN_PIT, PIT), (State.STOCKPILE, small), (State.STOCKPILE, large)])
    assert found[Flow.FILTERED] == pytest.approx(398)
    assert found[Flow.NEW] == 400.0


def test_a_narrow_bridge_does_not_make_two_small_pieces_one_large() -> None:
    halves = [shapely.box(100, 100, 118, 118), shapely.box(160, 100, 178, 118), shapely.box(118, 107, 160, 109)]
    found = flows(first_book([]), [(State.STOCKPILE, shapely.union_all(halves))])
    assert Flow.NEW not in found
    assert found[Flow.FILTERED] == pytest.approx(2 * 324 + 84)


def test_a_small_hole_takes_the_class_around_it_and_a_large_one_stays() -> None:
    tiny, wide = shapely.box(400, 400, 415, 415), shapely.box(500, 500, 530, 530)
    ring = shapely.difference(PIT, shapely.union(tiny, wide))
    found = flows(first_book([]), [(State.OPEN_PIT, ring)])
    assert found[Flow.NEW] == 160_000 - 900


def test_a_hole_that_nobody_saw_is_not_filled() -> None:
    cloud = shapely.box(400, 400, 415, 415)
    found = flows(first_book([]), [(State.OPEN_PIT, PIT)], observed=shapely.difference(SQUARE, cloud))
    assert found[Flow.NEW] == 160_000 - 225
    assert found[Flow.CARRIED] == 225


def test_a_hole_where_book_and_label_agree_on_damage_is_not_filled() -> None:
    camp = shapely.box(400, 400, 415, 415)
    around = shapely.difference(PIT, camp)
    found = flows(first_book([(State.LIVING_AREA, camp)]), [(State.OPEN_PIT, around), (State.LIVING_AREA, camp)])
    assert found[Flow.PERSIST] == 225
    assert found[Flow.NEW] == 160_000 - 225


def test_a_change_of_kind_passes_the_filter_without_a_decision() -> None:
    dump = shapely.box(300, 300, 700, 400)
    rest = shapely.difference(PIT, shapely.union(dump, shapely.box(300, 697, 700, 700)))
    labels = [(State.STOCKPILE, dump), (State.OPEN_PIT, rest), (State.STOCKPILE, shapely.box(300, 697, 700, 700))]
    made = year_on(first_book([(State.OPEN_PIT, PIT)]), labels)
    assert made.pieces.empty
    found = settle(made.cells, {}).groupby("flow")["area_cm2"].sum() / CM2
    assert found[Flow.RECLASS] == 40_000
    assert found[Flow.FILTERED] == 1200  # a strip of 3 m stays a pit


def test_slivers_along_one_patch_are_one_cell() -> None:
    """A ragged outline leaves a splinter per pixel: they are booked as one cell of many parts."""
    teeth = [shapely.box(x, 700, x + 2, 702) for x in range(300, 700, 4)]
    made = year_on(first_book([(State.OPEN_PIT, PIT)]), [(State.OPEN_PIT, shapely.union_all([PIT, *teeth]))])
    filtered = made.cells[made.cells["filtered"]]
    assert len(filtered) == 1
    assert len(shapely.get_parts(filtered.geometry.to_numpy())) == 100
    assert filtered["area_cm2"].tolist() == [400 * CM2]


def test_a_piece_that_the_filter_cuts_leaves_a_coverage() -> None:
    spur = shapely.Polygon([(700, 400), (760, 400), (760, 480), (900, 483), (760, 486), (700, 486)])
    made = year_on(first_book([(State.OPEN_PIT, PIT)]), [(State.OPEN_PIT, shapely.union(PIT, spur))])
    shapes = made.cells.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).area == pytest.approx(1e6, abs=0.1)
    kept = made.pieces.geometry.iloc[0]
    assert kept.area == pytest.approx(place(shapely.box(700, 400, 760, 486)).area, rel=0.02)
    assert made.cells[made.cells["filtered"]]["area_cm2"].sum() > 0


def test_unknown_ground_is_not_filtered() -> None:
    """First sight is no difference: the smallest patch of a first book counts."""
    book = first_book([], observed=shapely.box(0, 0, 1000, 500))
    found = flows(book, [(State.STOCKPILE, shapely.box(100, 800, 102, 802))])
    assert found[Flow.FIRST_SEEN] == 4.0
    assert RULES.mmu_m2 > 4


def test_an_outline_that_reprojection_crosses_still_counts() -> None:
    """Joined corners that touch after the opening made a whole pit vanish once."""
    labels = random_patches(5406)
    made = year_on(first_book(random_patches(406)), labels)
    largest_lost = made.cells[made.cells["filtered"]]["area_cm2"].max()
    assert largest_lost < 1000 * CM2
