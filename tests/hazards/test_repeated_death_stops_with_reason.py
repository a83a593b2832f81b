"""A job that takes its worker along every time (out of memory) stops after its attempts, with a readable reason."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from minegis.errors import message
from minegis.jobs.models import Job
from minegis.jobs.services import job_reap, job_submit

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_deadly_job_ends_after_its_attempts(celery_worker, wait_until, settings):
    settings.JOB_MAX_ATTEMPTS = 2
    job = job_submit(kind="die", params={}, created_by=None)
    for attempt in (1, 2):
        worker = celery_worker("cpu", JOB_LEASE_SECONDS=1)
        wait_until(lambda worker=worker: not worker.alive)
        assert Job.objects.get(pk=job.pk).attempts == attempt, "the attempt was counted before the work began"
        wait_until(lambda: job_reap())
    job.refresh_from_db()
    assert (job.state, job.error_code, job.attempts) == ("failed", "E-JOB-02", 2)
    assert "2 attempts" in message(job.error_code, "en", **job.error_values)
    assert Group.objects.filter(name=f"{job.pk} failed").exists(), "the application's record learns of it"
