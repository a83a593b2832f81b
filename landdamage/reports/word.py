"""The report as an editable Word document: real headings, tables with repeated head rows, embedded pictures."""

from __future__ import annotations

from datetime import date, datetime
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

import docx
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor

from landdamage.reports.blocks import (
    Block,
    Bullets,
    ChartBlock,
    Document,
    Figures,
    Heading,
    Pair,
    Paragraph,
    Picture,
    Section,
    TableBlock,
)  # fmt: skip
from landdamage.reports.charts import render
from landdamage.reports.words import pick

ASCII_FONT, EAST_ASIAN_FONT = "Arial", "Noto Sans CJK SC"
HEAD, INK, GREY = "1F4E5F", "22303A", "5F6B73"
FILL = {"part": "", "subtotal": "EEF4F6", "total": "D9E6EA"}
PORTRAIT, LANDSCAPE = (Mm(210), Mm(297)), (Mm(297), Mm(210))


def write_docx(document: Document, made_on: date) -> bytes:
    """Write the report; ``made_on`` stands for its date of creation."""
    word = docx.Document()
    _styles(word)
    properties = word.core_properties
    properties.title, properties.author = document.title, "MineGIS"
    properties.comments = document.edition.content_sha256
    properties.created = properties.modified = datetime(made_on.year, made_on.month, made_on.day)
    _page(word.sections[0], document, wide=False)
    _cover(word, document)
    wide = False
    for section in document.sections:
        tables = [block for block in section.blocks if isinstance(block, TableBlock)]
        needs = bool(tables) and all(block.wide for block in tables)
        if needs != wide:
            _page(word.add_section(WD_SECTION.NEW_PAGE), document, wide=needs)
            wide = needs
        _section(word, section, document)
    out = BytesIO()
    word.save(out)
    return out.getvalue()


def _styles(word: Any) -> None:
    sizes = {"Normal": 10.5, "Heading 1": 16, "Heading 2": 12.5, "Title": 26, "Caption": 9.5, "List Bullet": 10.5}
    for name, size in sizes.items():
        style = word.styles[name]
        style.font.name, style.font.size = ASCII_FONT, Pt(size)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("w:asciiTheme", "w:hAnsiTheme", "w:eastAsiaTheme", "w:cstheme"):
            fonts.attrib.pop(qn(theme), None)
        fonts.set(qn("w:eastAsia"), EAST_ASIAN_FONT)
        heading = name.startswith(("Heading", "Title"))
        style.font.color.rgb = RGBColor.from_string(HEAD if heading else INK)
        if name == "Caption":
            style.font.bold = True
            style.paragraph_format.alignment = WD_ALIGN_PARAGRAPH.CENTER
            style.paragraph_format.keep_with_next = True
    word.styles["Normal"].paragraph_format.space_after = Pt(6)


def _page(section: Any, document: Document, *, wide: bool) -> None:
    section.orientation = WD_ORIENT.LANDSCAPE if wide else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = LANDSCAPE if wide else PORTRAIT
    section.left_margin = section.right_margin = Mm(14 if wide else 20)
    section.top_margin, section.bottom_margin = Mm(22), Mm(18)
    section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
    edition = document.edition
    head = section.header.paragraphs[0]
    head.text = f"{document.title}    MineGIS {edition.year} v{edition.version} · {edition.content_sha256[:12]}"
    foot = section.footer.paragraphs[0]
    foot.alignment = WD_ALIGN_PARAGRAPH.CENTER
    _field(foot, "PAGE")
    foot.add_run(" / ")
    _field(foot, "NUMPAGES")
    for run in (*head.runs, *foot.runs):
        run.font.size, run.font.color.rgb = Pt(7.5), RGBColor.from_string(GREY)


def _field(paragraph: Any, code: str, placeholder: str = "1") -> None:
    """A field that Word computes: page numbers, the table of contents."""
    run = paragraph.add_run()
    for kind, text in (("begin", ""), ("", code), ("separate", ""), ("text", placeholder), ("end", "")):
        if kind == "text":
            run._r.append(parse_xml(f"<w:t {nsdecls('w')}>{escape(text)}</w:t>"))
        elif kind:
            run._r.append(parse_xml(f'<w:fldChar {nsdecls("w")} w:fldCharType="{kind}"/>'))
        else:
            run._r.append(parse_xml(f'<w:instrText {nsdecls("w")} xml:space="preserve"> {escape(text)} </w:instrText>'))


def _cover(word: Any, document: Document) -> None:
    word.add_paragraph().paragraph_format.space_after = Pt(90)
    word.add_paragraph(document.title, style="Title")
    word.add_paragraph(document.subtitle).paragraph_format.space_after = Pt(160)
    rows = [[name, value] for name, value in document.facts]
    word.element.body.insert(-1, _grid(None, rows, ["part"] * len(rows), [False, False], 10.0))
    word.add_page_break()
    word.add_paragraph(pick(("目录", "Contents"), document.language)).runs[0].bold = True
    hint = pick(("在 Word 中右键“更新域”生成目录", "Right-click and update the field"), document.language)
    _field(word.add_paragraph(), 'TOC \\o "1-2" \\h \\z \\u', hint)
    word.add_page_break()


def _section(word: Any, section: Section, document: Document) -> None:
    word.add_heading(f"{section.number}  {section.title}", level=1)
    for block in section.blocks:
        _block(word, block, document)


def _block(word: Any, block: Block, document: Document) -> None:
    match block:
        case Paragraph(text, warning):
            paragraph = word.add_paragraph(text)
            if warning:
                paragraph.runs[0].bold = True
                paragraph.runs[0].font.color.rgb = RGBColor.from_string("9A5B00")
        case Heading(text):
            word.add_heading(text, level=2)
        case Bullets(items):
            for item in items:
                word.add_paragraph(item, style="List Bullet")
        case Figures(items):
            rows = [[name, f"{value} {unit}".strip()] for name, value, unit in items]
            word.element.body.insert(-1, _grid(None, rows, ["subtotal"] * len(rows), [False, True], 11.0))
            word.add_paragraph()
        case TableBlock():
            _table(word, block)
        case ChartBlock(chart):
            word.add_picture(BytesIO(render(chart, document.edition, document.language, "png")), width=Mm(165))
        case Picture(caption, png):
            word.add_picture(BytesIO(png), width=Mm(165))
            word.add_paragraph(caption, style="Caption")
        case Pair(caption, before, after, labels):
            _pair(word, (before, after), labels, document)
            word.add_paragraph(caption, style="Caption")


def _pair(word: Any, pictures: tuple[bytes | None, bytes | None], labels: tuple[str, str], document: Document) -> None:
    missing = pick(("无影像", "no image"), document.language)
    table = word.add_table(rows=2, cols=2)
    for i, (png, label) in enumerate(zip(pictures, labels, strict=True)):
        place = table.rows[0].cells[i].paragraphs[0]
        if png:
            place.add_run().add_picture(BytesIO(png), width=Mm(78))
        else:
            place.add_run(missing)
        table.rows[1].cells[i].paragraphs[0].add_run(label).font.size = Pt(8)


def _table(word: Any, block: TableBlock) -> None:
    table, picked = block.table, block.indexes
    caption = block.caption or table.title
    name = f"{pick(('表', 'Table'), table.language)} {table.code}  {caption}" if block.numbered else caption
    word.add_paragraph(name, style="Caption")
    heads = [table.heads[i] for i in picked]
    rows = [[row.cells[i].text for i in picked] for row in table.rows]
    numbers = [table.columns[i].is_number for i in picked]
    size = 6.5 if len(picked) > 11 else 8.0
    word.element.body.insert(-1, _grid(heads, rows, [row.level for row in table.rows], numbers, size))
    for note in table.notes:
        word.add_paragraph(note).runs[0].font.size = Pt(7.5)
    if not table.notes:
        word.add_paragraph()


def _grid(heads: list[str] | None, rows: list[list[str]], levels: list[str], numbers: list[bool], size: float) -> Any:
    """A table as XML in one piece: cell by cell, a thousand mines would take minutes."""
    width = len(numbers)
    borders = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="C8D3D7"/>' for side in ("top", "bottom", "insideH")
    )
    margins = '<w:left w:w="40" w:type="dxa"/><w:right w:w="40" w:type="dxa"/>'
    parts = [
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblW w:w="5000" w:type="pct"/><w:tblBorders>{borders}</w:tblBorders>'
        f'<w:tblLayout w:type="autofit"/><w:tblCellMar>{margins}</w:tblCellMar></w:tblPr>'
        f"<w:tblGrid>{'<w:gridCol/>' * width}</w:tblGrid>"
    ]
    if heads is not None:
        cells = "".join(_cell(head, size, HEAD, "center", "FFFFFF", bold=True) for head in heads)
        parts.append(f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{cells}</w:tr>")
    for row, level in zip(rows, levels, strict=True):
        bold = level != "part"
        cells = "".join(
            _cell(value, size, FILL[level], "right" if number else "left", INK, bold=bold)
            for value, number in zip(row, numbers, strict=True)
        )
        parts.append(f"<w:tr><w:trPr><w:cantSplit/></w:trPr>{cells}</w:tr>")
    parts.append("</w:tbl>")
    return parse_xml("".join(parts))


def _cell(value: str, size: float, fill: str, side: str, colour: str, *, bold: bool) -> str:
    shade = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
    fonts = f'<w:rFonts w:ascii="{ASCII_FONT}" w:hAnsi="{ASCII_FONT}" w:eastAsia="{EAST_ASIAN_FONT}"/>'
    look = f'{fonts}{"<w:b/>" if bold else ""}<w:color w:val="{colour}"/><w:sz w:val="{round(size * 2)}"/>'
    return (
        f'<w:tc><w:tcPr>{shade}<w:vAlign w:val="center"/></w:tcPr><w:p><w:pPr><w:spacing w:before="20" w:after="20"/>'
        f'<w:jc w:val="{side}"/></w:pPr><w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{escape(value)}</w:t></w:r>'
        f"</w:p></w:tc>"
    )
