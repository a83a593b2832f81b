"""What a handler sees: lease kept by the second thread, throttled reports, stop signals."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from celery import Celery

from minegis.celery import app
from minegis.errors import AttemptLostError, JobCancelledError
from minegis.jobs import runner, services
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def context() -> JobContext:
    job = services.job_submit(kind="echo", params={"a": 1}, created_by=None)
    return JobContext(services.job_claim(job_id=job.pk, worker="test"))


def row(context: JobContext) -> Job:
    return Job.objects.get(pk=context.job_id)


def test_a_long_native_call_does_not_lose_the_lease(context, settings, wait_until):
    settings.JOB_LEASE_SECONDS = 1
    first = row(context).heartbeat_at
    with context.heartbeat():
        wait_until(lambda: (row(context).heartbeat_at - first).total_seconds() > 1.5)
    context.progress("done", 1.0)
    assert row(context).state == "running"


def test_the_second_thread_hears_of_a_cancel(context, settings, wait_until):
    settings.JOB_LEASE_SECONDS = 1
    context.progress("first", 0.1)
    services.job_cancel(job=row(context))
    with context.heartbeat():
        wait_until(lambda: context._stop is not None)
    with pytest.raises(JobCancelledError):
        context.progress("second", 0.2)


def test_a_busy_worker_hands_over_the_jobs_of_dead_ones(context, settings, wait_until):
    dead = services.job_submit(kind="echo", params={}, created_by=None)
    services.job_claim(job_id=dead.pk, worker="dead")
    Job.objects.filter(pk=dead.pk).update(lease_until=services._now())
    settings.JOB_LEASE_SECONDS = 1
    with context.heartbeat():
        wait_until(lambda: Job.objects.get(pk=dead.pk).state == "queued")


def test_a_publication_longer_than_the_lease_is_not_disturbed(context, settings):
    settings.JOB_LEASE_SECONDS = 1
    with context.heartbeat(), context.publish():
        threading.Event().wait(1.5)
    assert row(context).state == "succeeded"


def test_the_reaper_passes_by_a_job_being_published(context, wait_until):
    """The row is locked by the publishing transaction; the reaper must neither wait nor take it."""
    reaped = []

    def reap() -> None:
        from django.db import connection

        try:
            reaped.append(services.job_reap())
        finally:
            connection.close()

    Job.objects.filter(pk=context.job_id).update(lease_until=services._now() + timedelta(seconds=0.5))
    with context.publish():
        wait_until(lambda: row(context).lease_until < services._now())
        thread = threading.Thread(target=reap)
        thread.start()
        thread.join(10)
        assert reaped == [0]
    assert row(context).state == "succeeded"


def test_reports_reach_the_row_at_most_once_a_second(context, django_assert_num_queries):
    context.progress("blocks", 0.0)
    with django_assert_num_queries(0):
        for step in range(1000):
            context.progress("blocks", step / 1000)
    context._reported -= runner.REPORT_EVERY_S
    context.progress("blocks", 0.9)
    assert row(context).progress == 0.9


def test_after_the_job_was_taken_over_every_call_stops_the_work(context):
    Job.objects.filter(pk=context.job_id).update(lease_until=services._now())
    assert services.job_claim(job_id=context.job_id, worker="other")
    assert context.should_stop()
    for _ in range(2):
        with pytest.raises(AttemptLostError):
            context.progress("blocks", 0.5)


def test_progress_outside_0_to_1_is_cut(context):
    context.progress("blocks", 1.5)
    assert row(context).progress == 1.0


def test_a_handler_that_publishes_and_then_fails_has_succeeded(settings, context):
    settings.JOB_KINDS = {"echo": {"handler": "tests.fixtures.handlers.publish_and_break", "queue": "cpu"}}
    Job.objects.filter(pk=context.job_id).update(state="queued", attempt_id=None, lease_until=None)
    started = time.monotonic()
    runner.run_job(context.job_id, "test")
    assert row(context).state == "succeeded"
    assert time.monotonic() - started < 12, "a beat of the second thread, which nothing may wait for, takes 15 s"


def test_an_attempt_that_hangs_too_long_loses_its_job(context, settings, wait_until, caplog):
    settings.JOB_LEASE_SECONDS, settings.LONGEST_JOB_SECONDS = 1, 0
    Job.objects.filter(pk=context.job_id).update(lease_until=services._now() + timedelta(seconds=1))
    with context.heartbeat():
        wait_until(lambda: row(context).state == "queued")
    assert caplog.text.count("takes too long") == 1
    with pytest.raises(AttemptLostError):
        context.progress("still here", 0.5)


def test_the_heartbeat_survives_what_it_meets(context, settings, monkeypatch, wait_until, caplog):
    """A hook of a dead job that raises something no driver would; the beats after it still renew the lease."""
    dead = services.job_submit(kind="echo", params={}, created_by=None)
    services.job_claim(job_id=dead.pk, worker="dead")
    Job.objects.filter(pk=dead.pk).update(lease_until=services._now(), attempts=3)
    settings.JOB_KINDS = {"echo": {"queue": "cpu", "on_end": "tests.fixtures.handlers.broken"}}
    # Several beats a second, and a lease that no load of the machine outlasts: the reaper is to find one job only.
    settings.JOB_LEASE_SECONDS = 600
    monkeypatch.setattr(runner, "BEATS_PER_LEASE", 3000)
    with context.heartbeat():
        wait_until(lambda: caplog.text.count("a heartbeat failed") >= 2)
        failed = row(context).heartbeat_at
        wait_until(lambda: row(context).heartbeat_at > failed)
    assert row(context).state == "running"


def test_without_a_broker_the_reaper_waits_for_it_once(context, caplog):
    jobs = [context.job_id]
    for _ in range(2):
        job = services.job_submit(kind="echo", params={}, created_by=None)
        services.job_claim(job_id=job.pk, worker="dead")
        jobs.append(job.pk)
    Job.objects.update(lease_until=services._now())
    nowhere = Celery("nowhere", broker="redis+socket:///nowhere/redis.sock", set_as_current=False)
    nowhere.conf.broker_connection_timeout = 0.1
    nowhere.set_current()
    try:
        assert services.job_reap() == 3
    finally:
        app.set_current()
    assert set(Job.objects.filter(pk__in=jobs).values_list("state", flat=True)) == {"queued"}
    assert caplog.text.count("the broker is away") == 1


@pytest.mark.parametrize(("spare", "code"), [(2**60, "E-UPL-04"), (0, "E-JOB-05")])
def test_gdal_failing_to_write_on_a_full_disk_says_so(context, settings, monkeypatch, spare, code):
    monkeypatch.setattr("minegis.disk.FULL_BYTES", spare)
    assert _end_of("write_to_full_gdal", context, settings) == code


def test_a_full_disk_says_so(context, settings):
    assert _end_of("write_to_full_disk", context, settings) == "E-UPL-04"


def _end_of(handler: str, context: JobContext, settings: Any) -> str:
    settings.JOB_KINDS = {"echo": {"handler": f"tests.fixtures.handlers.{handler}", "queue": "cpu"}}
    Job.objects.filter(pk=context.job_id).update(state="queued", attempt_id=None, lease_until=None)
    runner.run_job(context.job_id, "test")
    assert row(context).state == "failed"
    return row(context).error_code
