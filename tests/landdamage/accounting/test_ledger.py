"""The ledger and the statement against the reference ledger, and the identities over years."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landdamage.accounting.identities import balance, check, telescopes
from landdamage.accounting.ledger import settle
from landdamage.accounting.statement import Statement, statement
from landdamage.accounting.states import KINDS, Flow, State
from minegis.errors import MineGISError
from tests.fixtures import reference_ledger as ref

LABELS = np.array([ref.VEG, ref.OTH, *ref.DMG])
HISTORIES = 50  # independent histories that one example holds as groups of one table
NEW_FLOW = {ref.ACCEPT: Flow.NEW, ref.REJECT: Flow.REJECTED, ref.OMISSION: Flow.OMISSION}
RELEASE_FLOW = {ref.PENDING: Flow.PENDING, ref.RESTORED: Flow.RESTORED, ref.CORRECTED: Flow.CORRECTED}


class World:
    """Many short histories side by side, run through the reference ledger and the product year by year."""

    def __init__(self, seed: int, atoms: int, gaps: float, calm: float, decided: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.gaps, self.calm, self.decided = gaps, calm, decided
        count = HISTORIES * atoms
        self.history = np.repeat(np.arange(HISTORIES), atoms)
        self.area = self.rng.integers(0, 10 ** self.rng.integers(1, 13), count)
        self.book = np.full(count, ref.UNK)
        self.label = self.rng.choice(LABELS, count)

    def observe(self) -> tuple[pd.DataFrame, np.ndarray, dict[int, Flow], np.ndarray, np.ndarray]:
        """A year's cells, the labels the reference ledger sees, decisions in both alphabets."""
        rng, count = self.rng, len(self.book)
        fresh = rng.random(count) > self.calm
        self.label = np.where(fresh, rng.choice(LABELS, count), self.label)
        seen = np.where(rng.random(count) < self.gaps, ref.NOOBS, self.label)
        on_book, on_label = ref.isd(self.book), ref.isd(seen)
        known = (seen != ref.NOOBS) & (self.book != ref.UNK)
        filtered = known & (self._kind(self.book) != self._kind(seen)) & (rng.random(count) < 0.2)
        # Reverted ground counts as if the image had shown the book; restored ground shows no damage.
        for_reference = np.where(filtered, np.where(self.book >= ref.R_EXC, ref.VEG, self.book), seen)
        released, new = rng.integers(0, 3, count), rng.integers(0, 3, count)
        silent = rng.random(count) > self.decided
        released[silent], new[silent] = ref.PENDING, ref.REJECT
        waiting = known & ~filtered & (on_book != on_label)
        cells = pd.DataFrame(
            {
                "history": self.history,
                "area_cm2": self.area,
                "prev_state": self.book,
                "obs_state": seen,
                "filtered": filtered,
                "piece": np.where(waiting, np.arange(count), -1),
            }
        )
        flows = {
            int(i): RELEASE_FLOW[released[i]] if on_book[i] else NEW_FLOW[new[i]]
            for i in np.flatnonzero(waiting & ~silent)
        }
        return cells, for_reference, flows, released, new

    @staticmethod
    def _kind(states: np.ndarray) -> np.ndarray:
        return np.select([ref.kind_mask(states, k) for k in ref.KINDS], [1, 2, 3])


def agree(found: dict[str, np.ndarray], flows: dict, moves: dict, history: int) -> None:
    """One history's rows of a statement equal the reference flows; `found` holds (histories, kinds) per column."""
    for row, kind in enumerate(ref.KINDS):
        for column, area in flows[kind].items():
            assert found[column][history, row] == area, (kind, column)
        out = sum(area for (source, _), area in moves.items() if source == kind)
        into = sum(area for (_, target), area in moves.items() if target == kind)
        assert (found["moved_out"][history, row], found["moved_in"][history, row]) == (out, into), kind


WORLDS = st.builds(
    World,
    seed=st.integers(0, 2**32 - 1),
    atoms=st.integers(1, 12),
    gaps=st.sampled_from([0.0, 0.2, 0.7]),
    calm=st.sampled_from([0.0, 0.5, 0.9]),
    decided=st.sampled_from([0.0, 0.6, 1.0]),
)


@settings(max_examples=65)  # 65 examples of 50 histories: 3 250
@given(WORLDS, st.integers(1, 5))
def test_random_histories_agree_with_the_reference_ledger(world: World, years: int) -> None:
    previous, statements = None, []
    for _ in range(years):
        cells, labels, flows, released, new = world.observe()
        settled = settle(cells, flows)
        whole = check(settled, previous=previous, by=["history"], monitored_cm2=int(world.area.sum()))
        kinds = statement(settled, "history").kinds
        found = {column: kinds[column].to_numpy().reshape(HISTORIES, len(KINDS)) for column in kinds}
        booked = settled["new_state"].to_numpy(np.int64)
        for history in range(HISTORIES):
            own = world.history == history
            book, area = world.book[own], world.area[own]
            after, own_flows, moves = ref.step(book, labels[own], area, released[own], new[own])
            assert (booked[own] == after).all()
            agree(found, own_flows, moves, history)
            for stocks, column in [(ref.stock, "opening"), (ref.rstock, "restored_opening")]:
                assert [*stocks(book, area).values()] == found[column][history].tolist()
            for stocks, column in [(ref.stock, "closing"), (ref.rstock, "restored_closing")]:
                assert [*stocks(after, area).values()] == found[column][history].tolist()
        world.book = booked
        statements.append(previous := whole)
    telescopes(statements)


@settings(max_examples=25)
@given(WORLDS)
def test_the_same_labels_next_year_change_nothing(world: World) -> None:
    world.gaps = 0.0
    first, _, flows, _, _ = world.observe()
    before = settle(first, flows)
    world.book = before["new_state"].to_numpy(np.int64)
    cells = first.assign(prev_state=world.book, filtered=False, piece=-1)
    again = statement(settle(cells, {}))
    quiet = again.kinds[["new", "restored", "first_seen", "adj_plus", "adj_minus", "moved_in", "exit"]]
    assert not quiet.to_numpy().any()
    assert (again.kinds["closing"] == again.kinds["opening"]).all()


@settings(max_examples=25)
@given(WORLDS, st.integers(0, 2**32 - 1))
def test_hiding_ground_never_adds_new_or_restored_area(world: World, seed: int) -> None:
    cells, _, flows, _, _ = world.observe()
    world.book = settle(cells, flows)["new_state"].to_numpy(np.int64)
    cells, _, flows, _, _ = world.observe()
    hidden = np.random.default_rng(seed).random(len(cells)) < 0.4
    less = cells.assign(
        obs_state=np.where(hidden, ref.NOOBS, cells["obs_state"]),
        filtered=cells["filtered"] & ~hidden,
        piece=np.where(hidden, -1, cells["piece"]),
    )
    fewer = {piece: flow for piece, flow in flows.items() if piece in set(less["piece"])}
    full, part = statement(settle(cells, flows)).kinds, statement(settle(less, fewer)).kinds
    assert (part[["new", "restored"]] <= full[["new", "restored"]]).all(axis=None)


@settings(max_examples=25)
@given(WORLDS)
def test_net_change_is_the_same_in_one_step_and_in_many(world: World) -> None:
    """With everything observed and decided; the gross flows of many steps are at least those of one."""
    world.gaps = 0.0
    count = len(world.book)
    world.book = np.random.default_rng(1).choice(np.array([ref.VEG, *ref.DMG]), count)
    start = world.book.copy()

    def book(states: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
        waiting = ref.isd(states) != ref.isd(labels)
        cells = pd.DataFrame(
            {
                "area_cm2": world.area,
                "prev_state": states,
                "obs_state": labels,
                "filtered": False,
                "piece": np.where(waiting, np.arange(count), -1),
            }
        )
        flows = {int(i): Flow.RESTORED if ref.isd(states)[i] else Flow.NEW for i in np.flatnonzero(waiting)}
        settled = settle(cells, flows)
        return settled["new_state"].to_numpy(np.int64), statement(settled).total

    new = restored = 0
    for _ in range(4):
        world.observe()
        world.book, total = book(world.book, world.label)
        new += total.at["total", "new"]
        restored += total.at["total", "restored"]
    _, direct = book(start, world.label)
    assert new - restored == direct.at["total", "new"] - direct.at["total", "restored"]
    assert new >= direct.at["total", "new"]
    assert restored >= direct.at["total", "restored"]


def cells_of(*rows: tuple[int, int], **columns: object) -> pd.DataFrame:
    """Cells of 1, 2, 4, ... cm² from (state before, state seen), each a piece of its own."""
    before, seen = zip(*rows, strict=True)
    table = {"prev_state": before, "obs_state": seen, "filtered": False, "piece": range(len(rows))}
    return pd.DataFrame(table | {"area_cm2": [2**i for i in range(len(rows))]} | columns)


def test_every_line_of_the_table_of_flows() -> None:
    S = State
    lines = [
        (S.OPEN_PIT, S.NOOBS, None, Flow.CARRIED, S.OPEN_PIT),
        (S.UNKNOWN, S.NOOBS, None, Flow.CARRIED, S.UNKNOWN),
        (S.UNKNOWN, S.STOCKPILE, None, Flow.FIRST_SEEN, S.STOCKPILE),
        (S.UNKNOWN, S.VEGETATION, None, Flow.PLAIN, S.VEGETATION),
        (S.VEGETATION, S.OTHER, None, Flow.PLAIN, S.OTHER),
        (S.OTHER, S.OPEN_PIT, None, Flow.UNDECIDED, S.OTHER),
        (S.OTHER, S.OPEN_PIT, Flow.NEW, Flow.NEW, S.OPEN_PIT),
        (S.OTHER, S.OPEN_PIT, Flow.OMISSION, Flow.OMISSION, S.OPEN_PIT),
        (S.OTHER, S.OPEN_PIT, Flow.REJECTED, Flow.REJECTED, S.OTHER),
        (S.OPEN_PIT, S.PIT_WATER, None, Flow.PERSIST, S.PIT_WATER),
        (S.OPEN_PIT, S.STOCKPILE, None, Flow.RECLASS, S.STOCKPILE),
        (S.OPEN_PIT, S.VEGETATION, None, Flow.PENDING, S.OPEN_PIT),
        (S.TAILINGS_POND, S.VEGETATION, Flow.RESTORED, Flow.RESTORED, S.RESTORED_OCCUPATION),
        (S.SUBSIDENCE, S.OTHER, Flow.CORRECTED, Flow.CORRECTED, S.OTHER),
        (S.RESTORED_EXCAVATION, S.VEGETATION, None, Flow.PLAIN, S.RESTORED_EXCAVATION),
        (S.RESTORED_EXCAVATION, S.STOCKPILE, Flow.NEW, Flow.NEW, S.STOCKPILE),
        (S.OPEN_PIT, S.OUTSIDE, None, Flow.EXIT, S.OUTSIDE),
        (S.RESTORED_SUBSIDENCE, S.OUTSIDE, None, Flow.EXIT, S.OUTSIDE),
    ]
    cells = cells_of(*((before, seen) for before, seen, *_ in lines))
    settled = settle(cells, {i: line[2] for i, line in enumerate(lines) if line[2]})
    assert settled["flow"].tolist() == [line[3] for line in lines]
    assert settled["new_state"].tolist() == [line[4] for line in lines]
    assert settled["redamaged"].to_numpy().nonzero()[0].tolist() == [15]
    found = check(settled)
    assert found.kinds.at["excavation", "exit"] == 2**16
    assert found.kinds.at["subsidence", "restored_exit"] == 2**17
    assert found.kinds.at["excavation", "redamaged"] == 2**15  # by the kind that had been restored
    assert found.matrix.at["open_pit", "stockpile"] == 2**10
    assert found.classes.at["pit_water", "moved_in"] == found.classes.at["open_pit", "moved_out"] - 2**10 == 2**9


@pytest.mark.parametrize(
    ("row", "decision"),
    [
        ((State.OTHER, State.OPEN_PIT), Flow.RESTORED),
        ((State.OPEN_PIT, State.VEGETATION), Flow.NEW),
        ((State.OPEN_PIT, State.PIT_WATER), Flow.NEW),
    ],
)
def test_a_decision_that_does_not_fit_is_refused(row: tuple[int, int], decision: Flow) -> None:
    with pytest.raises(MineGISError, match="E-ACC-02"):
        settle(cells_of(row), {0: decision})


def test_a_decision_about_nothing_is_refused() -> None:
    with pytest.raises(MineGISError, match="E-ACC-02"):
        settle(cells_of((State.OTHER, State.OPEN_PIT)), {7: Flow.NEW})


def test_pieces_may_be_missing_values() -> None:
    cells = cells_of((State.OTHER, State.OPEN_PIT), (State.OTHER, State.OTHER), piece=[12, None])
    assert settle(cells, {12: "new"})["flow"].tolist() == [Flow.NEW, Flow.PLAIN]


@pytest.mark.parametrize(("years", "flow"), [(1, Flow.PENDING), (2, Flow.RESTORED)])
def test_vegetation_restores_by_itself_only_when_asked_for(years: int, flow: Flow) -> None:
    cells = cells_of((State.OPEN_PIT, State.VEGETATION), vegetated_years=years)
    assert settle(cells, {})["flow"].tolist() == [Flow.PENDING]
    assert settle(cells, {}, auto_restore_after=2)["flow"].tolist() == [flow]
    assert settle(cells, {0: Flow.CORRECTED}, auto_restore_after=2)["flow"].tolist() == [Flow.CORRECTED]


def broken() -> Iterator[tuple[str, pd.DataFrame]]:
    good = settle(
        cells_of((State.OPEN_PIT, State.OPEN_PIT), (State.OTHER, State.OPEN_PIT), (State.OPEN_PIT, State.VEGETATION)),
        {1: Flow.NEW, 2: Flow.RESTORED},
    )
    yield "I2", good.assign(flow=[Flow.PERSIST, Flow.PLAIN, Flow.RESTORED])
    yield "I2", good.assign(new_state=good["prev_state"])
    yield "I4", good.assign(flow=["", Flow.NEW, Flow.RESTORED])
    yield "I5", good.assign(redamaged=False, prev_state=[10, 20, 10])  # restored ground that vanishes
    yield "I8", good.assign(area_cm2=[1, -2, 4])


@pytest.mark.parametrize(("identity", "cells"), [*broken()])
def test_books_that_do_not_balance_are_refused(identity: str, cells: pd.DataFrame) -> None:
    with pytest.raises(MineGISError) as refusal:
        check(cells)
    assert refusal.value.values["identity"] == identity


def test_a_year_must_open_where_the_last_one_closed() -> None:
    first = settle(cells_of((State.UNKNOWN, State.OPEN_PIT)), {})
    closed = check(first)
    check(settle(cells_of((State.OPEN_PIT, State.OPEN_PIT)), {}), previous=closed)
    with pytest.raises(MineGISError, match="opening"):
        check(settle(cells_of((State.PIT_WATER, State.OPEN_PIT)), {}), previous=closed)


def test_a_statement_of_nothing_is_zero() -> None:
    empty = settle(cells_of((State.OTHER, State.OTHER)), {}).iloc[:0].assign(mine=[])
    for found in (statement(empty), check(empty, by=["mine"])):
        assert not found.kinds.to_numpy().any()
        assert found.kinds.index.tolist() == list(KINDS)
    balance(statement(empty).classes)


def test_cells_of_no_mine_are_a_group_of_their_own() -> None:
    cells = settle(cells_of((State.UNKNOWN, State.OPEN_PIT), (State.UNKNOWN, State.STOCKPILE)), {})
    found: Statement = statement(cells.assign(mine=["a", None]), "mine")
    assert found.total["first_seen"].sum() == 3
    assert found.ground["total"].tolist() == [1, 2]
    check(cells.assign(mine=["a", None]), by=["mine"])
