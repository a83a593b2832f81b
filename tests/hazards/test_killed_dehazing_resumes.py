"""Killed in the middle of a video, dehazing goes on from its finished parts and loses or doubles no frame."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.fixtures.clips import pictures, shown, write_clip

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from pathlib import Path
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.video.enhance import dehaze_video
source, output, work = map(Path, sys.argv[1:])
dehaze_video(source, output, work, Dehazer(preset("standard")), segment_frames=12)
"""


def start(*paths: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *map(str, paths)], cwd=ROOT)


def test_killed_dehazing_resumes(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mp4", pictures(96, height=270, width=480), options={"g": "12", "sc_threshold": "0"}
    )
    output, work = tmp_path / "out.mp4", tmp_path / "work"
    process = start(source, output, work)
    while not (work / "part-00001.nut").exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    finished = {path: path.stat().st_mtime_ns for path in work.glob("part-*.nut")}
    again = start(source, output, work)
    assert again.wait() == 0
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items()), "finished parts were done again"
    assert shown(output) == shown(source)
    assert not [*tmp_path.glob(".*"), *work.glob(".*")], "something half-written was left"
