"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.fixtures.platform", "tests.fixtures.interpreted", "tests.fixtures.class_scenes"]

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public test material: ``$MINEGIS_DATA``, else ``shared/data`` beside the clone; skips without."""
    folder = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "land").is_dir():
        pytest.skip(f"public test material not found at {folder}; set MINEGIS_DATA to its folder")
    return folder
