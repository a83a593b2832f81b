import csv
import datetime as dt
from decimal import Decimal

import openpyxl
import pytest

from landdamage.accounting.states import Flow, State
from landdamage.reports.tables import build
from landdamage.reports.workbook import write_csv, write_workbook
from tests.fixtures.reports import edition_data, edition_facts, worked_example

MADE = dt.date(2024, 3, 1)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_workbook_holds_the_tables_as_numbers(tmp_path, language):
    tables = build(worked_example(), language)
    path = tmp_path / "tables.xlsx"
    write_workbook(path, tables, edition_facts(), language, MADE)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == [*tables, "README"]
    for code, table in tables.items():
        sheet = book[code]
        assert sheet.freeze_panes
        assert [cell.value for cell in sheet[2]][: len(table.columns)] == table.heads
        for number, row in enumerate(table.rows, start=3):
            for i, cell in enumerate(row.cells):
                found = sheet.cell(number, i + 1).value
                if table.columns[i].unit in ("hm2", "mu", "m2", "percent", "degree") and cell.value is not None:
                    assert isinstance(found, int | float)
                    assert Decimal(repr(found)) == cell.value
                elif isinstance(cell.value, dt.date):
                    assert found.date() == cell.value
                elif isinstance(cell.value, str):
                    assert (found or "") == cell.text
    note = [row[1].value for row in book["README"].iter_rows(min_row=3)]
    assert any("15" in text for text in note)
    again = tmp_path / "again.xlsx"
    write_workbook(again, tables, edition_facts(), language, MADE)
    assert again.read_bytes() == path.read_bytes()


def test_too_little_to_show_stays_a_number_and_nothing_known_a_dash(tmp_path):
    tables = build(edition_data([(State.OTHER, State.OPEN_PIT, Flow.NEW, State.OPEN_PIT, 3000)]))
    path = tmp_path / "tables.xlsx"
    write_workbook(path, tables, edition_facts(), "zh", MADE)
    sheet = openpyxl.load_workbook(path)["T1"]
    table = tables["T1"]
    new = sheet.cell(3, table.index["new"] + 1)
    assert (new.value, new.number_format) == (0, '"<0.01"')
    assert table.cell(table.total, "new").text == "<0.01"
    empty = build(edition_data([(State.OTHER, State.OTHER, Flow.PLAIN, State.OTHER, 3000)]))
    write_workbook(path, empty, edition_facts(), "zh", MADE)
    assert openpyxl.load_workbook(path)["T1"].cell(3, empty["T1"].index["annual_rate"] + 1).value == "—"


def test_csv_opens_in_excel_and_says_the_same(tmp_path):
    for code, table in build(worked_example()).items():
        path = tmp_path / f"{code}.csv"
        write_csv(path, table)
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
        assert rows == [table.heads, *([cell.text for cell in row.cells] for row in table.rows)]
