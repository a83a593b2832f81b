"""Redis may deliver a message twice, to two workers, at once or long after: the job's rows are written once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import current_app
from django.contrib.auth.models import Group
from django.db import connections

from minegis.jobs.models import Job
from minegis.jobs.runner import run_job
from minegis.jobs.services import RUN_TASK, job_submit

pytestmark = pytest.mark.django_db(transaction=True)


def written() -> int:
    return Group.objects.filter(name__startswith="written by").count()


def test_two_workers_with_the_same_message(celery_worker, wait_until):
    first, second = celery_worker("cpu"), celery_worker("cpu")
    job = job_submit(kind="write", params={}, created_by=None)
    for _ in range(5):
        current_app.send_task(RUN_TASK, args=[str(job.pk)], queue="cpu")
    wait_until(lambda: sum(w.output().count("succeeded in") for w in (first, second)) == 6)
    job.refresh_from_db()
    assert (job.state, job.attempts, written()) == ("succeeded", 1, 1)


def test_eight_threads_at_the_same_moment():
    job = job_submit(kind="write", params={}, created_by=None)

    def attempt(number: int) -> None:
        try:
            run_job(job.pk, f"thread {number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(8)))
    assert (Job.objects.get(pk=job.pk).state, Job.objects.get(pk=job.pk).attempts, written()) == ("succeeded", 1, 1)
