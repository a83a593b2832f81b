"""Whole objects in a real S3 server, one that is away for a while, and one that refuses."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import threading
from pathlib import Path
from typing import Any

import pytest

from minegis.errors import StorageError
from minegis.objects.bucket import PART_BYTES, Bucket, Held, Place
from minegis.objects.work import long_work


def written(folder: Path, content: bytes) -> tuple[Path, str]:
    path = folder / "source"
    path.write_bytes(content)
    return path, hashlib.sha256(content).hexdigest()


def code_of(error: pytest.ExceptionInfo[StorageError]) -> str:
    return error.value.code


@pytest.mark.parametrize("size", [0, 5, PART_BYTES + 3])
def test_what_goes_up_comes_down(s3: Any, tmp_path: Path, size: int) -> None:
    bucket = Bucket(s3.place())
    path, sha256 = written(tmp_path, b"abc" * (size // 3) + b"x" * (size % 3))
    assert bucket.head("a/b") is None
    bucket.put("a/b", path, sha256)
    assert bucket.head("a/b") == Held(size, sha256)
    out = io.BytesIO()
    assert bucket.get("a/b", out) == sha256
    assert out.getvalue() == path.read_bytes()
    assert list(s3.keys()) == ["a/b"]


def test_listing_folders_and_removing(s3: Any, tmp_path: Path) -> None:
    bucket = Bucket(s3.place())
    path, sha256 = written(tmp_path, b"1")
    for name in ("work/1/strips/a", "work/1/strips/b", "work/2/strips/a", "workshop/x"):
        bucket.put(name, path, sha256)
    assert bucket.names("work/1/strips") == ["a", "b"]
    assert bucket.folders("work") == ["1", "2"]
    bucket.remove(["work/1/strips/a", "work/1/strips/none"])
    assert bucket.names("work/1") == ["strips/b"]
    assert bucket.names("nothing") == bucket.folders("nothing") == []


def test_missing_object_is_a_missing_file(s3: Any) -> None:
    with pytest.raises(FileNotFoundError):
        Bucket(s3.place()).get("none", io.BytesIO())


def test_bytes_that_differ_from_the_hash_noted_are_refused(s3: Any) -> None:
    s3.client.put_object(Bucket=s3.name, Key="minegis/a", Body=b"lie", Metadata={"sha256": "0" * 64})
    with pytest.raises(StorageError) as error:
        Bucket(s3.place()).get("a", io.BytesIO())
    assert code_of(error) == "E-STO-04"


def test_a_server_that_comes_back_in_time_is_waited_for(s3: Any, tmp_path: Path, caplog: Any) -> None:
    bucket = Bucket(s3.place(patience_s=60))
    path, sha256 = written(tmp_path, b"patience")
    bucket.check()  # connections that stand when the server goes
    s3.line.cut()
    done = threading.Event()

    def mend_once_missed() -> None:
        while not done.is_set() and "is away" not in caplog.text:
            done.wait(0.01)
        s3.line.mend()

    helper = threading.Thread(target=mend_once_missed)
    helper.start()
    try:
        bucket.put("a", path, sha256)
    finally:
        done.set()
        helper.join()
    assert "is away" in caplog.text
    assert bucket.head("a") == Held(8, sha256)


def test_a_server_that_stays_away_has_a_code(s3: Any) -> None:
    s3.line.cut()
    with pytest.raises(StorageError) as error:
        Bucket(s3.place(patience_s=0.3)).head("a")
    assert code_of(error) == "E-STO-01"
    assert s3.settings["S3_ENDPOINT_URL"] in error.value.message("zh")


def test_people_wait_less_than_jobs(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minegis.objects.bucket.PERSON_WAITS_S", 0.0)
    s3.line.cut()
    bucket = Bucket(s3.place(patience_s=0.6))
    with pytest.raises(StorageError) as error:
        bucket.head("a")
    assert error.value.values["seconds"] == 0
    with long_work(), pytest.raises(StorageError) as error:
        bucket.head("a")
    assert error.value.values["seconds"] == 1


def test_a_transfer_goes_on_where_it_broke(s3: Any) -> None:
    content = bytes(range(256)) * 8192
    s3.client.put_object(Bucket=s3.name, Key="minegis/big", Body=content)

    class CutOnce(io.BytesIO):
        cuts = 0

        def write(self, data: Any, /) -> int:
            if self.tell() and not self.cuts:
                self.cuts += 1
                s3.line.cut()
                s3.line.mend()
            return super().write(data)

    out = CutOnce()
    assert Bucket(s3.place()).get("big", out) == hashlib.sha256(content).hexdigest()
    assert out.cuts == 1
    assert out.getvalue() == content


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": "AKIANOBODY"}, "E-STO-02"),
        ({"secret": "wrong"}, "E-STO-02"),
        ({"bucket": "no-such-bucket"}, "E-STO-03"),
    ],
)
def test_refusals_have_codes_at_once(s3: Any, changes: dict[str, str], code: str) -> None:
    with pytest.raises(StorageError) as error:
        Bucket(dataclasses.replace(s3.place(), **changes)).check()
    assert code_of(error) == code


def test_the_check_leaves_nothing(s3: Any) -> None:
    Bucket(s3.place()).check()
    assert s3.keys() == {}


@pytest.mark.parametrize(
    ("url", "rest"),
    [
        ("http://host/bucket", {}),
        ("s3://", {}),
        ("s3://UPPER/x", {}),
        ("s3://bucket/../other", {}),
        ("s3://bucket/a b", {}),
        ("s3://bucket?x=1", {}),
        ("s3://bucket", {"key": ""}),
        ("s3://bucket", {"endpoint": "minio:9000"}),
    ],
)
def test_settings_that_cannot_be_are_refused(url: str, rest: dict[str, str]) -> None:
    with pytest.raises(StorageError) as error:
        Place.of(url, **({"key": "k", "secret": "s", "endpoint": "http://minio:9000"} | rest))
    assert code_of(error) == "E-STO-07"


def test_secrets_are_not_shown() -> None:
    place = Place.of("s3://bucket/p", key="k", secret="hush", token="hush", endpoint="http://minio:9000")
    assert "hush" not in repr(place) + place.shown
