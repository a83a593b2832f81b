"""A shapefile with Chinese attributes opens with the right text, whatever its encoding and whoever declares it.

The table is read by GDAL alone, from the file as handed out; then with the declaration taken away, as many offices
send it, it is read back as an opening book.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pyogrio
import pytest

from landdamage.interchange.read import read_opening
from landdamage.interchange.write import write_vectors
from landdamage.selectors.editions import edition_data


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_chinese_text_survives(small_books: Any, tmp_path: Path, encoding: Any) -> None:
    data = edition_data(small_books.draft, small_books.reviewer)
    path = write_vectors(data, tmp_path, "shp", encoding)
    table = pyogrio.read_dataframe(f"/vsizip/{path}/SHTB_2023.shp")
    assert set(table["KSMC"].dropna()) == {"天山1号矿", "天山2号矿"}
    assert {"露天采场", "采坑积水", "地面塌陷"} <= set(table["DWMC"])
    bare = tmp_path / "bare.zip"
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(bare, "w") as out:
        for name in archive.namelist():
            if name.startswith("SHTB") and not name.endswith(".cpg"):
                content = bytearray(archive.read(name))
                if name.endswith(".dbf"):
                    content[29] = 0  # the language driver
                out.writestr(name, bytes(content))
    report = read_opening(bare)
    assert report.findings == []
    assert report.facts["encoding"] == {"utf-8": "UTF-8", "gbk": "GB18030"}[encoding]
    assert {row["value"] for row in report.facts["classes"]} == set(table["DWMC"])
