"""Write the lock files from what is installed in this virtual environment: the closure of pyproject.toml, pinned.

The closure is taken for this Python and for Debian 12's, whose 3.11.2 needs a package or two that later ones do not.

Run with the environment's own interpreter: ``make lock``. ``--check`` only tells whether pyproject.toml is covered.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from minegis.local.venv import DEVELOPMENT, RUNTIME

PYTHONS: tuple[dict[str, str], ...] = ({}, {"python_full_version": "3.11.2"})
ROOT = Path(__file__).resolve().parents[2]


def closure(requirements: Iterable[str]) -> dict[str, str]:
    """Every distribution the requirements pull in on this machine: {canonical name: "Name==version"}."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = [(Requirement(text), "") for text in requirements]
    while todo:
        wanted, extra = todo.pop()
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra} | python) for python in PYTHONS):
            continue
        name = canonicalize_name(wanted.name)
        try:
            found = distribution(wanted.name)
        except PackageNotFoundError:
            sys.exit(f"{wanted} is not installed in this environment")
        if not wanted.specifier.contains(found.version, prereleases=True):
            sys.exit(f"{wanted} is asked for, {found.version} is installed")
        # A local label such as +cpu names a build, not a version: every machine takes the build that fits it.
        pins[name] = f"{found.metadata['Name']}=={found.version.split('+')[0]}"
        for one in {"", *wanted.extras}:
            if (name, one) not in seen:
                seen.add((name, one))
                todo += [(Requirement(text), one) for text in found.requires or ()]
    return pins


def main() -> None:
    """Write both files, or with ``--check`` compare the pinned names with pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = closure(project["dependencies"])
    everything = closure([*project["dependencies"], *project["optional-dependencies"]["dev"]])
    texts = {
        RUNTIME: sorted(runtime.values(), key=str.lower),
        DEVELOPMENT: sorted((pin for name, pin in everything.items() if name not in runtime), key=str.lower),
    }
    for name, pins in texts.items():
        path = ROOT / name
        if "--check" not in sys.argv:
            path.write_text("# Made by `make lock` from pyproject.toml; do not edit.\n" + "\n".join(pins) + "\n")
        elif sorted(re.findall(r"^\w.*$", path.read_text(), re.MULTILINE), key=str.lower) != pins:
            sys.exit(f"{name} does not match pyproject.toml and .venv: run `make lock`")


if __name__ == "__main__":
    main()
