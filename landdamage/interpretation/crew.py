"""Several processes of one machine on one scene: claims are locks on files, which the system opens when a process dies.

Who interprets starts the others as plain processes of this module; each ends with its standard input, so none outlives
its parent, even by ``kill -9``.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from landdamage.interpretation.blocks import BLOCK_PIXELS, Shared, preference
from landdamage.interpretation.engine import Engine, load_engine
from landdamage.interpretation.ground import Ground
from landdamage.interpretation.models import ModelCard
from landdamage.interpretation.result import Crew, help_scene
from minegis.errors import JobCancelledError

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 0.1


class FileClaims:
    """See ``blocks.Claims``: a block is claimed by a lock on a file in the folder of the strips.

    Args:
        shared: the scene.
        leads: stays until all blocks are done; others leave when none is free.
        should_stop: asked while waiting.
    """

    def __init__(self, shared: Shared, *, leads: bool, should_stop: Callable[[], bool] = lambda: False) -> None:
        self._shared, self._leads, self._should_stop = shared, leads, should_stop
        self._held: Any = None  # the open file whose lock is the claim

    def take(self, last: int | None) -> int | None:
        """Lock a block that is not done; who leads waits for those others hold."""
        while True:
            if self._should_stop():
                raise JobCancelledError
            done = self._shared.finished()
            free = {block.number for block in self._shared.blocks} - done
            for number in preference(self._shared.blocks, self._unheld(free), done, last):
                if self._lock(number):
                    if number not in self._shared.finished():
                        return number
                    self.finish(number, 0)  # done between the look and the lock
            if not self._leads or not free:
                return None
            time.sleep(WAIT_S)

    def _path(self, number: int) -> Path:
        return self._shared.store.folder / f"claim-{self._shared.key}-{number:05d}.lock"

    def _lock(self, number: int) -> bool:
        file = self._path(number).open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held = file
        return True

    def _unheld(self, numbers: set[int]) -> set[int]:
        """Those that nobody works on at this moment: where to begin is chosen among them."""
        found = set()
        for number in numbers:
            if self._lock(number):
                self.release(number)
                found.add(number)
        return found

    def lost(self) -> bool:
        """Never: a lock is held until it is given back."""
        return False

    def finish(self, number: int, windows: int) -> None:
        """Unlock it: its strips are there."""
        self._held.close()

    def release(self, number: int) -> None:
        """Unlock it unfinished."""
        self._held.close()


def threads_each(workers: int) -> int:
    """Threads of each of so many processes: the processors shared out, at least one."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def local_crew(
    scene: Path,
    workdir: Path,
    *,
    engine: Engine,
    device: str,
    bands: Sequence[str],
    workers: int,
    ground: Ground | None = None,
    block_pixels: int = BLOCK_PIXELS,
    should_stop: Callable[[], bool] = lambda: False,
    told: Callable[[int], None] = lambda status: None,
) -> Crew:
    """A crew of this process and ``workers`` - 1 others of this machine, for ``interpret_scene``.

    Args:
        scene, workdir, engine, bands, ground, block_pixels: as given to ``interpret_scene``.
        device: as given to ``load_engine``.
        workers: processes in all.
        should_stop: asked while waiting.
        told: called with the exit status of a process that failed; what it had in hand is done by the others.
    """
    order = {
        "scene": str(scene),
        "workdir": str(workdir),
        "card": str(engine.card.path.with_suffix(".json").absolute()),
        "device": device,
        "kind": engine.kind,
        "bands": list(bands),
        "ground": None if ground is None else ground.as_dict(),
        "block_pixels": block_pixels,
    }

    @contextmanager
    def crew(shared: Shared) -> Iterator[FileClaims]:
        for old in shared.store.folder.glob("claim-*.lock"):
            if f"-{shared.key}-" not in old.name:
                old.unlink(missing_ok=True)
        with ExitStack() as stack:
            for _ in range(min(workers, len(shared.blocks)) - 1):
                stack.enter_context(_started(order, told))
            yield FileClaims(shared, leads=True, should_stop=should_stop)

    return crew


@contextmanager
def _started(order: dict[str, Any], told: Callable[[int], None]) -> Iterator[subprocess.Popen[str]]:
    """A process at work on the order; at the end it is told to stop, and waited for."""
    process = subprocess.Popen(
        [sys.executable, "-m", "landdamage.interpretation.crew"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    try:
        with suppress(BrokenPipeError):  # it ended at once; its status says so below
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        status = process.wait()
        if status:
            told(status)


def main() -> int:
    """Read an order from the standard input and help until no block is free; stop when the input ends."""
    order = json.loads(sys.stdin.readline())
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    engine = load_engine(ModelCard.read(Path(order["card"])), order["device"], order["kind"])
    ground = None if order["ground"] is None else Ground.from_dict(order["ground"])
    try:
        windows = help_scene(
            Path(order["scene"]),
            Path(order["workdir"]),
            engine=engine,
            bands=order["bands"],
            crew=lambda shared: _helping(shared, over.is_set),
            should_stop=over.is_set,
            ground=ground,
            block_pixels=order["block_pixels"],
        )
    except JobCancelledError:
        return 0
    return 3 if windows is None else 0


@contextmanager
def _helping(shared: Shared, should_stop: Callable[[], bool]) -> Iterator[FileClaims]:
    yield FileClaims(shared, leads=False, should_stop=should_stop)


if __name__ == "__main__":
    sys.exit(main())
