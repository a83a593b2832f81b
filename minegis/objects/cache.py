"""Local copies of content-named files of a bucket, so that everything that reads files goes on reading files.

A copy appears under its name only when its bytes have the hash it is named by. It is trusted as long as the file system
says that nobody touched it since (size, inode, times of content and of state); else it is hashed again, and thrown away
where it differs. The folder has a limit: what was used longest ago goes first, and nothing goes that somebody was just
given or that long work holds. It belongs to one machine; any number of its processes share it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO
from uuid import uuid4

from minegis.errors import StorageError
from minegis.objects.work import hold

log = logging.getLogger(__name__)
GRACE_S = 60.0  # between being given a path and opening it
RESERVE_BYTES = 1 << 30  # of the disk, left to others
# Of every copy, on every machine: what a strip depends on names its scene by size and time.
COPIED_AT = 946_684_800


@dataclass(frozen=True, slots=True)
class _Copy:
    used: float
    bytes: int
    path: Path


class FileCache:
    """Copies in a folder.

    Args:
        folder: on a local disk; created when needed.
        most_bytes: that all copies together may have.
        grace_s: for how long a path that was handed out is safe.
    """

    def __init__(self, folder: Path, most_bytes: int, grace_s: float = GRACE_S) -> None:
        self.folder, self.most_bytes, self.grace_s = folder, most_bytes, grace_s

    def path(self, sha256: str) -> Path:
        """Where the copy of a content lies or would lie."""
        return self.folder / sha256[:2] / sha256[2:]

    def fetch(self, sha256: str, size: Callable[[], int], load: Callable[[BinaryIO], str]) -> Path:
        """The path of a verified copy.

        Args:
            sha256: of the content.
            size: says how many bytes there are to load; asked only where the copy is missing.
            load: writes them and returns the SHA-256 of what it wrote.

        Raises:
            StorageError: E-STO-04 what was loaded is something else; E-STO-08 no room; what ``load`` raises.
        """
        path = self.path(sha256)
        with self._entry(sha256) as entry:
            if not self._sound(path, entry, sha256):
                with self.part(size()) as part:
                    if load(part) != sha256:
                        raise StorageError("E-STO-04", value=sha256)
                    self._name(part, path, entry)
            _use(entry, path)
        return path

    @contextmanager
    def part(self, size: int = 0) -> Iterator[BinaryIO]:
        """A new file for ``size`` bytes, which are kept free for it; it is gone at the end unless it got a name.

        Raises:
            StorageError: E-STO-08, no room.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name = self.folder / f"part-{uuid4().hex}"
        with ExitStack() as stack:
            with self._room():  # within which a part without a lock is one that a killed process has left
                part = stack.enter_context(name.open("x+b"))
                stack.callback(name.unlink, missing_ok=True)
                fcntl.flock(part, fcntl.LOCK_EX)
                self._make_room(name, size)
            yield part

    def adopt(self, sha256: str, part: BinaryIO) -> Path:
        """Name a part by the content that was written into it; a sound copy that is there already stays."""
        path = self.path(sha256)
        with self._entry(sha256) as entry:
            if not self._sound(path, entry, sha256):
                self._name(part, path, entry)
            _use(entry, path)
        return path

    def discard(self, sha256: str) -> None:
        """Forget a copy; who has it open keeps what it reads."""
        with self._entry(sha256):
            self.path(sha256).unlink(missing_ok=True)
            self._entry_path(sha256).unlink(missing_ok=True)

    def _entry_path(self, sha256: str) -> Path:
        path = self.path(sha256)
        return path.with_name(f"{path.name}.json")

    @contextmanager
    def _entry(self, sha256: str) -> Iterator[IO[str]]:
        """The note beside a copy, locked: one process loads it, the others wait for that."""
        path = self._entry_path(sha256)
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+") as entry:
                fcntl.flock(entry, fcntl.LOCK_EX)
                # Not removed between opening and locking.
                if path.exists() and os.path.samestat(path.stat(), os.fstat(entry.fileno())):
                    yield entry
                    return

    def _sound(self, path: Path, entry: IO[str], sha256: str) -> bool:
        try:
            now = _state(path)
        except FileNotFoundError:
            return False
        entry.seek(0)
        if entry.read() == now:
            return True
        with path.open("rb") as copy:
            if hashlib.file_digest(copy, "sha256").hexdigest() == sha256:
                _note(entry, now)
                return True
        log.error("the local copy %s is not what it is named by; it is thrown away", path)
        path.unlink(missing_ok=True)
        return False

    def _name(self, part: BinaryIO, path: Path, entry: IO[str]) -> None:
        part.flush()
        part.truncate(part.tell())
        os.fchmod(part.fileno(), 0o440)
        os.utime(part.fileno(), (COPIED_AT, COPIED_AT))
        Path(part.name).rename(path)
        fcntl.flock(part, fcntl.LOCK_UN)  # it is no part any more, and may be held
        _note(entry, _state(path))

    def reserve(self, part: Path, need: int) -> None:
        """Make room for the bytes of a part, whose length it becomes.

        Raises:
            StorageError: E-STO-08, there is none.
        """
        with self._room():
            self._make_room(part, need)

    @contextmanager
    def _room(self) -> Iterator[None]:
        """One at a time: two must not count on the same room."""
        with (self.folder / ".room").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_room(self, part: Path, need: int) -> None:
        copies, taken = self._look(part)
        limit = min(self.most_bytes, taken + max(0, shutil.disk_usage(self.folder).free - RESERVE_BYTES))
        for copy in sorted(copies, key=lambda copy: copy.used):
            if taken + need <= limit:
                break
            if time.time() - copy.used >= self.grace_s and self._drop(copy.path):
                taken -= copy.bytes
        if taken + need > limit:
            raise StorageError("E-STO-08", need=_gib(need), limit=_gib(limit))
        os.truncate(part, need)  # counted from now on

    def _look(self, but: Path) -> tuple[list[_Copy], int]:
        """All copies, and the bytes taken by them and by what is being loaded."""
        copies, taken = [], 0
        for part in self.folder.glob("part-*"):
            with suppress(FileNotFoundError):
                if part != but and _locked(part):
                    taken += part.stat().st_size
                elif part != but:
                    part.unlink()
        for path in self.folder.glob("??/*"):
            if path.suffix != ".json":
                with suppress(FileNotFoundError):
                    note = path.with_name(f"{path.name}.json")
                    copies.append(_Copy(note.stat().st_mtime if note.exists() else 0.0, path.stat().st_size, path))
        return copies, taken + sum(copy.bytes for copy in copies)

    def _drop(self, path: Path) -> bool:
        """Remove a copy that nobody holds and nobody is just asking for; whether it went."""
        note = path.with_name(f"{path.name}.json")
        try:
            with note.open("a") as entry, path.open("rb") as copy:
                fcntl.flock(entry, fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                note.unlink()
        except (BlockingIOError, FileNotFoundError):
            return False
        return True


def _use(entry: IO[str], path: Path) -> None:
    now = time.time_ns()  # finer than the clock of the file system
    os.utime(entry.fileno(), ns=(now, now))
    hold(path)


def _state(path: Path) -> str:
    stat = path.stat()
    return json.dumps([stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns])


def _note(entry: IO[str], state: str) -> None:
    entry.truncate(0)
    entry.write(state)
    entry.flush()


def _locked(part: Path) -> bool:
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"
