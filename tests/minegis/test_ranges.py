"""Parts of stored files over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import RequestFactory

from minegis import ranges

BODY = bytes(range(256)) * 40


@pytest.fixture
def ask(tmp_path: Path):
    (tmp_path / "file").write_bytes(BODY)

    def do(method: str = "GET", **headers: str):
        request = RequestFactory().generic(method, "/", headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = ranges.ranged_file(
            request, tmp_path / "file", content_type="video/mp4", etag="abc", file_name="矿.mp4", download=False
        )
        return answer, b"".join(answer) if answer.streaming else answer.content  # type: ignore[arg-type]

    return do


def test_without_a_range_it_is_the_whole_file(ask):
    answer, body = ask()
    assert (answer.status_code, body, answer["Accept-Ranges"]) == (200, BODY, "bytes")
    assert (answer["Content-Length"], answer["Cache-Control"]) == (str(len(BODY)), "private, max-age=3600")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=100-", 100, 10239), ("bytes=-40", 10200, 10239), ("bytes=10200-99999", 10200, 10239)],
)
def test_a_range_is_that_part(ask, asked, first, last):
    answer, body = ask(Range=asked)
    assert (answer.status_code, answer["Content-Range"]) == (206, f"bytes {first}-{last}/10240")
    assert (body, answer["Content-Length"]) == (BODY[first : last + 1], str(last - first + 1))


def test_beyond_the_end_there_is_nothing(ask):
    answer, _ = ask(Range="bytes=10240-")
    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */10240")


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=1-2,5-6", "lines=1-2", "bytes=5-1x"])
def test_what_is_not_understood_is_ignored(ask, asked):
    assert ask(Range=asked)[0].status_code == 200


def test_a_part_of_another_version_is_not_given(ask):
    assert ask(Range="bytes=0-9", If_Range='"abc"')[0].status_code == 206
    assert ask(Range="bytes=0-9", If_Range='"old"')[0].status_code == 200


def test_a_long_range_comes_in_pieces_and_head_has_no_body(ask, monkeypatch):
    monkeypatch.setattr(ranges, "MOST", 1000)
    answer, body = ask(Range="bytes=0-")
    assert (answer.status_code, answer["Content-Range"], len(body)) == (206, "bytes 0-999/10240", 1000)
    answer, body = ask("HEAD")
    assert (answer["Content-Length"], body) == ("10240", b"")
