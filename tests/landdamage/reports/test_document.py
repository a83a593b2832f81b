import datetime as dt
import io
import re

import docx
import pypdf
import pytest

from landdamage.reports.blocks import Paragraph
from landdamage.reports.charts import charts, render
from landdamage.reports.document import Makers, compose
from landdamage.reports.narrative import summary
from landdamage.reports.pdf import to_html, write_pdf
from landdamage.reports.tables import build
from landdamage.reports.trend import trend
from landdamage.reports.word import write_docx
from tests.fixtures.reports import edition_facts, worked_example

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63606060f80f00010401"
    "005fe5c34b0000000049454e44ae426082"
)


def _tables(data, language):
    return {**build(data, language), "T10": trend(data, language)}


@pytest.fixture(scope="module", params=["zh", "en"])
def report(request):
    data = worked_example()
    tables = _tables(data, request.param)
    made = compose(data, tables, request.param, makers=Makers(unit="示例局"), chips=lambda piece: (PNG, None))
    return request.param, tables, made


def _numbers(tables):
    """Every area printed in T2 and T6, and the rates."""
    for code in ("T2", "T6"):
        for row in tables[code].rows:
            yield from (c.text for c, column in zip(row.cells, tables[code].columns, strict=True) if column.is_number)
    total = tables["T1"].total
    yield tables["T1"].cell(total, "annual_rate").text
    yield tables["T1"].cell(total, "cumulative_rate").text


def test_the_pdf_says_what_the_tables_say_in_extractable_text(report):
    language, tables, made = report
    reader = pypdf.PdfReader(io.BytesIO(write_pdf(made)))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for number in _numbers(tables):
        assert number in text
    flat = re.sub(r"\s+", "", text)
    for section in made.sections:
        assert re.sub(r"\s+", "", section.title) in flat
    assert made.edition.content_sha256[:12] in flat
    if language == "zh":
        assert "露天采场" in flat
        assert "2023年监测区新增矿山土地损毁503.81公顷(合7557.2亩)，其中挖损占42.74%、压占占57.26%" in flat
        assert "年末损毁存量4985.00公顷，其中140.55公顷因云雪等未观测" in flat
    fonts = {
        font.get_object()["/BaseFont"] for page in reader.pages for font in page["/Resources"].get("/Font", {}).values()
    }
    assert fonts
    assert all(re.match(r"/[A-Z]{6}\+", name) for name in fonts)  # embedded subsets
    assert len(reader.outline) >= 11
    assert float(reader.pages[0].mediabox.height) == pytest.approx(841.9, abs=0.2)


def test_the_word_document_has_headings_head_rows_and_the_same_numbers(report):
    _, tables, made = report
    word = docx.Document(io.BytesIO(write_docx(made, dt.date(2024, 3, 1))))
    headings = [p.text for p in word.paragraphs if p.style.name == "Heading 1"]
    assert headings == [f"{section.number}  {section.title}" for section in made.sections]
    cells = {cell.text for table in word.tables for row in table.rows for cell in row.cells}
    assert set(_numbers(tables)) <= cells
    assert sum(bool(table._tbl.xpath("./w:tr/w:trPr/w:tblHeader")) for table in word.tables) >= 10
    assert len(word.inline_shapes) >= 6
    assert word.styles["Normal"].element.rPr.rFonts.get(docx.oxml.ns.qn("w:eastAsia")) == "Noto Sans CJK SC"
    assert {section.orientation for section in word.sections} == {0, 1}


def test_nothing_is_fetched_and_nothing_is_run_from_names(report):
    _, _, made = report
    hostile = made.__class__(
        "<img src='file:///etc/passwd'>", "<b>", made.facts, made.edition, made.language, made.sections[:1]
    )
    assert "<img src='file" not in to_html(hostile)
    assert pypdf.PdfReader(io.BytesIO(write_pdf(hostile))).pages


def test_a_draft_an_outdated_base_and_poor_coverage_are_said():
    data = worked_example(state="draft", based_on_outdated=True, content_sha256="", change_note="更正 2 个图斑")
    object.__setattr__(data.edition, "results", {})
    data.cells.loc[data.cells["flow"] == "plain", "obs_state"] = "noobs"
    made = compose(data, _tables(data, "zh"), "zh")
    warnings = [b.text for s in made.sections for b in s.blocks if isinstance(b, Paragraph) and b.warning]
    assert any("覆盖率低于 95%" in text and "乌鲁木齐县" in text for text in warnings)
    assert any("尚未发布" in text for text in warnings)
    assert any("已被替代" in text for text in warnings)
    assert made.sections[-1].number == "E"
    assert [block.text for block in made.sections[-1].blocks] == ["更正 2 个图斑"]


def test_no_new_damage_has_no_shares_and_no_rate():
    data = worked_example()
    quiet = data.cells[~data.cells["flow"].isin(["new"])]
    object.__setattr__(data, "cells", quiet)
    lines = summary(data, _tables(data, "zh"), "zh")
    assert "挖损占" not in lines[0]
    assert "年度治理率" not in lines[1]


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_charts_render_the_same_bytes_twice(kind):
    data = worked_example()
    made = charts(_tables(data, "zh"), "zh")
    assert {"new_by_kind", "restored_by_kind", "stock_by_class", "region_ranking", "transition_matrix", "coverage"} <= (
        set(made)
    )
    assert "new_and_restored_by_year" not in made  # one year is no trend
    chart = made["stock_by_class"]
    first, second = (render(chart, edition_facts(), "zh", kind) for _ in range(2))
    assert first == second
    if kind == "pdf":
        text = pypdf.PdfReader(io.BytesIO(first)).pages[0].extract_text()
        assert "单位: hm²" in text
        assert "1840.14" in text
        assert "MineGIS 2023 v1" in text
