"""Write-once files in a bucket, named by their SHA-256, with verified local copies: see ``minegis.storage.Storage``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO, cast

from minegis.errors import StorageError
from minegis.objects.bucket import Bucket, chunks
from minegis.objects.cache import FileCache
from minegis.storage import Stored, name_of


class BucketStorage:
    """Files under ``folder/ab/cdef...`` of a bucket; an object is never overwritten, and read through a cache.

    Args:
        bucket: where they lie.
        folder: in front of their names.
        cache: where their copies lie on this machine.
    """

    def __init__(self, bucket: Bucket, folder: str, cache: FileCache) -> None:
        self.bucket, self.folder, self.cache = bucket, folder, cache

    def path(self, sha256: str) -> Path:
        """Where a local copy lies or would lie; nothing is fetched.

        Raises:
            ValueError: not a hash.
        """
        name_of(sha256)
        return self.cache.path(sha256)

    def fetch(self, sha256: str) -> Path:
        """The path of a verified local copy; where there is no such file it leads nowhere, as in a folder.

        Open it within a minute, or ask inside ``long_work()``, as jobs do.

        Raises:
            StorageError: E-STO-*.
            ValueError: not a hash.
        """
        return copy_of(self.bucket, self._name(sha256), sha256, self.cache)

    def __contains__(self, sha256: str) -> bool:
        return self.bucket.head(self._name(sha256)) is not None

    def put(self, source: Path | str | BinaryIO) -> Stored:
        """Store a copy of a file or of the rest of a stream; it is in the bucket when this returns.

        Raises:
            StorageError: E-STO-04, other bytes lie under this name; E-STO-*.
            OSError: the local disk is full.
        """
        if isinstance(source, str | Path):
            with Path(source).open("rb") as stream:
                return self._put(stream, Path(source).stat().st_size)
        return self._put(source, 0)

    def _put(self, source: BinaryIO, size: int) -> Stored:
        with self.cache.part(size) as part:
            digest = hashlib.sha256()
            for chunk in chunks(source):
                digest.update(chunk)
                part.write(chunk)
            part.flush()
            sha256, size = digest.hexdigest(), part.tell()
            self.cache.reserve(Path(part.name), size)  # a stream says only now how long it is
            name = self._name(sha256)
            held = self.bucket.head(name)
            if held is None:
                self.bucket.put(name, Path(part.name), sha256)
            elif held.bytes != size:
                raise StorageError("E-STO-04", value=name)
            return Stored(sha256, size, self.cache.adopt(sha256, part))

    def remove(self, sha256: str) -> None:
        """Delete a file whose last record is gone, and the copy of this machine; others forget theirs in time."""
        self.bucket.remove([self._name(sha256)])
        self.cache.discard(sha256)

    def verify(self, sha256: str) -> bool:
        """Whether the bytes in the bucket still have the hash they are named by.

        Raises:
            FileNotFoundError: there is no such file.
            StorageError: E-STO-*, they could not be read.
        """
        try:
            return self.bucket.get(self._name(sha256), cast(BinaryIO, _Nowhere())) == sha256
        except StorageError as error:
            if error.code != "E-STO-04":
                raise
            return False

    def _name(self, sha256: str) -> str:
        return f"{self.folder}/{name_of(sha256)}"


def copy_of(bucket: Bucket, name: str, sha256: str, cache: FileCache) -> Path:
    """A verified local copy of an object of known content; the path leads nowhere where there is no such object.

    Raises:
        StorageError: E-STO-*.
    """

    def size() -> int:
        held = bucket.head(name)
        if held is None:
            raise FileNotFoundError(name)
        return held.bytes

    try:
        return cache.fetch(sha256, size, lambda out: bucket.get(name, out))
    except FileNotFoundError:
        return cache.path(sha256)


class _Nowhere:
    """Takes bytes and keeps none."""

    def write(self, data: bytes) -> int:
        return len(data)
