"""The ledger: what each cell's difference means, and what the book believes afterwards. A pure table step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import numpy as np
import pandas as pd

from landdamage.accounting.ground import kind_number
from landdamage.accounting.states import DECISIONS, KINDS, RESTORED, RESTORED_OF, Flow, PieceKind, State
from minegis.errors import MineGISError

Table = TypeVar("Table", bound=pd.DataFrame)
RESTORED_BY_KIND: Final = np.array([State.UNKNOWN, *(RESTORED_OF[kind] for kind in KINDS)], np.int16)
NEW, RELEASED = DECISIONS[PieceKind.NEW], DECISIONS[PieceKind.RELEASED]


def settle(cells: Table, decisions: Mapping[int, Flow | str], *, auto_restore_after: int = 0) -> Table:
    """Book a year: give every cell its flow and its new state.

    Args:
        cells: prev_state, obs_state (int), filtered (bool), piece (int; -1 or missing where nothing is to be decided)
            and, with `auto_restore_after`, vegetated_years; further columns are kept.
        decisions: piece -> one of `states.DECISIONS`. Newly seen damage without a decision is UNDECIDED and changes
            nothing; released damage without one is PENDING and stays in the stock.
        auto_restore_after: released ground is restored without a decision after so many consecutive observed years
            of vegetation; 0 never.

    Returns:
        A copy with flow (`Flow` values), new_state (int16) and redamaged (restored ground that was booked as damaged
        again).

    Raises:
        MineGISError: E-ACC-02, a decision names a piece that is not there, or does not fit its piece.
    """
    prev, obs = cells["prev_state"].to_numpy(np.int16), cells["obs_state"].to_numpy(np.int16)
    was, now = kind_number(prev), kind_number(obs)
    decided = _decided(cells["piece"], decisions)
    exits, seen = obs == State.OUTSIDE, obs >= 0
    filtered = cells["filtered"].to_numpy(bool)
    restored = np.isin(prev, RESTORED)
    released, fresh = (was > 0) & (now == 0), (was == 0) & (now > 0)
    for decision, fits in [*((flow, fresh) for flow in NEW), *((flow, released) for flow in RELEASED)]:
        wrong = (decided == decision) & ~fits
        if wrong.any():
            raise MineGISError("E-ACC-02", value=decision, piece=cells["piece"].to_numpy()[wrong][0])
    open_ = decided == ""
    conditions = {
        Flow.EXIT: exits,
        Flow.CARRIED: ~seen,
        Flow.FILTERED: filtered,
        Flow.FIRST_SEEN: (prev == State.UNKNOWN) & (now > 0),
        Flow.PERSIST: (was > 0) & (was == now),
        Flow.RECLASS: (was > 0) & (now > 0),
    }
    if auto_restore_after:
        long_green = cells["vegetated_years"].to_numpy() >= auto_restore_after
        conditions[Flow.RESTORED] = released & open_ & long_green
    flow = np.select(
        [*conditions.values(), released & open_, fresh & open_, released | fresh],
        [*conditions, Flow.PENDING, Flow.UNDECIDED, decided],
        default=Flow.PLAIN,
    ).astype(object)
    takes_label = np.isin(flow, [Flow.FIRST_SEEN, Flow.PERSIST, Flow.RECLASS, Flow.NEW, Flow.OMISSION, Flow.CORRECTED])
    takes_label |= (flow == Flow.PLAIN) & ~restored
    new_state = np.select(
        [exits, flow == Flow.RESTORED, takes_label], [np.int16(State.OUTSIDE), RESTORED_BY_KIND[was], obs], prev
    ).astype(np.int16)
    again = restored & np.isin(flow, [Flow.NEW, Flow.OMISSION])
    return cells.assign(flow=flow, new_state=new_state, redamaged=again)


def _decided(pieces: pd.Series, decisions: Mapping[int, Flow | str]) -> np.ndarray:
    """(n,) the decision of each cell's piece as text, "" for none."""
    stray = set(decisions) - set(pieces.dropna())
    if stray:
        raise MineGISError("E-ACC-02", value=decisions[min(stray)], piece=min(stray))
    chosen = {piece: Flow(decision).value for piece, decision in decisions.items()}
    return pieces.map(chosen).astype(object).where(lambda known: known.notna(), "").to_numpy().astype(str)
