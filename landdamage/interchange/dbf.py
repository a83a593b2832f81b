"""dBase III tables as shapefiles carry them: exact widths, whole characters, a declared encoding.

GDAL's own writer takes widths from the data and cuts text in the middle of a character, so the table is written here.
Layout: dBASE III file header (32 bytes, 32 per field, 0x0D), then rows of fixed width that begin with a space.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd

from landdamage.interchange.codes import CHINESE, Field

Encoding = Literal["utf-8", "gbk"]
LDID_GBK: Final = 0x4D  # language driver of code page 936; UTF-8 has none
MAX_TEXT_BYTES: Final = 254
_CPG: Final = {"utf-8": "UTF-8", "gbk": "GBK"}
_CODECS: Final = {
    **dict.fromkeys(("utf-8", "utf8", "65001"), "utf-8"),
    **dict.fromkeys(("gbk", "936", "cp936", "ansi 936", "gb2312", "gb18030", "ms936"), "gb18030"),
}  # what people write into .cpg


def cut(text: str, width: int, encoding: str) -> bytes:
    """The text in at most ``width`` bytes, cut between characters; what the encoding lacks becomes ``?``."""
    raw = text.encode(encoding, "replace")
    if len(raw) <= width:
        return raw
    return raw[:width].decode(encoding, "ignore").encode(encoding)


def byte_width(field: Field, encoding: str) -> int:
    """Bytes a column needs: codes are ASCII, names may be Chinese in every character, 254 at most."""
    if field.name not in CHINESE:
        return field.width
    return min(MAX_TEXT_BYTES, field.width * (3 if encoding == "utf-8" else 2))


def write_dbf(path: Path, rows: pd.DataFrame, fields: Sequence[Field], encoding: Encoding) -> None:
    """Write a table and, beside it, the ``.cpg`` that names its encoding.

    Args:
        path: the ``.dbf`` to write.
        rows: one column per field; missing text becomes blank, missing numbers must have been replaced.
        fields: columns in order.
        encoding: ``utf-8`` or ``gbk``.

    Raises:
        ValueError: a number does not fit its width.
    """
    widths = [byte_width(field, encoding) for field in fields]
    header = struct.pack(
        "<BBBBIHH17xBxx",
        3, 124, 1, 1, len(rows), 33 + 32 * len(fields), 1 + sum(widths), LDID_GBK if encoding == "gbk" else 0,
    )  # fmt: skip
    with path.open("wb") as stream:
        stream.write(header)
        for field, width in zip(fields, widths, strict=True):
            stream.write(
                struct.pack("<11sc4xBB14x", field.name.encode("ascii"), field.kind.encode(), width, field.decimals)
            )
        stream.write(b"\r")
        columns = [_column(rows[f.name], f, w, encoding) for f, w in zip(fields, widths, strict=True)]
        stream.writelines(b" " + b"".join(row) for row in zip(*columns, strict=True))
        stream.write(b"\x1a")
    path.with_suffix(".cpg").write_text(_CPG[encoding], "ascii")


def _column(values: pd.Series, field: Field, width: int, encoding: str) -> Iterator[bytes]:
    if field.kind == "C":
        for value in values:
            yield (b"" if pd.isna(value) else cut(str(value), width, encoding)).ljust(width)
        return
    for value in values:
        text = f"{value:.{field.decimals}f}".encode()
        if len(text) > width:
            raise ValueError(f"{value} does not fit {field.name} of width {width}")
        yield text.rjust(width)


@dataclass(frozen=True, slots=True)
class Header:
    """What a table says about itself."""

    rows: int
    names: tuple[bytes, ...]
    widths: tuple[int, ...]
    kinds: tuple[str, ...]
    ldid: int
    start: int
    row_bytes: int


def read_header(path: Path) -> Header | None:
    """The header of a table, or None where the file is not one."""
    with path.open("rb") as stream:
        head = stream.read(32)
        if len(head) < 32:
            return None
        count, start, row_bytes, ldid = struct.unpack("<4xIHH17xBxx", head)
        raw = stream.read(max(0, start - 32))
    names, widths, kinds = [], [], []
    for at in range(0, len(raw) - 31, 32):
        entry = raw[at : at + 32]
        if entry[0] == 0x0D:
            break
        names.append(entry[:11].split(b"\0")[0])
        kinds.append(chr(entry[11]))
        widths.append(entry[16])
    if not names or row_bytes != 1 + sum(widths):
        return None
    return Header(count, tuple(names), tuple(widths), tuple(kinds), ldid, start, row_bytes)


def text_rows(path: Path, header: Header, limit: int | None = None) -> Iterator[list[bytes]]:
    """Raw bytes of the text cells, row by row; ``limit`` rows at most."""
    ends = np.cumsum((1, *header.widths))
    spans = [(ends[i], ends[i + 1]) for i, kind in enumerate(header.kinds) if kind == "C"]
    with path.open("rb") as stream:
        stream.seek(header.start)
        for _ in range(header.rows if limit is None else min(limit, header.rows)):
            row = stream.read(header.row_bytes)
            if len(row) < header.row_bytes:
                return
            yield [row[low:high].rstrip(b" \0") for low, high in spans]


def fits(raw: bytes, codec: str) -> Literal["whole", "cut", "no"]:
    """Whether bytes are text of an encoding, text cut in its last character, or neither."""
    try:
        raw.decode(codec)
    except UnicodeDecodeError:
        try:
            codecs.getincrementaldecoder(codec)().decode(raw)
        except UnicodeDecodeError:
            return "no"
        return "cut"
    return "whole"


def sniff_encoding(path: Path, cpg: str, header: Header) -> str | None:
    """The encoding of a table: named by ``.cpg``, else by the language driver, else strict UTF-8, else GB18030.

    A column name may be cut in mid-character (other software does that), a value may not.

    Returns:
        ``utf-8`` or ``gb18030``, or None where neither gives text: people must choose.
    """
    named = _CODECS.get(cpg.strip().lower().replace("_", "-"))
    if named is not None:
        return named
    if header.ldid == LDID_GBK:
        return "gb18030"  # the superset of GBK
    for codec in ("utf-8", "gb18030"):
        if all(fits(name, codec) != "no" for name in header.names) and all(
            fits(raw, codec) == "whole" for row in text_rows(path, header) for raw in row
        ):
            return codec
    return None
