"""The year's account by damage kind and the five figures of an edition, in a unit of the reader's choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from landdamage.accounting.states import KINDS
from landdamage.reports.balances import ROUNDING_NOTE, balances
from landdamage.reports.closing import close_parts
from landdamage.reports.table import STEP, Cell, Column, Row, Table, Unit, area, printed, text
from landdamage.reports.words import Language, kind_name, pick, word

UNITS: Final[tuple[Unit, ...]] = ("hm2", "mu", "km2")


def account_table(year: int, sums: Mapping[str, Mapping[str, int]], language: Language) -> Table:
    """A year's account in hm²: a row per damage kind and their total; lines balance as printed.

    Args:
        year: the year.
        sums: per kind the sums in cm² of ``selectors.editions.edition_sums``.
        language: of kinds and notes.
    """
    closed = balances([sums[kind] for kind in KINDS])
    rows = [
        Row((text(kind_name(kind, language)), *cells), key=kind) for kind, cells in zip(KINDS, closed.rows, strict=True)
    ]
    rows.append(Row((text(word("total", language)), *closed.total), level="total", key="total"))
    columns = (Column("kind", "损毁类型", "Damage kind"), *closed.columns)
    notes = () if closed.closed else (pick(ROUNDING_NOTE, language),)
    return Table(f"A{year}", f"{year}年账目", f"Account of {year}", columns, tuple(rows), notes, language)


def in_unit(table: Table, unit: Unit) -> Table:
    """The same table with its areas in another unit: parts add up to subtotals, subtotals to totals.

    Hectares are left as the report prints them.
    """
    if unit == "hm2":
        return table
    columns = [i for i, column in enumerate(table.columns) if column.unit == "hm2"]
    cells = [list(row.cells) for row in table.rows]
    for column in columns:
        _convert(table, cells, column, unit)
    heads = tuple(replace(column, unit=unit) if i in columns else column for i, column in enumerate(table.columns))
    rows = tuple(replace(row, cells=tuple(line)) for row, line in zip(table.rows, cells, strict=True))
    return replace(table, columns=heads, rows=rows)


def _convert(table: Table, cells: list[list[Cell]], column: int, unit: Unit) -> None:
    """Close one column from the top: the total by itself, then the rows of each level below to the one above."""
    groups: dict[int | None, list[int]] = {}
    upper: int | None = None
    top = next((i for i, row in enumerate(table.rows) if row.level == "total"), None)
    for i, row in enumerate(table.rows):
        if not isinstance(cells[i][column].exact, int):
            continue
        if row.level == "subtotal":
            upper = i
            groups.setdefault(top, []).append(i)
        elif row.level == "part":
            groups.setdefault(top if upper is None else upper, []).append(i)
    units: dict[int | None, int | None] = {None: None}
    if top is not None and isinstance(exact := cells[top][column].exact, int):
        units[top] = round(Fraction(exact) / STEP[unit])
        cells[top][column] = area(exact, unit)
    for head in sorted(groups, key=lambda i: (i != top, i or 0)):
        members = groups[head]
        parts = [int(cells[i][column].exact or 0) for i in members]
        total = units.get(head) if head is not None and sum(parts) == cells[head][column].exact else None
        for i, part, number in zip(members, parts, close_parts(parts, STEP[unit], total), strict=True):
            units[i] = number
            cells[i][column] = printed(number, unit, part)


@dataclass(frozen=True, slots=True)
class Headline:
    """The five figures of an edition, in cm².

    Attributes:
        coverage: observed share 0-1 of the monitored ground; None before anything was computed.
        restored_stock: ground that is restored at the end of the year.
    """

    opening: int
    stock: int
    new: int
    restored: int
    restored_stock: int
    pending: int
    carried: int
    undecided: int
    coverage: float | None

    @property
    def net(self) -> int:
        """New minus restored; adjustments are shown apart."""
        return self.new - self.restored

    @property
    def change(self) -> int:
        """Stock against last year's."""
        return self.stock - self.opening

    @property
    def yearly_rate(self) -> float | None:
        """Restored over new of the year; None when nothing is new."""
        return self.restored / self.new if self.new else None

    @property
    def total_rate(self) -> float | None:
        """Restored stock over all ground that is or was damaged."""
        ever = self.restored_stock + self.stock
        return self.restored_stock / ever if ever else None


def headline(sums: Mapping[str, Mapping[str, int]], monitored_cm2: int, observed_cm2: int) -> Headline:
    """The five figures from the sums in cm² per kind."""

    def total(column: str) -> int:
        return sum(sums[kind][column] for kind in KINDS)

    return Headline(
        opening=total("opening"),
        stock=total("closing"),
        new=total("new"),
        restored=total("restored"),
        restored_stock=total("restored_stock"),
        pending=total("pending"),
        carried=total("carried"),
        undecided=total("undecided"),
        coverage=observed_cm2 / monitored_cm2 if monitored_cm2 else None,
    )
