"""A folder for what can be computed again at any time: ``$MINEGIS_CACHE``, else the user's cache folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def cache_folder() -> Path | None:
    """Where things are cached, made if missing and readable by its owner only; None where that cannot be."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(os.environ.get("MINEGIS_CACHE") or Path(base) / "minegis")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # no home, no permission, a read-only file system
        return None
    return folder if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else None


def keep(path: Path, content: bytes) -> bool:
    """Write a file that appears whole or not at all; False if it cannot be written, which a cache may shrug off."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    except OSError:
        return False
    return True


def prune(folder: Path, most: int) -> None:
    """Keep the ``most`` subfolders of a folder that were written to last."""
    try:
        subfolders = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
    except OSError:
        return
    for old in subfolders[: max(0, len(subfolders) - most)]:
        shutil.rmtree(old, ignore_errors=True)
