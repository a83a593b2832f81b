"""The statement: what a year did to the stocks of damaged and restored ground, in integer cm².

Every figure is a sum of cells. Ground that the filter reverted counts as seen, because the book is taken for what the
image shows there; newly seen damage that nobody decided is in no stock and stands apart (`undecided`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from landdamage.accounting.ground import kind_number
from landdamage.accounting.states import DAMAGE, KINDS, RESTORED_OF, Flow, State

FLOW_COLUMNS: Final = (
    "opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "moved_in", "moved_out", "exit", "closing",
    "seen", "carried", "pending", "undecided", "redamaged",
)  # fmt: skip
RESTORED_COLUMNS: Final = ("restored_opening", "restored_exit", "restored_closing")
INFLOWS: Final = {Flow.NEW: "new", Flow.FIRST_SEEN: "first_seen", Flow.OMISSION: "adj_plus"}
OUTFLOWS: Final = {Flow.RESTORED: "restored", Flow.CORRECTED: "adj_minus", Flow.EXIT: "exit"}
SEEN: Final = (Flow.PERSIST, Flow.RECLASS, Flow.FILTERED, Flow.NEW, Flow.FIRST_SEEN, Flow.OMISSION)


@dataclass(frozen=True)
class Statement:
    """A year's sums, all int64 cm².

    With a grouping the tables' index has the group as first level, its columns the same.

    Attributes:
        kinds: per damage kind, `FLOW_COLUMNS` and `RESTORED_COLUMNS`. ``new`` is what reviewers confirmed (redamaged
            ground included, which ``redamaged`` repeats), ``moved_in`` and ``moved_out`` moves between kinds,
            ``undecided`` newly seen damage by the kind seen.
        classes: per damage state, `FLOW_COLUMNS`; moves are those between states here, also within a kind.
        matrix: from state (index, the last level) to state (columns), all ground; codes of `State`.
        ground: total (monitored now), observed, unobserved (seen before but not this year), unknown (never seen),
            exit; filtered and undecided; outside_licence (damaged ground beyond the licence).
    """

    kinds: pd.DataFrame
    classes: pd.DataFrame
    matrix: pd.DataFrame
    ground: pd.DataFrame

    @property
    def total(self) -> pd.DataFrame:
        """All kinds together: one row per group (one row named "total" without grouping)."""
        if self.kinds.index.nlevels == 1:
            return self.kinds.sum().to_frame("total").T
        return self.kinds.groupby(level=0, sort=False, dropna=False).sum()


def statement(cells: pd.DataFrame, by: str | None = None) -> Statement:
    """Sum settled cells.

    Args:
        cells: as `ledger.settle` returns them: area_cm2, prev_state, obs_state, new_state, flow, redamaged and, where
            known, outside_licence.
        by: a column to group by (mine, region, ...); cells without a value make a group of their own, which is the
            missing value.

    Raises:
        KeyError: a column is missing.
    """
    table = pd.DataFrame(
        {
            "area": cells["area_cm2"].to_numpy(np.int64),
            "before": cells["prev_state"].to_numpy(np.int64),
            "obs": cells["obs_state"].to_numpy(np.int64),
            "after": cells["new_state"].to_numpy(np.int64),
            "flow": cells["flow"].to_numpy(),
            "redamaged": cells["redamaged"].to_numpy(bool),
            "group": cells[by].to_numpy() if by else 0,
        }
    )
    groups = pd.unique(table["group"])
    number = pd.factorize(table["group"], use_na_sentinel=False)[0]
    outside = cells["outside_licence"].to_numpy(bool) if "outside_licence" in cells else np.zeros(len(table), bool)
    kind_of = {name: kind_number(table[name].to_numpy()) for name in ("before", "obs", "after")}
    class_of = {name: _class_number(table[name].to_numpy()) for name in ("before", "obs", "after")}
    kinds = _flows(table, number, len(groups), kind_of, len(KINDS))
    kinds |= _restored(table, number, len(groups))
    classes = _flows(table, number, len(groups), class_of, len(DAMAGE))
    names = groups if by else None
    return Statement(
        kinds=_frame(kinds, names, list(KINDS), "kind"),
        classes=_frame(classes, names, [state.code for state in DAMAGE], "class"),
        matrix=_matrix(table, number, len(groups), names),
        ground=_ground(table, number, len(groups), names, outside & (kind_of["after"] > 0)),
    )


def _class_number(states: np.ndarray) -> np.ndarray:
    first, last = DAMAGE[0], DAMAGE[-1]
    return np.where((states >= first) & (states <= last), states - first + 1, 0)


def _flows(
    table: pd.DataFrame, group: np.ndarray, groups: int, of: dict[str, np.ndarray], count: int
) -> dict[str, np.ndarray]:
    """(groups, count) sums of each flow column for one way of classing damage."""
    area, flow = table["area"].to_numpy(), table["flow"].to_numpy()
    before, obs, after = of["before"], of["obs"], of["after"]

    def add(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
        total = np.zeros((groups, count + 1), np.int64)
        np.add.at(total, (group[rows], by[rows]), area[rows])
        return total[:, 1:]

    everywhere = np.ones(len(area), bool)
    moved = np.isin(flow, [Flow.PERSIST, Flow.RECLASS]) & (before != after)
    sums = {"opening": add(everywhere, before), "closing": add(everywhere, after)}
    sums |= {name: add(flow == code, after) for code, name in INFLOWS.items()}
    sums |= {name: add(flow == code, before) for code, name in OUTFLOWS.items()}
    sums |= {"moved_in": add(moved, after), "moved_out": add(moved, before)}
    sums |= {"seen": add(np.isin(flow, SEEN), after), "carried": add(flow == Flow.CARRIED, after)}
    sums |= {"pending": add(flow == Flow.PENDING, after), "undecided": add(flow == Flow.UNDECIDED, obs)}
    sums["redamaged"] = add(table["redamaged"].to_numpy(), after)
    return {name: sums[name] for name in FLOW_COLUMNS}


def _restored(table: pd.DataFrame, group: np.ndarray, groups: int) -> dict[str, np.ndarray]:
    """(groups, kinds) restored stocks, and the damage booked again on them by the kind that had been restored."""
    area, before, after = (table[name].to_numpy() for name in ("area", "before", "after"))
    gone, again = (table["flow"] == Flow.EXIT).to_numpy(), table["redamaged"].to_numpy()

    def add(rows: np.ndarray) -> np.ndarray:
        total = np.zeros(groups, np.int64)
        np.add.at(total, group[rows], area[rows])
        return total

    states = [RESTORED_OF[kind] for kind in KINDS]
    columns = {
        "restored_opening": [before == state for state in states],
        "restored_exit": [gone & (before == state) for state in states],
        "redamaged": [again & (before == state) for state in states],
        "restored_closing": [after == state for state in states],
    }
    return {name: np.column_stack([add(rows) for rows in masks]) for name, masks in columns.items()}


def _frame(columns: dict[str, np.ndarray], groups: np.ndarray | None, names: list[str], level: str) -> pd.DataFrame:
    index: pd.Index = pd.Index(names, name=level)
    if groups is not None:
        index = pd.MultiIndex.from_arrays([np.repeat(groups, len(names)), names * len(groups)], names=["group", level])
    if groups is not None or next(iter(columns.values())).size:
        return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index)
    return pd.DataFrame(0, index=index, columns=list(columns), dtype=np.int64)


def _matrix(table: pd.DataFrame, group: np.ndarray, groups: int, names: np.ndarray | None) -> pd.DataFrame:
    states = [state for state in State if state is not State.NOOBS]
    place = np.full(State.OUTSIDE + 1, -1)
    place[states] = np.arange(len(states))
    total = np.zeros((max(groups, 1), len(states), len(states)), np.int64)
    rows = (group, place[table["before"].to_numpy()], place[table["after"].to_numpy()])
    np.add.at(total, rows, table["area"].to_numpy())
    codes = [state.code for state in states]
    index: pd.Index = pd.Index(codes, name="before")
    if names is not None:
        index = pd.MultiIndex.from_arrays([np.repeat(names, len(codes)), codes * len(names)], names=["group", "before"])
        total = total[: len(names)]
    return pd.DataFrame(total.reshape(-1, len(codes)), index=index, columns=pd.Index(codes, name="after"))


def _ground(
    table: pd.DataFrame, group: np.ndarray, groups: int, names: np.ndarray | None, outside: np.ndarray
) -> pd.DataFrame:
    area, before, obs, after, flow = (table[name].to_numpy() for name in ("area", "before", "obs", "after", "flow"))
    inside, seen = after != State.OUTSIDE, (obs != State.NOOBS) & (obs != State.OUTSIDE)
    masks = {
        "total": inside,
        "observed": seen,
        "unobserved": inside & ~seen & (before != State.UNKNOWN),
        "unknown": inside & (after == State.UNKNOWN),
        "exit": ~inside,
        "filtered": flow == Flow.FILTERED,
        "undecided": flow == Flow.UNDECIDED,
        "outside_licence": outside,
    }
    sums = {}
    for name, rows in masks.items():
        sums[name] = np.zeros(max(groups, 1), np.int64)
        np.add.at(sums[name], group[rows], area[rows])
    if names is None:
        return pd.DataFrame(sums, index=["total"])
    return pd.DataFrame(
        {name: values[: len(names)] for name, values in sums.items()}, index=pd.Index(names, name="group")
    )
