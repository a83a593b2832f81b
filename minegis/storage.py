"""Write-once files named by their SHA-256: what was uploaded stays as it was, byte for byte."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored file: its hash in hexadecimal, its size in bytes and where it lies."""

    sha256: str
    bytes: int
    path: Path


def name_of(sha256: str) -> str:
    """The name of a content within its store.

    Raises:
        ValueError: not 64 lower-case hexadecimal digits.
    """
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("not a SHA-256 in lower-case hexadecimal")
    return f"{sha256[:2]}/{sha256[2:]}"


class Store(Protocol):
    """Write-once files, wherever they lie."""

    def path(self, sha256: str) -> Path:
        """Where the content of a hash lies or would lie on this machine; nothing is fetched."""
        ...

    def fetch(self, sha256: str) -> Path:
        """A local path of the content, to be opened soon.

        Raises:
            StorageError: E-STO-*, it lies elsewhere and cannot be had.
        """
        ...

    def __contains__(self, sha256: str) -> bool: ...

    def put(self, source: Path | str | BinaryIO) -> Stored:
        """Store a copy of a file or of the rest of a stream."""
        ...

    def remove(self, sha256: str) -> None:
        """Delete a file whose last record is gone."""
        ...

    def verify(self, sha256: str) -> bool:
        """Whether the stored bytes still have the hash they are named by."""
        ...


class Storage:
    """A folder of write-once files: ``root/ab/cdef...``, read-only, never overwritten.

    A file appears under its name only when it is complete and on the disk; two writers of the same content end with
    one file.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def path(self, sha256: str) -> Path:
        """Where the content of a hash lies or would lie.

        Raises:
            ValueError: not 64 lower-case hexadecimal digits.
        """
        return self.root / name_of(sha256)

    def fetch(self, sha256: str) -> Path:
        """Where the content of a hash lies: it is here already.

        Raises:
            ValueError: not a hash.
        """
        return self.path(sha256)

    def __contains__(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def put(self, source: Path | str | BinaryIO) -> Stored:
        """Store a copy of a file or of the rest of a stream; hashing and copying are one pass.

        Raises:
            OSError: the disk is full or the folder cannot be written; nothing is left behind then.
        """
        if isinstance(source, str | Path):
            with Path(source).open("rb") as stream:
                return self.put(stream)
        self.root.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(prefix=".put-", dir=self.root)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            part.chmod(0o440)
            return Stored(digest.hexdigest(), size, self._publish(part, digest.hexdigest()))
        finally:
            part.unlink(missing_ok=True)

    def _publish(self, part: Path, sha256: str) -> Path:
        """Give a finished file its name; a hard link, unlike a rename, never replaces what is there."""
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True)
        try:
            os.link(part, target)
        except FileExistsError:
            return target
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return target

    def remove(self, sha256: str) -> None:
        """Delete a file whose last record is gone; nothing happens if it is not there."""
        self.path(sha256).unlink(missing_ok=True)

    def verify(self, sha256: str) -> bool:
        """Whether the stored bytes still have the hash they are named by."""
        with self.path(sha256).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
