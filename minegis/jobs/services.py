"""The state machine of long work. Every change of state happens here, under a lock on the job's row.

``queued -> running -> succeeded | failed | cancelled``. Redis only says "look at row N": a message may be lost,
delayed or delivered twice without harm, because the row decides. A worker owns a job through ``attempt_id`` and a
lease that it must renew; an attempt whose lease has run out may neither renew nor write. Leases are measured with the
database's clock, so worker clocks need not agree.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from minegis.errors import AttemptLostError, JobCancelledError, JobError, MineGISError, StorageError
from minegis.files import bucket
from minegis.jobs.models import Job

if TYPE_CHECKING:
    from minegis.access.models import User
    from minegis.registry.models import Region

log = logging.getLogger(__name__)
RUN_TASK = "minegis.jobs.tasks.run"
WORK = "work"  # the folder of the jobs' own folders
KEPT_AFTER_FAILURE = timedelta(days=7)  # work that a retry could go on from
LOST_MESSAGE_AFTER = timedelta(seconds=60)  # a queued row this old, with nothing waiting in its queue, is sent again


def job_submit(
    *,
    kind: str,
    params: dict[str, Any],
    created_by: User | None,
    region: Region | None = None,
    title: str = "",
) -> Job:
    """Write down a piece of long work and, once the transaction commits, tell a worker to look.

    Args:
        kind: a key of ``settings.JOB_KINDS``.
        params: JSON the handler finds in ``context.params``.
        created_by: who asked; None for the system.
        region: where it belongs, for visibility.
        title: what people see in the list.

    Raises:
        JobError: E-JOB-07, no such kind.
    """
    declared = settings.JOB_KINDS.get(kind)
    if declared is None:
        raise JobError("E-JOB-07", value=kind)
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind,
            queue=declared["queue"],
            params=params,
            created_by=created_by,
            region=region,
            title=title[:200],
            max_attempts=settings.JOB_MAX_ATTEMPTS,
            sent_at=Now(),
        )
        _send_on_commit(job)
    job.refresh_from_db()
    return job


def job_claim(*, job_id: UUID, worker: str) -> Job | None:
    """Become the owner of a queued job, or of one whose owner's lease ran out.

    The attempt is counted before any work starts, so that a job that kills its worker cannot do so for ever.

    Returns:
        The running job with a new ``attempt_id``, or None when there is nothing to do (somebody else works on it, it
        has ended, it was cancelled, or its attempts are used up).
    """
    with transaction.atomic():
        job = _lock(job_id)
        if job is None or not (job.state == Job.State.QUEUED or _lease_expired(job)):
            return None
        if job.cancel_requested:
            _end(job, Job.State.CANCELLED)
            return None
        if job.attempts >= job.max_attempts:
            _end(job, Job.State.FAILED, "E-JOB-02", {"value": job.attempts})
            return None
        now = _now()
        job.state = Job.State.RUNNING
        job.attempts += 1
        job.attempt_id = uuid4()
        job.worker = worker[:120]
        job.heartbeat_at = now
        job.lease_until = now + timedelta(seconds=settings.JOB_LEASE_SECONDS)
        job.started_at = job.started_at or now
        job.save()
        return job


def job_heartbeat(
    *,
    job_id: UUID,
    attempt_id: UUID,
    stage: str | None = None,
    progress: float | None = None,
    pace: dict[str, Any] | None = None,
) -> None:
    """Renew the lease and report where the work stands.

    Args:
        job_id: the job.
        attempt_id: the caller's attempt.
        stage: name of the step, unchanged if None.
        progress: share done, 0-1, unchanged if None.
        pace: how fast the step goes, as JSON; unchanged if None.

    Raises:
        AttemptLostError: the lease ran out or another attempt owns the job.
        JobCancelledError: a person asked to stop.
    """
    lease = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    changes: dict[str, Any] = {"heartbeat_at": Now(), "lease_until": Now() + lease}
    if stage is not None:
        changes["stage"] = stage[:40]
    if progress is not None:
        changes["progress"] = min(max(progress, 0.0), 1.0)
    if pace is not None:
        changes["pace"] = pace
    mine = Job.objects.filter(pk=job_id, attempt_id=attempt_id, state=Job.State.RUNNING, lease_until__gt=Now())
    if not mine.update(**changes):
        raise AttemptLostError
    if Job.objects.filter(pk=job_id, cancel_requested=True).exists():
        raise JobCancelledError


@contextmanager
def job_publish(*, job_id: UUID, attempt_id: UUID, result: dict[str, Any]) -> Iterator[Job]:
    """One transaction that holds the job's row: what is written inside and "succeeded" become true together.

    Args:
        job_id: the job.
        attempt_id: the caller's attempt.
        result: JSON stored with the job; read when the block ends.

    Raises:
        AttemptLostError: the lease ran out or another attempt owns the job; nothing is written.
        JobCancelledError: a person asked to stop; nothing is written.
    """
    with transaction.atomic():
        job = _lock_attempt(job_id, attempt_id)
        if job.cancel_requested:
            raise JobCancelledError
        yield job
        job.result = result
        job.progress = 1.0
        _end(job, Job.State.SUCCEEDED)


def job_fail(*, job_id: UUID, attempt_id: UUID, error: MineGISError) -> None:
    """End the job as failed with a code.

    Raises:
        AttemptLostError: this attempt no longer owns the job.
    """
    with transaction.atomic():
        values = {name: str(value) for name, value in error.values.items()}
        _end(_lock_attempt(job_id, attempt_id), Job.State.FAILED, error.code, values)


def job_stop(*, job_id: UUID, attempt_id: UUID) -> None:
    """End the job as cancelled: the worker has stopped as it was asked to.

    Raises:
        AttemptLostError: this attempt no longer owns the job.
    """
    with transaction.atomic():
        _end(_lock_attempt(job_id, attempt_id), Job.State.CANCELLED)


def job_release(*, job_id: UUID, attempt_id: UUID) -> None:
    """Give a running job back to the queue because its worker was told to shut down; the attempt does not count.

    Raises:
        AttemptLostError: this attempt no longer owns the job.
    """
    with transaction.atomic():
        job = _lock_attempt(job_id, attempt_id)
        if job.cancel_requested:
            _end(job, Job.State.CANCELLED)
        else:
            job.attempts -= 1
            _requeue(job)
            _send_on_commit(job)


def job_cancel(*, job: Job) -> Job:
    """Cancel a queued job at once; ask the worker of a running one to stop at its next safe point.

    Raises:
        JobError: E-JOB-01, the job has already ended.
    """
    with transaction.atomic():
        locked = _lock(job.pk)
        if locked is None or not locked.is_active:
            raise JobError("E-JOB-01", state=job.state if locked is None else locked.state)
        locked.cancel_requested = True
        if locked.state == Job.State.QUEUED:
            _end(locked, Job.State.CANCELLED)
        else:
            locked.save(update_fields=["cancel_requested"])
        return locked


def job_retry(*, job: Job) -> Job:
    """Queue a failed or cancelled job again with a fresh count of attempts.

    Raises:
        JobError: E-JOB-01, the job is still active or has succeeded.
    """
    with transaction.atomic():
        locked = _lock(job.pk)
        if locked is None or locked.state not in (Job.State.FAILED, Job.State.CANCELLED):
            raise JobError("E-JOB-01", state=job.state if locked is None else locked.state)
        locked.attempts = 0
        locked.started_at = locked.finished_at = None
        locked.cancel_requested = False
        locked.stage, locked.progress, locked.worker, locked.pace = "", 0.0, "", {}
        locked.error_code, locked.error_values = "", {}
        _requeue(locked)
        _send_on_commit(locked)
        _call_hook(locked, "on_retry")
        return locked


def job_reap() -> int:
    """Hand over the jobs of dead workers and send again what the broker has lost.

    A running job whose lease ran out goes back to the queue, or ends: as cancelled if that was asked for, as failed
    (E-JOB-02) if its attempts are used up. A job that has long been queued while its queue is empty lost its message.

    After the first message the broker did not take, rows are still put right but nothing more is sent: every attempt
    takes seconds, and the worker that reaps has a lease of its own to renew. A later call sends the rest.

    Returns:
        Number of jobs that were touched.
    """
    touched = 0
    broker = True
    expired = Q(state=Job.State.RUNNING, lease_until__lte=Now())
    for job_id in Job.objects.filter(expired).values_list("pk", flat=True):
        with transaction.atomic():
            job = Job.objects.select_for_update(skip_locked=True, of=("self",)).filter(expired, pk=job_id).first()
            if job is None:  # it was renewed, taken over or is being published this very moment
                continue
            touched += 1
            log.warning("job %s: worker %s fell silent in attempt %d", job.pk, job.worker, job.attempts)
            if job.cancel_requested:
                _end(job, Job.State.CANCELLED)
            elif job.attempts >= job.max_attempts:
                _end(job, Job.State.FAILED, "E-JOB-02", {"value": job.attempts})
            else:
                _requeue(job)
        if job.state == Job.State.QUEUED and broker:
            broker = _send(job)
    if not broker:
        return touched
    stale = Q(sent_at__isnull=True) | Q(sent_at__lte=Now() - LOST_MESSAGE_AFTER)
    waiting: dict[str, int] = {}
    for job in Job.objects.filter(stale, state=Job.State.QUEUED):
        if job.queue not in waiting:
            waiting[job.queue] = messages_waiting(job.queue)
        if waiting[job.queue] == 0 and Job.objects.filter(pk=job.pk, state=Job.State.QUEUED).update(sent_at=Now()):
            touched += 1
            log.warning("job %s: its message was lost; sent again", job.pk)
            if not _send(job):
                break
    return touched


def workdir(job_id: UUID) -> Path:
    """The folder a job may keep between attempts; it is removed when the job ends.

    A kind that ``keeps_work`` keeps it when it fails, so that a retry goes on from there, for ``KEPT_AFTER_FAILURE``.
    """
    return Path(settings.STORAGE_ROOT) / WORK / str(job_id)


def job_tidy() -> int:
    """Remove what no retry waits for any more, of jobs that ended or are not known, on this machine and in the bucket.

    Returns:
        How many.
    """
    removed, shared = folders_tidy(), bucket()
    if shared is not None:
        for name in shared.folders(WORK):
            if not _is_needed(name):
                shared.remove(f"{WORK}/{name}/{one}" for one in shared.names(f"{WORK}/{name}"))
                removed += 1
    return removed


def folders_tidy() -> int:
    """The same for the work folders of this machine alone.

    Returns:
        How many.
    """
    root, removed = Path(settings.STORAGE_ROOT) / WORK, 0
    for folder in root.iterdir() if root.is_dir() else ():
        if not _is_needed(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
            removed += 1
    return removed


def _is_needed(name: str) -> bool:
    """Whether a job is under way or may be retried from what it left; what is not a job's is left alone."""
    try:
        job = Job.objects.filter(pk=UUID(name))
    except ValueError:
        return True
    failed_lately = Q(state=Job.State.FAILED, finished_at__gt=Now() - KEPT_AFTER_FAILURE)
    return job.filter(Q(state__in=Job.ACTIVE) | failed_lately).exists()


def _forget_work(job: Job) -> None:
    """Remove what a job kept between its attempts; what cannot be removed now is tidied up later."""
    _remove(workdir(job.pk))
    try:
        shared = bucket() if settings.JOB_KINDS.get(job.kind, {}).get("shares_work") else None
        if shared is not None:
            shared.remove(f"{WORK}/{job.pk}/{name}" for name in shared.names(f"{WORK}/{job.pk}"))
    except StorageError as error:
        log.warning("job %s: its work stays in the bucket for now: %s", job.pk, error)


def call_for_help(queue: str, task: str, *args: Any) -> bool:
    """Tell one idle worker that it may lend a hand, unless the queue holds work already; whether a message went.

    A message that comes late or twice must find nothing to do.
    """
    try:
        if messages_waiting(queue):
            return False
        current_app.send_task(task, args=list(args), queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("nobody was called for help: the broker is away (%s)", error)
        return False
    return True


def _now() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("select statement_timestamp()")
        return cursor.fetchone()[0]


def _lease_expired(job: Job) -> bool:
    return job.state == Job.State.RUNNING and job.lease_until is not None and job.lease_until <= _now()


def _lock(job_id: UUID) -> Job | None:
    return Job.objects.select_for_update(of=("self",)).filter(pk=job_id).first()


def _lock_attempt(job_id: UUID, attempt_id: UUID) -> Job:
    job = _lock(job_id)
    if job is None or job.state != Job.State.RUNNING or job.attempt_id != attempt_id or _lease_expired(job):
        raise AttemptLostError
    return job


def _requeue(job: Job) -> None:
    job.state, job.attempt_id, job.lease_until, job.sent_at = Job.State.QUEUED, None, None, _now()
    job.save()


def _end(job: Job, state: Job.State, code: str = "", values: dict[str, Any] | None = None) -> None:
    job.state, job.error_code, job.error_values = state, code, values or {}
    job.finished_at = _now()
    job.lease_until = None
    job.save()
    if state != Job.State.SUCCEEDED:
        _call_hook(job, "on_end")
    if state != Job.State.FAILED or not settings.JOB_KINDS.get(job.kind, {}).get("keeps_work"):
        transaction.on_commit(lambda: _forget_work(job))


def _remove(folder: Path) -> None:
    """Remove a folder that helpers of an ended job may still write into for a moment.

    Under another name first: what they write by the old one fails, where it would otherwise be left behind. The new
    one is that of no job, so ``job_tidy`` takes what a crash in between leaves.
    """
    gone = folder.with_name(str(uuid4()))
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def _call_hook(job: Job, name: str) -> None:
    """Tell the application's own record, in the transaction that changes the job."""
    dotted = settings.JOB_KINDS.get(job.kind, {}).get(name)
    if dotted:
        import_string(dotted)(job)


def _send_on_commit(job: Job) -> None:
    transaction.on_commit(lambda: _send(job))


def _send(job: Job) -> bool:
    """Whether the broker took the message."""
    try:
        current_app.send_task(RUN_TASK, args=[str(job.pk)], queue=job.queue, retry=False)
    except OperationalError as error:
        log.error("job %s: the broker is away (%s); the reaper will send it again", job.pk, error)
        return False
    return True


def messages_waiting(queue: str) -> int:
    """How many messages of a queue no worker has taken yet."""
    with current_app.connection_for_read() as broker:
        return int(broker.default_channel.queue_declare(queue, durable=True).message_count)
