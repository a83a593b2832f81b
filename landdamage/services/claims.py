"""Who computes which block: claims by rows, with a lease that the database's clock measures.

Any number of workers on any number of machines take blocks of one scene. A block is claimed by one update of its row,
kept by renewing the lease from a second thread, and free again when its worker falls silent. The row spares double
work; what keeps the result whole is that a strip is written by rename and equal whoever writes it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from landdamage.interpretation.blocks import Shared, preference
from landdamage.models import InterpretationBlock, InterpretationRun
from minegis.errors import JobCancelledError
from minegis.jobs.models import Job
from minegis.jobs.services import call_for_help

log = logging.getLogger(__name__)
State = InterpretationBlock.State
QUEUE = "gpu"
HELP_TASK = "landdamage.tasks.interpretation_blocks"
WAIT_S = 0.25
SETTLE_S = 90.0  # a network disk may show a finished file of another machine only after a while


def blocks_prepare(*, run: InterpretationRun, shared: Shared) -> None:
    """Rows for the blocks of a run that begins or goes on: what lies in its folder is done, the rest as it was.

    Rows of a worker that would write other bits are replaced, which takes its claims away.
    """
    finished = shared.finished()
    with transaction.atomic():
        InterpretationRun.objects.select_for_update().get(pk=run.pk)
        rows = InterpretationBlock.objects.filter(run=run)
        if set(rows.values_list("number", "key")) != {(block.number, shared.key) for block in shared.blocks}:
            rows.delete()
            InterpretationBlock.objects.bulk_create(
                InterpretationBlock(run=run, number=block.number, key=shared.key) for block in shared.blocks
            )
        rows.filter(number__in=finished).update(state=State.DONE, attempt_id=None, lease_until=None)
        rows.filter(state=State.DONE).exclude(number__in=finished).update(state=State.FREE)


def blocks_forget(*, run: InterpretationRun) -> dict[str, int]:
    """Remove the rows of a run that has ended; they say how the work was shared.

    Returns:
        ``count`` of blocks, ``claims``: how often one was taken, ``windows`` computed for finished blocks, ``workers``.
    """
    rows = list(InterpretationBlock.objects.filter(run=run))
    InterpretationBlock.objects.filter(run=run).delete()
    return {
        "count": len(rows),
        "claims": sum(row.claims for row in rows),
        "windows": sum(row.windows for row in rows),
        "workers": len({row.worker for row in rows if row.worker}),
    }


def work_waits() -> bool:
    """Whether a job waits for a worker of the queue that helpers come from."""
    return Job.objects.filter(queue=QUEUE, state=Job.State.QUEUED).exists()


@contextmanager
def claiming(
    run: InterpretationRun, shared: Shared, *, worker: str, stopped: Callable[[], bool], leads: bool
) -> Iterator[RowClaims]:
    """Claims of one worker for one run, kept alive and called help for until the block ends.

    Args:
        run: whose blocks, with its job.
        shared: the scene.
        worker: its name.
        stopped: whether to stop; asked while waiting.
        leads: it owns the run's job and stays until all blocks are done; others leave when none is free.
    """
    claims = RowClaims(run, shared, worker, stopped, leads)
    over = threading.Event()
    thread = threading.Thread(target=claims.keep, args=(over,), name=f"blocks-{run.pk}", daemon=True)
    thread.start()
    try:
        yield claims
    finally:
        over.set()
        thread.join()


class RowClaims:
    """See ``landdamage.interpretation.blocks.Claims``."""

    def __init__(
        self, run: InterpretationRun, shared: Shared, worker: str, stopped: Callable[[], bool], leads: bool
    ) -> None:
        self._run, self._shared, self._worker, self._stopped, self._leads = run, shared, worker, stopped, leads
        self._attempt: UUID | None = None  # of the block in hand
        self._lost = False
        self._settling: float | None = None  # since when finished blocks have been lacking in the folder

    @property
    def _rows(self) -> QuerySet[InterpretationBlock]:
        return InterpretationBlock.objects.filter(run=self._run, key=self._shared.key)

    def take(self, last: int | None) -> int | None:
        """Claim a block; who leads waits for those that others are at work on, and takes them over from the dead.

        Who helps leaves as soon as a job waits for a worker: a small scene must not wait for the end of a large one.
        """
        while True:
            if self._stopped():
                raise JobCancelledError
            if not self._leads and work_waits():
                return None
            free = Q(state=State.FREE) | Q(state=State.TAKEN, lease_until__lte=Now())
            open_ = set(self._rows.filter(free).values_list("number", flat=True))
            done = set(self._rows.filter(state=State.DONE).values_list("number", flat=True))
            for number in preference(self._shared.blocks, open_, done, last):
                attempt = uuid4()
                mine = self._rows.filter(free, number=number).update(
                    state=State.TAKEN,
                    attempt_id=attempt,
                    worker=self._worker[:120],
                    lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS),
                    claims=F("claims") + 1,
                )
                if mine:
                    self._attempt, self._lost = attempt, False
                    return number
            if not self._leads or (len(done) == len(self._shared.blocks) and self._settled()):
                return None
            time.sleep(WAIT_S)

    def _settled(self) -> bool:
        """Whether every finished block is in the folder; one that does not appear at last is to be done again."""
        finished = self._shared.finished()
        lacking = [block.number for block in self._shared.blocks if block.number not in finished]
        if not lacking:
            return True
        self._settling = self._settling or time.monotonic()
        if time.monotonic() - self._settling > SETTLE_S:
            log.warning("run %s: finished blocks %s are not in the work folder", self._run.pk, lacking)
            self._rows.filter(number__in=lacking).update(state=State.FREE)
            self._settling = None
        return False

    def lost(self) -> bool:
        """Whether the block in hand has gone to somebody else."""
        return self._lost

    def finish(self, number: int, windows: int) -> None:
        """The block's strips are on disk."""
        attempt, self._attempt = self._attempt, None
        self._rows.filter(number=number, attempt_id=attempt).update(
            state=State.DONE, attempt_id=None, lease_until=None, windows=windows
        )

    def release(self, number: int) -> None:
        """Give the block back unfinished."""
        attempt, self._attempt = self._attempt, None
        self._rows.filter(number=number, attempt_id=attempt).update(state=State.FREE, attempt_id=None, lease_until=None)

    def workers(self) -> int:
        """How many are at work on the run at this moment."""
        return self._rows.filter(state=State.TAKEN, lease_until__gt=Now()).count()

    def keep(self, over: threading.Event) -> None:
        """Renew the lease of the block in hand, and call idle workers while blocks are free; runs in a thread.

        A worker that hangs in one block longer than the longest job loses it.
        """
        held: tuple[UUID | None, float] = (None, 0.0)
        while True:
            try:
                try:
                    attempt = self._attempt
                    if attempt != held[0]:
                        held = (attempt, time.monotonic())
                    if attempt is not None and time.monotonic() - held[1] < settings.LONGEST_JOB_SECONDS:
                        self._renew(attempt)
                    self._call()
                finally:
                    connection.close()
            except Exception:  # without this thread the block is lost, and the next turn may succeed
                log.exception("run %s: a block's lease could not be renewed", self._run.pk)
            if over.wait(min(5.0, settings.JOB_LEASE_SECONDS / 4)):
                return

    def _renew(self, attempt: UUID) -> None:
        lease = Now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
        kept = self._rows.filter(attempt_id=attempt, state=State.TAKEN).update(lease_until=lease)
        if not kept and self._attempt == attempt:
            log.warning("run %s: the block in hand has gone to another worker", self._run.pk)
            self._lost = True

    def _call(self) -> None:
        """One message waits in the queue as long as blocks are free: whoever comes finds it, and calls the next."""
        if self._rows.filter(state=State.FREE).exists():
            call_for_help(QUEUE, HELP_TASK, str(self._run.job_id))
