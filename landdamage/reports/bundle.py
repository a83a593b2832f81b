"""The delivery of an edition: report, tables, vectors, maps and evidence in one zip with checksums."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from landdamage.interchange.attributes import layers
from landdamage.interchange.write import ENCODINGS, write_layers
from landdamage.reports.blocks import Chips, Picture
from landdamage.reports.data import EditionData
from landdamage.reports.document import Makers, compose
from landdamage.reports.evidence import write_evidence
from landdamage.reports.mapsheets import overview_picture, sheets
from landdamage.reports.pdf import write_pdf
from landdamage.reports.table import Table
from landdamage.reports.tables import build
from landdamage.reports.trend import trend
from landdamage.reports.word import write_docx
from landdamage.reports.words import Language, pick
from landdamage.reports.workbook import write_csv, write_workbook

Progress = Callable[[str, float], None]
_STORED = {".zip", ".png", ".docx", ".xlsx", ".pdf"}  # compressed already


@dataclass(frozen=True)
class Options:
    """What goes into a delivery.

    Attributes:
        language: of texts, table heads and maps.
        makers: who signs; left blank where unknown.
        map_sheets: most sheets of single mines, those with most change first; the overview always comes.
        evidence_sheets: most evidence sheets.
        conclusions: replaces the generated draft of section 10.
        vectors: whether GeoPackage and shapefiles come along (not for those who may not export them).
    """

    language: Language = "zh"
    makers: Makers = field(default_factory=Makers)
    map_sheets: int = 30
    evidence_sheets: int = 100
    conclusions: tuple[str, ...] = ()
    vectors: bool = True


def bundle_name(data: EditionData) -> str:
    """``MineGIS_{year}_v{n}_{region}.zip``."""
    edition = data.edition
    return f"MineGIS_{edition.year}_v{edition.version}_{edition.region_code}.zip"


def all_tables(data: EditionData, language: Language) -> dict[str, Table]:
    """T1-T9 and the trend, T10."""
    return {**build(data, language), "T10": trend(data, language)}


def write_bundle(
    data: EditionData,
    folder: Path,
    options: Options | None = None,
    *,
    chips: Chips | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write everything into ``folder`` and pack it.

    Args:
        data: the edition as its reader may see it.
        folder: an existing, empty folder; the files stay in ``folder/files`` beside the zip.
        options: what to include.
        chips: before and after images of a piece; without it there are no pictures and no evidence sheets.
        progress: called with a stage and the share done 0-1; whatever it raises stops the work.

    Returns:
        The zip. Packed files carry the edition's date, so that the same edition gives the same numbers and, where the
        libraries allow, the same bytes.
    """
    options = options or Options()
    say = progress or (lambda stage, share: None)
    files = folder / "files"
    files.mkdir(parents=True)
    language, edition = options.language, data.edition
    made_on = options.makers.made_on or edition.published_on or date(edition.year, 12, 31)
    say("tables", 0.02)
    tables = all_tables(data, language)
    write_workbook(files / "tables.xlsx", tables, edition, language, made_on)
    (files / "csv").mkdir()
    for code, table in tables.items():
        write_csv(files / "csv" / f"{code}.csv", table)
    say("vectors", 0.10)
    if options.vectors:
        _vectors(data, files)
    say("maps", 0.25)
    names = _maps(data, files, options, say)
    if chips is not None:
        proofs = write_evidence(data, tables["T7"], language, chips, options.evidence_sheets,
                                lambda share: say("evidence", 0.60 + 0.1 * share))  # fmt: skip
        if proofs:
            (files / "evidence.pdf").write_bytes(proofs)
    say("report", 0.72)
    caption = pick(("监测区总图(A3 图幅见 maps/overview.pdf)", "The monitored area (A3: maps/overview.pdf)"), language)
    document = compose(
        data,
        tables,
        language,
        makers=options.makers,
        overview=Picture(caption, overview_picture(data, language)),
        chips=chips,
        conclusions=options.conclusions,
        sheets=names,
    )
    (files / "report.docx").write_bytes(write_docx(document, made_on))
    say("report", 0.80)
    (files / "report.pdf").write_bytes(write_pdf(document))
    say("pack", 0.95)
    (files / "meta.json").write_text(
        json.dumps(_meta(data, tables, options), ensure_ascii=False, indent=2, default=str), encoding="utf-8"
    )
    return _pack(files, folder / bundle_name(data), made_on)


def _vectors(data: EditionData, files: Path) -> None:
    frames, name = layers(data), bundle_name(data).removesuffix(".zip")
    write_layers(frames, name, files, "gpkg").rename(files / "patches.gpkg")
    (files / "shp").mkdir()
    for encoding in ENCODINGS:
        write_layers(frames, name, files / "shp", "shp", encoding)


def _maps(data: EditionData, files: Path, options: Options, say: Progress) -> list[str]:
    (files / "maps").mkdir()
    names = []
    for number, sheet in enumerate(sheets(data, options.language, options.makers, options.map_sheets)):
        say("maps", 0.25 + 0.35 * number / (options.map_sheets + 1))
        (files / "maps" / f"{sheet.name}.pdf").write_bytes(sheet.pdf())
        (files / "maps" / f"{sheet.name}.png").write_bytes(sheet.png())
        names.append(f"{sheet.title} (1:{sheet.scale:,}, maps/{sheet.name}.pdf)".replace(",", " ", 1))
    return names


def _meta(data: EditionData, tables: dict[str, Table], options: Options) -> dict[str, Any]:
    total = tables["T1"].total
    both = list(zip(tables["T1"].columns, total.cells, strict=True))
    exact = {column.key: str(cell.exact) for column, cell in both if column.unit == "hm2"}
    return {
        "edition": asdict(data.edition),
        "language": options.language,
        "mines": len(data.mines),
        "cells": len(data.cells),
        "totals_cm2": exact,
        "totals": {column.key: cell.text for column, cell in both},
        "scenes": [asdict(scene) for scene in data.scenes],
        "accuracy": data.accuracy,
    }


def _pack(files: Path, target: Path, made_on: date) -> Path:
    """Zip the files with their checksums; sums are those of the uncompressed files."""
    listed = _listed(files)
    sums = "".join(f"{_sha256(path)}  {name}\n" for name, path in listed)
    (files / "SHA256SUMS").write_text(sums, encoding="utf-8")
    stamp = (max(made_on.year, 1980), made_on.month, made_on.day, 0, 0, 0)
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for name, path in [*listed, ("SHA256SUMS", files / "SHA256SUMS")]:
            info = zipfile.ZipInfo(name, stamp)
            info.compress_type = zipfile.ZIP_STORED if path.suffix in _STORED else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as packed:
                for block in _blocks(source):
                    packed.write(block)
    return target


def _listed(files: Path) -> Sequence[tuple[str, Path]]:
    return sorted((path.relative_to(files).as_posix(), path) for path in files.rglob("*") if path.is_file())


def _blocks(source: Any) -> Iterator[bytes]:
    while block := source.read(1 << 20):
        yield block


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
