"""Cancel while two workers share a scene: each stops within a batch, no block stays claimed and no file behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

from landdamage.models import InterpretationBlock, InterpretationRun
from landdamage.services.claims import HELP_TASK
from minegis.jobs.models import Job
from minegis.jobs.runner import REPORT_EVERY_S
from minegis.jobs.services import job_cancel, workdir
from tests.fixtures.shared_scenes import BLOCK_PIXELS

pytestmark = pytest.mark.django_db(transaction=True)
SETTINGS = {"JOB_LEASE_SECONDS": 600, "INTERPRETATION_BLOCK_PIXELS": BLOCK_PIXELS}
LEADER, HELPER = "test0@", "test1@"


def held(run: InterpretationRun) -> set[str]:
    """Who has a block in hand."""
    rows = InterpretationBlock.objects.filter(run=run, state="taken")
    return {worker[:6] for worker in rows.values_list("worker", flat=True)}


def strips(run: InterpretationRun) -> set[str]:
    return {path.name for path in (workdir(run.job_id) / "strips").glob("strip-*.npy")}


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def test_both_stop_within_a_batch_and_leave_nothing(
    shared_run: Any, celery_worker: Any, wait_until: Any, settings: Any
) -> None:
    run, root = shared_run, Path(settings.STORAGE_ROOT)
    before = files(root)
    leader = celery_worker("gpu", **SETTINGS)
    wait_until(lambda: LEADER in held(run), 120)
    os.killpg(leader.popen.pid, signal.SIGSTOP)  # so that work is left for the other, however fast this machine
    helper = celery_worker("gpu", **SETTINGS)
    current_app.send_task(HELP_TASK, args=[str(run.job_id)], queue="gpu")  # the leader may have its own call in hand
    wait_until(lambda: held(run) == {LEADER, HELPER}, 120)
    os.killpg(helper.popen.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    assert held(run) == {LEADER, HELPER}
    there, count = strips(run), InterpretationBlock.objects.filter(run=run).count()
    assert InterpretationBlock.objects.filter(run=run, state="free").exists()

    job_cancel(job=run.job)
    # Each looks at the row once a second: from here on the next look is the one before its next batch.
    wait_until(lambda: time.monotonic() - stopped > REPORT_EVERY_S)
    os.killpg(helper.popen.pid, signal.SIGCONT)
    wait_until(lambda: "the help is no longer wanted" in helper.output(), 60)
    assert held(run) == {LEADER}, "the helper gave its block back"
    new = strips(run) - there
    assert len(new) <= 1, "one strip may have been in the writer's hands"

    os.killpg(leader.popen.pid, signal.SIGCONT)

    def ended() -> bool:
        new.update(strips(run) - there)
        return Job.objects.get(pk=run.job_id).state == "cancelled"

    wait_until(ended, 60)
    assert len(new) <= 2
    assert count == 11
    assert not InterpretationBlock.objects.exists()
    assert InterpretationRun.objects.get(pk=run.pk).state == "cancelled"
    assert not run.patches.exists()
    wait_until(lambda: files(root) == before)
    for worker in (leader, helper):
        assert worker.alive
        assert "Traceback" not in worker.output()
