"""The report as PDF: the structured document as HTML, typeset by WeasyPrint. Nothing is fetched from anywhere."""

from __future__ import annotations

import base64
from html import escape
from io import BytesIO

import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

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
from landdamage.reports.table import Table
from landdamage.reports.words import pick

KEPT = 22  # rows up to which a table is kept on one page
SHORT = 6  # letters of a name that is never broken
LONG_WORD = 16  # letters from which a word may be broken

CSS = """
@page { size: A4; margin: 24mm 18mm 20mm 18mm;
  @top-left { content: string(doctitle); font: 7.5pt 'Noto Sans CJK SC'; color: #5F6B73; }
  @top-right { content: string(edition); font: 7.5pt 'Noto Sans CJK SC'; color: #5F6B73; }
  @bottom-center { content: counter(page) " / " counter(pages); font: 8pt 'Noto Sans CJK SC'; color: #5F6B73; } }
@page wide { size: A4 landscape; margin: 20mm 14mm 16mm 14mm; }
@page cover { margin: 0; @top-left { content: none } @top-right { content: none } @bottom-center { content: none } }
html { font: 10pt/1.75 'Noto Sans CJK SC', sans-serif; color: #22303A; }
body { margin: 0; }
.cover { page: cover; height: 297mm; position: relative; }
.cover .band { background: #1F4E5F; height: 112mm; color: white; padding: 46mm 24mm 0 24mm; box-sizing: border-box; }
.cover .band p { margin: 0; font-size: 11pt; letter-spacing: .22em; color: #BFD6DE; }
.cover h1 { font-size: 25pt; line-height: 1.4; margin: 5mm 0 0 0; font-weight: 700; bookmark-level: none; }
.cover .sub { margin: 12mm 24mm 0 24mm; font-size: 14pt; color: #1F4E5F; font-weight: 700; }
.cover table { margin: 62mm 24mm 0 24mm; border-collapse: collapse; width: 162mm; font-size: 10.5pt; }
.cover td { padding: 1.6mm 2mm; border-bottom: .3pt solid #C8D3D7; overflow-wrap: anywhere; }
.cover td:first-child { width: 30mm; color: #5F6B73; }
.run { string-set: doctitle attr(data-title), edition attr(data-edition); }
nav { break-before: page; } nav h2 { bookmark-level: none; }
nav ol { list-style: none; padding: 0; margin: 6mm 0 0 0; }
nav a { text-decoration: none; color: #22303A; display: block; font-size: 10.5pt; padding: 1mm 0; }
nav a::after { content: leader('.') " " target-counter(attr(href), page); color: #5F6B73; }
@page normal { size: A4; }
section { break-before: auto; page: normal; }
section.top { break-before: page; }
section.wide { page: wide; break-before: page; }
h2 { font-size: 15pt; color: #1F4E5F; border-bottom: 1.2pt solid #1F4E5F; padding-bottom: 1.5mm; margin: 0 0 4mm 0;
  break-after: avoid; }
section h2 { margin-top: 9mm; } section.top h2, section.wide h2 { margin-top: 0; }
h3 { font-size: 11.5pt; color: #1F4E5F; margin: 6mm 0 2mm 0; break-after: avoid; }
p { margin: 0 0 2.2mm 0; } html:lang(zh) p.t { text-indent: 2em; }
ul { break-inside: avoid; } li { margin-bottom: 1.6mm; }
.warn { background: #FFF6E5; border-left: 3pt solid #B7791F; padding: 2mm 3mm; margin: 0 0 3mm 0; }
.key { display: flex; flex-wrap: wrap; gap: 3mm; margin: 0 0 5mm 0; }
.key div { width: 55.5mm; box-sizing: border-box; background: #EEF4F6; border-top: 2pt solid #1F4E5F;
  padding: 2.5mm 3mm; }
.key b { display: block; font-size: 17pt; line-height: 1.3; color: #1F4E5F; }
.key b i { font-style: normal; font-size: 9pt; font-weight: 400; color: #5F6B73; }
.key span { font-size: 8.5pt; color: #5F6B73; }
.tab { margin: 3mm 0 5mm 0; } .tab.wide { page: wide; } .tab.keep { break-inside: avoid; }
.cap { font-weight: 700; font-size: 9.5pt; text-align: center; margin: 0 0 1.5mm 0; break-after: avoid; }
.tab table { width: 100%; border-collapse: collapse; font-size: 7.6pt; line-height: 1.35; }
.tab.fine table { font-size: 6.4pt; }
thead { display: table-header-group; }
th { background: #1F4E5F; color: white; font-weight: 700; padding: 1.1mm .9mm; text-align: center;
  vertical-align: middle; border: .4pt solid white; }
td { padding: .8mm .9mm; border-bottom: .3pt solid #D5DCE0; overflow-wrap: break-word; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; } .d { white-space: nowrap; }
td.h { overflow-wrap: anywhere; }
tr { break-inside: avoid; } tr.s td { background: #EEF4F6; font-weight: 700; }
tr.g td { background: #D9E6EA; font-weight: 700; }
.note { font-size: 7.5pt; color: #5F6B73; margin: 1mm 0 0 0; text-indent: 0; }
figure { margin: 3mm 0 5mm 0; break-inside: avoid; text-align: center; }
figure img { width: 100%; max-width: 172mm; } figcaption { font-size: 9pt; font-weight: 700; margin-top: 1mm; }
.pair { display: flex; gap: 4mm; } .pair div { width: 84mm; } .pair img { width: 100%; border: .4pt solid #5F6B73; }
.pair p { text-align: center; font-size: 8pt; color: #5F6B73; margin: 0; }
.none { border: .4pt dashed #5F6B73; height: 40mm; line-height: 40mm; color: #5F6B73; }
"""


def write_pdf(document: Document) -> bytes:
    """Typeset the report on A4, fonts embedded and subset, with contents, page numbers and bookmarks."""
    fonts = FontConfiguration()
    # Only what the document itself carries: the text of a report must not be able to open files or addresses.
    carried = URLFetcher(allowed_protocols={"data"}, allow_redirects=False, fail_on_errors=True)
    html = weasyprint.HTML(string=to_html(document), url_fetcher=carried)
    out = BytesIO()
    identifier = document.edition.content_sha256[:32].encode()
    html.write_pdf(out, font_config=fonts, pdf_identifier=identifier or None, optimize_images=True)
    return out.getvalue()


def image(kind: str, body: bytes) -> str:
    """An image element that holds its own bytes."""
    return f'<img src="data:image/{kind};base64,{base64.b64encode(body).decode()}">'


def to_html(document: Document) -> str:
    """The report as one HTML page that holds everything it shows."""
    edition = document.edition
    named = f"MineGIS {edition.year} v{edition.version} · {edition.content_sha256[:12]}"
    run = f'class="cover run" data-title="{escape(document.title)}" data-edition="{escape(named)}"'
    sections = [(f"s{i}", section) for i, section in enumerate(document.sections)]
    contents = "".join(f'<li><a href="#{key}">{escape(_title(section))}</a></li>' for key, section in sections)
    heading = pick(("目录", "Contents"), document.language)
    body = "".join(_section(key, section, document, first=i == 0) for i, (key, section) in enumerate(sections))
    facts = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in document.facts)
    lang = "zh-CN" if document.language == "zh" else "en"
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{escape(document.title)}</title>'
        f'<style>{CSS}</style></head><body><div {run}><div class="band"><p>MineGIS</p>'
        f'<h1>{escape(document.title)}</h1></div><div class="sub">{escape(document.subtitle)}</div>'
        f"<table>{facts}</table></div><nav><h2>{heading}</h2><ol>{contents}</ol></nav>{body}</body></html>"
    )


def _title(section: Section) -> str:
    return f"{section.number}  {section.title}"


def _section(key: str, section: Section, document: Document, *, first: bool) -> str:
    blocks = "".join(_block(block, document) for block in section.blocks)
    tables = [block for block in section.blocks if isinstance(block, TableBlock)]
    wide = bool(tables) and all(block.wide for block in tables)
    look = "wide" if wide else "top" if first else ""
    return f'<section id="{key}" class="{look}"><h2>{escape(_title(section))}</h2>{blocks}</section>'


def _block(block: Block, document: Document) -> str:
    match block:
        case Paragraph(text, warning):
            return f'<div class="warn">{escape(text)}</div>' if warning else f'<p class="t">{escape(text)}</p>'
        case Heading(text):
            return f"<h3>{escape(text)}</h3>"
        case Bullets(items):
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
        case Figures(items):
            cards = "".join(
                f"<div><span>{escape(name)}</span><b>{escape(value)} <i>{escape(unit)}</i></b></div>"
                for name, value, unit in items
            )
            return f'<div class="key">{cards}</div>'
        case TableBlock():
            return _table(block)
        case ChartBlock(chart):
            picture = render(chart, document.edition, document.language, "svg")
            return f"<figure>{image('svg+xml', picture)}</figure>"
        case Picture(caption, png):
            return f"<figure>{image('png', png)}<figcaption>{escape(caption)}</figcaption></figure>"
        case Pair(caption, before, after, labels):
            missing = pick(("无影像", "no image"), document.language)
            cells = "".join(
                f"<div>{image('png', png) if png else f'<div class=none>{missing}</div>'}<p>{escape(label)}</p></div>"
                for png, label in zip((before, after), labels, strict=True)
            )
            return f'<figure><div class="pair">{cells}</div><figcaption>{escape(caption)}</figcaption></figure>'


def _head(head: str) -> str:
    """A head whose short name is not broken; its unit may go to the next line."""
    name, _, unit = head.partition(" (")
    kept = f'<span class="d">{escape(name)}</span>' if len(name) <= SHORT - 1 else escape(name)
    return f"{kept} ({escape(unit)}" if unit else kept


def _side(table: Table, column: int) -> str:
    """How a column is set: numbers right, dates unbroken, long names and hashes broken anywhere."""
    if table.columns[column].is_number:
        return "n"
    if table.columns[column].unit == "date" or all(len(row.cells[column].text) <= SHORT for row in table.rows):
        return "d"
    longest = max((len(word) for row in table.rows for word in row.cells[column].text.split()), default=0)
    return "h" if longest > LONG_WORD else "t"


def _table(block: TableBlock) -> str:
    table, picked = block.table, block.indexes
    heads = "".join(f"<th>{_head(table.heads[i])}</th>" for i in picked)
    marks = {"part": "", "subtotal": ' class="s"', "total": ' class="g"'}
    aligned = [f' class="{_side(table, i)}"' for i in picked]
    rows = "".join(
        f"<tr{marks[row.level]}>"
        + "".join(f"<td{side}>{escape(row.cells[i].text)}</td>" for i, side in zip(picked, aligned, strict=True))
        + "</tr>"
        for row in table.rows
    )
    caption = block.caption or table.title
    name = f"{pick(('表', 'Table'), table.language)} {table.code}  {caption}" if block.numbered else caption
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in table.notes)
    looks = (
        ["tab"]
        + (["keep"] if len(table.rows) <= KEPT else [])
        + (["wide"] if block.wide else [])
        + (["fine"] if len(picked) > 11 else [])
    )
    return (
        f'<div class="{" ".join(looks)}"><p class="cap">{escape(name)}</p>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{notes}</div>"
    )
