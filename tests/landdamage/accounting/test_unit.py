"""One unit's year: areas that close, years that join, cells and pieces as people expect them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.ops

from landdamage.accounting import overlay
from landdamage.accounting.identities import check, telescopes
from landdamage.accounting.ledger import settle
from landdamage.accounting.rules import Rules
from landdamage.accounting.shares import apportion
from landdamage.accounting.statement import statement
from landdamage.accounting.states import Flow, PieceKind, State
from landdamage.accounting.unit import UnitCells, exit_cells, open_unit
from minegis.errors import MineGISError
from minegis.units import area_cm2
from tests.fixtures.units_of_ground import (
    RULES,
    SIDE,
    SQUARE,
    first_book,
    next_opening,
    nothing_booked,
    place,
    random_clouds,
    random_patches,
    regions,
    seen,
    unit,
    year_on,
)

CM2 = 10_000
PIT = shapely.box(300, 300, 700, 700)


def decide(made: UnitCells, seed: int) -> dict[int, Flow]:
    """Random decisions of every kind, some pieces left open."""
    rng = np.random.default_rng(seed)
    new = [None, Flow.NEW, Flow.NEW, Flow.OMISSION, Flow.REJECTED]
    released = [None, Flow.RESTORED, Flow.RESTORED, Flow.CORRECTED]
    chosen = {}
    for piece, kind in zip(made.pieces["piece"], made.pieces["kind"], strict=True):
        options = new if kind == PieceKind.NEW else released
        if (flow := options[rng.integers(len(options))]) is not None:
            chosen[piece] = flow
    return chosen


def covers_the_square(cells: gpd.GeoDataFrame, ground: shapely.Geometry = SQUARE) -> None:
    """The cells are a coverage of the unit: no gap, no overlap, corners on the grid."""
    shapes = cells.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).symmetric_difference(place(ground)).area < 0.01 * SIDE
    grid = shapely.get_coordinates(shapes) * 100
    assert np.abs(grid - np.rint(grid)).max() < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_three_years_of_random_ground_join_to_the_square_centimetre(seed: int) -> None:
    licence = shapely.box(150, 150, 800, 800)
    provinces = regions(shapely.box(-50, -50, 437, 1050), shapely.box(437, -50, 1050, 1050))
    book, previous, statements, drawn = nothing_booked(), None, [], []
    for year in range(4):
        labels, clouds = random_patches(seed * 10 + year // 2 * 7), random_clouds(seed * 10 + year)
        made = open_unit(unit(licence=licence), book, seen(labels, clouds), provinces, RULES, year=2020 + year)
        covers_the_square(made.cells)
        settled = settle(made.cells, decide(made, seed + year))
        whole = check(settled, previous=previous, by=["region", "outside_licence", "scene"])
        assert set(settled["region"]) == {0, 1}
        statements.append(previous := whole)
        drawn.append(int(settled["area_cm2"].sum()))
        book = next_opening(settled)
    telescopes(statements)
    assert len(set(drawn)) == 1  # not a square centimetre comes or goes
    assert drawn[0] == pytest.approx(area_cm2(place(SQUARE), overlay.ALBERS), abs=0.05 * CM2)
    assert sum(s.kinds["new"].sum() for s in statements) > 0


def test_the_order_of_patches_does_not_matter() -> None:
    book, labels = first_book(random_patches(1)), random_patches(2)
    one = year_on(book, labels)
    two = year_on(book.iloc[::-1].reset_index(drop=True), labels[::-1])
    columns = ["area_cm2", "prev_state", "obs_state", "piece", "filtered", "since_year"]
    assert one.cells[columns].equals(two.cells[columns])
    assert shapely.equals(one.cells.geometry.to_numpy(), two.cells.geometry.to_numpy()).all()


@pytest.mark.parametrize("confidence", [0.9, np.nan])
@pytest.mark.parametrize("seed", range(4))
def test_cutting_patches_in_two_changes_no_cell(seed: int, confidence: float) -> None:
    rng = np.random.default_rng(seed)
    book, labels = first_book(random_patches(seed)), random_patches(seed + 50)
    cut = []
    for state, shape in labels:
        x, y = shapely.get_coordinates(shape.representative_point())[0]
        tilt = rng.uniform(-SIDE, SIDE)
        blade = shapely.LineString([(x - SIDE, y - tilt), (x + SIDE, y + tilt)])
        parts = shapely.ops.split(shape, blade).geoms
        cut += [(state, part) for part in parts]
    assert len(cut) > len(labels)
    whole, parts = year_on(book, labels, confidence=confidence), year_on(book, cut, confidence=confidence)
    columns = ["area_cm2", "prev_state", "obs_state", "piece", "filtered"]
    assert whole.cells[columns].equals(parts.cells[columns])
    assert whole.pieces["area_cm2"].tolist() == parts.pieces["area_cm2"].tolist()


def test_the_same_labels_next_year_change_nothing() -> None:
    labels = random_patches(3)
    made = year_on(first_book(labels), labels)
    assert made.pieces.empty
    assert set(settle(made.cells, {})["flow"]) == {Flow.PERSIST, Flow.PLAIN}


def test_a_cell_is_one_connected_patch() -> None:
    chess = [(State.OPEN_PIT, shapely.box(x, y, x + 100, y + 100)) for x in (0, 200) for y in (0, 200)]
    chess += [(State.OPEN_PIT, shapely.box(100, 100, 200, 200))]  # touches the others at corners only
    made = open_unit(unit(), nothing_booked(), seen(chess), regions(), RULES, year=2021)
    pits = made.cells[made.cells["obs_state"] == State.OPEN_PIT]
    assert pits.geometry.geom_type.tolist() == ["Polygon"] * 5
    assert pits["area_cm2"].tolist() == [100 * 100 * CM2] * 5


def test_cells_know_scene_licence_region_and_years() -> None:
    book = first_book([(State.OPEN_PIT, PIT)], observed=shapely.box(0, 0, SIDE, 600))
    licence = shapely.box(0, 0, 500, SIDE)
    made = open_unit(
        unit(licence=licence), book, seen([(State.OPEN_PIT, PIT)]), regions(shapely.box(-9, -9, 2000, 500)), RULES,
        year=2023,
    )  # fmt: skip
    pit = made.cells[made.cells["obs_state"] == State.OPEN_PIT]
    assert pit.groupby("outside_licence")["area_cm2"].sum().to_dict() == {
        False: 200 * 400 * CM2,
        True: 200 * 400 * CM2,
    }
    assert pit.groupby("since_year")["area_cm2"].sum().to_dict() == {0: 400 * 100 * CM2, 2021: 400 * 300 * CM2}
    assert pit.groupby("region")["area_cm2"].sum().to_dict() == {-1: 400 * 200 * CM2, 0: 400 * 200 * CM2}
    assert set(pit["observed_year"]) == {2023}
    assert set(pit["scene"]) == {0}
    assert pit["confidence"].to_numpy() == pytest.approx(0.9)
    hidden = open_unit(unit(), book, seen([], shapely.Polygon()), regions(), RULES, year=2023).cells
    assert set(hidden["observed_year"]) == {0, 2021}


def test_confidence_is_weighted_by_area() -> None:
    labels = seen(
        [(State.OPEN_PIT, shapely.box(300, 300, 700, 400)), (State.OPEN_PIT, shapely.box(300, 400, 700, 700))]
    )
    labels.labels["confidence"] = [0.5, 0.9]
    made = open_unit(unit(), nothing_booked(), labels, regions(), RULES, year=2021)
    pit = made.cells[made.cells["obs_state"] == State.OPEN_PIT]
    assert pit["area_cm2"].tolist() == [160_000 * CM2]  # one pit, though two patches
    assert pit["confidence"].tolist() == [pytest.approx(0.8)]


def test_pieces_say_what_is_to_be_decided() -> None:
    book = first_book([(State.OPEN_PIT, PIT), (State.STOCKPILE, shapely.box(800, 0, 900, 100))])
    labels = [(State.STOCKPILE, shapely.box(100, 800, 200, 900)), (State.OPEN_PIT, shapely.box(300, 300, 700, 500))]
    made = year_on(book, labels)
    rows = made.pieces.set_index(["kind", "prev_kind", "obs_kind"])["area_cm2"].to_dict()
    assert rows == {
        ("new", "", "occupation"): 100 * 100 * CM2,
        ("released", "excavation", ""): 400 * 200 * CM2,
        ("released", "occupation", ""): 100 * 100 * CM2,
    }
    new = made.pieces[made.pieces["kind"] == PieceKind.NEW].iloc[0]
    assert (new["prev_state"], new["obs_state"], new["patches"]) == (State.OTHER, State.STOCKPILE, (0,))
    assert made.pieces["piece"].tolist() == [0, 1, 2]


def test_labels_that_cross_themselves_by_a_hair_are_accounted_for() -> None:
    seed = 494  # one of its outlines, moved to its place, crosses itself in the last digit
    labels = random_patches(seed + 5000)
    assert not shapely.is_valid(seen(labels).labels.geometry.to_numpy()).all()
    made = year_on(first_book(random_patches(seed)), labels)
    assert len(made.pieces) > 0


def test_released_ground_names_the_patch_that_lies_there_instead() -> None:
    """Who drew it has made the change as much as who draws a pit: another person decides it."""
    book = first_book([(State.OPEN_PIT, PIT)])
    released = year_on(
        book, [(State.OPEN_PIT, shapely.box(300, 300, 700, 500)), (State.OTHER, shapely.box(300, 500, 700, 700))]
    )
    assert released.pieces[["kind", "patches"]].to_numpy().tolist() == [["released", (1,)]]


def test_vegetation_on_released_ground_is_counted_in_observed_years() -> None:
    book = first_book([(State.OPEN_PIT, PIT)])
    for observed, label, years in [
        (SQUARE, State.VEGETATION, 1),
        (shapely.Polygon(), State.VEGETATION, 1),
        (SQUARE, State.VEGETATION, 2),
        (SQUARE, State.OTHER, 0),
    ]:
        made = open_unit(unit(), book, seen([(label, PIT)], observed), regions(), RULES, year=2022)
        settled = settle(made.cells, {})
        assert settled[settled["prev_state"] == State.OPEN_PIT]["vegetated_years"].tolist() == [years]
        book = next_opening(settled)


def test_ground_that_left_the_area_exits() -> None:
    book = first_book([(State.OPEN_PIT, PIT)])
    settled = settle(exit_cells(book), {})
    assert set(settled["flow"]) == {Flow.EXIT}
    found = statement(settled)
    assert found.kinds.at["excavation", "exit"] == found.kinds.at["excavation", "opening"] == 160_000 * CM2
    assert found.ground.at["total", "total"] == 0


def test_a_book_that_does_not_fit_its_unit_is_refused() -> None:
    book = first_book([(State.OPEN_PIT, PIT)])
    with pytest.raises(MineGISError, match="E-ACC-03"):
        open_unit(unit(shapely.box(0, 0, 500, SIDE)), book, seen([]), regions(), RULES, year=2022)
    with pytest.raises(MineGISError, match="E-ACC-03"):
        open_unit(unit(), gpd.pd.concat([book, book]), seen([]), regions(), RULES, year=2022)


def test_a_swallowed_opening_cell_keeps_its_area() -> None:
    """A triangle one grid step wide disappears when a border is noded beside it; its cm² must not."""
    book = first_book([(State.OPEN_PIT, PIT)])
    sliver = book.iloc[[0]].copy()
    thin = shapely.Polygon([(300, 300), (300, 700), (300.0001, 500)])
    sliver = sliver.set_geometry(gpd.GeoSeries([place(thin)], crs=overlay.ALBERS).to_crs(4490).set_axis(sliver.index))
    sliver["state"], sliver["area_cm2"] = int(State.STOCKPILE), 7
    made = year_on(gpd.pd.concat([book, sliver], ignore_index=True), [(State.OPEN_PIT, PIT)])
    assert made.cells[made.cells["prev_state"] == State.STOCKPILE]["area_cm2"].sum() == 7


def test_shares_add_up() -> None:
    assert apportion(10, [1, 1, 1]) == [4, 3, 3]
    assert apportion(10, [1, 2, 1]) == [3, 5, 2]
    assert apportion(0, [0, 0]) == [0, 0]
    with pytest.raises(ValueError, match="without area"):
        apportion(1, [0])


def test_rules_give_the_thresholds_of_the_procedure() -> None:
    assert (Rules(2.0, 2.0, 1.0).epsilon, Rules(2.0, 2.0, 1.0).mmu_m2) == (4.0, 400.0)
    assert (Rules(2.0, 8.0, 1.0).epsilon, Rules(2.0, 8.0, 1.0).mmu_m2) == (16.0, 1600.0)
    assert Rules(None, 2.0, 5.0).epsilon == 10.0
    chosen = Rules(2.0, 2.0, 1.0, min_area_m2=200.0, epsilon_m=3.0, auto_restore_after=2)
    assert (chosen.epsilon, chosen.mmu_m2) == (3.0, 200.0)
    assert Rules.from_dict(chosen.as_dict()) == chosen
