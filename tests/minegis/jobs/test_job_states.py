"""The state machine on real rows: every transition, its refusals and its hooks."""

from __future__ import annotations

import contextlib
import shutil
from contextlib import AbstractContextManager
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.utils import timezone

from minegis.errors import AttemptLostError, JobCancelledError, JobError
from minegis.jobs import services
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job

pytestmark = pytest.mark.django_db


def submit(kind: str = "echo", **params: object) -> Job:
    return services.job_submit(kind=kind, params=params, created_by=None)


def claim(job: Job) -> Job:
    claimed = services.job_claim(job_id=job.pk, worker="test")
    assert claimed is not None
    return claimed


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def publish(job: Job) -> AbstractContextManager[Job]:
    return services.job_publish(job_id=job.pk, attempt_id=job.attempt_id, result={})


def end_noted(job: Job, state: str) -> bool:
    return Group.objects.filter(name=f"{job.pk} {state}").exists()


def test_an_unknown_kind_is_refused():
    with pytest.raises(JobError, match="E-JOB-07"):
        submit("no-such-kind")


def test_a_job_runs_to_success_and_keeps_its_result():
    job = submit(answer=42)
    run_job(job.pk, "test")
    job.refresh_from_db()
    assert (job.state, job.progress, job.result, job.attempts) == ("succeeded", 1.0, {"answer": 42}, 1)
    assert job.started_at <= job.finished_at
    assert job.lease_until is None


def test_a_claimed_job_cannot_be_claimed_again():
    job = submit()
    claim(job)
    assert services.job_claim(job_id=job.pk, worker="other") is None


def test_a_job_that_does_not_exist_is_no_error():
    assert services.job_claim(job_id=uuid4(), worker="test") is None
    run_job(uuid4(), "test")


def test_an_expired_lease_can_be_taken_over_and_counts():
    job = submit()
    first = claim(job)
    expire(job)
    second = claim(job)
    assert second.attempts == 2
    assert second.attempt_id != first.attempt_id


def test_an_expired_last_attempt_is_not_followed_by_another():
    job = submit()
    claim(job)
    Job.objects.filter(pk=job.pk).update(attempts=3, lease_until=timezone.now() - timedelta(seconds=1))
    assert services.job_claim(job_id=job.pk, worker="other") is None
    job.refresh_from_db()
    assert (job.state, job.error_code, job.error_values) == ("failed", "E-JOB-02", {"value": 3})


def test_heartbeat_renews_the_lease_and_reports():
    job = claim(submit())
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() + timedelta(seconds=5))
    services.job_heartbeat(job_id=job.pk, attempt_id=job.attempt_id, stage="blocks", progress=0.5)
    after = Job.objects.get(pk=job.pk)
    assert (after.stage, after.progress) == ("blocks", 0.5)
    assert after.lease_until > timezone.now() + timedelta(seconds=30)


def test_heartbeat_after_a_cancel_says_so():
    job = claim(submit())
    services.job_cancel(job=job)
    with pytest.raises(JobCancelledError):
        services.job_heartbeat(job_id=job.pk, attempt_id=job.attempt_id)


def test_publishing_after_a_cancel_writes_nothing():
    job = claim(submit())
    services.job_cancel(job=job)
    with pytest.raises(JobCancelledError), publish(job):
        Group.objects.create(name="never")
    assert not Group.objects.filter(name="never").exists()


def test_what_fails_inside_publish_is_rolled_back_with_the_state():
    job = claim(submit())
    with contextlib.suppress(ZeroDivisionError), publish(job):
        Group.objects.create(name="never")
        raise ZeroDivisionError
    job.refresh_from_db()
    assert job.state == "running"
    assert not Group.objects.filter(name="never").exists()


def test_a_queued_job_is_cancelled_at_once_and_its_record_learns_of_it():
    job = submit()
    assert services.job_cancel(job=job).state == "cancelled"
    assert end_noted(job, "cancelled")
    assert services.job_claim(job_id=job.pk, worker="test") is None


def test_a_running_job_is_asked_to_stop():
    job = claim(submit())
    assert services.job_cancel(job=job).state == "running"
    assert Job.objects.get(pk=job.pk).cancel_requested


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_cannot_be_cancelled(state):
    job = submit()
    Job.objects.filter(pk=job.pk).update(state=state)
    with pytest.raises(JobError, match="E-JOB-01"):
        services.job_cancel(job=job)


@pytest.mark.parametrize(
    ("kind", "code", "values"),
    [
        ("coded", "E-FMT-01", {"value": "JPEG"}),
        ("broken", "E-JOB-05", {"value": "ZeroDivisionError"}),
        ("no_memory", "E-JOB-06", {}),
    ],
)
def test_a_failure_has_a_code_and_no_inner_detail(kind, code, values):
    job = submit(kind)
    run_job(job.pk, "test")
    job.refresh_from_db()
    assert (job.state, job.error_code, job.error_values) == ("failed", code, values)
    assert end_noted(job, "failed")


def test_retry_queues_a_failed_job_afresh():
    job = submit("coded")
    run_job(job.pk, "test")
    again = services.job_retry(job=job)
    assert (again.state, again.attempts, again.error_code, again.finished_at) == ("queued", 0, "", None)
    assert end_noted(job, "queued")


@pytest.mark.parametrize("state", ["queued", "running", "succeeded"])
def test_only_what_ended_badly_can_be_retried(state):
    job = submit()
    if state == "running":
        claim(job)
    elif state == "succeeded":
        run_job(job.pk, "test")
    with pytest.raises(JobError, match="E-JOB-01"):
        services.job_retry(job=job)


def test_the_reaper_leaves_a_living_worker_alone():
    job = claim(submit())
    assert services.job_reap() == 0
    assert Job.objects.get(pk=job.pk).attempt_id == job.attempt_id


def test_the_reaper_hands_over_the_job_of_a_silent_worker():
    job = claim(submit())
    expire(job)
    assert services.job_reap() == 1
    job.refresh_from_db()
    assert (job.state, job.attempt_id, job.attempts) == ("queued", None, 1)


def test_the_reaper_ends_a_cancelled_job_whose_worker_died():
    job = claim(submit())
    services.job_cancel(job=job)
    expire(job)
    services.job_reap()
    assert Job.objects.get(pk=job.pk).state == "cancelled"
    assert end_noted(job, "cancelled")


@pytest.mark.django_db(transaction=True)
def test_a_message_lost_by_the_broker_is_sent_again():
    from minegis.celery import app

    job = submit()
    app.control.purge()
    assert services.job_reap() == 0, "a fresh job may still have its message"
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now() - timedelta(minutes=5))
    assert services.job_reap() == 1
    assert services.messages_waiting("cpu") == 1
    Job.objects.filter(pk=job.pk).update(sent_at=timezone.now() - timedelta(minutes=5))
    assert services.job_reap() == 0, "its message waits already"
    app.control.purge()


@pytest.mark.django_db(transaction=True)
def test_a_submission_that_rolls_back_sends_nothing():
    before = services.messages_waiting("cpu")
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        submit()
        raise ZeroDivisionError
    assert services.messages_waiting("cpu") == before
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_work_folder_lives_from_attempt_to_attempt_and_ends_with_the_job(tmp_path):
    job = submit("steps", log=str(tmp_path / "log"))
    folder = services.workdir(job.pk)
    folder.mkdir(parents=True)
    (folder / "block-0").write_text("0")
    run_job(job.pk, "test")
    assert Job.objects.get(pk=job.pk).result == {"sum": 285}
    assert "1 0" not in (tmp_path / "log").read_text().splitlines(), "a finished block is not computed again"
    assert not folder.exists()


@pytest.mark.django_db(transaction=True)
def test_what_a_helper_still_writes_is_not_left_behind(monkeypatch):
    """While the folder of an ended job is being removed, somebody who has not heard of it wants to finish a file."""
    job = submit()
    folder = services.workdir(job.pk)
    folder.mkdir(parents=True)
    remove, late = shutil.rmtree, []

    def removing(path, **options):
        try:
            (folder / "strip").write_text("hours of work")
        except FileNotFoundError as error:
            late.append(error)
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", removing)
    services.job_cancel(job=job)
    assert len(late) == 1
    assert not list(folder.parent.iterdir())


def test_the_database_itself_refuses_a_running_job_without_an_attempt():
    job = submit()
    with pytest.raises(IntegrityError), transaction.atomic():
        Job.objects.filter(pk=job.pk).update(state="running")


def test_a_lost_attempt_cannot_fail_the_job_either():
    job = submit()
    first = claim(job)
    expire(job)
    claim(job)
    with pytest.raises(AttemptLostError):
        services.job_fail(job_id=job.pk, attempt_id=first.attempt_id, error=JobError("E-JOB-06"))
    assert Job.objects.get(pk=job.pk).state == "running"


def test_the_work_of_a_failed_job_is_kept_for_a_retry_for_a_week(settings):
    settings.JOB_KINDS = {**settings.JOB_KINDS, "coded": {**settings.JOB_KINDS["coded"], "keeps_work": True}}
    job = submit("coded")
    folder, unknown = services.workdir(job.pk), services.workdir(uuid4())
    for one in (folder, unknown):
        one.mkdir(parents=True)
        (one / "strip").write_text("hours of work")
    run_job(job.pk, "test")
    assert Job.objects.get(pk=job.pk).state == "failed"
    assert services.job_tidy() == 1
    assert (folder.exists(), unknown.exists()) == (True, False)
    services.job_retry(job=job)
    assert services.job_tidy() == 0
    job.refresh_from_db()
    services.job_cancel(job=job)
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=8))
    services.job_tidy()
    assert not folder.exists()


def test_help_is_called_for_once_while_nobody_came(settings):
    from minegis.celery import app

    app.control.purge()
    assert services.call_for_help("cpu", "tests.no_such_task", "x")
    assert not services.call_for_help("cpu", "tests.no_such_task", "x")
    app.control.purge()
