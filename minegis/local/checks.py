"""``make lint`` and ``make test``: each check by name, all of them run, one summary."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from minegis.local import demo
from minegis.local.environment import environment
from minegis.local.place import Place
from minegis.local.services import Services
from minegis.local.spread import spread, workers

LINTS: dict[str, list[str]] = {
    "lock": ["python", "-m", "minegis.local.lock", "--check"],
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "floors": ["lint-imports"],
    "mypy": ["mypy"],
    "djlint": ["djlint", "frontend/templates", "--lint", "--quiet"],
    "system": ["python", "manage.py", "check", "--fail-level", "WARNING"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "api": ["python", "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null"],
}


def lint(place: Place) -> int:
    """Run every check even if an earlier one fails; returns 1 if any did."""
    services = Services.of(place, durable=False)
    demo.prepare(place, services, testing=True)
    failed = []
    with services.running():
        demo.build_static(services)
        env = environment(services)
        for name, arguments in LINTS.items():
            began = time.monotonic()
            program = place.root / ".venv" / "bin" / arguments[0]
            done = subprocess.run(
                [program, *arguments[1:]], cwd=place.root, env=env, capture_output=True, text=True, check=False
            )
            print(
                f"lint {name}: {'ok' if done.returncode == 0 else 'FAILED'} ({time.monotonic() - began:.0f} s)",
                flush=True,
            )
            if done.returncode:
                failed.append(name)
                print(done.stdout + done.stderr, flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def test(place: Place, arguments: list[str]) -> int:
    """Run pytest against private services of its own, on every core; returns its exit status."""
    services = Services.of(place, durable=False)
    demo.prepare(place, services, testing=True)
    options = spread(arguments, place.root, workers())
    # Where every core has a process already, threads of numerical libraries only get in each other's way.
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or "1"} if options else {}
    with services.running():
        demo.build_static(services)
        command: list[str | Path] = [place.root / ".venv" / "bin" / "python", "-m", "pytest", *options, *arguments]
        return subprocess.run(command, cwd=place.root, env=environment(services) | threads, check=False).returncode
