"""Headers of tus 1.0 (https://tus.io/protocols/resumable-upload): reading and writing them, nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.http import http_date

from minegis.errors import UploadError

if TYPE_CHECKING:
    from hashlib import _Hash

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,checksum,expiration"
ALGORITHMS = ("sha256", "sha1", "md5")
CHUNK_TYPE = "application/offset+octet-stream"
MAX_METADATA = 8 * 1024


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a chunk must hash to."""

    algorithm: str
    digest: bytes

    def hasher(self) -> _Hash:
        """A fresh hash of the named algorithm."""
        return hashlib.new(self.algorithm, usedforsecurity=False)


def require_version(value: str | None) -> None:
    """Every request but OPTIONS names the protocol's version.

    Raises:
        UploadError: E-UPL-09.
    """
    if value != VERSION:
        raise UploadError("E-UPL-09", value=f"Tus-Resumable {value or ''}".strip())


def parse_length(name: str, value: str | None) -> int:
    """A header that holds a number of bytes.

    Raises:
        UploadError: E-UPL-11, it is missing, negative or no integer.
    """
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 18:
        raise UploadError("E-UPL-11", value=name)
    return int(value)


def parse_metadata(value: str | None) -> dict[str, str]:
    """``Upload-Metadata``: pairs of key and base64 text, separated by commas; a key may stand alone.

    Raises:
        UploadError: E-UPL-11, it is too long, repeats a key or is not base64 of UTF-8.
    """
    found: dict[str, str] = {}
    if not value:
        return found
    if len(value) > MAX_METADATA:
        raise UploadError("E-UPL-11", value="Upload-Metadata")
    for pair in value.split(","):
        key, _, encoded = pair.strip().partition(" ")
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise UploadError("E-UPL-11", value=f"Upload-Metadata {key}") from error
        if not key or not key.isascii() or key in found:
            raise UploadError("E-UPL-11", value="Upload-Metadata")
        found[key] = text.replace("\x00", "")  # PostgreSQL's JSON has no NUL
    return found


def format_metadata(metadata: dict[str, str]) -> str:
    """The header ``parse_metadata`` reads."""
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


def parse_checksum(value: str | None) -> Checksum | None:
    """``Upload-Checksum``: an algorithm's name and a base64 digest; None without the header.

    Raises:
        UploadError: E-UPL-11, unknown algorithm or not base64 of a digest's length.
    """
    if value is None:
        return None
    algorithm, _, encoded = value.strip().partition(" ")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise UploadError("E-UPL-11", value="Upload-Checksum") from error
    checksum = Checksum(algorithm, digest)
    if algorithm not in ALGORITHMS or len(digest) != checksum.hasher().digest_size:
        raise UploadError("E-UPL-11", value=f"Upload-Checksum {algorithm}")
    return checksum


def format_time(moment: datetime) -> str:
    """A moment as ``Upload-Expires`` wants it (RFC 9110)."""
    return http_date(moment.timestamp())
