"""Folders that are made once and read as a whole, such as sample sets: one object each, unpacked where needed."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from pathlib import Path
from typing import BinaryIO, cast

from minegis.errors import StorageError
from minegis.objects.bucket import Bucket


def put_folder(bucket: Bucket, name: str, folder: Path) -> None:
    """Put the files of a folder, as one object that is there whole or not at all.

    Raises:
        StorageError: E-STO-*.
        OSError: the local disk is full.
    """
    with tempfile.NamedTemporaryFile(dir=folder.parent, prefix=".pack-") as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder))
        packed.flush()
        packed.seek(0)
        sha256 = hashlib.file_digest(packed, "sha256").hexdigest()  # type: ignore[arg-type]  # a wrapper of a file
        bucket.put(f"{name}.zip", Path(packed.name), sha256)


def fetch_folder(bucket: Bucket, name: str, target: Path) -> bool:
    """Bring a folder here unless it is; it appears whole or not at all. Whether it is here now.

    Raises:
        StorageError: E-STO-04 what came is damaged; E-STO-*.
        OSError: the local disk is full.
    """
    if target.is_dir():
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.NamedTemporaryFile(dir=target.parent, prefix=".pack-") as packed,
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpack-") as made,
    ):
        try:
            bucket.get(f"{name}.zip", cast(BinaryIO, packed))
        except FileNotFoundError:
            return False
        packed.seek(0)
        unpacked = Path(made) / "folder"
        try:
            with zipfile.ZipFile(packed) as archive:
                archive.extractall(unpacked)  # which leads no name out of the folder
        except zipfile.BadZipFile as error:
            raise StorageError("E-STO-04", value=f"{name}.zip") from error
        try:
            unpacked.rename(target)
        except OSError:
            if not target.is_dir():  # unless another process was faster
                raise
    return True
