"""A worker that was paused past its lease wakes up: it can neither renew, nor report, nor write, nor end the job."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from minegis.errors import AttemptLostError
from minegis.jobs import services
from minegis.jobs.models import Job
from minegis.jobs.runner import JobContext

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["nobody took over", "handed over", "taken over"])
def late(request) -> JobContext:
    job = services.job_submit(kind="echo", params={}, created_by=None)
    context = JobContext(services.job_claim(job_id=job.pk, worker="slow"))
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(milliseconds=1))
    if request.param == "handed over":
        services.job_reap()
    if request.param == "taken over":
        assert services.job_claim(job_id=job.pk, worker="quick")
    return context


def test_it_cannot_report(late):
    before = Job.objects.get(pk=late.job_id)
    with pytest.raises(AttemptLostError):
        late.progress("blocks", 0.5)
    assert late.should_stop()
    after = Job.objects.get(pk=late.job_id)
    assert (after.lease_until, after.progress) == (before.lease_until, before.progress)


def test_it_cannot_write(late):
    with pytest.raises(AttemptLostError), late.publish():
        Group.objects.create(name="written too late")
    assert not Group.objects.filter(name="written too late").exists()
    assert Job.objects.get(pk=late.job_id).state in ("queued", "running")


def test_it_cannot_end_the_job(late):
    with pytest.raises(AttemptLostError):
        services.job_stop(job_id=late.job_id, attempt_id=late.attempt_id)
    assert Job.objects.get(pk=late.job_id).state in ("queued", "running")
