"""kill -9 of a worker half-way: another takes the job up, finished blocks are kept, the result is the same."""

from __future__ import annotations

import pytest

from minegis.jobs.models import Job
from minegis.jobs.services import job_submit, workdir

pytestmark = pytest.mark.django_db(transaction=True)
REAP_OFTEN = {"reap": {"task": "minegis.jobs.tasks.reap", "schedule": 0.5}}


def test_a_killed_worker_loses_no_finished_block(celery_worker, wait_until, tmp_path):
    log = tmp_path / "blocks.log"
    worker = celery_worker("cpu", JOB_LEASE_SECONDS=2)
    job = job_submit(kind="steps", params={"log": str(log), "halt_after": 6}, created_by=None)
    wait_until(lambda: log.exists() and len(log.read_text().splitlines()) == 6)
    assert Job.objects.get(pk=job.pk).state == "running"
    worker.kill()

    celery_worker("cpu", beat=True, JOB_LEASE_SECONDS=2, CELERY_BEAT_SCHEDULE=REAP_OFTEN)
    wait_until(lambda: Job.objects.get(pk=job.pk).state == "succeeded")
    job.refresh_from_db()
    assert job.attempts == 2
    assert job.result == {"sum": 285}
    computed = [tuple(map(int, line.split())) for line in log.read_text().splitlines()]
    assert computed == [(1, step) for step in range(6)] + [(2, step) for step in range(6, 10)]
    assert not workdir(job.pk).exists()
