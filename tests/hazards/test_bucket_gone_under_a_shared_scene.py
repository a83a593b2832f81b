"""Workers without a common folder share a scene through a bucket; it goes away in the middle, briefly or for long."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from landdamage.models import InterpretationBlock, InterpretationRun
from landdamage.services.files import file_path
from landdamage.services.trained_models import model_card
from minegis.jobs.models import Job
from minegis.jobs.services import job_retry
from tests.fixtures.shared_scenes import BLOCK_PIXELS

pytestmark = pytest.mark.django_db(transaction=True)
STRIPS, WINDOWS = 23, 7  # of the scene, and in a strip


def done(run: InterpretationRun) -> int:
    return InterpretationBlock.objects.filter(run=run, state="done").count()


def finished(s3: Any, run: InterpretationRun) -> dict[str, Any]:
    names = s3.keys(f"work/{run.job_id}/strips/")
    return {name: state for name, state in names.items() if name.startswith("strip-")}


def of_one_process(run: InterpretationRun, folder: Path) -> tuple[str, str]:
    """Hashes of the rasters that one process makes in a folder, without any sharing."""
    import torch

    from landdamage.interpretation import interpret_scene, load_engine

    assert run.model is not None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers
    try:
        engine = load_engine(model_card(run.model), "cpu", "eager")
        folder.mkdir()
        result = interpret_scene(file_path(run.scene.cog_sha256), folder, engine=engine, bands=tuple(run.scene.bands))
    finally:
        torch.set_num_threads(threads)
    rasters = (result.class_raster, result.confidence_raster)
    return tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in rasters)  # type: ignore[return-value]


def ended(run: InterpretationRun) -> bool:
    return not Job.objects.get(pk=run.job_id).is_active


def test_two_machines_bridge_a_short_gap_and_the_result_is_that_of_one_process(
    s3_storage: Any, shared_run: Any, celery_worker: Any, wait_until: Any, tmp_path: Path
) -> None:
    run, given = shared_run, {"JOB_LEASE_SECONDS": 600, "INTERPRETATION_BLOCK_PIXELS": BLOCK_PIXELS}
    leader = celery_worker("gpu", STORAGE_ROOT=tmp_path / "machine-1", **given)
    wait_until(lambda: done(run) >= 2, 120)
    os.killpg(leader.popen.pid, signal.SIGSTOP)  # so that there is work left for the other, however fast this machine
    helper = celery_worker("gpu", STORAGE_ROOT=tmp_path / "machine-2", **given)
    before = done(run)
    wait_until(lambda: done(run) > before, 120)
    s3_storage.line.cut()
    os.killpg(leader.popen.pid, signal.SIGCONT)
    wait_until(lambda: "is away" in leader.output() and "is away" in helper.output(), 120)
    s3_storage.line.mend()
    wait_until(lambda: ended(run), 120)

    run = InterpretationRun.objects.select_related("job", "scene", "model").get(pk=run.pk)
    assert (run.job.state, run.job.error_code) == ("succeeded", "")
    assert run.job.result["blocks"]["workers"] == 2
    assert run.job.result["blocks"]["claims"] == run.job.result["blocks"]["count"], "a block was done twice"
    assert (run.class_sha256, run.confidence_sha256) == of_one_process(run, tmp_path / "alone")
    wait_until(lambda: not s3_storage.keys("work/"))
    assert "Traceback" not in leader.output() + helper.output()


def test_a_long_gap_fails_with_a_code_and_a_retry_elsewhere_computes_only_the_rest(
    s3_storage: Any, shared_run: Any, celery_worker: Any, wait_until: Any, tmp_path: Path
) -> None:
    run, given = shared_run, {"INTERPRETATION_BLOCK_PIXELS": BLOCK_PIXELS, "S3_PATIENCE_SECONDS": 0.5}
    worker = celery_worker("gpu", STORAGE_ROOT=tmp_path / "machine-1", **given)
    wait_until(lambda: len(finished(s3_storage, run)) >= 5, 120)
    s3_storage.line.cut()
    wait_until(lambda: ended(run), 120)
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.error_code) == ("failed", "E-STO-01")
    assert InterpretationRun.objects.get(pk=run.pk).state == "failed"
    assert not run.patches.exists()
    worker.kill()
    kept = finished(s3_storage, run)
    assert 5 <= len(kept) < STRIPS

    s3_storage.line.mend()
    celery_worker("gpu", STORAGE_ROOT=tmp_path / "machine-2", **given)
    job_retry(job=job)
    seen: dict[str, Any] = {}

    def over() -> bool:
        seen.update({name: state for name, state in finished(s3_storage, run).items() if name in kept})
        return ended(run)

    wait_until(over, 120)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("succeeded", "")
    assert job.result["windows"] == (STRIPS - len(kept)) * WINDOWS
    assert seen.items() <= kept.items(), "a finished strip was written again"
    run = InterpretationRun.objects.select_related("scene", "model").get(pk=run.pk)
    assert (run.class_sha256, run.confidence_sha256) == of_one_process(run, tmp_path / "alone")
    wait_until(lambda: not s3_storage.keys("work/"))
