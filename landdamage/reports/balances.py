"""Rows of areas that balance: opening + what came - what went = closing, closed so that printed parts add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from landdamage.reports.closing import close_matrix, close_parts
from landdamage.reports.table import STEP, Cell, Column, printed

# key, zh, en, part in the balance
BALANCE: tuple[tuple[str, str, str, int], ...] = (
    ("opening", "上年末存量", "Opening stock", 1),
    ("new", "新增", "New", 1),
    ("first_seen", "首次观测", "First seen", 1),
    ("adj_plus", "补录", "Omissions", 1),
    ("restored", "治理", "Restored", -1),
    ("adj_minus", "更正", "Corrected", -1),
    ("moved_in", "转入", "Moved in", 1),
    ("moved_out", "转出", "Moved out", -1),
    ("within", "同类内转换", "Within kind", 1),
    ("exit", "移出监测区", "Left area", -1),
    ("closing", "年末存量", "Closing stock", -1),
)
ONLY_IF_ANY = ("within", "exit")  # columns left out where they are nothing
BESIDE: tuple[tuple[str, str, str], ...] = (
    ("pending", "其中待核", "of it pending"),
    ("carried", "其中未观测", "of it not observed"),
)
ROUNDING_NOTE = ("因四舍五入，合计数可能略有差异。", "Because of rounding, sums may differ slightly from their parts.")


@dataclass
class Balances:
    """Printed balances of several groups and their total.

    Attributes:
        columns: the area columns.
        rows: cells per group, in the order given.
        total: cells of the total.
        closed: whether every row balances as printed.
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]
    total: tuple[Cell, ...]
    closed: bool
    units: list[list[int]] = field(default_factory=list)


def balance_keys(total: Mapping[str, int], rows: Sequence[Mapping[str, int]] = ()) -> list[str]:
    """Keys of the balance columns to show."""
    return [
        key
        for key, *_ in BALANCE
        if key not in ONLY_IF_ANY or total.get(key, 0) or any(row.get(key, 0) for row in rows)
    ]


def balances(
    groups: Sequence[Mapping[str, int]],
    *,
    beside: Sequence[tuple[str, str, str]] = BESIDE,
    keys: Sequence[str] | None = None,
    totals: Sequence[int] | None = None,
) -> Balances:
    """Close the balances of groups in hm².

    Args:
        groups: per group, cm² of every measure of ``BALANCE`` and ``beside``.
        beside: columns that take no part in the balance.
        keys: balance columns; None takes those that are needed.
        totals: printed totals in 0.01 hm² where they are fixed already (groups within a subtotal).
    """
    facts = {key: (zh, en, sign) for key, zh, en, sign in BALANCE}
    every = [row[0] for row in BALANCE] + [row[0] for row in beside]
    sums = {key: sum(group.get(key, 0) for group in groups) for key in every}
    shown = list(keys) if keys is not None else balance_keys(sums, groups)
    names = [*shown, *(key for key, *_ in beside)]
    signs = [facts[key][2] for key in shown] + [0] * len(beside)
    exact = [[int(group.get(key, 0)) for key in names] for group in groups]
    unit = int(STEP["hm2"])
    units, closed, good = close_matrix(exact, unit, signs, totals)
    columns = tuple(Column(key, facts[key][0], facts[key][1], "hm2") for key in shown) + tuple(
        Column(key, zh, en, "hm2") for key, zh, en in beside
    )
    rows = [
        tuple(printed(int(n), "hm2", x) for n, x in zip(row, values, strict=True))
        for row, values in zip(units, exact, strict=True)
    ]
    total = tuple(printed(int(n), "hm2", sums[key]) for n, key in zip(closed, names, strict=True))
    return Balances(columns, rows, total, good, [[int(n) for n in row] for row in units])


def shares(parts: Sequence[int], whole: int | None = None, total_units: int | None = None) -> list[Cell]:
    """Shares of a whole in percent that add up to 100.00 (or to ``total_units`` hundredths of a percent).

    All cells are "—" where the whole is nothing.
    """
    total = sum(parts) if whole is None else whole
    if not total:
        return [Cell("—") for _ in parts]
    unit = Fraction(total) * STEP["percent"]
    units = close_parts(parts, unit, total_units)
    return [printed(n, "percent", Fraction(part, total)) for n, part in zip(units, parts, strict=True)]
