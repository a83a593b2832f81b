"""``python3 -m minegis.local COMMAND``: what the Makefile calls."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit("MineGIS needs Python 3.11, 3.12 or 3.13; name one with `make PYTHON=/usr/bin/python3.11 ...`")

from minegis.local import checks, demo, packages
from minegis.local.environment import environment, variables
from minegis.local.place import LocalError, Place
from minegis.local.postgres import Postgres
from minegis.local.services import Services

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m minegis.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="packages and .venv").add_argument("--dev", action="store_true")
    commands.add_parser("demo", help="everything, then the demonstration").add_argument("--detach", action="store_true")
    commands.add_parser("stop", help="end what demo or services started")
    commands.add_parser("services", help="start PostgreSQL and Redis only")
    commands.add_parser("env", help='print the environment for a shell: eval "$(python3 -m minegis.local env)"')
    commands.add_parser("lint", help="every static check")
    commands.add_parser("clean", help="stop, then delete .venv, var (all data) and caches")
    passed_on = ("test", "run")
    for name, text in zip(
        passed_on, ("pytest with private services", "a program of .venv with services up"), strict=True
    ):
        commands.add_parser(name, help=text, add_help=False)
    # What follows these two belongs to another program, options included.
    rest = sys.argv[2:] if sys.argv[1:2] and sys.argv[1] in passed_on else []
    options = parser.parse_args(sys.argv[1:2] if rest else None)
    place, tests = Place(ROOT, ROOT / "var"), Place(ROOT, ROOT / "var" / "test")
    try:
        match options.command:
            case "setup":
                demo.prepare(place, Services.of(place), testing=options.dev)
            case "demo":
                demo.start(place, detach=options.detach)
            case "stop":
                demo.stop(place)
                demo.stop(tests)
                print("stopped")
            case "services":
                packages.install_missing(testing=False)
                Services.of(place).start()
            case "env":
                for name, value in variables(Services.of(place)).items():
                    print(f"export {name}={shlex.quote(value)}")
            case "lint":
                return checks.lint(tests)
            case "test":
                return checks.test(tests, rest)
            case "run":
                return run(place, rest)
            case "clean":
                clean(place, tests)
    except (LocalError, PermissionError) as problem:
        print(f"\n{problem}", file=sys.stderr)
        return 1
    return 0


def run(place: Place, arguments: list[str]) -> int:
    """Run a program of the virtual environment with the services up; returns its exit status."""
    services = Services.of(place)
    demo.prepare(place, services, testing=True)
    with services.running():
        return os.spawnvpe(os.P_WAIT, arguments[0], arguments, environment(services))


def clean(*places: Place) -> None:
    """Delete everything that was made in this clone, the demonstration's data included."""
    for place in places:
        demo.stop(place)
        Postgres(place).remove()
    for name in (".venv", "var", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".import_linter_cache", ".hypothesis"):
        shutil.rmtree(ROOT / name, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
