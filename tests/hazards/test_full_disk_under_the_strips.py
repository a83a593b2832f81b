"""The disk fills up in the middle of an interpretation: the job says so, and a retry goes on from what was written."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from landdamage.models import InterpretationRun
from minegis.jobs.models import Job
from minegis.jobs.services import job_retry, workdir
from tests.fixtures.shared_scenes import BLOCK_PIXELS

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_job_fails_with_a_code_and_a_retry_finishes_it(
    shared_run: Any, celery_worker: Any, wait_until: Any
) -> None:
    run = shared_run
    worker = celery_worker("gpu", INTERPRETATION_BLOCK_PIXELS=BLOCK_PIXELS)
    strips = workdir(run.job_id) / "strips"
    wait_until(lambda: len(list(strips.glob("strip-*.npy"))) >= 3, 120)
    # A limit on the size of files makes writes fail as a full disk does, for this process alone.
    unlimited = resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE, (30_000, unlimited[1]))
    wait_until(lambda: Job.objects.get(pk=run.job_id).state == "failed", 120)
    job = Job.objects.get(pk=run.job_id)
    assert job.error_code == "E-UPL-04"
    assert InterpretationRun.objects.get(pk=run.pk).state == "failed"
    written = {path.name: path.stat().st_mtime_ns for path in strips.glob("strip-*.npy")}
    assert len(written) >= 3
    assert not list(strips.glob("*.partial"))

    resource.prlimit(worker.popen.pid, resource.RLIMIT_FSIZE, unlimited)
    job_retry(job=job)
    seen: dict[str, int] = {}

    def ended() -> bool:
        seen.update({path.name: path.stat().st_mtime_ns for path in strips.glob("strip-*.npy")})
        return not Job.objects.get(pk=run.job_id).is_active

    wait_until(ended, 120)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("succeeded", "")
    assert {name: seen[name] for name in written} == written
    assert job.result["windows"] < 23 * 7
    wait_until(lambda: not workdir(run.job_id).exists())
