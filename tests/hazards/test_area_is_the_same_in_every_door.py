"""Hazard 14: the area on the page, in the API, xlsx, csv, docx, pdf and gpkg is one and the same number."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docx
import openpyxl
import pyogrio
import pypdf
import pytest
from django.urls import reverse

from landdamage.reports.tables import build
from landdamage.selectors.editions import edition_data
from landdamage.services.deliveries import delivery_file, delivery_request
from minegis import units
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job

pytestmark = pytest.mark.django_db(transaction=True)
CLASSES = ("open_pit", "pit_water", "living_area", "industrial_square", "stockpile", "tailings_pond", "subsidence")


@pytest.fixture
def report(small_books: SimpleNamespace, tmp_path: Path) -> dict[str, bytes]:
    """Members of the published edition's report, made by the real job."""
    options = {"language": "en", "map_sheets": 0, "evidence_sheets": 0}
    made = delivery_request(edition=small_books.published, user=small_books.reviewer, kind="report", options=options)
    while job := Job.objects.filter(state="queued").first():
        run_job(job.pk, "test")
    made.refresh_from_db()
    with zipfile.ZipFile(delivery_file(delivery=made, user=small_books.reviewer)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _page_rows(page: str) -> list[list[str]]:
    body = re.search(r'<table[^>]*id="table-T2".*?<tbody>(.*?)</tbody>', page, re.S)
    assert body
    rows = re.findall(r"<tr.*?</tr>", body.group(1), re.S)
    strip = re.compile(r"<[^>]+>")
    return [
        [" ".join(strip.sub("", cell).split()) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)]
        for row in rows
    ]


def test_one_number_in_every_door(
    small_books: SimpleNamespace, report: dict[str, bytes], client_for: Any, tmp_path: Path
) -> None:
    edition, reader = small_books.published, client_for(small_books.reviewer)
    table = build(edition_data(edition, small_books.reviewer), "en")["T2"]
    printed = [[cell.text for cell in row.cells] for row in table.rows]
    assert any(re.search(r"[1-9]", text) for row in printed for text in row[1:])

    # the page
    page = reader.get(reverse("edition", args=[edition.pk]), {"tab": "T2"}, headers={"Accept-Language": "en"})
    assert [row[-len(printed[0]) :] for row in _page_rows(page.content.decode())] == printed

    # the workbook: numbers as numbers
    sheet = openpyxl.load_workbook(io.BytesIO(report["tables.xlsx"]))["T2"]
    held = [list(row) for row in sheet.iter_rows(min_row=3, max_row=2 + len(printed), values_only=True)]
    for row, shown in zip(table.rows, held, strict=True):
        for cell, value in zip(row.cells, shown, strict=True):
            if isinstance(cell.value, Decimal):
                assert isinstance(value, int | float)
                assert Decimal(str(value)) == cell.value

    # csv with the mark by which Excel knows UTF-8
    name = next(name for name in report if name.startswith("csv/") and "T2" in name)
    assert report[name].startswith(b"\xef\xbb\xbf")
    lines = list(csv.reader(io.StringIO(report[name].decode("utf-8-sig"))))
    written = {value for line in lines for value in line}

    # pdf and Word
    pdf = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(report["report.pdf"])).pages)
    word = {
        cell.text for t in docx.Document(io.BytesIO(report["report.docx"])).tables for r in t.rows for cell in r.cells
    }
    for row in table.rows:
        for cell in row.cells:
            if isinstance(cell.value, Decimal):
                assert cell.text in word
                assert cell.text in pdf
                assert str(cell.value) in written or cell.text in written

    # the API, exact
    answer = reader.get(f"/api/v1/editions/{edition.pk}/statement/").json()
    exact = {row["key"]: row["sums"] for row in answer}

    # the GeoPackage: every class adds up to the table's exact area, the whole to the API's
    (tmp_path / "patches.gpkg").write_bytes(report["patches.gpkg"])
    layer = f"SHTB_{edition.year}"
    frame = pyogrio.read_dataframe(tmp_path / "patches.gpkg", layer=layer)
    by_class = {row.key: row for row in table.rows if row.key in CLASSES}
    closing = table.index["closing"]
    assert sum(by_class[code].cells[closing].exact for code in by_class) == frame["MJCM"].sum()
    assert frame["MJCM"].sum() == sum(row["closing"] for row in exact.values())
    assert Decimal(str(round(frame["TBMJ"].sum(), 2))) == units.to_m2(int(frame["MJCM"].sum()))
    for kind, code in (("excavation", "01"), ("occupation", "02"), ("subsidence", "03")):
        assert frame["MJCM"][frame["SHLX"] == code].sum() == exact[kind]["closing"]
