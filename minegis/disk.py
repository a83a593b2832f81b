"""Whether a file could not be written because there was no room for it."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

FULL_BYTES = 64 * 2**20  # with less left, a file that could not be written says "disk full"
# EFBIG: a limit on the size of files is met like a full disk.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether ``error`` says that the disk of ``folder`` is full.

    GDAL hides the system's reason for a failed write; its errors are known by their package and the room that is left.
    """
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    from_gdal = type(error).__module__.partition(".")[0] in ("rasterio", "pyogrio")
    return (isinstance(error, OSError) or from_gdal) and free_bytes(folder) < FULL_BYTES


def free_bytes(folder: Path) -> int:
    """Room left where a folder is or would be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
