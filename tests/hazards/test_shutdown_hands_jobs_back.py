"""A worker told to shut down (a deploy, ``make stop``) gives its job back at once, and the attempt does not count."""

from __future__ import annotations

import signal

import pytest

from minegis.jobs.models import Job
from minegis.jobs.services import job_submit

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_next_worker_goes_on_without_waiting_for_a_lease(celery_worker, wait_until):
    worker = celery_worker("cpu", JOB_LEASE_SECONDS=3600)
    job = job_submit(kind="patient", params={}, created_by=None)
    wait_until(lambda: Job.objects.get(pk=job.pk).state == "running")
    worker.popen.send_signal(signal.SIGTERM)
    wait_until(lambda: not worker.alive)
    job.refresh_from_db()
    assert (job.state, job.attempts, job.cancel_requested) == ("queued", 0, False)

    celery_worker("cpu", JOB_LEASE_SECONDS=3600)
    wait_until(lambda: Job.objects.get(pk=job.pk).state == "running")
    assert Job.objects.get(pk=job.pk).attempts == 1
