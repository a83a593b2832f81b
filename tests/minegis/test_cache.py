"""The cache's folder: where it lies, that it is private, and that its absence is no error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minegis.cache import cache_folder, keep, prune


def test_it_lies_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINEGIS_CACHE", str(tmp_path / "a" / "b"))
    assert cache_folder() == tmp_path / "a" / "b"
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    monkeypatch.delenv("MINEGIS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "minegis"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "minegis"


def test_where_nothing_can_be_kept_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINEGIS_CACHE", str(tmp_path / "file" / "cache"))
    assert cache_folder() is None
    assert not keep(tmp_path / "file" / "x", b"1")


def test_files_appear_whole_and_old_folders_go(tmp_path: Path) -> None:
    for number in range(4):
        assert keep(tmp_path / str(number) / "model", bytes([number]))
        os.utime(tmp_path / str(number), (number, number))
    assert keep(tmp_path / "3" / "model", b"new")
    assert (tmp_path / "3" / "model").read_bytes() == b"new"
    assert [p.name for p in (tmp_path / "3").iterdir()] == ["model"]
    prune(tmp_path, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2", "3"]
    prune(tmp_path / "absent", 2)
