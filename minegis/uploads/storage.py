"""Bytes on their way in: one file per upload in quarantine, named by the server alone.

The row's offset is the truth: it only ever names bytes that were fsynced before. After a crash the file may be
longer, with bytes nobody vouches for, and is cut back to the row; a shorter file (a disk restored from backup) sets
the row back.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from django.conf import settings

from minegis.errors import UploadError
from minegis.files import bucket, cache

RESERVE_BYTES = 512 * 2**20  # left free for the database and the logs


def quarantine_path(upload_id: UUID) -> Path:
    """Where the bytes of an upload lie; the client's file name never becomes part of a path."""
    return Path(settings.STORAGE_ROOT) / "quarantine" / upload_id.hex


def create(upload_id: UUID) -> None:
    """Make the empty file.

    Raises:
        FileExistsError: the name is taken; nothing is ever overwritten.
    """
    path = quarantine_path(upload_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))


def remove(upload_id: UUID) -> None:
    """Delete the file if it is there."""
    quarantine_path(upload_id).unlink(missing_ok=True)


def share(upload_id: UUID, sha256: str) -> bool:
    """Let other machines have a finished file; whether it had to be put anywhere for that.

    Raises:
        StorageError: E-STO-*.
    """
    shared = bucket()
    if shared is not None:
        shared.put(_shared_name(upload_id), quarantine_path(upload_id), sha256)
    return shared is not None


def shared_path(upload_id: UUID, sha256: str) -> Path:
    """A local path of a finished file, perhaps of another machine; it leads nowhere where the file is gone.

    Raises:
        StorageError: E-STO-*.
    """
    path, shared = quarantine_path(upload_id), bucket()
    if shared is None or not sha256 or path.exists():
        return path
    from minegis.objects.store import copy_of

    return copy_of(shared, _shared_name(upload_id), sha256, cache())


def forget(upload_id: UUID) -> None:
    """Delete a file that was taken over, here and where other machines see it.

    Raises:
        StorageError: E-STO-*.
    """
    remove(upload_id)
    shared = bucket()
    if shared is not None:
        shared.remove([_shared_name(upload_id)])


def _shared_name(upload_id: UUID) -> str:
    return f"quarantine/{upload_id.hex}"


def require_space(need: int) -> None:
    """Refuse what would fill the disk.

    Raises:
        UploadError: E-UPL-04.
    """
    folder = Path(settings.STORAGE_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free - RESERVE_BYTES
    if need > free:
        raise UploadError("E-UPL-04", need=human_bytes(need), free=human_bytes(max(free, 0)))


@contextmanager
def locked(upload_id: UUID) -> Iterator[BinaryIO]:
    """The file, open for reading and writing, with the one writer's lock; the kernel frees it if the process dies.

    Raises:
        UploadError: E-UPL-10, somebody else writes; E-UPL-08, the file is gone.
    """
    try:
        descriptor = os.open(quarantine_path(upload_id), os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise UploadError("E-UPL-08") from error
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UploadError("E-UPL-10") from error
        yield file


def human_bytes(count: float) -> str:
    """A size for people, in binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
