import hashlib
import io
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minegis.storage import Storage


def test_file_is_named_by_its_content_and_read_only(tmp_path: Path) -> None:
    content = b"pixels" * 500_000
    source = tmp_path / "scene.tif"
    source.write_bytes(content)
    store = Storage(tmp_path / "files")
    stored = store.put(source)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.bytes == len(content)
    assert stored.path == store.path(stored.sha256)
    assert stored.path.read_bytes() == content
    assert stat.S_IMODE(stored.path.stat().st_mode) == 0o440
    assert stored.sha256 in store
    assert store.verify(stored.sha256)
    assert source.read_bytes() == content


def test_second_put_keeps_the_first_file(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    first = store.put(io.BytesIO(b"same"))
    inode = first.path.stat().st_ino
    assert store.put(io.BytesIO(b"same")) == first
    assert first.path.stat().st_ino == inode
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [first.path]


def test_writers_of_the_same_content_end_with_one_file(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    content = b"x" * 2_000_000
    with ThreadPoolExecutor(8) as pool:
        results = set(pool.map(lambda _: store.put(io.BytesIO(content)), range(16)))
    assert len(results) == 1
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [results.pop().path]


def test_failed_put_leaves_nothing(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 0:
                raise OSError("link lost")
            return super().read(size)

    store = Storage(tmp_path)
    with pytest.raises(OSError, match="link lost"):
        store.put(Broken(b"a" * 3_000_000))
    assert list(tmp_path.iterdir()) == []


def test_tampering_is_noticed(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    stored = store.put(io.BytesIO(b"truth"))
    stored.path.chmod(0o640)
    stored.path.write_bytes(b"lie")
    assert not store.verify(stored.sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 62 + "/."])
def test_only_hashes_are_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        Storage(tmp_path).path(name)
