"""Where clips, results and pinned frames lie: write-once files named by content, removed with their last record.

They have a folder of their own, so that nothing but the rows of this application refers to them.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from django.db.models import Q

from enhancement.models import Clip, Enhancement, EvidenceFrame
from minegis.errors import StorageError
from minegis.files import store_named
from minegis.storage import Store, Stored

log = logging.getLogger(__name__)
KEPT = "kept"  # in a job's folder: hashes of the files that its attempts have stored


def store() -> Store:
    """The files."""
    return store_named("video")


def path_of(sha256: str) -> Path:
    """A local path of a stored file, to be opened soon."""
    return store().fetch(sha256)


def keep(path: Path, workdir: Path) -> Stored:
    """Store a file for a job; a note in its folder says so beforehand, for whoever has to clean up after it."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    with (workdir / KEPT).open("a") as note:
        note.write(f"{sha256}\n")
        note.flush()
        os.fsync(note.fileno())
    return store().put(path)


def kept(workdir: Path) -> set[str]:
    """Hashes of what a job's attempts have stored."""
    note = workdir / KEPT
    return {line for line in note.read_text().split("\n") if len(line) == 64} if note.is_file() else set()


def discard_unused(hashes: Iterable[str]) -> None:
    """Remove those files that no row refers to any more; what cannot be removed at this moment stays, and is said."""
    for sha256 in hashes:
        if sha256 and not _is_used(sha256):
            try:
                store().remove(sha256)
            except StorageError as error:
                log.warning("file %s stays behind: %s", sha256, error)


def _is_used(sha256: str) -> bool:
    files = Q(sha256=sha256) | Q(proxy_sha256=sha256) | Q(thumbnail_sha256=sha256)
    return (
        Clip.objects.filter(files).exclude(state=Clip.State.REJECTED).exists()
        or Enhancement.objects.filter(Q(result_sha256=sha256) | Q(proxy_sha256=sha256)).exists()
        or EvidenceFrame.objects.filter(sha256=sha256).exists()
    )
