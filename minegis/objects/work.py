"""Whether this process is at long work, which waits longer for a storage than people do, and keeps what it fetched."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_held: list[list[int]] = []  # open files, whose locks keep local copies, per piece of work


@contextmanager
def long_work() -> Iterator[None]:
    """Whatever is fetched inside stays on this machine until the end: a job opens files hours after asking for them."""
    _held.append([])
    try:
        yield
    finally:
        for descriptor in _held.pop():
            os.close(descriptor)


def working() -> bool:
    """Whether long work is under way in this process."""
    return bool(_held)


def hold(path: Path) -> None:
    """Keep a file until the end of the work under way; without any, nothing."""
    if _held:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _held[-1].append(descriptor)
