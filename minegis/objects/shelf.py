"""Files that the workers of one job share in a bucket, whatever machine they are on."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from minegis.objects.bucket import Bucket


class BucketShelf:
    """Objects of one folder of a bucket, each under the name of the file it came from; what is fetched is verified."""

    def __init__(self, bucket: Bucket, folder: str) -> None:
        self.bucket, self.folder = bucket, folder

    def names(self) -> set[str]:
        """What is there.

        Raises:
            StorageError: E-STO-*.
        """
        return set(self.bucket.names(self.folder))

    def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there.

        Raises:
            StorageError: E-STO-*.
        """
        out = io.BytesIO()
        try:
            self.bucket.get(f"{self.folder}/{name}", out)
        except FileNotFoundError:
            return None
        return out.getvalue()

    def put(self, path: Path) -> None:
        """Upload a file under its name; whoever puts the same name later puts the same bytes.

        Raises:
            StorageError: E-STO-*.
            OSError: the file cannot be read.
        """
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.bucket.put(f"{self.folder}/{path.name}", path, sha256)

    def fetch(self, path: Path) -> None:
        """Bring the file of this name to this place, whole or not at all.

        Raises:
            FileNotFoundError: it is not there.
            StorageError: E-STO-*.
            OSError: the local disk is full.
        """
        part = path.with_name(f"{path.stem}.{uuid4().hex}.partial")
        try:
            with part.open("xb") as out:
                self.bucket.get(f"{self.folder}/{path.name}", out)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, names: Iterable[str]) -> None:
        """Take files away; those that are not there are no error.

        Raises:
            StorageError: E-STO-*.
        """
        self.bucket.remove(f"{self.folder}/{name}" for name in names)
