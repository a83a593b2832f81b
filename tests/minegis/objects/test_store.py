"""The write-once store in a bucket keeps what the folder promises."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from minegis.errors import StorageError
from minegis.objects.bucket import Bucket
from minegis.objects.cache import FileCache
from minegis.objects.store import BucketStorage
from minegis.objects.work import long_work


def store_of(s3: Any, folder: Path, **changes: Any) -> BucketStorage:
    return BucketStorage(Bucket(s3.place(**changes)), "files", FileCache(folder, 1 << 30))


def test_file_is_named_by_its_content_and_read_elsewhere(s3: Any, tmp_path: Path) -> None:
    content = b"pixels" * 500_000
    source = tmp_path / "scene.tif"
    source.write_bytes(content)
    here, there = store_of(s3, tmp_path / "here"), store_of(s3, tmp_path / "there")
    stored = here.put(source)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert stored.bytes == len(content)
    assert stored.path.read_bytes() == content
    assert list(s3.keys("files/")) == [f"{stored.sha256[:2]}/{stored.sha256[2:]}"]
    assert stored.sha256 in there
    copy = there.fetch(stored.sha256)
    assert copy != stored.path
    assert copy.read_bytes() == content
    assert copy.stat().st_mtime == stored.path.stat().st_mtime, "two machines would take it for two scenes"
    assert there.verify(stored.sha256)


def test_an_object_is_never_written_again(s3: Any, tmp_path: Path) -> None:
    first = store_of(s3, tmp_path / "1").put(io.BytesIO(b"same"))
    before = s3.keys()
    second = store_of(s3, tmp_path / "2").put(io.BytesIO(b"same"))
    assert first.sha256 == second.sha256
    assert s3.keys() == before


def test_writers_of_the_same_content_end_with_one_object(s3: Any, tmp_path: Path) -> None:
    stores = [store_of(s3, tmp_path / str(k % 2)) for k in range(4)]
    content = b"x" * 2_000_000
    with ThreadPoolExecutor(4) as pool:
        results = {stored.sha256 for stored in pool.map(lambda store: store.put(io.BytesIO(content)), stores * 2)}
    assert len(results) == 1
    assert len(s3.keys()) == 1
    assert not list(tmp_path.rglob("part-*"))
    assert stores[0].fetch(results.pop()).read_bytes() == content


def test_other_bytes_under_the_name_are_not_written_over(s3: Any, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"truth").hexdigest()
    s3.client.put_object(Bucket=s3.name, Key=f"minegis/files/{sha256[:2]}/{sha256[2:]}", Body=b"a lie told before")
    before = s3.keys()
    store = store_of(s3, tmp_path)
    with pytest.raises(StorageError) as error:
        store.put(io.BytesIO(b"truth"))
    assert error.value.code == "E-STO-04"
    assert s3.keys() == before
    assert not store.verify(sha256)
    with pytest.raises(StorageError) as error:
        store.fetch(sha256)
    assert error.value.code == "E-STO-04"


def test_failed_put_leaves_nothing(s3: Any, tmp_path: Path) -> None:
    s3.line.cut()
    with pytest.raises(StorageError) as error:
        store_of(s3, tmp_path, patience_s=0.2).put(io.BytesIO(b"a" * 3_000_000))
    assert error.value.code == "E-STO-01"
    assert s3.keys() == {}
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".room"] == []


def test_a_job_holds_what_it_stored(s3: Any, tmp_path: Path) -> None:
    store = BucketStorage(Bucket(s3.place()), "files", FileCache(tmp_path, 1000, grace_s=0))
    with long_work():
        stored = store.put(io.BytesIO(b"1" * 600))
        with pytest.raises(StorageError) as error:
            store.put(io.BytesIO(b"2" * 600))
        assert error.value.code == "E-STO-08"
        assert stored.path.read_bytes() == b"1" * 600
    store.put(io.BytesIO(b"2" * 600))
    assert not stored.path.exists()


def test_what_was_read_before_is_read_while_the_server_is_away(s3: Any, tmp_path: Path) -> None:
    store = store_of(s3, tmp_path, patience_s=0.2)
    stored = store.put(io.BytesIO(b"at hand"))
    s3.line.cut()
    assert store.fetch(stored.sha256).read_bytes() == b"at hand"


def test_a_missing_file_is_a_path_that_leads_nowhere(s3: Any, tmp_path: Path) -> None:
    store = store_of(s3, tmp_path)
    assert "0" * 64 not in store
    assert not store.fetch("0" * 64).exists()


def test_removed_is_removed(s3: Any, tmp_path: Path) -> None:
    store = store_of(s3, tmp_path)
    stored = store.put(io.BytesIO(b"going"))
    store.remove(stored.sha256)
    assert s3.keys() == {}
    assert stored.sha256 not in store
    assert not store.fetch(stored.sha256).exists()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64])
def test_only_hashes_are_names(s3: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        store_of(s3, tmp_path).fetch(name)
