"""Evidence sheets: one A4 page per new or restored patch, with images before and after and who decided on what."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from io import BytesIO
from typing import Any

import weasyprint
from weasyprint.urls import URLFetcher

from landdamage.accounting.states import NAMES, Flow
from landdamage.reports.blocks import Chips
from landdamage.reports.data import EditionData
from landdamage.reports.listings import listed_pieces
from landdamage.reports.pdf import image
from landdamage.reports.table import NOTHING, Row, Table
from landdamage.reports.words import Language, land_use, pick, word

CSS = """
@page { size: A4; margin: 18mm 18mm 16mm 18mm;
  @bottom-left { content: string(edition); font: 7pt 'Noto Sans CJK SC'; color: #5F6B73; }
  @bottom-right { content: counter(page) " / " counter(pages); font: 7pt 'Noto Sans CJK SC'; color: #5F6B73; } }
html { font: 9pt/1.5 'Noto Sans CJK SC', sans-serif; color: #22303A; } body { margin: 0; }
article { break-after: page; } article:last-child { break-after: auto; }
.run { string-set: edition attr(data-edition); }
h1 { font-size: 15pt; color: #1F4E5F; margin: 0 0 1mm 0; } h1 small { font-size: 10pt; font-weight: 400; }
.pair { display: flex; gap: 6mm; margin: 4mm 0; } .pair div { width: 84mm; text-align: center; }
.pair img { width: 84mm; height: 84mm; border: .5pt solid #22303A; }
.none { width: 84mm; height: 84mm; line-height: 84mm; border: .5pt dashed #5F6B73; color: #5F6B73; }
.pair p { margin: 1mm 0 0 0; font-size: 8pt; }
table { width: 100%; border-collapse: collapse; } td { padding: 1.2mm 2mm; border-bottom: .3pt solid #D5DCE0; }
td:first-child { width: 38mm; color: #5F6B73; } td { overflow-wrap: anywhere; }
.sign { display: flex; gap: 10mm; margin-top: 8mm; } .sign div { flex: 1; border-top: .5pt solid #22303A; }
.sign div { padding-top: 1mm; font-size: 8pt; color: #5F6B73; }
"""


def write_evidence(
    data: EditionData,
    patches: Table,
    language: Language,
    chips: Chips,
    most: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> bytes | None:
    """Evidence sheets of the largest new and restored patches, restored first.

    Args:
        data: the edition.
        patches: T7 in the same language; areas are printed as there.
        language: of the texts.
        chips: gives the images of a piece.
        most: number of sheets; None for all.
        progress: called with the share of images read; may raise to stop.

    Returns:
        A PDF, None where there is nothing to show.
    """
    pieces = listed_pieces(data)
    pieces = pieces.assign(first=(pieces["decision"] != Flow.RESTORED).astype(int))
    pieces = pieces.sort_values(["first", "area_cm2"], ascending=[True, False], kind="stable")
    pieces = pieces if most is None else pieces.head(most)
    if pieces.empty:
        return None
    rows = {row.key: row for row in patches.rows}
    scenes = {scene.scene_id: scene for scene in data.scenes}
    edition = data.edition
    named = f"MineGIS {edition.year} v{edition.version} · {edition.content_sha256}"
    pages = []
    for number, piece in enumerate(pieces.itertuples(), start=1):
        pages.append(_page(piece, rows[str(piece.piece_id)], patches, scenes, language, chips(int(piece.piece_id))))  # type: ignore[arg-type]
        if progress:
            progress(number / len(pieces))
    html = (
        f'<!doctype html><html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">'
        f"<title>{pick(('图斑证据页', 'Evidence sheets'), language)}</title><style>{CSS}</style></head><body>"
        f'<div class="run" data-edition="{escape(named)}"></div>{"".join(pages)}</body></html>'
    )
    fetcher = URLFetcher(allowed_protocols={"data"}, allow_redirects=False, fail_on_errors=True)
    out = BytesIO()
    weasyprint.HTML(string=html, url_fetcher=fetcher).write_pdf(
        out, pdf_identifier=edition.content_sha256[:32].encode()
    )
    return out.getvalue()


def _page(
    piece: Any,
    row: Row,
    patches: Table,
    scenes: dict[str, Any],
    language: Language,
    pictures: tuple[bytes | None, bytes | None],
) -> str:
    def told(key: str) -> str:
        return patches.cell(row, key).text

    def say(zh: str, en: str) -> str:
        return zh if language == "zh" else en

    scene = scenes.get(str(piece.scene_id))
    states = " → ".join(pick(NAMES[str(state)], language) for state in (piece.prev_state, piece.obs_state))
    facts = [
        (say("矿山", "Mine"), told("mine")),
        (say("变化", "Change"), f"{told('change')} · {states}"),
        (say("面积", "Area"), f"{told('area_m2')} m² = {told('area_hm2')} hm² = {told('area_mu')} {say('亩', 'mu')}"),
        (say("中心坐标(CGCS2000)", "Centre (CGCS2000)"), f"{told('lon')}°E, {told('lat')}°N"),
        (say("前时相", "Imagery before"), told("before")),
        (say("后时相", "Imagery now"), told("now")),
        (say("解译", "Interpreted by"), told("author")),
        (say("模型权重 SHA-256", "Weights SHA-256"), scene.weights_sha256 if scene else NOTHING),
        (say("影像 SHA-256", "Image SHA-256"), scene.sha256 if scene else NOTHING),
        (say("置信度", "Confidence"), told("confidence")),
        (say("审核人", "Reviewed by"), f"{told('reviewer')} {piece.decided_on or ''}".strip()),
        (say("理由", "Reason"), str(piece.reason or NOTHING)),
    ]
    if piece.decision == Flow.RESTORED:
        mode = word(str(piece.mode), language) if piece.mode else NOTHING
        kind = pick(NAMES[str(piece.restored_kind)], language) if piece.restored_kind else ""
        facts.append((say("治理方式", "Restoration"), f"{kind} {mode}".strip()))
        facts.append((say("治理后用途", "Use afterwards"), land_use(str(piece.post_use), language) or NOTHING))
        proofs = [f"{file['file_name']} (SHA-256 {file['sha256']})" for file in piece.evidence]
        facts.append((say("证据", "Evidence"), "; ".join(proofs) or NOTHING))
    missing = say("无影像", "no image")
    labels = (told("before"), told("now"))
    shown = "".join(
        f"<div>{image('png', png) if png else f'<div class=none>{missing}</div>'}<p>{escape(label)}</p></div>"
        for png, label in zip(pictures, labels, strict=True)
    )
    lines = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts)
    signed = "".join(f"<div>{name}</div>" for name in (say("解译签字", "Interpreter"), say("审核签字", "Reviewer")))
    title = say("图斑证据页", "Evidence sheet")
    return (
        f"<article><h1>{title} <small>{escape(told('patch_no'))}</small></h1><div class='pair'>{shown}</div>"
        f"<table>{lines}</table><div class='sign'>{signed}</div></article>"
    )
