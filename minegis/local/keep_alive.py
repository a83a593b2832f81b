"""Run a program and start it again when it dies, as systemd or a container engine would.

honcho ends everything when one process ends, so a worker killed for its memory would take the web server with it.
"""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1  # man 2 prctl
GIVE_UP_AFTER, WITHIN_SECONDS = 5, 60.0


def main(command: list[str]) -> int:
    """Keep ``command`` running; returns its exit status once it was asked to end, ended well, or keeps dying."""
    libc = ctypes.CDLL(None)
    stopping = False
    child: subprocess.Popen[bytes] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        if child:
            child.send_signal(signal.SIGTERM)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    deaths: list[float] = []
    while True:
        # In its own group the child gets one signal from us instead of one from us and one from honcho;
        # the kernel ends it should we be killed.
        child = subprocess.Popen(
            command, process_group=0, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        )
        if stopping:
            child.send_signal(signal.SIGTERM)
        status = child.wait()
        if stopping or status == 0:
            return max(status, 0)
        now = time.monotonic()
        deaths = [*(death for death in deaths if now - death < WITHIN_SECONDS), now]
        if len(deaths) >= GIVE_UP_AFTER:
            print(f"{command[0]} died {len(deaths)} times within {WITHIN_SECONDS:.0f} s, giving up", flush=True)
            return 1
        print(f"{command[0]} ended with status {status}, starting it again", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
