"""The version names the commit in a checkout, and says when files differ from it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from minegis import __version__
from minegis.version import code_version


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_version_of_a_checkout(tmp_path: Path) -> None:
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    for folder in (clean, dirty):
        folder.mkdir()
        git(folder, "init", "--quiet")
        (folder / "file").write_text("a")
        git(folder, "add", "file")
        git(folder, "commit", "--quiet", "--message", "first")
    (dirty / "file").write_text("b")
    assert code_version(clean) == f"{__version__}+{git(clean, 'rev-parse', '--short', 'HEAD')}"
    assert code_version(dirty) == f"{__version__}+{git(dirty, 'rev-parse', '--short', 'HEAD')}-dirty"


def test_version_without_a_checkout(tmp_path: Path) -> None:
    assert code_version(tmp_path) == __version__
