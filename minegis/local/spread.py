"""How many processes share the test suite, and which runs of pytest stay in one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

MOST = 4  # every process brings a database, servers, workers and a browser of its own
MEMORY = 3 << 30  # bytes that one of them may need with everything its tests start
# Runs that talk to the terminal, list something, or say themselves how they are spread.
ALONE = re.compile(
    r"-[qvxl]*s|--capture=.*|--pdb.*|--trace|-h|--help|-V|--version|--markers|--fixtures.*|--setup-(only|plan|show)"
    r"|--co|--collect-?only|--sw.*|--stepwise.*|-n.*|--numprocesses.*|--dist.*|(-p ?)?no:xdist"
)


def workers() -> int:
    """One process for every core this one may use, as far as memory reaches; at most ``MOST``."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(len(os.sched_getaffinity(0)), memory // MEMORY, MOST))


def spread(arguments: Sequence[str], root: Path, count: int) -> list[str]:
    """Options of pytest-xdist for a run with these arguments in ``root``; none where one process is right.

    One process is right for a single file or tests of it, for a debugger, a list, or where the caller decides.
    """
    paths = {root / text.split("::")[0] for text in arguments if not text.startswith("-")}
    named = {path for path in paths if path.exists()}
    single = len(named) == 1 and named.pop().is_file()
    if count < 2 or single or any(ALONE.fullmatch(text) for text in arguments):
        return []
    # Stealing keeps neighbours, and so their module's fixtures, together until somebody has nothing left to do.
    return ["-n", str(count), "--dist", "worksteal"]
