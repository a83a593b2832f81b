"""Which runs of the suite are spread over the cores, and which stay in one process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from minegis.local import spread

ROOT = Path(__file__).resolve().parents[3]
FILE, OTHER, FOLDER = "tests/minegis/test_units.py", "tests/minegis/test_errors.py", "tests/minegis"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A tree with the files the arguments name."""
    (tmp_path / FOLDER).mkdir(parents=True)
    for name in (FILE, OTHER):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-q", "-x"],
        ["-k", "area or cloud"],
        ["-rs", "--durations=20"],
        ["--maxfail=2", "-vv", "--tb", "short"],
        [FOLDER],
        [FILE, OTHER],
        [FILE, FOLDER],
        [f"{FILE}::test_one", f"{OTHER}::test_two"],
        ["--ignore", FOLDER, "-p", "no:cacheprovider"],
    ],
)
def test_spread_over_the_cores(clone: Path, arguments: list[str]) -> None:
    assert spread.spread(arguments, clone, 3) == ["-n", "3", "--dist", "worksteal"]
    assert spread.spread(arguments, clone, 1) == [], "there is but one core"


@pytest.mark.parametrize(
    "arguments",
    [
        [FILE],
        ["-q", f"{FILE}::test_one[a-b]", f"{FILE}::test_two"],
        ["--pdb"],
        ["--pdb", "--pdbcls=IPython.terminal.debugger:Pdb"],
        ["--trace", "-k", "area"],
        ["-s"],
        ["-xvs", FOLDER],
        ["--capture=no"],
        ["--collect-only", "-q"],
        ["--co"],
        ["--help"],
        ["--fixtures"],
        ["--sw"],
        ["-n0"],
        ["-n", "2"],
        ["--numprocesses=8", "--dist=loadfile"],
        ["-p", "no:xdist"],
    ],
)
def test_one_process_or_as_the_caller_says(clone: Path, arguments: list[str]) -> None:
    assert spread.spread(arguments, clone, 3) == []


def test_as_many_as_cores_and_memory_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 0}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    found = {}
    for cores, gigabytes in ((1, 64), (2, 8), (8, 8), (64, 256), (4, 1)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, count=cores: set(range(count)))
        pages["SC_PHYS_PAGES"] = (gigabytes << 30) // 4096
        found[cores, gigabytes] = spread.workers()
    assert found == {(1, 64): 1, (2, 8): 2, (8, 8): 2, (64, 256): spread.MOST, (4, 1): 1}
