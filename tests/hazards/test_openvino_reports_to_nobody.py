"""openvino-telemetry sends an event when openvino is imported; here nothing is looked up, connected to or sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Every socket, name and process of the interpreter passes this hook (PEP 578), whatever library opens it.
# urllib3, which comes with boto3 and rasterio takes along, asks at its import whether there is IPv6: a socket of this
# machine's own that is closed at once. That question is asked before the watch begins.
WATCH = """
import sys
import urllib3.util.connection
SEEN = []
def hook(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.fork", "os.posix_spawn", "urllib.Request"):
        SEEN.append(event)
        raise OSError("not from a test")  # what is seen does not happen
sys.addaudithook(hook)
"""
OURS = """
from pathlib import Path
import numpy
from landdamage.interpretation import ModelCard, load_engine
engine = load_engine(ModelCard.read(Path(sys.argv[1])), "cpu", "openvino")
engine.probabilities(numpy.zeros((1, 4, 64, 64), numpy.float32))
"""
PLAIN = """
import openvino
"""
END = """
import os, threading, time
# A sender works in a thread of its own, and tries again and again: one attempt tells enough.
end = time.monotonic() + 20
for thread in threading.enumerate():
    while thread is not threading.current_thread() and not thread.daemon and thread.is_alive():
        if SEEN or time.monotonic() > end:
            break
        thread.join(0.1)
print(sorted(set(SEEN)), "openvino_telemetry.main" in sys.modules, flush=True)
os._exit(0)  # without waiting for those threads
"""


def run(script: str, home: Path, *arguments: str) -> str:
    # A machine of its own: no consent file of earlier runs, and none of the variables by which CI switches it off.
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "MINEGIS_CACHE": os.environ["MINEGIS_CACHE"]}
    done = subprocess.run(
        [sys.executable, "-c", WATCH + script + END, *arguments],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_an_engine_opens_no_connection(tmp_path: Path, random_model: Callable[..., Path]) -> None:
    from landdamage.interpretation import ModelCard
    from landdamage.interpretation.conversion import converted

    card = random_model()
    converted(ModelCard.read(card))
    home = tmp_path / "home"
    home.mkdir()
    assert run(OURS, home, str(card)) == "[] False"
    assert not (home / "intel").exists()  # where the package keeps its identity of a user


def test_the_watch_would_have_seen_it(tmp_path: Path) -> None:
    """The same without our guard: the package is imported and tries to send."""
    home = tmp_path / "home"
    home.mkdir()
    seen = run(PLAIN, home)
    assert seen.endswith("True")
    if seen.startswith("[]"):
        pytest.fail("openvino no longer reports at its import: this test no longer proves anything")
