"""A full disk is told from other faults: by the system's number, or by the room left where GDAL hides it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from rasterio.errors import RasterioIOError

from minegis import disk


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_the_system_says_so(number: int, tmp_path: Path) -> None:
    assert disk.is_full(OSError(number, "no room"), tmp_path)


@pytest.mark.parametrize("error", [RasterioIOError("write failed"), OSError("write failed")])
def test_where_nothing_is_said_the_room_left_decides(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "FULL_BYTES", 0)
    assert not disk.is_full(error, tmp_path / "not" / "yet")
    monkeypatch.setattr(disk, "FULL_BYTES", 1 << 62)
    assert disk.is_full(error, tmp_path / "not" / "yet")
    assert not disk.is_full(ValueError("nothing to do with disks"), tmp_path)
