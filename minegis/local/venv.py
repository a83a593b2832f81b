"""The virtual environment ``.venv`` with exactly the locked versions, rebuilt only when a lock file changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from minegis.local.place import LocalError, Place

RUNTIME, DEVELOPMENT = "requirements.lock", "requirements-dev.lock"


def python(place: Place) -> Path:
    """The virtual environment's interpreter."""
    return place.root / ".venv" / "bin" / "python"


def ensure(place: Place, *, testing: bool) -> None:
    """Make or bring up to date the environment (``testing`` adds the development tools); seconds when nothing changed.

    Raises:
        LocalError: pip failed; its output is in ``var/log/pip.log``.
    """
    folder = place.root / ".venv"
    if not _works(folder):
        print("creating .venv", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for name in (RUNTIME, DEVELOPMENT) if testing else (RUNTIME,):
        lock = place.root / name
        stamp = folder / f".{name}"
        digest = hashlib.sha256(lock.read_bytes()).hexdigest()
        if not stamp.exists() or stamp.read_text() != digest:
            _install(place, lock)
            stamp.unlink(missing_ok=True)  # a copy of the environment made of hard links keeps its own stamp
            stamp.write_text(digest)


def _works(folder: Path) -> bool:
    """Whether the environment is whole, of a supported Python, and still where it was made (scripts carry its path)."""
    program = folder / "bin" / "python"
    check = "import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    config = folder / "pyvenv.cfg"
    if not config.exists() or subprocess.run([program, "-c", check], check=False, capture_output=True).returncode:
        return False
    return any(line.startswith("command") and line.endswith(str(folder)) for line in config.read_text().splitlines())


def _install(place: Place, lock: Path) -> None:
    """Install a lock file.

    torch goes first and brings its own dependencies, which differ between its CPU and its CUDA build; everything else
    is named in the lock, so pip has nothing to resolve and cannot exchange one torch for another.
    """
    pip = [str(python(place)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    torch = [line for line in lock.read_text().splitlines() if line.startswith("torch==")]
    if torch:
        print(f"installing {torch[0]}", flush=True)
        _pip(place, [*pip, "install", *torch, "--constraint", str(lock)])
    count = sum(line[:1].isalnum() for line in lock.read_text().splitlines())
    print(f"installing {count} packages of {lock.name}", flush=True)
    _pip(place, [*pip, "install", "--no-deps", "--requirement", str(lock)])
    _pip(place, [*pip, "check"])


def _pip(place: Place, command: list[str]) -> None:
    """Run pip with its output in a log; a line every 15 s shows that it lives."""
    log = place.log / "pip.log"
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PIP_REQUIRE_VIRTUALENV", "PYTHONPATH", "PYTHONHOME")
    }
    started = reported = time.monotonic()
    lines = 0
    with log.open("a") as output:
        process = subprocess.Popen(
            [*command, "--progress-bar=off"] if "install" in command else command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            output.write(line)
            lines += line.startswith(("Collecting", "Requirement already"))
            if time.monotonic() - reported > 15:
                reported = time.monotonic()
                print(f"    {lines} packages looked at, {reported - started:.0f} s", flush=True)
    if process.wait():
        end = "\n".join(log.read_text().splitlines()[-25:])
        raise LocalError(f"pip failed ({log}):\n{end}")
