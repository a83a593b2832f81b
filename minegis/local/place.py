"""Where one clone keeps what it makes: a ``var`` folder, logs, records of processes and a short folder for sockets."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# sun_path holds 108 bytes with its closing zero (man 7 unix); PostgreSQL adds a lock file with a longer name beside it.
SOCKET_PATH_LIMIT = 107
LONGEST_SOCKET_NAME = "pg/.s.PGSQL.5432"
# A socket folder is written into a URL and into a list of PostgreSQL: other characters would need quoting in both.
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/+-]+")


class LocalError(Exception):
    """A failure the person at the terminal can act on; its text is the whole message."""


@dataclass(frozen=True)
class Place:
    """One clone and the folder its services live in (``var`` for the demo, ``var/test`` for the tests)."""

    root: Path
    var: Path

    @property
    def log(self) -> Path:
        """The folder of log files."""
        return self._folder("log")

    @property
    def records(self) -> Path:
        """The folder of process records (pid and start time)."""
        return self._folder("run")

    @property
    def digest(self) -> str:
        """Twelve hex digits that tell this place from every other on the machine."""
        return hashlib.sha256(str(self.var).encode()).hexdigest()[:12]

    def _folder(self, name: str) -> Path:
        folder = self.var / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the clone's start lock, so two terminals cannot start the same service twice."""
        with (self.records / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def socket_folder(self, user: str | None) -> Path:
        """The folder of Unix sockets: ``var/run`` where that is short and reachable, else one made for it.

        ``user`` is the account of the database server (None: the caller's own). A folder made in the temporary
        folder is remembered in ``var/run/socket-folder``, and made anew when a reboot has cleared it.
        """
        if fits_a_socket(self.records) and reachable(self.records, user):
            return self.records
        memory = self.records / "socket-folder"
        if memory.exists():
            folder = Path(memory.read_text())
            if folder.is_dir() and folder.stat().st_uid == os.geteuid():
                return folder
        folder = Path(tempfile.mkdtemp(prefix="minegis-"))
        folder.chmod(0o711)  # the server's account must pass through; the folders inside are private
        memory.write_text(str(folder))
        return folder

    def forget_sockets(self) -> None:
        """Remove the socket folder if it lies outside ``var``."""
        memory = self.records / "socket-folder"
        if memory.exists():
            shutil.rmtree(memory.read_text(), ignore_errors=True)
            memory.unlink()


def fits_a_socket(folder: Path) -> bool:
    """Whether a socket in this folder has a path the kernel accepts and that needs no quoting."""
    longest = folder / LONGEST_SOCKET_NAME
    return len(os.fsencode(longest)) <= SOCKET_PATH_LIMIT and PLAIN_PATH.fullmatch(str(folder)) is not None


def reachable(folder: Path, user: str | None) -> bool:
    """Whether that account can enter the folder (None: the caller, who made it)."""
    return user is None or subprocess.run(["test", "-x", folder], cwd="/", **as_user(user)).returncode == 0


def as_user(user: str | None) -> dict[str, Any]:
    """Keyword arguments that make ``subprocess`` run a program as that account; nothing for None."""
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def database_user() -> str | None:
    """The account of the database server: ``postgres`` when root calls (initdb refuses root), None for the caller's."""
    return "postgres" if os.geteuid() == 0 else None
