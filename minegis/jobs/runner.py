"""Runs one attempt of one job: claims the row, keeps its lease alive, calls the handler, maps what it raises."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from celery.worker import state as worker_state
from django.conf import settings
from django.db import connection
from django.utils.module_loading import import_string

from minegis.disk import free_bytes, is_full
from minegis.errors import AttemptLostError, JobCancelledError, JobError, MineGISError
from minegis.jobs import services
from minegis.jobs.models import Job
from minegis.objects.work import long_work

log = logging.getLogger(__name__)
REPORT_EVERY_S = 1.0  # progress reaches the row at most this often
BEATS_PER_LEASE = 4


class JobContext:
    """What a handler sees of its job: ``params`` in, ``result`` out, progress, cancel and the one way to write.

    Call ``progress`` outside transactions: the row is read by others. Files in ``workdir`` survive an attempt, so a
    later attempt can go on from them; write each under a temporary name and rename it, because a worker that lost its
    lease may still be writing for a moment.
    """

    def __init__(self, job: Job) -> None:
        self.job_id: UUID = job.pk
        self.attempt_id: UUID = job.attempt_id  # type: ignore[assignment]  # a claimed job has one
        self.attempt: int = job.attempts
        self.worker: str = job.worker
        self.params: dict[str, Any] = job.params
        self.result: dict[str, Any] = {}
        self.published = False
        self.leaving = False  # this worker was told to shut down
        self._reported = float("-inf")
        self._stop: JobError | None = None  # why the work must stop, once known

    @property
    def workdir(self) -> Path:
        """A folder of the job, shared by its attempts and removed when the job ends."""
        folder = services.workdir(self.job_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, stage: str, fraction: float, pace: Callable[[], dict[str, Any]] = dict) -> None:
        """Report the step and the share done (0-1); renews the lease. Cheap enough to call for every tile.

        ``pace`` is asked for figures of the step, as JSON, when the report is written.

        Raises:
            AttemptLostError: another attempt owns the job now.
            JobCancelledError: a person asked to stop.
        """
        if time.monotonic() - self._reported >= REPORT_EVERY_S:
            self._look(stage=stage, progress=fraction, pace=pace())
        if self._stop is not None:
            raise self._stop

    def should_stop(self) -> bool:
        """Whether to stop: cancelled, lost, or the worker is leaving. Looks at the row at most once a second."""
        if time.monotonic() - self._reported >= REPORT_EVERY_S:
            self._look()
        return self._stop is not None

    @contextmanager
    def publish(self) -> Iterator[Job]:
        """One transaction that holds the job's row; rows written inside and the job's success become true together.

        Raises:
            AttemptLostError: another attempt owns the job now; nothing is written.
            JobCancelledError: a person asked to stop; nothing is written.
        """
        with services.job_publish(job_id=self.job_id, attempt_id=self.attempt_id, result=self.result) as job:
            yield job
        self.published = True

    def _look(self, **report: Any) -> None:
        self._reported = time.monotonic()
        self._beat(**report)
        stopping = worker_state.should_stop  # None or False while it works, then the exit code, which may be 0
        if self._stop is None and stopping is not None and stopping is not False:
            # Stopping now and handing the job back beats being killed in the middle of it a few seconds later.
            self.leaving, self._stop = True, JobCancelledError()

    def _beat(self, **report: Any) -> None:
        try:
            services.job_heartbeat(job_id=self.job_id, attempt_id=self.attempt_id, **report)
        except (AttemptLostError, JobCancelledError) as stop:
            self._stop = stop

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease from a second thread, so that one long call into native code does not lose the job.

        After ``settings.LONGEST_JOB_SECONDS`` it stops renewing: an attempt that hangs loses its job at last.
        The thread reaps as well: with every worker busy nobody would take the reaper's message from the queue.
        """
        over = threading.Event()
        deadline = time.monotonic() + settings.LONGEST_JOB_SECONDS

        def beat() -> None:
            renewing = True
            while not over.wait(settings.JOB_LEASE_SECONDS / BEATS_PER_LEASE):
                try:
                    try:
                        if renewing and time.monotonic() >= deadline:
                            renewing = False
                            log.error("job %s: attempt %d takes too long; not renewed", self.job_id, self.attempt)
                        if renewing:
                            self._beat()  # waits while the row is held by a publication
                        services.job_reap()
                    finally:
                        connection.close()
                except Exception:  # without this thread the job is lost, and the next beat may succeed
                    log.exception("job %s: a heartbeat failed", self.job_id)

        thread = threading.Thread(target=beat, name=f"heartbeat-{self.job_id}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def run_job(job_id: UUID, worker: str) -> None:
    """Run one attempt, if the row says there is something to do.

    A message for a job that runs elsewhere, has ended or does not exist is no error: it is dropped.
    """
    job = services.job_claim(job_id=job_id, worker=worker)
    if job is None:
        log.info("job %s: nothing to do", job_id)
        return
    context = JobContext(job)
    log.info("job %s (%s): attempt %d of %d begins", job.pk, job.kind, job.attempts, job.max_attempts)
    try:
        with context.heartbeat(), long_work():
            _call_handler(job, context)
    except AttemptLostError:
        log.warning("job %s: attempt %d lost the job and gives up", job.pk, job.attempts)


def _call_handler(job: Job, context: JobContext) -> None:
    try:
        import_string(settings.JOB_KINDS[job.kind]["handler"])(context)
        if not context.published:
            with context.publish():
                pass
    except AttemptLostError:
        raise
    except JobCancelledError:
        end = services.job_release if context.leaving else services.job_stop
        end(job_id=job.pk, attempt_id=context.attempt_id)
    except MineGISError as error:
        log.warning("job %s: %s", job.pk, error)
        _fail(context, error)
    except Exception as error:
        log.exception("job %s: internal error", job.pk)
        # torch's own out-of-memory error is recognised by name: the platform does not import torch.
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            _fail(context, JobError("E-JOB-06"))
        elif is_full(error, Path(settings.STORAGE_ROOT)):
            free = free_bytes(Path(settings.STORAGE_ROOT))
            _fail(context, JobError("E-UPL-04", free=f"{free / 2**20:.0f} MiB"))
        else:
            _fail(context, JobError("E-JOB-05", value=type(error).__name__))


def _fail(context: JobContext, error: MineGISError) -> None:
    if not context.published:
        services.job_fail(job_id=context.job_id, attempt_id=context.attempt_id, error=error)
