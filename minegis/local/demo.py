"""``make demo`` and ``make stop``: the whole instance on this machine, from nothing to "ready"."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from minegis.local import packages, process, venv
from minegis.local.environment import MARK, environment
from minegis.local.place import LocalError, Place
from minegis.local.services import Services

FIRST_PORT = 8000


def prepare(place: Place, services: Services, *, testing: bool = False) -> None:
    """Packages and virtual environment: everything that needs no running service."""
    packages.install_missing(testing=testing)
    venv.ensure(place, testing=testing)


def manage(services: Services, *arguments: str, quiet: bool = True) -> None:
    """Run a management command.

    Raises:
        LocalError: it failed; carries its output when ``quiet``.
    """
    command = [str(venv.python(services.place)), "manage.py", *arguments]
    env = environment(services) | {"LOG_LEVEL": os.environ.get("LOG_LEVEL") or "WARNING", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, cwd=services.place.root, env=env, capture_output=quiet, text=True, check=False)
    if done.returncode:
        shown = f":\n{done.stdout}{done.stderr}" if quiet else ""
        raise LocalError(f"manage.py {' '.join(arguments)} failed{shown}")


def build_static(services: Services) -> None:
    """Collect static files and compile translations, when their sources have changed since the last time."""
    root = services.place.root
    sources = [root / venv.RUNTIME, *_files(root / "frontend" / "dist"), *_files(root / "frontend" / "locale", ".po")]
    state = "\n".join(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}" for path in sources)
    stamp = root / "var" / "static.stamp"
    digest = hashlib.sha256(state.encode()).hexdigest()
    translated = all(path.with_suffix(".mo").exists() for path in sources if path.suffix == ".po")
    if translated and stamp.exists() and stamp.read_text() == digest:
        return
    manage(services, "compilemessages", "--ignore=.venv", "--ignore=node_modules", "--verbosity=0")
    manage(services, "collectstatic", "--noinput", "--clear", "--verbosity=0")
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)


def start(place: Place, *, detach: bool) -> None:
    """Bring everything up, run the demonstration, say where to look.

    Without ``detach`` it stays until Ctrl-C and then stops all.
    """
    began = time.monotonic()
    services = Services.of(place)
    prepare(place, services)
    record = place.records / "honcho"
    if process.recorded(record):
        print(f"already running; `make stop` ends it\nready  {_url(place)}", flush=True)
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        services.start()
        build_static(services)
        manage(services, "migrate", "--noinput", "--verbosity=0")
        honcho = _start_processes(place, services, record)
        manage(services, "demo", "--url", _url(place), quiet=False)
        print(f"\nready  {_url(place)}   ({time.monotonic() - began:.0f} s; logs: {place.log})", flush=True)
        if detach:
            return
        print("Ctrl-C stops everything", flush=True)
        honcho.wait()
        if record.exists():
            raise LocalError(f"a process ended for good\n{process.tail(place.log / 'minegis.log')}")
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
    except BaseException:
        stop(place)
        raise
    stop(place)


def stop(place: Place) -> None:
    """End the processes and servers this place started, and nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
    record = place.records / "honcho"
    honcho = process.recorded(record)
    record.unlink(missing_ok=True)  # first: it tells a `make demo` in another terminal that this end is wanted
    if honcho:
        process.end(honcho, [(signal.SIGTERM, 20), (signal.SIGKILL, 5)])
    for left in process.with_mark(f"{MARK}={place.var}"):
        process.end(left, [(signal.SIGTERM, 5), (signal.SIGKILL, 5)])
    Services.of(place).stop()
    place.forget_sockets()


def _start_processes(place: Place, services: Services, record: Path) -> subprocess.Popen[bytes]:
    """Start honcho with the Procfile and wait until the web server answers."""
    port = _free_port(int(os.environ.get("PORT") or FIRST_PORT))
    (place.records / "port").write_text(str(port))
    env = environment(services) | {
        MARK: str(place.var),
        "WEB_PORT": str(port),
        "VAR": str(place.var),
        "PYTHONUNBUFFERED": "1",
        "CSRF_TRUSTED_ORIGINS": f"http://127.0.0.1:{port},http://localhost:{port}",
    }
    log = place.log / "minegis.log"
    honcho = process.spawn(
        [venv.python(place), "-m", "honcho", "start"], record=record, log=log, env=env, cwd=place.root
    )
    process.await_ready(honcho, lambda: _answers(port), name="The web server", log=log, seconds=120)
    return honcho


def _url(place: Place) -> str:
    return f"http://127.0.0.1:{(place.records / 'port').read_text()}"


def _free_port(first: int) -> int:
    """The first free loopback port from ``first`` on."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LocalError(f"no free port between {first} and {first + 199}")


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _files(folder: Path, suffix: str = "") -> Iterable[Path]:
    return sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
