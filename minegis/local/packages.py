"""Debian packages: found by what they bring, installed only where something is missing, and started never."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from minegis.local import postgres
from minegis.local.place import LocalError

POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_CONF = Path("/etc/postgresql-common/createcluster.conf")


@dataclass(frozen=True)
class Need:
    """Something the machine must have: how to see that it is there, and the packages that bring it."""

    there: Callable[[], bool]
    packages: tuple[str, ...]


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


def _file(pattern: str) -> Callable[[], bool]:
    return lambda: any(Path("/").glob(pattern))


def needs(*, testing: bool) -> list[Need]:
    """What ``make demo`` needs, and with ``testing`` what ``make test`` needs besides; a named server needs nothing."""
    found = [
        Need(lambda: importlib.util.find_spec("ensurepip") is not None, (f"python3.{sys.version_info.minor}-venv",)),
        Need(_program("msgfmt"), ("gettext",)),
        Need(_file("usr/lib/*/libexpat.so.1"), ("libexpat1",)),  # rasterio's wheel links the system's
        # WeasyPrint typesets the report with Pango; without Chinese letters its pages and maps are boxes.
        Need(_file("usr/lib/*/libpangoft2-1.0.so.0"), ("libpangoft2-1.0-0",)),
        Need(_file("usr/lib/*/libharfbuzz-subset.so.0"), ("libharfbuzz-subset0",)),
        Need(_file("usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"), ("fonts-noto-cjk",)),
    ]
    if not os.environ.get("DATABASE_URL"):
        version = _packaged_postgres() if not postgres.versions() else 0
        found.append(
            Need(lambda: bool(postgres.versions()), (f"postgresql-{version}", f"postgresql-{version}-postgis-3"))
        )
    if not os.environ.get("REDIS_URL"):
        found.append(Need(_program("redis-server"), ("redis-server",)))
    if testing:
        found.append(Need(_program("chromium", "chromium-browser"), ("chromium",)))
        found.append(Need(_program("ogrinfo"), ("gdal-bin",)))  # a reader of our OGC API that is not ours
    return found


def missing(*, testing: bool) -> list[str]:
    """The packages to install, in order; empty on a machine that has everything."""
    return [package for need in needs(testing=testing) if not need.there() for package in need.packages]


def install_missing(*, testing: bool) -> list[str]:
    """Install what is missing with apt-get, as root or through sudo; returns the packages.

    Raises:
        LocalError: there is no way to become root (one message names the packages), or apt-get failed.
    """
    wanted = missing(testing=testing)
    if not wanted:
        return []
    prefix = _root_prefix()
    if prefix is None or shutil.which("apt-get") is None:
        raise LocalError(
            "MineGIS needs these packages, and installing them needs root on a Debian machine:\n"
            f"    {' '.join(wanted)}\n"
            f"Install them (apt-get install {' '.join(wanted)}) and run the same command again."
        )
    print(f"installing packages: {' '.join(wanted)}", flush=True)
    _run([*prefix, "apt-get", "update", "-qq"], fatal=False)
    with _no_start(prefix):
        if any(package.startswith("postgresql-") for package in wanted):
            _apt(prefix, ["postgresql-common"])
            with _no_main_cluster(prefix):
                _apt(prefix, wanted)
        else:
            _apt(prefix, wanted)
    left = missing(testing=testing)
    if left:
        raise LocalError(f"These packages are still missing after apt-get: {' '.join(left)}")
    # The packages enable their services for the next boot; the machine gets no server it did not have before.
    for unit in ("redis-server", "postgresql"):
        if shutil.which("systemctl") and any(package.startswith(unit) for package in wanted):
            _run([*prefix, "systemctl", "disable", "--quiet", unit], fatal=False)
    return wanted


def _packaged_postgres() -> int:
    """The PostgreSQL version this distribution packages (Debian 12: 15)."""
    shown = (
        subprocess.run(["apt-cache", "depends", "postgresql"], capture_output=True, text=True, check=False)
        if shutil.which("apt-cache")
        else None
    )
    match = re.search(r"Depends: postgresql-(\d+)", shown.stdout) if shown else None
    return int(match[1]) if match else 15


def _root_prefix() -> list[str] | None:
    """What to put before a command to run it as root: nothing, sudo, or None where neither works.

    With a person at the terminal sudo may ask for the password; without one it must work by itself.
    """
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    if (
        subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode
        == 0
    ):
        return ["sudo", "-n"]
    return ["sudo"] if sys.stdin.isatty() else None


def _apt(prefix: Sequence[str], packages: Sequence[str]) -> None:
    options = ["-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]
    _run([*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *packages], fatal=True)


def _run(command: Sequence[str], *, fatal: bool) -> None:
    """Run quietly; on failure show what the command said, and stop if ``fatal``."""
    done = subprocess.run(
        command, stdin=None if sys.stdin.isatty() else subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode and fatal:
        raise LocalError(f"failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    if done.returncode:
        print(f"warning: {' '.join(command)}: {done.stderr.strip()}", flush=True)


@contextmanager
def _no_start(prefix: Sequence[str]) -> Iterator[None]:
    """Keep freshly installed packages from starting their servers; an administrator's own policy stays."""
    if POLICY.exists():
        yield
        return
    _write(prefix, POLICY, "#!/bin/sh\nexit 101\n", mode="755")
    try:
        yield
    finally:
        _run([*prefix, "rm", "-f", str(POLICY)], fatal=True)


@contextmanager
def _no_main_cluster(prefix: Sequence[str]) -> Iterator[None]:
    """Keep the packages from making a main cluster, which would occupy port 5432 from the next boot on."""
    before = CLUSTER_CONF.read_text()
    _write(prefix, CLUSTER_CONF, f"{before}\ncreate_main_cluster = false\n", mode="644")
    try:
        yield
    finally:
        _write(prefix, CLUSTER_CONF, before, mode="644")


def _write(prefix: Sequence[str], path: Path, text: str, *, mode: str) -> None:
    """Write a root-owned file, through sudo where needed."""
    done = subprocess.run([*prefix, "tee", str(path)], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"cannot write {path}: {done.stderr}")
    _run([*prefix, "chmod", mode, str(path)], fatal=True)
