"""The tables as an Excel workbook and as CSV files: numbers as numbers, the same values as everywhere."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import xlsxwriter

from landdamage.reports.data import EditionFacts
from landdamage.reports.table import DIGITS, Cell, Column, Row, Table
from landdamage.reports.words import Language, pick, word

FONT = "Noto Sans CJK SC"
HEAD_FILL, TOTAL_FILL, SUBTOTAL_FILL = "#1F4E5F", "#D9E6EA", "#EEF4F6"
WIDTHS = {"text": 12.0, "count": 8.0, "date": 12.0, "percent": 10.0, "degree": 12.0, "decimal": 10.0}
WIDEST = 46.0
UNITS = (
    ("单位换算", "1 hm²（公顷）= 10 000 m² = 15 亩；1 km² = 100 hm²；1 亩 = 2000/3 m²。"),
    ("Units", "1 hm² (hectare) = 10,000 m² = 15 mu; 1 km² = 100 hm²; 1 mu = 2000/3 m²."),
    ("面积定义", "CGCS2000 椭球面积，不作坡度与高程改正；由整数 cm² 原子求和，汇总后一次修约(四舍六入五成双)并闭合。"),
    (
        "Areas",
        "Ellipsoidal on CGCS2000, no correction for slope or height; sums of whole cm², rounded half to even once.",
    ),
    ("符号", "“—” 表示未观测或无意义；“0.00” 表示没有；“<0.01” 表示不足半个末位单位。"),
    ("Signs", '"—": not observed or undefined; "0.00": none; "<0.01": less than can be shown.'),
)


def write_workbook(
    path: Path, tables: Mapping[str, Table], edition: EditionFacts, language: Language, made_on: date
) -> None:
    """Write one sheet per table and a README; rows are streamed to disk.

    Args:
        path: the ``.xlsx`` file.
        tables: by code, in the order of the sheets.
        edition: named in the README and on every printed page.
        language: of sheet texts.
        made_on: stands for the date of creation, so that the same edition makes the same file.
    """
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)}) as book:
        book.set_properties(
            {
                "title": f"MineGIS {edition.year} v{edition.version}",
                "subject": pick((edition.region_zh, edition.region_en), language),
                "comments": edition.content_sha256,
                "created": datetime(made_on.year, made_on.month, made_on.day),
            }
        )
        formats = _Formats(book)
        for code, table in tables.items():
            _sheet(book.add_worksheet(code), table, edition, formats)
        _readme(book.add_worksheet("README"), tables, edition, formats, language)


class _Formats:
    """Cell formats by unit, level and printed form, made once each."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.book = book
        self.made: dict[tuple[str, str, str], Any] = {}
        base = {"font_name": FONT, "font_size": 10}
        self.title = book.add_format(base | {"bold": True, "font_size": 14, "font_color": HEAD_FILL})
        self.note = book.add_format(base | {"font_color": "#555555", "italic": True})
        self.plain = book.add_format(base | {"text_wrap": True, "valign": "top"})
        self.bold = book.add_format(base | {"bold": True, "valign": "top"})
        self.head = book.add_format(
            base
            | {"bold": True, "bg_color": HEAD_FILL, "font_color": "#FFFFFF", "border": 1, "border_color": "#FFFFFF"}
            | {"text_wrap": True, "align": "center", "valign": "vcenter"}
        )

    def cell(self, column: Column, row: Row, cell: Cell) -> Any:
        """The format of a cell: digits of its unit, shading of its row, and what is too little to show."""
        number = ""
        if isinstance(cell.value, Decimal):
            digits = max(0, -int(cell.value.as_tuple().exponent))
            shown = "0." + "0" * DIGITS.get(column.unit, digits) if DIGITS.get(column.unit, digits) else "0"
            number = f'"{cell.text}"' if cell.text[0] in "<>" else shown
        elif isinstance(cell.value, date):
            number = "yyyy-mm-dd"
        key = (number, row.level, "right" if column.is_number else "left")
        if key not in self.made:
            look: dict[str, Any] = {"font_name": FONT, "font_size": 10, "align": key[2], "valign": "vcenter"}
            look |= {"bottom": 1, "bottom_color": "#C8D3D7"}
            if number:
                look["num_format"] = number
            if row.level != "part":
                look |= {"bold": True, "bg_color": TOTAL_FILL if row.level == "total" else SUBTOTAL_FILL}
            self.made[key] = self.book.add_format(look)
        return self.made[key]


def _sheet(sheet: Any, table: Table, edition: EditionFacts, formats: _Formats) -> None:
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(8 if len(table.columns) > 12 else 9)  # A3, A4
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L{edition.year} v{edition.version} · {edition.content_sha256[:12]}&R&P / &N")
    for i, column in enumerate(table.columns):
        longest = max((_width(row.cells[i].text) for row in table.rows[:2000]), default=0.0)
        head = max(_width(part) for part in column.head(table.language).split(" "))
        sheet.set_column(i, i, min(WIDEST, max(WIDTHS.get(column.unit, 12.0), longest + 2, head + 2)))
    sheet.set_row(0, 24)
    sheet.write_string(0, 0, f"{table.code}  {table.title}", formats.title)
    sheet.set_row(1, 32)
    for i, name in enumerate(table.heads):
        sheet.write_string(1, i, name, formats.head)
    sheet.freeze_panes(2, 1 if len(table.columns) < 6 else 2)
    sheet.repeat_rows(1)
    for number, row in enumerate(table.rows, start=2):
        for i, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            _write(sheet, number, i, cell, formats.cell(column, row, cell))
    for number, note in enumerate(table.notes, start=len(table.rows) + 3):
        sheet.write_string(number, 0, note, formats.note)


def _write(sheet: Any, row: int, column: int, cell: Cell, look: Any) -> None:
    value = cell.value
    if isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day), look)
    elif isinstance(value, Decimal | int) and not _is_phrase(cell):
        sheet.write_number(row, column, value, look)
    else:
        sheet.write_string(row, column, cell.text, look)


def _is_phrase(cell: Cell) -> bool:
    """A number with words round it (``2.00 m``) is text; ``<0.01`` is a number with its own format."""
    return not (cell.text[0] in "<>" or cell.text.lstrip("-").replace(".", "", 1).isdigit())


def _width(text: str) -> float:
    """Width in characters; Chinese ones are twice as wide."""
    return sum(2.0 if ord(letter) > 0x2E7F else 1.05 for letter in text)


def _readme(
    sheet: Any, tables: Mapping[str, Table], edition: EditionFacts, formats: _Formats, language: Language
) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 16)
    sheet.set_column(1, 1, 96)
    region = pick((edition.region_zh, edition.region_en), language)
    sheet.write_string(0, 0, f"MineGIS · {region} · {edition.year} v{edition.version}", formats.title)
    lines: list[tuple[str, str]] = [
        (pick(("版本", "Edition"), language), f"{edition.year} v{edition.version} · {word(edition.state, language)}"),
        (pick(("内容哈希", "Content hash"), language), edition.content_sha256 or "—"),
        (pick(("基于", "Based on"), language), edition.based_on or "—"),
        *UNITS,
        *((table.code, f"{table.title_zh} / {table.title_en}") for table in tables.values()),
    ]
    for number, (name, value) in enumerate(lines, start=2):
        sheet.write_string(number, 0, name, formats.bold)
        sheet.write_string(number, 1, value, formats.plain)


def write_csv(path: Path, table: Table) -> None:
    """Write a table as CSV, UTF-8 with the byte-order mark that lets Excel read Chinese; texts as printed."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.heads)
        writer.writerows([cell.text for cell in row.cells] for row in table.rows)
