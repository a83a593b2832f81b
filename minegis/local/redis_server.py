"""A private Redis: a Unix socket, no TCP, nothing kept on disk (the database owns the truth about jobs)."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from minegis.local.place import LocalError, Place, database_user
from minegis.local.process import Identity, await_ready, end, recorded, spawn


@dataclass(frozen=True)
class Redis:
    """The Redis of one place."""

    place: Place

    @property
    def record(self) -> Path:
        """The file that names our server process."""
        return self.place.records / "redis"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.place.log / "redis.log"

    @property
    def socket(self) -> Path:
        """The server's socket, open to the caller's account only."""
        return self.place.socket_folder(database_user()) / "redis.sock"

    @property
    def url(self) -> str:
        """The REDIS_URL of this server."""
        return f"unix://{self.socket}?db=0"

    def running(self) -> Identity | None:
        """Our server, if it runs."""
        return recorded(self.record)

    def start(self) -> None:
        """Start the server; nothing happens when it runs already.

        Raises:
            LocalError: Redis is missing or does not start.
        """
        if self.running():
            return
        program = shutil.which("redis-server")
        if program is None:
            raise LocalError("redis-server is not installed.")
        path = self.socket
        path.unlink(missing_ok=True)
        folder = self.place.var / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(path),
            "unixsocketperm": "700",
            "dir": str(folder),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "maxmemory-policy": "noeviction",  # a broker must never drop messages silently
        }
        command = [program, *(part for key, value in settings.items() for part in (f"--{key}", value))]
        process = spawn(command, record=self.record, log=self.log, env=dict(os.environ), cwd="/")
        await_ready(process, lambda: _answers(path), name="Redis", log=self.log, seconds=30)

    def stop(self) -> None:
        """End our server, and only ours."""
        ours = self.running()
        if ours:
            end(ours, [(signal.SIGTERM, 15), (signal.SIGKILL, 5)])
        self.record.unlink(missing_ok=True)
        self.socket.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
