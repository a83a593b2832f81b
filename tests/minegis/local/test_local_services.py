"""The private PostgreSQL and Redis of a clone: real servers, started by the system's Python without any package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from minegis.local.place import SOCKET_PATH_LIMIT
from minegis.local.process import identify

ROOT = Path(__file__).resolve().parents[3]
OWN = ("DATABASE_URL", "REDIS_URL", "MINEGIS_STORAGE", "SECRET_KEY")  # set while the suite runs
SYSTEM_PYTHON = Path("/usr/bin/python3")


class Clone:
    """A second copy of the set-up scripts, driven as a person would: one command after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "minegis").mkdir(parents=True)
        shutil.copy(ROOT / "minegis" / "__init__.py", folder / "minegis")
        shutil.copytree(ROOT / "minegis" / "local", folder / "minegis" / "local")

    def command(self, *arguments: str, **env: str) -> str:
        """Run a command without site-packages; returns what it printed."""
        inherited = {k: v for k, v in os.environ.items() if k not in OWN}
        done = subprocess.run(
            [sys.executable, "-S", "-m", "minegis.local", *arguments],
            cwd=self.folder, env=inherited | env, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def variables(self, **env: str) -> dict[str, str]:
        """What ``env`` exports, as a shell reads it."""
        script = (
            self.command("env", **env) + f'{sys.executable} -c "import os, json; print(json.dumps(dict(os.environ)))"'
        )
        return json.loads(subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout)

    def connect(self) -> psycopg.Connection:
        """A connection by DATABASE_URL."""
        url = self.variables()["DATABASE_URL"].replace("postgis://", "postgresql://")
        return psycopg.connect(url, autocommit=True)

    def pids(self) -> dict[str, int]:
        """The recorded servers."""
        records = self.folder / "var" / "run"
        return {name: int((records / name).read_text().split()[0]) for name in ("postgres", "redis")}


@pytest.fixture
def make_clone() -> Iterator[Callable[[str], Clone]]:
    """Clones in a folder every account can enter (pytest's own is closed to the database's account); all cleaned up."""
    base = Path(tempfile.mkdtemp(prefix="minegis-test-"))
    base.chmod(0o755)
    clones: list[Clone] = []

    def make(name: str) -> Clone:
        clones.append(Clone(base / name))
        return clones[-1]

    yield make
    for clone in clones:
        clone.command("clean")
        assert not (clone.folder / "var").exists()
    shutil.rmtree(base)


def alive(pid: int) -> bool:
    return identify(pid) is not None


def test_started_twice_is_started_once_and_stop_ends_it_but_keeps_the_data(make_clone: Callable[[str], Clone]) -> None:
    clone = make_clone("one")
    clone.command("services")
    first = clone.pids()
    with clone.connect() as connection:
        assert connection.execute("select st_srid(st_geomfromtext('POINT(87 43)', 4490))").fetchone() == (4490,)
        assert connection.execute("show listen_addresses").fetchone() == ("",)
        connection.execute("create table kept (n int)")
    assert redis.from_url(clone.variables()["REDIS_URL"]).config_get("port") == {"port": "0"}
    clone.command("services")
    assert clone.pids() == first
    clone.command("stop")
    assert not any(alive(pid) for pid in first.values())
    clone.command("stop")
    clone.command("services")
    with clone.connect() as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_after_a_crash_stale_pid_and_socket_do_not_matter(make_clone: Callable[[str], Clone]) -> None:
    clone = make_clone("crashed")
    clone.command("services")
    for pid in clone.pids().values():
        os.kill(pid, signal.SIGKILL)
    with subprocess.Popen(["sleep", "120"]) as stranger:
        try:
            # The number of the dead server now belongs to another program.
            for name in ("postgres/postmaster.pid", "run/pg/.s.PGSQL.5432.lock"):
                path = clone.folder / "var" / name
                rest = path.read_text().split("\n", 1)[1] if path.exists() else ""
                path.write_text(f"{stranger.pid}\n{rest}")
            for name in ("postgres", "redis"):
                record = clone.folder / "var" / "run" / name
                record.write_text(" ".join([str(stranger.pid), *record.read_text().split()[1:]]))
            clone.command("services")
            with clone.connect() as connection:
                assert connection.execute("select 1").fetchone() == (1,)
            clone.command("stop")
            assert stranger.poll() is None, "stop ended a process that was never ours"
        finally:
            stranger.kill()


def test_two_clones_side_by_side_do_not_meet(make_clone: Callable[[str], Clone]) -> None:
    left, right = make_clone("left"), make_clone("right")
    left.command("services")
    right.command("services")
    with left.connect() as connection:
        connection.execute("create table only_left (n int)")
    with right.connect() as connection:
        assert connection.execute("select to_regclass('only_left')").fetchone() == (None,)
    redis.from_url(left.variables()["REDIS_URL"]).set("side", "left")
    assert redis.from_url(right.variables()["REDIS_URL"]).get("side") is None
    assert left.variables()["SECRET_KEY"] != right.variables()["SECRET_KEY"]
    ours = left.pids()
    left.command("stop")
    assert not any(alive(pid) for pid in ours.values())
    assert all(alive(pid) for pid in right.pids().values())


def test_a_long_or_closed_path_moves_sockets_and_data_where_the_server_can_use_them(
    make_clone: Callable[[str], Clone],
) -> None:
    clone = make_clone("矿区 " + "x" * 110)
    clone.folder.chmod(0o700)
    clone.command("services")
    folder = Path((clone.folder / "var" / "run" / "socket-folder").read_text())
    for socket in (folder / "pg" / ".s.PGSQL.5432", folder / "redis.sock"):
        assert socket.is_socket()
        assert len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
    with clone.connect() as connection:
        (data,) = connection.execute("show data_directory").fetchone() or ("",)
        assert connection.execute("select 1").fetchone() == (1,)
    assert Path(data).is_relative_to("/var/lib" if os.geteuid() == 0 else clone.folder)
    clone.command("clean")
    assert not folder.exists()
    assert not Path(data).exists()


def test_servers_named_in_the_environment_win(make_clone: Callable[[str], Clone]) -> None:
    clone = make_clone("guest")
    named = {"DATABASE_URL": "postgis://someone@db.example/land", "REDIS_URL": "redis://cache.example:6379/3"}
    clone.command("services", **named)
    assert not (clone.folder / "var" / "postgres").exists()
    assert not (clone.folder / "var" / "redis").exists()
    assert named.items() <= clone.variables(**named).items()


@pytest.mark.skipif(not SYSTEM_PYTHON.exists(), reason="needs a Python that every account can run")
def test_without_root_one_message_names_the_packages(make_clone: Callable[[str], Clone]) -> None:
    clone = make_clone("visitor")
    account = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [SYSTEM_PYTHON, "-m", "minegis.local", "demo", "--detach"],
        cwd=clone.folder, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False, **account,
    )  # fmt: skip
    assert done.returncode == 1
    assert "apt-get install gettext redis-server" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (clone.folder / "var").exists()
