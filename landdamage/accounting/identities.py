"""The identities that every year's books keep, exactly, in integer cm²."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from landdamage.accounting.statement import Statement, statement
from landdamage.accounting.states import DAMAGE, KIND_OF, State
from minegis.errors import MineGISError

GAINS = ["new", "first_seen", "adj_plus", "moved_in"]
LOSSES = ["restored", "adj_minus", "moved_out", "exit"]


def check(
    cells: pd.DataFrame,
    *,
    previous: Statement | None = None,
    by: Sequence[str] = (),
    monitored_cm2: int | None = None,
) -> Statement:
    """Check a settled year and return its statement.

    I1 partition, I2 balance, I3 moves net out, I4 composition, I5 restored stock, I7 blindness, I8 bounds,
    I9 additivity over each grouping of `by`, I12 classes add up to kinds, and the chain: this year's opening is last
    year's closing, per damage state and per restored kind.

    Args:
        cells: as `ledger.settle` returns them.
        previous: last year's statement of the same ground, None for a first book.
        by: columns whose groups must add up to the whole.
        monitored_cm2: area of the monitored ground, where it is known from elsewhere.

    Raises:
        MineGISError: E-ACC-01 naming the identity that fails, and by how much.
    """
    whole = statement(cells)
    balance(whole.kinds)
    balance(whole.classes)
    kinds, classes = whole.kinds, whole.classes
    after = whole.matrix.sum()
    total = int(whole.ground.at["total", "total"])
    _equal("I1", "states", int(after.drop(State.OUTSIDE.code).sum()), total)
    _equal("I1", "cells", int(after.sum()), int(cells["area_cm2"].sum()))
    if monitored_cm2 is not None:
        _equal("I1", "monitored", total, monitored_cm2)
    _equal("I3", "moves", int(kinds["moved_in"].sum()), int(kinds["moved_out"].sum()))
    for kind, row in kinds.iterrows():
        closing = row["restored_opening"] + row["restored"] - row["redamaged"] - row["restored_exit"]
        _equal("I5", str(kind), int(row["restored_closing"]), int(closing))
    if kinds["redamaged"].sum() > (kinds["new"] + kinds["adj_plus"]).sum():
        raise MineGISError("E-ACC-01", identity="I5", value="redamaged outside of new")
    if not whole.ground.at["total", "observed"]:
        for name in (*GAINS, "restored", "adj_minus", "moved_out", "pending", "undecided"):
            _equal("I7", name, int(kinds[name].sum()), 0)
    for column in by:
        for name in ("kinds", "classes", "matrix"):
            part = getattr(statement(cells, column), name).groupby(level=1, sort=False).sum()
            different = int(np.abs(part - getattr(whole, name).loc[part.index]).to_numpy().sum())
            _equal("I9", f"{column}: {name}", different, 0)
    for column in ("opening", "new", "first_seen", "adj_plus", "restored", "adj_minus", "exit", "closing"):
        by_kind = classes[column].groupby([KIND_OF[state] for state in DAMAGE]).sum()
        for kind in kinds.index:
            _equal("I12", f"{kind} {column}", int(by_kind[kind]), int(kinds.at[kind, column]))
    if previous is not None:
        for code, area in previous.classes["closing"].items():
            _equal("opening", str(code), int(classes.at[code, "opening"]), int(area))
        for kind, area in previous.kinds["restored_closing"].items():
            _equal("opening", f"restored {kind}", int(kinds.at[kind, "restored_opening"]), int(area))
    return whole


def balance(table: pd.DataFrame) -> None:
    """I2, I4 and I8 for every row of a statement's kinds or classes.

    Raises:
        MineGISError: E-ACC-01.
    """
    for name, row in table.iterrows():
        flows = row["opening"] + row[GAINS].sum() - row[LOSSES].sum()
        _equal("I2", str(name), int(row["closing"]), int(flows))
        _equal("I4", str(name), int(row[["seen", "carried", "pending"]].sum()), int(row["closing"]))
        least = int(row.min())
        if least < 0:
            raise MineGISError("E-ACC-01", identity="I8", value=f"{name}: {row.idxmin()} = {least}")
        leaving = int(row[["restored", "adj_minus", "pending", "carried", "moved_out", "exit"]].sum())
        if leaving > row["opening"]:
            raise MineGISError("E-ACC-01", identity="I8", value=f"{name}: {leaving} > {row['opening']}")


def telescopes(years: Sequence[Statement]) -> None:
    """I6: over consecutive years the stock changed by the sum of the yearly flows (moves cancel over all kinds).

    Args:
        years: statements of consecutive years of the same ground, oldest first.

    Raises:
        MineGISError: E-ACC-01.
    """
    flows = sum(int(year.kinds[GAINS].to_numpy().sum() - year.kinds[LOSSES].to_numpy().sum()) for year in years)
    change = int(years[-1].kinds["closing"].sum() - years[0].kinds["opening"].sum())
    _equal("I6", "stock", change, flows)


def _equal(identity: str, what: str, found: int, expected: int) -> None:
    if found != expected:
        raise MineGISError("E-ACC-01", identity=identity, value=f"{what}: {found} != {expected}")
