"""Folders made on one machine and read on another."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from minegis.errors import StorageError
from minegis.files import folder_path, folder_share
from minegis.objects.bucket import Bucket
from minegis.objects.folders import fetch_folder, put_folder


def made(folder: Path) -> Path:
    (folder / "tiles").mkdir(parents=True)
    (folder / "tiles" / "1.tif").write_bytes(b"pixels")
    (folder / "index.json").write_text("{}")
    return folder


def test_a_folder_is_the_same_elsewhere(s3_storage: Any, settings: Any, tmp_path: Path) -> None:
    folder_share(made(tmp_path / "job" / "set"), "samples/abc")
    assert list(s3_storage.keys()) == ["samples/abc.zip"]
    settings.STORAGE_ROOT = tmp_path / "other"
    for _ in range(2):
        there = folder_path("samples/abc")
        assert (there / "tiles" / "1.tif").read_bytes() == b"pixels"
        assert (there / "index.json").read_text() == "{}"
    assert [path.name for path in there.parent.iterdir()] == ["abc"]
    assert not list((tmp_path / "job").glob(".pack-*"))


def test_a_folder_nobody_made_is_a_path_that_leads_nowhere(s3_storage: Any, settings: Any, tmp_path: Path) -> None:
    assert not folder_path("samples/none").exists()
    settings.STORAGE_URL = ""
    assert not folder_path("samples/none").exists()
    folder_share(made(tmp_path / "set"), "samples/here")
    assert s3_storage.keys() == {}


@pytest.mark.parametrize("hurt", ["bytes", "no archive"])
def test_a_damaged_folder_is_not_unpacked(s3: Any, tmp_path: Path, hurt: str) -> None:
    bucket, name = Bucket(s3.place()), "samples/abc"
    put_folder(bucket, name, made(tmp_path / "set"))
    key = f"minegis/{name}.zip"
    about = s3.client.head_object(Bucket=s3.name, Key=key)["Metadata"] if hurt == "bytes" else {}
    s3.client.put_object(Bucket=s3.name, Key=key, Body=b"no archive" * 100, Metadata=about)
    with pytest.raises(StorageError) as error:
        fetch_folder(bucket, name, tmp_path / "there" / "abc")
    assert error.value.code == "E-STO-04"
    assert [path.name for path in (tmp_path / "there").iterdir()] == []


def test_no_name_leads_out_of_the_folder(s3: Any, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../outside", b"1")
    s3.client.put_object(Bucket=s3.name, Key="minegis/samples/abc.zip", Body=packed.getvalue())
    target = tmp_path / "there" / "abc"
    fetch_folder(Bucket(s3.place()), "samples/abc", target)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [target / "outside"]
