"""Background processes: known by identity, kept alive, ended without leftovers; and the virtual environment's stamp."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from minegis.local import process, venv
from minegis.local.place import Place


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_a_record_is_not_fooled_by_a_reused_number(tmp_path: Path) -> None:
    record = tmp_path / "record"
    with process.spawn(["sleep", "60"], record=record, log=tmp_path / "log", env=dict(os.environ), cwd="/") as sleeper:
        known = process.recorded(record)
        assert known is not None
        assert known.pid == sleeper.pid
        process.write_record(record, process.Identity(known.pid, known.started - 1, known.boot))
        assert process.recorded(record) is None
        process.end(known, [(signal.SIGTERM, 10)])
        assert process.identify(sleeper.pid) is None


def test_a_process_that_ignores_the_first_signal_gets_the_next(tmp_path: Path) -> None:
    script = "trap '' TERM; echo deaf; while :; do sleep 1; done"
    log = tmp_path / "log"
    with process.spawn(["sh", "-c", script], record=tmp_path / "r", log=log, env=dict(os.environ), cwd="/") as deaf:
        wait_for(lambda: "deaf" in log.read_text())
        known = process.recorded(tmp_path / "r")
        assert known is not None
        process.end(known, [(signal.SIGTERM, 0.3), (signal.SIGKILL, 10)])
        assert process.identify(deaf.pid) is None


def test_marked_processes_are_found_wherever_they_went(tmp_path: Path) -> None:
    mark = f"MINEGIS_TEST={tmp_path}"
    name, _, value = mark.partition("=")
    with subprocess.Popen(["setsid", "sleep", "60"], env=os.environ | {name: value}) as stray:
        wait_for(lambda: process.with_mark(mark))
        for found in process.with_mark(mark):
            process.end(found, [(signal.SIGTERM, 10)])
        assert process.identify(stray.pid) is None
    assert process.with_mark(mark) == []


def _kept(script: str, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "minegis.local.keep_alive", "sh", "-c", script],
        cwd=Path(__file__).resolve().parents[3], stdout=log.open("wb"),
    )  # fmt: skip


def test_a_killed_worker_is_started_again_and_ends_when_asked(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    with _kept(f"echo $$ >> {pids}; exec sleep 60", tmp_path / "log") as keeper:
        wait_for(lambda: pids.read_text().count("\n") == 1)
        os.kill(int(pids.read_text()), signal.SIGKILL)
        wait_for(lambda: pids.read_text().count("\n") == 2)
        second = int(pids.read_text().split()[1])
        keeper.terminate()
        keeper.wait(20)
        assert process.identify(second) is None


def test_a_child_does_not_outlive_its_killed_keeper(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.touch()
    with _kept(f"echo $$ >> {pids}; exec sleep 60", tmp_path / "log") as keeper:
        wait_for(lambda: pids.read_text().endswith("\n"))
        keeper.kill()
        wait_for(lambda: process.identify(int(pids.read_text())) is None)


def test_a_program_that_keeps_dying_is_given_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _kept("exit 3", log) as keeper:
        assert keeper.wait(30) == 1
    assert "giving up" in log.read_text()


def test_a_moved_environment_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "here" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (folder / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / "pip.py").touch()
    assert venv._works(folder)
    moved = folder.parent.rename(tmp_path / "there") / ".venv"
    assert not venv._works(moved)


def test_every_place_has_its_own_digest(tmp_path: Path) -> None:
    first, second = Place(tmp_path, tmp_path / "var"), Place(tmp_path, tmp_path / "var" / "test")
    assert first.digest != second.digest
