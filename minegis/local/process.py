"""Background processes that are later ended by identity (pid and start time), never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minegis.local.place import LocalError, as_user


@dataclass(frozen=True)
class Identity:
    """A process that cannot be mistaken for another that got its number later."""

    pid: int
    started: int  # clock ticks since boot, field 22 of /proc/PID/stat (man 5 proc)
    boot: str


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None when there is none or only its exit status is left."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if after_name[0] in "ZX":
        return None
    return Identity(pid, int(after_name[19]), Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def arguments(pid: int) -> list[str]:
    """The command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def recorded(record: Path) -> Identity | None:
    """The process written in a record file, if that very process still runs."""
    try:
        pid, started, boot = record.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    known = Identity(int(pid), int(started), boot)
    return known if identify(known.pid) == known else None


def write_record(record: Path, identity: Identity) -> None:
    """Write a record file in one step, so a crash leaves the old one or the new one."""
    draft = record.with_suffix(".new")
    draft.write_text(f"{identity.pid} {identity.started} {identity.boot}\n")
    draft.replace(record)


def spawn(
    command: Sequence[str | Path],
    *,
    record: Path,
    log: Path,
    env: dict[str, str],
    cwd: Path | str,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to ``log``, and write its record."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            **as_user(user),
        )
    identity = identify(process.pid)
    if identity is None:
        raise LocalError(f"{command[0]} ended at once.\n{tail(log)}")
    write_record(record, identity)
    return process


def await_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], *, name: str, log: Path, seconds: float
) -> None:
    """Wait until ``ready()`` holds.

    Raises:
        LocalError: the process ended first or the time ran out; the message carries the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            raise LocalError(f"{name} stopped while starting (exit status {process.returncode}).\n{tail(log)}")
        if time.monotonic() > deadline:
            raise LocalError(f"{name} did not answer within {seconds:.0f} s.\n{tail(log)}")
        time.sleep(0.05)


def end(identity: Identity, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait the given seconds, until the process is gone.

    Raises:
        LocalError: it is still there after the last step.
    """
    for number, seconds in steps:
        if identify(identity.pid) != identity:
            return
        try:
            os.kill(identity.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while identify(identity.pid) == identity and time.monotonic() < deadline:
            time.sleep(0.05)
    if identify(identity.pid) == identity:
        raise LocalError(f"process {identity.pid} does not end.")


def with_mark(mark: str) -> list[Identity]:
    """Every process that was started with ``mark`` ("NAME=value") in its environment, save this one."""
    wanted = mark.encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            marked = wanted in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone meanwhile, or another account's: not one we started
        identity = identify(int(folder.name)) if marked else None
        if identity:
            found.append(identity)
    return found


def tail(log: Path, lines: int = 25) -> str:
    """The last lines of a log file under its name."""
    text = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
    return "\n".join([f"--- {log} ---", *text])
