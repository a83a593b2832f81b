"""Receiving files: create, append, finish, terminate, expire.

An upload is written by one request at a time (a lock on its file) and owned by one person. When the last byte has
arrived and the hash agrees, the receiver that ``settings.UPLOAD_KINDS`` names for its kind takes the file over in the
same request; from then on the file in quarantine belongs to the receiver, who removes it when it has been stored.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.http import UnreadablePostError
from django.utils import timezone
from django.utils.module_loading import import_string

from minegis.access.permissions import TABLE, Action, require
from minegis.errors import MineGISError, StorageError, UploadError
from minegis.registry.models import Region
from minegis.uploads import storage
from minegis.uploads.models import Upload
from minegis.uploads.protocol import Checksum

if TYPE_CHECKING:
    from minegis.access.models import User

log = logging.getLogger(__name__)
BLOCK = 2**20
SYNC_EVERY = 32 * 2**20  # a server that dies loses at most this much of one long request
INTERRUPTED_AFTER = timedelta(minutes=10)
OPEN_STATES = (Upload.State.RECEIVING, Upload.State.COMPLETE)


class Readable(Protocol):
    """Where the bytes of a request come from."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes; fewer only at the end."""


def upload_path(upload: Upload) -> Path:
    """Where the bytes of an upload lie until their receiver has stored them; on another machine a verified copy.

    Raises:
        StorageError: E-STO-*, they lie in a bucket and cannot be had.
    """
    return storage.shared_path(upload.pk, upload.sha256)


def upload_forget(upload: Upload) -> None:
    """Remove the bytes of an upload: its receiver has stored them, or does not want them.

    What cannot be removed at this moment stays behind, and is said; it is in nobody's way.
    """
    try:
        storage.forget(upload.pk)
    except StorageError as error:
        log.warning("upload %s: its bytes stay behind: %s", upload.pk, error)


def upload_create(*, user: User, length: int, metadata: dict[str, str]) -> Upload:
    """Make room for a file.

    Args:
        user: who will send it.
        length: bytes to come.
        metadata: ``kind`` says what it will become (a key of ``settings.UPLOAD_KINDS``, by default the first one),
            ``filename`` names it, ``sha256`` (hex) is checked at the end, ``region`` (code) says where it
            belongs; without it a person who may upload into one region only uploads into that. All pairs are kept.

    Raises:
        UploadError: E-UPL-02 empty, E-UPL-05 too long, E-UPL-04 disk full, E-UPL-11 malformed ``sha256`` or ``kind``.
        ForbiddenError: the user may not upload, or not into that region.
        MineGISError: E-API-04, no such region for this user.
    """
    if length == 0:
        raise UploadError("E-UPL-02")
    if length > settings.UPLOAD_MAX_BYTES:
        raise UploadError("E-UPL-05", limit=storage.human_bytes(settings.UPLOAD_MAX_BYTES))
    kind = upload_kind(metadata)
    require(user, kind["action"])
    region = _region(user, metadata.get("region", ""), Action(kind["action"]))
    if kind.get("expected"):
        region = import_string(kind["expected"])(user=user, metadata=metadata, region=region)
    require(user, kind["action"], region)
    expected = metadata.get("sha256", "").lower()
    if expected and (len(expected) != 64 or set(expected) - set("0123456789abcdef")):
        raise UploadError("E-UPL-11", value="Upload-Metadata sha256")
    coming = Upload.objects.filter(state=Upload.State.RECEIVING).aggregate(n=Sum(F("length") - F("offset")))["n"] or 0
    storage.require_space(length + coming)
    with transaction.atomic():
        upload = Upload.objects.create(
            file_name=_file_name(metadata.get("filename") or metadata.get("name") or ""),
            length=length,
            metadata=metadata,
            expected_sha256=expected,
            region=region,
            created_by=user,
            expires_at=_expiry(),
        )
        storage.create(upload.pk)
    return upload


def upload_append(
    *, upload: Upload, stream: Readable, size: int, offset: int, checksum: Checksum | None = None
) -> Upload:
    """Write one chunk and, with the last one, hand the file over.

    Args:
        upload: the row; read again under the lock.
        stream: source of the bytes, read block by block.
        size: bytes announced by the request.
        offset: where the client thinks the chunk belongs.
        checksum: of the chunk; a chunk that differs or breaks off leaves nothing behind. Without one, whatever
            arrived is kept.

    Returns:
        The row after the chunk.

    Raises:
        UploadError: E-UPL-06 wrong offset, E-UPL-07 runs past the length, E-UPL-01 checksum differs, E-UPL-10 another
            request writes, E-UPL-08 no longer open, E-UPL-04 disk full.
        MineGISError: whatever the receiver finds wrong with the finished file.
    """
    with storage.locked(upload.pk) as file:
        upload.refresh_from_db()
        if upload.state not in OPEN_STATES:
            raise UploadError("E-UPL-08")
        _realign(upload, file)
        if offset != upload.offset:
            raise UploadError("E-UPL-06", expected=upload.offset, found=offset)
        if size > upload.length - offset:
            raise UploadError("E-UPL-07")
        try:
            _write(upload, file, stream, size, checksum)
        except OSError as error:
            file.truncate(upload.offset)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UploadError("E-UPL-04", need=storage.human_bytes(size), free="0 B") from error
        if upload.offset == upload.length:
            _finish(upload, file)
    return upload


def upload_resume(*, upload: Upload) -> Upload:
    """Finish what a crash interrupted between the last byte and the hand-over; otherwise nothing.

    Raises:
        MineGISError: whatever is wrong with the finished file.
    """
    if upload.state in OPEN_STATES and upload.offset == upload.length:
        try:
            with storage.locked(upload.pk) as file:
                upload.refresh_from_db()
                if upload.state in OPEN_STATES:
                    _finish(upload, file)
        except UploadError as error:
            if error.code != "E-UPL-10":  # the request that brought the last byte is still hashing
                raise
    return upload


def upload_terminate(*, upload: Upload) -> None:
    """Throw a half upload away.

    Raises:
        UploadError: E-UPL-08 it is no longer open, E-UPL-10 a request is writing to it.
    """
    _close(upload, Upload.State.TERMINATED)


def uploads_expire() -> int:
    """Throw away what nobody continued, finish what a crash interrupted, sweep files nobody needs.

    Returns:
        Number of uploads expired.
    """
    now = timezone.now()
    expired = 0
    for upload in Upload.objects.filter(state__in=OPEN_STATES, offset=F("length"), expires_at__lte=_interrupted(now)):
        try:
            upload_resume(upload=upload)
        except MineGISError as error:
            log.warning("upload %s: %s", upload.pk, error)
            expired += error.code == "E-UPL-08" and _give_up(upload)
        except Exception:  # one upload's trouble is not the others'
            log.exception("upload %s: could not be finished", upload.pk)
    for upload in Upload.objects.filter(state__in=OPEN_STATES, offset__lt=F("length"), expires_at__lte=now):
        try:
            _close(upload, Upload.State.EXPIRED)
            expired += 1
        except UploadError as error:
            log.warning("upload %s: %s", upload.pk, error)
            expired += error.code == "E-UPL-08" and _give_up(upload)
        except Exception:
            log.exception("upload %s: could not be expired", upload.pk)
    _sweep(now - timedelta(hours=settings.UPLOAD_EXPIRY_HOURS))
    return expired


def upload_kind(metadata: dict[str, str]) -> dict[str, str]:
    """What ``settings.UPLOAD_KINDS`` declares for an upload's kind: ``action`` that sending it needs, ``completed``
    (called with the finished upload), ``expected`` (called with ``user``, ``metadata`` and ``region`` before the first
    byte; it may refuse, and returns the region where the file belongs).

    Raises:
        UploadError: E-UPL-11, no such kind.
    """
    name = metadata.get("kind") or next(iter(settings.UPLOAD_KINDS))
    if name not in settings.UPLOAD_KINDS:
        raise UploadError("E-UPL-11", value="Upload-Metadata kind")
    found: dict[str, str] = settings.UPLOAD_KINDS[name]
    return found


def _region(user: User, code: str, action: Action) -> Region | None:
    if code:
        region = Region.objects.visible_to(user).filter(code=code, valid_to__isnull=True).first()
        if region is None:
            raise MineGISError("E-API-04")
        return region
    codes = user.region_codes(frozenset(TABLE[action]))
    if len(codes) == 1 and None not in codes:
        return Region.objects.filter(code=codes.pop(), valid_to__isnull=True).first()
    return None


def _file_name(given: str) -> str:
    """The last part of a client's path, printable, at most 255 characters: for people, never for the disk."""
    name = PurePosixPath(given.replace("\\", "/")).name
    return "".join(char for char in name if char.isprintable())[-255:] or "unnamed"


def _expiry() -> datetime:
    return timezone.now() + timedelta(hours=settings.UPLOAD_EXPIRY_HOURS)


def _interrupted(now: datetime) -> datetime:
    return now + timedelta(hours=settings.UPLOAD_EXPIRY_HOURS) - INTERRUPTED_AFTER


def _realign(upload: Upload, file: BinaryIO) -> None:
    """After a crash: bytes beyond the row were never vouched for; bytes before it must be there."""
    size = file.seek(0, 2)
    if size > upload.offset:
        file.truncate(upload.offset)
    elif size < upload.offset:
        log.error("upload %s: the disk has %d of %d bytes; set back", upload.pk, size, upload.offset)
        _advance(upload, size)


def _advance(upload: Upload, offset: int) -> None:
    upload.offset, upload.expires_at = offset, _expiry()
    upload.save(update_fields=["offset", "expires_at"])


def _write(upload: Upload, file: BinaryIO, stream: Readable, size: int, checksum: Checksum | None) -> None:
    hasher = checksum.hasher() if checksum else None
    position = file.seek(upload.offset)
    end = position + size
    while position < end:
        try:
            block = stream.read(min(BLOCK, end - position))
        except UnreadablePostError:  # the line broke
            break
        if not block:
            break
        position += _write_all(file, block)
        if hasher:
            hasher.update(block)
        elif position - upload.offset >= SYNC_EVERY:
            _sync(upload, file, position)
    if checksum and hasher and (position < end or hasher.digest() != checksum.digest):
        file.truncate(upload.offset)
        raise UploadError("E-UPL-01")
    _sync(upload, file, position)


def _write_all(file: BinaryIO, block: bytes) -> int:
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]
    return len(block)


def _sync(upload: Upload, file: BinaryIO, position: int) -> None:
    """The row may name only bytes that survive a power cut."""
    os.fsync(file.fileno())
    _advance(upload, position)


def _finish(upload: Upload, file: BinaryIO) -> None:
    shared = False
    file.seek(0)
    upload.sha256 = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # a raw file will do
    try:
        if upload.expected_sha256 and upload.sha256 != upload.expected_sha256:
            raise UploadError("E-UPL-01")
        upload.state = Upload.State.COMPLETE
        upload.save(update_fields=["sha256", "state"])
        shared = storage.share(upload.pk, upload.sha256)
        with transaction.atomic():
            result = import_string(upload_kind(upload.metadata)["completed"])(upload=upload)
            upload.state, upload.result_id = Upload.State.CONSUMED, str(result.pk)
            upload.save(update_fields=["state", "result_id"])
        if shared:  # the receiver's worker may be anywhere
            storage.remove(upload.pk)
    except StorageError:
        raise  # the bytes are here: the next request for the upload, or the housekeeping, hands them over
    except MineGISError as error:
        upload.state, upload.error_code = Upload.State.FAILED, error.code
        upload.error_values = {name: str(value) for name, value in error.values.items()}
        upload.save(update_fields=["sha256", "state", "error_code", "error_values"])
        storage.remove(upload.pk)
        if shared:
            upload_forget(upload)
        raise


def _close(upload: Upload, state: Upload.State) -> None:
    with storage.locked(upload.pk):
        upload.refresh_from_db()
        if upload.state not in OPEN_STATES:
            raise UploadError("E-UPL-08")
        upload.state = state
        upload.save(update_fields=["state"])
        storage.remove(upload.pk)


def _give_up(upload: Upload) -> bool:
    """Expire a row whose file is gone, unless somebody closed it meanwhile."""
    return bool(Upload.objects.filter(pk=upload.pk, state__in=OPEN_STATES).update(state=Upload.State.EXPIRED))


def _sweep(before: datetime) -> None:
    """Remove old files whose upload is over or was never recorded; what was taken over is the receiver's to remove."""
    folder = Path(settings.STORAGE_ROOT) / "quarantine"
    if not folder.is_dir():
        return
    needed = (*OPEN_STATES, Upload.State.CONSUMED)
    for path in folder.iterdir():
        if not re.fullmatch("[0-9a-f]{32}", path.name):
            continue  # not ours
        try:
            if path.stat().st_mtime >= before.timestamp():
                continue
            if not Upload.objects.filter(pk=UUID(hex=path.name), state__in=needed).exists():
                path.unlink()
        except OSError as error:  # such as a file its receiver removed this moment
            log.warning("upload file %s: %s", path.name, error)
