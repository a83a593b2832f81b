"""A table of the report: columns, rows, and cells that know their exact value and how it is printed.

Pages, the API, the workbook, CSV files and the document all print ``Cell.text`` or ``Cell.value``, never their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Literal

from landdamage.reports.words import Language

Value = Decimal | int | str | date | None
Unit = Literal["text", "count", "hm2", "m2", "mu", "km2", "percent", "date", "degree", "decimal"]
Level = Literal["part", "subtotal", "total"]
NOTHING = "—"  # not observed, not defined

# cm² per last printed digit as a fraction: 0.1 mu is 2 000 000 / 3 cm².
STEP: Final = MappingProxyType(
    {
        "m2": Fraction(100),
        "hm2": Fraction(10**6),
        "km2": Fraction(10**8),
        "mu": Fraction(2_000_000, 3),
        "percent": Fraction(1, 10_000),
    }
)
DIGITS: Final = MappingProxyType({"m2": 2, "hm2": 2, "km2": 2, "mu": 1, "percent": 2})
UNIT_TEXT: Final = MappingProxyType({"hm2": "hm²", "m2": "m²", "km2": "km²", "percent": "%", "degree": "°"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: what is printed.
        value: what a workbook holds: the printed number, text or date; None prints "—".
        exact: cm² for areas, the share 0-1 for percentages; None for everything else.
    """

    text: str
    value: Value = None
    exact: int | Fraction | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``key`` is its name in the API and never changes."""

    key: str
    zh: str
    en: str
    unit: Unit = "text"

    def head(self, language: Language) -> str:
        """The head with its unit, e.g. ``新增 (hm²)``."""
        name = self.zh if language == "zh" else self.en
        unit = ("亩" if language == "zh" else "mu") if self.unit == "mu" else UNIT_TEXT.get(self.unit, "")
        return f"{name} ({unit})" if unit else name

    @property
    def is_number(self) -> bool:
        """Whether it is set flush right and written as numbers."""
        return self.unit not in ("text", "date")


@dataclass(frozen=True, slots=True)
class Row:
    """A row; ``key`` names what it is about (mine key, region code, state)."""

    cells: tuple[Cell, ...]
    level: Level = "part"
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table in one language; ``titles`` and heads exist in both."""

    code: str
    title_zh: str
    title_en: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    language: Language = "zh"
    index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {column.key: i for i, column in enumerate(self.columns)})

    @property
    def title(self) -> str:
        """The title in the table's language."""
        return self.title_zh if self.language == "zh" else self.title_en

    @property
    def heads(self) -> list[str]:
        """Column heads with units, in the table's language."""
        return [column.head(self.language) for column in self.columns]

    def cell(self, row: Row, key: str) -> Cell:
        """The cell of a row in a column.

        Raises:
            KeyError: no such column.
        """
        return row.cells[self.index[key]]

    def row(self, key: str) -> Row:
        """The first row about something.

        Raises:
            KeyError: no such row.
        """
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    @property
    def total(self) -> Row:
        """The row of totals.

        Raises:
            KeyError: the table has none.
        """
        for row in self.rows:
            if row.level == "total":
                return row
        raise KeyError("total")

    def parts(self) -> Iterator[Row]:
        """The rows that are neither totals nor subtotals."""
        return (row for row in self.rows if row.level == "part")


def printed(units: int, unit: Unit, exact: int | Fraction | None) -> Cell:
    """The cell of a number of printed units: "<0.01" for a little that rounds to nothing, "0.00" for true zero."""
    digits = DIGITS[unit]
    value = Decimal(units).scaleb(-digits)
    if units == 0 and exact:
        least = Decimal(1).scaleb(-digits)
        return Cell(f"<{least}" if exact > 0 else f">-{least}", value, exact)
    return Cell(f"{value:.{digits}f}", value, exact)


def area(cm2: int, unit: Unit = "hm2") -> Cell:
    """An area rounded by itself, half to even once."""
    return printed(round(Fraction(cm2) / STEP[unit]), unit, cm2)


def percent(part: int | float, whole: int | float) -> Cell:
    """A share as a percentage with two digits; "—" where the whole is nothing."""
    if not whole:
        return Cell(NOTHING)
    share = Fraction(part) / Fraction(whole)
    return printed(round(share / STEP["percent"]), "percent", share)


def text(value: str) -> Cell:
    """A text; an empty one prints nothing."""
    return Cell(value, value)


def count(value: int) -> Cell:
    """A whole number."""
    return Cell(str(value), value)


def day(value: date | None) -> Cell:
    """A date as YYYY-MM-DD; "—" for none."""
    return Cell(value.isoformat(), value) if value else Cell(NOTHING)


def decimal(value: float | None, digits: int) -> Cell:
    """A measured number with so many digits; "—" for none."""
    if value is None:
        return Cell(NOTHING)
    rounded = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return Cell(f"{rounded:.{digits}f}", rounded)
