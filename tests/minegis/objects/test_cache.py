"""Local copies: verified, bounded, shared by processes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from minegis.errors import StorageError
from minegis.objects.cache import FileCache
from minegis.objects.work import long_work


class Source:
    """Contents by their hash, and how often each was loaded."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.loads: list[str] = []

    def add(self, content: bytes) -> str:
        sha256 = hashlib.sha256(content).hexdigest()
        self.contents[sha256] = content
        return sha256

    def load(self, sha256: str) -> Callable[[BinaryIO], str]:
        def load(out: BinaryIO) -> str:
            self.loads.append(sha256)
            out.write(self.contents[sha256])
            return hashlib.sha256(self.contents[sha256]).hexdigest()

        return load

    def fetch(self, cache: FileCache, sha256: str) -> Path:
        return cache.fetch(sha256, lambda: len(self.contents[sha256]), self.load(sha256))


@pytest.fixture
def source() -> Source:
    return Source()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".json")


def test_a_file_is_loaded_once(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 1000)
    sha256 = source.add(b"pixels")
    for _ in range(3):
        assert source.fetch(cache, sha256).read_bytes() == b"pixels"
    assert source.loads == [sha256]
    assert source.fetch(FileCache(tmp_path, 1000), sha256).stat().st_mode & 0o777 == 0o440
    assert source.loads == [sha256]


@pytest.mark.parametrize("hurt", ["other bytes", "cut short", "same size", "note lost"])
def test_a_copy_somebody_touched_is_noticed(tmp_path: Path, source: Source, hurt: str) -> None:
    cache = FileCache(tmp_path, 1000)
    sha256 = source.add(b"truth")
    path = source.fetch(cache, sha256)
    path.chmod(0o640)
    if hurt == "note lost":
        next(tmp_path.rglob("*.json")).unlink()
    path.write_bytes({"other bytes": b"a lie", "cut short": b"tru", "same size": b"trutH"}.get(hurt, b"lies"))
    assert source.fetch(cache, sha256).read_bytes() == b"truth"
    assert source.loads == [sha256, sha256]


def test_a_copy_that_was_only_looked_at_is_not_loaded_again(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 1000)
    sha256 = source.add(b"truth")
    source.fetch(cache, sha256).chmod(0o444)  # its state changed, its content did not
    assert source.fetch(cache, sha256).read_bytes() == b"truth"
    assert source.loads == [sha256]


def test_wrong_bytes_get_no_name(tmp_path: Path, source: Source) -> None:
    sha256 = hashlib.sha256(b"asked for").hexdigest()
    source.contents[sha256] = b"something else"
    with pytest.raises(StorageError) as error:
        source.fetch(FileCache(tmp_path, 1000), sha256)
    assert error.value.code == "E-STO-04"
    assert size(tmp_path) == 0


def test_what_was_used_longest_ago_makes_room(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 1000, grace_s=0)
    first, second, third = (source.add(bytes([k]) * 400) for k in range(3))
    source.fetch(cache, first)
    source.fetch(cache, second)
    source.fetch(cache, first)
    source.fetch(cache, third)
    assert size(tmp_path) == 800
    source.fetch(cache, first)
    source.fetch(cache, third)
    assert source.loads == [first, second, third]
    source.fetch(cache, second)
    assert source.loads[3:] == [second]


def test_nothing_goes_that_was_just_handed_out_or_that_a_job_holds(tmp_path: Path, source: Source) -> None:
    one, other = source.add(b"1" * 600), source.add(b"2" * 600)
    source.fetch(FileCache(tmp_path, 1000), one)
    with pytest.raises(StorageError) as error:
        source.fetch(FileCache(tmp_path, 1000), other)
    assert error.value.code == "E-STO-08"
    strict = FileCache(tmp_path, 1000, grace_s=0)
    with long_work():
        source.fetch(strict, one)
        with pytest.raises(StorageError):
            source.fetch(strict, other)
    source.fetch(strict, other)
    assert size(tmp_path) == 600


def test_a_file_beyond_the_limit_is_refused_and_nothing_is_lost_for_it(tmp_path: Path, source: Source) -> None:
    cache = FileCache(tmp_path, 1000)
    small, large = source.add(b"1"), source.add(b"2" * 1001)
    source.fetch(cache, small)
    with pytest.raises(StorageError) as error:
        source.fetch(cache, large)
    assert error.value.code == "E-STO-08"
    source.fetch(cache, small)
    assert source.loads == [small]


def test_what_a_killed_process_was_loading_is_swept_away(tmp_path: Path, source: Source) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from minegis.objects.cache import FileCache\n"
        "with FileCache(Path(sys.argv[1]), 1000).part(900) as part:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[3])
    assert size(tmp_path) == 900
    source.fetch(FileCache(tmp_path, 1000), source.add(b"x" * 500))
    assert size(tmp_path) == 500


def test_what_is_being_loaded_counts(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 1000)
    with cache.part(600), pytest.raises(StorageError), cache.part(600):
        pass
    with cache.part(600):
        pass
    assert size(tmp_path) == 0
