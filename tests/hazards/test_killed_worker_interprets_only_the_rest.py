"""kill -9 of the worker in the middle of a real interpretation: the rest is computed, the result is the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from django.utils import timezone
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.models import InterpretationRun, Scene
from landdamage.services.runs import run_start
from landdamage.services.scenes import scene_receive
from minegis.jobs.models import Job
from minegis.jobs.services import workdir
from minegis.uploads.models import Upload
from minegis.uploads.services import upload_path

pytestmark = pytest.mark.django_db(transaction=True)
REAP_OFTEN = {"reap": {"task": "minegis.jobs.tasks.reap", "schedule": 0.5}}
ROWS, COLUMNS = 6000, 400  # sixteen rows of windows, one window wide: seconds of work for any machine


def upload(user: Any, path: Path) -> Upload:
    """A finished upload of a file, as the receiving end leaves it."""
    content = path.read_bytes()
    row = Upload.objects.create(
        file_name="E87.0_N43.0_20220715.tif",
        length=len(content),
        offset=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        state=Upload.State.COMPLETE,
        created_by=user,
        expires_at=timezone.now(),
    )
    upload_path(row).parent.mkdir(parents=True, exist_ok=True)
    upload_path(row).write_bytes(content)
    return row


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Soft random ground of four bands at 2 m."""
    noise = np.random.default_rng(5).standard_normal((4, ROWS, COLUMNS))
    ground = np.stack([ndimage.gaussian_filter(band, 12) for band in noise])
    pixels = np.clip(900 + 9000 * ground, 1, 4095).astype(np.uint16)
    layout = {"driver": "GTiff", "width": COLUMNS, "height": ROWS, "count": 4, "dtype": "uint16", "nodata": 0}
    path = tmp_path / "image.tif"
    with rasterio.open(path, "w", crs="EPSG:4538", transform=from_origin(500_000, 4_764_000, 2, 2), **layout) as out:
        out.write(pixels)
        out.descriptions = ("B", "G", "R", "N")
    return path


def test_a_killed_interpretation_goes_on_from_its_strips(
    image: Path, celery_worker: Any, make_user: Any, regions: Any, wait_until: Any
) -> None:
    scene = scene_receive(upload=upload(make_user("interpreter"), image))
    worker = celery_worker("cpu", "gpu", JOB_LEASE_SECONDS=2)
    run = wait_until(lambda: InterpretationRun.objects.filter(scene=scene).select_related("job").first(), 60)
    strips = workdir(run.job_id) / "strips"
    wait_until(lambda: any(strips.glob("strip-*.npy")), 120)
    worker.kill()
    assert Job.objects.get(pk=run.job_id).state == "running"
    assert not run.patches.exists()

    celery_worker("cpu", "gpu", beat=True, JOB_LEASE_SECONDS=2, CELERY_BEAT_SCHEDULE=REAP_OFTEN)
    wait_until(lambda: Job.objects.get(pk=run.job_id).state == "succeeded", 120)
    run = InterpretationRun.objects.select_related("job").get(pk=run.pk)
    again = run_start(scene=Scene.objects.get(pk=scene.pk), user=None)
    wait_until(lambda: Job.objects.get(pk=again.job_id).state == "succeeded", 120)
    again = InterpretationRun.objects.select_related("job").get(pk=again.pk)

    assert (run.job.attempts, again.job.attempts) == (2, 1)
    assert 0 < run.job.result["windows"] < again.job.result["windows"]
    assert run.class_sha256 == again.class_sha256
    assert run.confidence_sha256 == again.confidence_sha256
    fields = ("class_code", "damage_kind", "area_cm2", "confidence", "geom")
    assert list(run.patches.values_list(*fields)) == list(again.patches.values_list(*fields))
    assert (again.is_current, InterpretationRun.objects.get(pk=run.pk).is_current) == (True, False)
