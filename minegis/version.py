"""Which code this is: the package's version and, in a checkout, the commit."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

from minegis import __version__

ROOT = Path(__file__).resolve().parents[1]


@cache
def code_version(root: Path = ROOT) -> str:
    """``0.1.0+COMMIT``, with ``-dirty`` where files differ from the commit; ``0.1.0`` without a checkout or git."""
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return __version__
    command = [git, "-C", str(root), "describe", "--always", "--tags", "--dirty"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    return f"{__version__}+{found.stdout.strip()}" if found.returncode == 0 else __version__
