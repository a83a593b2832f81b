import csv
import hashlib
import io
import json
import re
import zipfile
from decimal import Decimal

import docx
import openpyxl
import pyogrio
import pypdf
import pytest
from PIL import Image

from landdamage.reports.bundle import Options, all_tables, write_bundle
from landdamage.reports.document import Makers
from landdamage.reports.evidence import write_evidence
from minegis.units import to_hm2
from tests.fixtures.reports import worked_example


def _picture(colour):
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


def _chips(piece):
    return _picture("#886644"), (None if piece % 2 else _picture("#448844"))


@pytest.fixture(scope="module")
def delivery(tmp_path_factory):
    said = []
    data = worked_example()
    options = Options(makers=Makers(unit="示例监测中心"), map_sheets=1, evidence_sheets=2)
    path = write_bundle(
        data, tmp_path_factory.mktemp("bundle"), options, chips=_chips, progress=lambda *step: said.append(step)
    )
    return data, path, said


def test_the_zip_has_every_member_and_its_sums_hold(delivery):
    _, path, said = delivery
    assert path.name == "MineGIS_2023_v1_650000.zip"
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        assert {"report.docx", "report.pdf", "tables.xlsx", "patches.gpkg", "evidence.pdf", "meta.json"} <= names
        assert {f"csv/T{n}.csv" for n in range(1, 11)} <= names
        assert {"maps/overview.pdf", "maps/overview.png"} <= names
        assert sum(name.startswith("maps/mine_") for name in names) == 2
        assert sum(name.startswith("shp/") for name in names) == 2
        sums = dict(reversed(line.split("  ")) for line in archive.read("SHA256SUMS").decode().splitlines())
        assert set(sums) == names - {"SHA256SUMS"}
        for name, digest in sums.items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert {info.date_time[:3] for info in archive.infolist()} == {(2024, 3, 1)}
    shares = [share for _, share in said]
    assert shares == sorted(shares)
    assert {stage for stage, _ in said} == {"tables", "vectors", "maps", "evidence", "report", "pack"}


def test_every_file_says_the_same_numbers(delivery, tmp_path):
    data, path, _ = delivery
    tables = all_tables(data, "zh")
    new = tables["T2"].cell(tables["T2"].total, "new")
    closing = [tables["T2"].cell(row, "closing").text for row in tables["T2"].rows]
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    sheet = openpyxl.load_workbook(tmp_path / "tables.xlsx")["T2"]
    column = tables["T2"].index["closing"]
    assert [Decimal(repr(row[column].value)) for row in sheet.iter_rows(min_row=3, max_row=2 + len(closing))] == [
        Decimal(value) for value in closing
    ]
    with (tmp_path / "csv" / "T2.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[column] for row in csv.reader(file)][1:] == closing
    pdf = "".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    word = docx.Document(tmp_path / "report.docx")
    cells = {cell.text for table in word.tables for row in table.rows for cell in row.cells}
    for value in (*closing, new.text):
        assert value in pdf
        assert value in cells
    meta = json.loads((tmp_path / "meta.json").read_text(encoding="utf-8"))
    assert meta["totals"]["new"] == new.text
    assert int(meta["totals_cm2"]["new"]) == new.exact
    assert meta["edition"]["content_sha256"] == data.edition.content_sha256
    layer = f"BHTB_{data.edition.year}"
    changes = pyogrio.read_dataframe(tmp_path / "patches.gpkg", layer=layer)
    in_vectors = changes.loc[changes["BHLX"] == "11", "TBMJ"].sum()
    assert to_hm2(round(in_vectors * 10_000)) == new.value


def test_evidence_sheets_show_images_hashes_and_who_decided(delivery):
    data, path, _ = delivery
    with zipfile.ZipFile(path) as archive:
        pages = pypdf.PdfReader(io.BytesIO(archive.read("evidence.pdf"))).pages
    assert len(pages) == 2  # the two largest restorations
    text = re.sub(r"\s+", "", pages[0].extract_text())
    for expected in (
        "198000.00m²=19.80hm²=297.0亩",
        "李审核2023-11-02",
        "d" * 64,
        "验收文件.pdf",
        "e" * 64,
        "0404草地",
    ):
        assert expected in text
    assert len(pages[0].images) >= 1
    none = data.pieces[data.pieces["decision"] == ""]
    object.__setattr__(data, "pieces", none)
    assert write_evidence(data, all_tables(data, "zh")["T7"], "zh", _chips) is None


def test_a_stop_from_the_caller_ends_the_work(tmp_path):
    class StopError(Exception):
        pass

    def stop(stage, share):
        if stage == "maps":
            raise StopError

    with pytest.raises(StopError):
        write_bundle(worked_example(), tmp_path, Options(vectors=False), progress=stop)
    assert not list(tmp_path.glob("*.zip"))
