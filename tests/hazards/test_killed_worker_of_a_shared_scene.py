"""kill -9 of one of two workers of one scene: no block is computed again but the one in hand, and no bit differs."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from celery import current_app
from django.db.models.functions import Now

from landdamage.models import InterpretationBlock, InterpretationRun
from landdamage.services.claims import HELP_TASK
from landdamage.services.runs import run_start
from minegis.jobs.models import Job
from minegis.jobs.services import RUN_TASK, job_reap, workdir
from tests.fixtures.platform import _forget_broker_keys
from tests.fixtures.shared_scenes import BLOCK_PIXELS

pytestmark = pytest.mark.django_db(transaction=True)
# Leases outlive a worker that stands still; that of a dead one is ended by hand, as time would.
SETTINGS = {"JOB_LEASE_SECONDS": 600, "INTERPRETATION_BLOCK_PIXELS": BLOCK_PIXELS}
FIELDS = ("class_code", "damage_kind", "area_cm2", "confidence", "confidence_p5", "margin", "geom")


def done(run: InterpretationRun) -> int:
    return InterpretationBlock.objects.filter(run=run, state="done").count()


def held(run: InterpretationRun, worker: str) -> set[int]:
    rows = InterpretationBlock.objects.filter(run=run, state="taken", worker__startswith=worker)
    return set(rows.values_list("number", flat=True))


def strips(run: InterpretationRun) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (workdir(run.job_id) / "strips").glob("strip-*.npy")}


@pytest.mark.parametrize("victim", ["helper", "leader"])
def test_the_rest_is_shared_out_and_the_result_is_that_of_one_worker(
    victim: str, shared_run: Any, celery_worker: Any, wait_until: Any
) -> None:
    run = shared_run
    leader = celery_worker("gpu", **SETTINGS)
    wait_until(lambda: done(run) >= 2, 120)
    os.killpg(leader.popen.pid, signal.SIGSTOP)  # so that there is work left for the other, however fast this machine
    _forget_broker_keys()  # Redis is wiped: the call for help is lost with it
    for _ in range(3):  # and whoever sent messages sends them again, too often
        current_app.send_task(HELP_TASK, args=[str(run.job_id)], queue="gpu")
        current_app.send_task(RUN_TASK, args=[str(run.job_id)], queue="gpu")
    helper = celery_worker("gpu", **SETTINGS)
    count = InterpretationBlock.objects.filter(run=run).count()
    assert count == 11
    before = done(run)
    wait_until(lambda: done(run) > before, 120)
    os.killpg(leader.popen.pid, signal.SIGCONT)
    names = {"leader": "test0@", "helper": "test1@"}
    wait_until(lambda: done(run) >= 0.6 * count and held(run, names[victim]), 120)
    {"helper": helper, "leader": leader}[victim].kill()
    in_hand = held(run, names[victim])
    finished = strips(run)
    assert not run.patches.exists()

    dead = InterpretationBlock.objects.filter(run=run, state="taken", worker__startswith=names[victim])
    dead.update(lease_until=Now())
    if victim == "leader":
        Job.objects.filter(pk=run.job_id).update(lease_until=Now())
        assert job_reap() == 1
    seen: dict[str, set[int]] = {}

    def ended() -> bool:
        for name, when in strips(run).items():
            seen.setdefault(name, set()).add(when)
        return not Job.objects.get(pk=run.job_id).is_active

    wait_until(ended, 120)
    run = InterpretationRun.objects.select_related("job").get(pk=run.pk)
    assert (run.job.state, run.job.error_code) == ("succeeded", "")
    assert run.job.result["blocks"]["count"] == count
    assert run.job.result["blocks"]["claims"] == count + len(in_hand)
    assert run.job.result["blocks"]["workers"] == 2
    for name, when in finished.items():
        assert seen.get(name, {when}) == {when}, "a finished strip was written again"
    assert not InterpretationBlock.objects.exists()
    wait_until(lambda: not workdir(run.job_id).exists())

    again = run_start(scene=run.scene, user=None)
    wait_until(lambda: not Job.objects.get(pk=again.job_id).is_active, 120)
    again = InterpretationRun.objects.select_related("job").get(pk=again.pk)
    assert again.job.state == "succeeded"
    assert again.job.result["blocks"] | {"windows": 0} == {"count": count, "claims": count, "workers": 1, "windows": 0}
    assert (run.class_sha256, run.confidence_sha256) == (again.class_sha256, again.confidence_sha256)
    assert list(run.patches.values_list(*FIELDS)) == list(again.patches.values_list(*FIELDS))
    survivor = {"helper": leader, "leader": helper}[victim]
    assert "Traceback" not in survivor.output()
