"""Cancel stops a running job within one step, on any worker pool, because the work itself looks."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import Group

from minegis.jobs.models import Job
from minegis.jobs.services import job_cancel, job_submit, workdir

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_running_job_stops_and_its_worker_takes_the_next(celery_worker, wait_until):
    celery_worker("cpu")
    job = job_submit(kind="patient", params={}, created_by=None)
    wait_until(lambda: Job.objects.get(pk=job.pk).state == "running")
    asked = time.monotonic()
    job_cancel(job=job)
    wait_until(lambda: Job.objects.get(pk=job.pk).state == "cancelled")
    assert time.monotonic() - asked < 30, "it looks once a second; the work itself would take a minute"
    assert Group.objects.filter(name=f"{job.pk} cancelled").exists()
    assert not workdir(job.pk).exists()

    following = job_submit(kind="echo", params={"n": 1}, created_by=None)
    wait_until(lambda: Job.objects.get(pk=following.pk).state == "succeeded")
