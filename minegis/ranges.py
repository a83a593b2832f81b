"""Stored files over HTTP with byte ranges, so that a player can jump; one range per answer, a few megabytes at most."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

BLOCK = 256 * 2**10
# A player that stops reading would hold a thread for as long as it pleases; with short answers it asks again instead.
MOST = 8 * 2**20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def ranged_file(
    request: HttpRequest, path: Path, *, content_type: str, etag: str, file_name: str = "", download: bool = False
) -> HttpResponseBase:
    """The file, or the part of it that ``Range`` asks for (206), or 416 if there is no such part.

    The view has checked the reader's right before: nothing here does. Answers are private and may be kept, because
    the files are named by their content.

    Args:
        request: GET or HEAD.
        path: of a stored file.
        content_type: its media type.
        etag: a text that names its content.
        file_name: what a saved copy is called.
        download: to be saved rather than shown; then the whole file is one answer.
    """
    size = path.stat().st_size
    first, last, status = 0, size - 1, 200
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    fresh = request.headers.get("If-Range", f'"{etag}"') == f'"{etag}"'
    if asked and fresh and (asked[1] or asked[2]):
        if asked[1]:
            first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        else:
            first = max(0, size - int(asked[2]))
        if first > last:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
        status, last = 206, min(last, first + MOST - 1)
    length = last - first + 1
    body = _blocks(path, first, length) if request.method != "HEAD" else iter(())
    answer = StreamingHttpResponse(body, status=status, content_type=content_type)
    answer["Content-Length"] = str(length)
    answer["Accept-Ranges"] = "bytes"
    answer["ETag"] = f'"{etag}"'
    answer["Cache-Control"] = "private, max-age=3600"
    if status == 206:
        answer["Content-Range"] = f"bytes {first}-{last}/{size}"
    disposition = content_disposition_header(download, file_name)
    if disposition:
        answer["Content-Disposition"] = disposition
    return answer


def _blocks(path: Path, first: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length > 0 and (block := file.read(min(BLOCK, length))):
            length -= len(block)
            yield block
