"""A private PostgreSQL with PostGIS: its own cluster, a Unix socket, no TCP."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from minegis.local.place import LocalError, Place, as_user, database_user, reachable
from minegis.local.process import Identity, arguments, await_ready, end, identify, recorded, spawn

NAME = "minegis"
HOMES = Path("/usr/lib/postgresql")
OLDEST = 14


def versions() -> list[int]:
    """Installed PostgreSQL versions that have PostGIS and are new enough, newest first."""
    found = [int(path.parent.parent.name) for path in HOMES.glob("*/bin/initdb") if path.parent.parent.name.isdigit()]
    extension = "/usr/share/postgresql/{}/extension/postgis.control"
    return sorted((v for v in found if v >= OLDEST and Path(extension.format(v)).exists()), reverse=True)


@dataclass(frozen=True)
class Postgres:
    """The cluster of one place. ``durable=False`` trades safety against a power cut for speed (tests)."""

    place: Place
    durable: bool = True

    @property
    def record(self) -> Path:
        """The file that names our server process."""
        return self.place.records / "postgres"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.place.log / "postgres.log"

    @property
    def sockets(self) -> Path:
        """The private folder of the server's socket."""
        return self.place.socket_folder(database_user()) / "pg"

    @property
    def url(self) -> str:
        """The DATABASE_URL of this cluster's database."""
        return f"postgis://postgres@{quote(str(self.sockets), safe='')}/{NAME}"

    @property
    def data(self) -> Path:
        """The data folder: in ``var``, or under /var/lib where the server's account cannot reach the clone."""
        user = database_user()
        inside = self.place.var / "postgres"
        outside = Path("/var/lib") / f"minegis-{self.place.digest}" / "postgres"
        if outside.exists():
            return outside
        self.place.var.mkdir(parents=True, exist_ok=True)
        return inside if reachable(self.place.var, user) else outside

    def running(self) -> Identity | None:
        """Our server, if it runs: by our record, or by the cluster's own pid file when the record was lost."""
        ours = recorded(self.record)
        if ours:
            return ours
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return identify(pid) if str(self.data) in arguments(pid) else None

    def start(self) -> None:
        """Start the server and make database and extension; nothing happens when it runs already.

        Raises:
            LocalError: PostgreSQL is missing, does not fit the data folder, or does not start.
        """
        if self.running():
            return
        data, sockets, user = self.data, self.sockets, database_user()
        binaries = self._binaries(data)
        if not (data / "PG_VERSION").exists():
            self._initialise(binaries, data)
        # After a crash the pid may belong to somebody else by now, and the server would refuse to start.
        for stale in (data / "postmaster.pid", sockets / ".s.PGSQL.5432", sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        _private(sockets, user)
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(sockets),
            "shared_buffers": "256MB",
            "max_connections": "60",
            "log_timezone": "UTC",
            "jit": "off",  # compiling costs more than our short spatial queries
            "dynamic_shared_memory_type": "mmap",  # a container's small /dev/shm is never in the way
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command: list[str | Path] = [
            binaries / "postgres",
            "-D",
            data,
            *(part for k, v in settings.items() for part in ("-c", f"{k}={v}")),
        ]
        process = spawn(command, record=self.record, log=self.log, env=_clean_env(), cwd="/", user=user)
        ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", sockets, "-U", "postgres", "-d", "postgres"]
        await_ready(
            process,
            lambda: subprocess.run(ready, env=_clean_env(), check=False).returncode == 0,
            name="PostgreSQL",
            log=self.log,
            seconds=90,
        )
        if self._psql("postgres", f"select 1 from pg_database where datname = '{NAME}'") != "1":
            self._psql("postgres", f"create database {NAME}")
        self._psql(NAME, "set client_min_messages = warning; create extension if not exists postgis")

    def stop(self) -> None:
        """End our server, and only ours: open transactions are rolled back (fast shutdown)."""
        ours = self.running()
        if ours:
            end(ours, [(signal.SIGINT, 30), (signal.SIGQUIT, 10), (signal.SIGKILL, 5)])
        self.record.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        data = self.data
        shutil.rmtree(data.parent if data.is_relative_to("/var/lib") else data, ignore_errors=True)

    def _binaries(self, data: Path) -> Path:
        installed = versions()
        if (data / "PG_VERSION").exists():
            made_by = int((data / "PG_VERSION").read_text())
            if made_by not in installed:
                raise LocalError(
                    f"{data} was made by PostgreSQL {made_by}, not installed with PostGIS: add it or run `make clean`."
                )
            return HOMES / str(made_by) / "bin"
        if not installed:
            raise LocalError("PostgreSQL with PostGIS is not installed.")
        return HOMES / str(installed[0]) / "bin"

    def _initialise(self, binaries: Path, data: Path) -> None:
        """Make the cluster under another name first: an interrupted start leaves nothing that looks whole."""
        user = database_user()
        draft = data.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        data.parent.mkdir(parents=True, exist_ok=True)
        _private(draft, user)
        command = [
            *(str(binaries / "initdb"), "-D", str(draft), "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject"),  # the socket's folder is closed to other accounts
            *(() if self.durable else ("--no-sync",)),
        ]
        done = subprocess.run(
            command, env=_clean_env(), cwd="/", capture_output=True, text=True, check=False, **as_user(user)
        )
        if done.returncode:
            raise LocalError(f"initdb failed:\n{done.stdout}{done.stderr}")
        draft.rename(data)

    def _psql(self, database: str, statement: str) -> str:
        command = [
            "psql",
            "-X",
            "-q",
            "-tA",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self.sockets),
            "-U",
            "postgres",
            "-d",
            database,
        ]
        done = subprocess.run(
            [*command, "-c", statement], env=_clean_env(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LocalError(f"PostgreSQL refused: {statement}\n{done.stderr}")
        return done.stdout.strip()


def _private(folder: Path, user: str | None) -> None:
    """Make a folder only the server's account (and root) can enter."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if user:
        shutil.chown(folder, user, user)


def _clean_env() -> dict[str, str]:
    """The environment without PG* variables, which would send our commands to somebody else's server."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"LC_ALL": "C.UTF-8"}
