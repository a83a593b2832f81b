"""kill -9 of the worker in the middle of an interpretation: the rest is computed, the result is the same."""

from __future__ import annotations

from typing import Any

import pytest

from landdamage.models import InterpretationRun
from landdamage.services.runs import run_start
from minegis.jobs.models import Job
from minegis.jobs.services import workdir

pytestmark = pytest.mark.django_db(transaction=True)
REAP_OFTEN = {"reap": {"task": "minegis.jobs.tasks.reap", "schedule": 0.5}}


def test_a_killed_interpretation_goes_on_from_its_strips(shared_run: Any, celery_worker: Any, wait_until: Any) -> None:
    run = shared_run  # below the size from which a scene is shared, as the settings come
    worker = celery_worker("gpu", JOB_LEASE_SECONDS=5)
    strips = workdir(run.job_id) / "strips"
    wait_until(lambda: any(strips.glob("strip-*.npy")), 120)
    worker.kill()
    assert Job.objects.get(pk=run.job_id).state == "running"
    assert not run.patches.exists()

    celery_worker("gpu", "cpu", beat=True, JOB_LEASE_SECONDS=5, CELERY_BEAT_SCHEDULE=REAP_OFTEN)
    wait_until(lambda: Job.objects.get(pk=run.job_id).state == "succeeded", 120)
    run = InterpretationRun.objects.select_related("job").get(pk=run.pk)
    again = run_start(scene=run.scene, user=None)
    wait_until(lambda: Job.objects.get(pk=again.job_id).state == "succeeded", 120)
    again = InterpretationRun.objects.select_related("job").get(pk=again.pk)

    assert (run.job.attempts, again.job.attempts) == (2, 1)
    assert 0 < run.job.result["windows"] < again.job.result["windows"]
    assert "blocks" not in run.job.result
    assert run.class_sha256 == again.class_sha256
    assert run.confidence_sha256 == again.confidence_sha256
    fields = ("class_code", "damage_kind", "area_cm2", "confidence", "geom")
    assert list(run.patches.values_list(*fields)) == list(again.patches.values_list(*fields))
    assert (again.is_current, InterpretationRun.objects.get(pk=run.pk).is_current) == (True, False)
