"""Redis may deliver a message twice, to two workers, at once or long after: the job's rows are written once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import current_app
from django.contrib.auth.models import Group
from django.db import connection, connections

from minegis.jobs.runner import run_job
from minegis.jobs.services import RUN_TASK, job_submit

pytestmark = pytest.mark.django_db(transaction=True)


def rows() -> tuple[int, int]:
    """How many attempts began, and how many rows were written."""
    begun, written = (Group.objects.filter(name__startswith=word).count() for word in ("begun", "written"))
    return begun, written


def test_two_workers_with_the_same_message(celery_worker, wait_until):
    first, second = celery_worker("cpu"), celery_worker("cpu")
    job = job_submit(kind="write", params={}, created_by=None)
    for _ in range(5):
        current_app.send_task(RUN_TASK, args=[str(job.pk)], queue="cpu")
    wait_until(lambda: sum(w.output().count("succeeded in") for w in (first, second)) == 6)
    job.refresh_from_db()
    assert (job.state, job.attempts, rows()) == ("succeeded", 1, (1, 1))


@pytest.mark.parametrize("round_", range(3))
def test_eight_threads_at_the_same_moment(round_):
    job = job_submit(kind="write", params={}, created_by=None)
    start = threading.Barrier(8)

    def attempt(number: int) -> None:
        try:
            connection.ensure_connection()
            start.wait(60)
            run_job(job.pk, f"thread {number}")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, range(8)))
    job.refresh_from_db()
    assert (job.state, job.attempts, rows()) == ("succeeded", 1, (1, 1))
