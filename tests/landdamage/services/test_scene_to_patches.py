"""A file becomes a scene, the scene becomes patches: the services with the real checks, COG and network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from django.utils import timezone
from rasterio.transform import from_origin

from landdamage.models import InterpretationRun, Scene
from landdamage.services.files import files
from landdamage.services.registration import registration_set
from landdamage.services.scenes import scene_delete, scene_receive
from minegis.errors import ConflictError, ForbiddenError, JobError, UploadError
from minegis.jobs.models import Job
from minegis.jobs.runner import run_job
from minegis.uploads.models import Upload
from minegis.uploads.services import upload_path

pytestmark = pytest.mark.django_db(transaction=True)
SIDE = 96


@pytest.fixture
def send(tmp_path: Path) -> Callable[..., Scene]:
    """Upload an image of random ground and take it over: ``send(user, gsd=10, bands="BGR", bands_given="B,G,R")``."""

    def make(
        user: Any,
        gsd: float = 10.0,
        bands: str = "BGR",
        seed: int = 1,
        bands_given: str = "",
        cloud: float = 0.0,
        **tags: str,
    ) -> Scene:
        pixels = np.random.default_rng(seed).integers(200, 3000, (len(bands), SIDE, SIDE)).astype(np.uint16)
        if cloud:  # grey ground with a dark pond, and a white deck with a soft edge over a share of the columns
            ground = np.random.default_rng(seed).normal(900, 20, (len(bands), SIDE, SIDE))
            ground[:, :6, :6] = 300
            deck = np.clip((np.arange(SIDE) - (1 - cloud) * SIDE) / 12 + 0.5, 0, 1)
            pixels = (ground + deck * (6000 - ground)).astype(np.uint16)
        path = tmp_path / f"image{seed}.tif"
        layout = {"driver": "GTiff", "width": SIDE, "height": SIDE, "count": len(bands), "dtype": "uint16", "nodata": 0}
        with rasterio.open(path, "w", crs="EPSG:4538", transform=from_origin(5e5, 4.764e6, gsd, gsd), **layout) as out:
            out.write(pixels)
            out.descriptions = tuple(bands)
            out.update_tags(**tags)
        content = path.read_bytes()
        row = Upload.objects.create(
            file_name=f"area_{seed}_20220715.tif",
            length=len(content),
            offset=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            state=Upload.State.COMPLETE,
            created_by=user,
            metadata={"bands": bands_given} if bands_given else {},
            expires_at=timezone.now(),
        )
        upload_path(row).parent.mkdir(parents=True, exist_ok=True)
        upload_path(row).write_bytes(content)
        return scene_receive(upload=row)

    return make


def work_off() -> None:
    """Run every queued job in this process, as the workers would."""
    while job := Job.objects.filter(state="queued").order_by("created_at").first():
        run_job(job.pk, "test")


def test_a_good_scene_is_kept_checked_prepared_and_interpreted(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    scene = send(make_user("interpreter"))
    upload = scene.upload
    work_off()
    scene.refresh_from_db()
    assert scene.is_usable
    assert (scene.gsd_m, scene.bands, scene.year) == (pytest.approx(10.0, rel=1e-3), ["B", "G", "R"], 2022)
    assert scene.sha256 in files()
    assert scene.cog_sha256 in files()
    assert scene.thumbnail_sha256 in files()
    assert not upload_path(upload).exists()
    run = InterpretationRun.objects.get(scene=scene)
    assert (run.state, run.is_current, run.year) == ("succeeded", True, 2022)
    assert run.weights_sha256
    assert run.class_sha256 in files()
    with rasterio.open(files().path(run.class_sha256)) as raster:
        assert set(np.unique(raster.read(1))) <= {0, 1, 2, 3, 4, 5, 6, 7, 255}


def test_a_run_records_the_engine_that_the_settings_name(
    send: Callable[..., Scene], make_user: Any, regions: Any, settings: Any
) -> None:
    settings.INTERPRETATION_ENGINE = "onnxruntime"
    scene = send(make_user("interpreter"))
    work_off()
    run = InterpretationRun.objects.get(scene=scene)
    assert run.state == "succeeded"
    assert run.engine.startswith("onnxruntime ")
    assert run.params["engine"] == "onnxruntime"


def test_a_scene_outside_the_models_range_says_so_in_its_run(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    scene = send(make_user("interpreter"), gsd=60.0)
    work_off()
    run = InterpretationRun.objects.get(scene=scene)
    assert "E-MOD-02" in [finding["code"] for finding in run.findings]
    assert all(finding["message_zh"] and finding["message_en"] for finding in run.findings)


def test_a_stated_registration_error_is_kept_until_a_reviewer_knows_better(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    reviewer = make_user("reviewer", regions.changji)
    scene = send(reviewer, GEOREF_RMSE_M="35")  # 3.5 pixels
    work_off()
    scene.refresh_from_db()
    assert (scene.state, scene.georef_rmse_m, scene.cog_sha256) == ("rejected", 35.0, "")
    assert "E-GEO-06" in [finding["code"] for finding in scene.findings]
    registration_set(scene=scene, rmse_m=25.0, method="GNSS", user=reviewer, seen=35.0)
    scene.refresh_from_db()
    run_job(scene.ingest_job_id, "test")  # it is checked and prepared once more
    scene.refresh_from_db()
    assert (scene.state, scene.georef_rmse_m) == ("restricted", 25.0)
    said = scene.registration_checks.values_list("rmse_m", "checked_by")
    assert list(said) == [(25.0, reviewer.pk), (35.0, None)]


def test_the_same_file_twice_is_refused_with_its_number_for_its_owner_only(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    owner = make_user("interpreter")
    scene = send(owner)
    with pytest.raises(UploadError) as mine:
        send(owner)
    assert mine.value.code == "E-UPL-03"
    assert str(scene.pk) in mine.value.message("zh")
    with pytest.raises(UploadError) as foreign:
        send(make_user("uploader"))
    assert str(scene.pk) not in foreign.value.message("zh")


def test_a_rejected_file_may_be_sent_again(send: Callable[..., Scene], make_user: Any, regions: Any) -> None:
    user = make_user("uploader")
    scene = send(user, bands="BG")
    work_off()
    scene.refresh_from_db()
    assert scene.state == "rejected"
    assert "E-RAD-01" in [finding["code"] for finding in scene.findings]
    assert not InterpretationRun.objects.filter(scene=scene).exists()
    assert send(user, bands="BG").pk == scene.pk


def test_a_scene_that_no_model_could_read_may_be_sent_again_with_other_bands(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    user = make_user("interpreter")
    scene = send(user, bands="BGRN", bands_given="SWIR1,N,R,G")
    work_off()
    assert [run.state for run in scene.runs.all()] == ["failed"]
    assert send(user, bands="BGRN", bands_given="B,G,R,N").pk == scene.pk
    work_off()
    scene.refresh_from_db()
    assert scene.bands == ["B", "G", "R", "N"]
    assert sorted(run.state for run in scene.runs.all()) == ["failed", "succeeded"]
    with pytest.raises(UploadError):
        send(user, bands="BGRN")


def test_a_rejected_scene_is_not_taken_over_by_somebody_else(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    owner = make_user("uploader")
    scene = send(owner, bands="BG")
    work_off()
    with pytest.raises(UploadError):
        send(make_user("uploader"), bands="BG")
    scene.refresh_from_db()
    assert (scene.uploader, scene.state) == (owner, "rejected")


def test_a_retried_check_puts_the_scene_back(send: Callable[..., Scene], make_user: Any, regions: Any) -> None:
    from minegis.jobs.services import job_cancel, job_retry

    scene = send(make_user("interpreter"))
    job_cancel(job=scene.ingest_job)
    job_retry(job=scene.ingest_job)
    scene.refresh_from_db()
    assert scene.state == "checking"
    work_off()
    scene.refresh_from_db()
    assert scene.is_usable
    Job.objects.filter(pk=scene.ingest_job_id).update(state="failed")
    with pytest.raises(JobError):  # the scene is in use: checking it again would publish it twice
        job_retry(job=scene.ingest_job)


def test_who_may_not_upload_makes_no_scene(send: Callable[..., Scene], make_user: Any, regions: Any) -> None:
    with pytest.raises(ForbiddenError):
        send(make_user("analyst"))
    assert not Scene.objects.exists()


def test_an_uploader_takes_back_a_scene_within_a_day_only(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    user = make_user("uploader")
    old, fresh = send(user, seed=2), send(user, seed=3)
    with pytest.raises(ConflictError):
        scene_delete(scene=fresh, user=user)  # its checks are under way
    Scene.objects.update(state=Scene.State.REJECTED)
    Scene.objects.filter(pk=old.pk).update(uploaded_at=timezone.now() - timedelta(hours=25))
    old.refresh_from_db()
    scene_delete(scene=fresh, user=user)
    with pytest.raises(ForbiddenError):
        scene_delete(scene=old, user=user)
    assert list(Scene.objects.all()) == [old]


def test_a_cancelled_check_leaves_a_scene_that_says_so(
    send: Callable[..., Scene], make_user: Any, regions: Any
) -> None:
    from minegis.jobs.services import job_cancel

    scene = send(make_user("uploader"))
    job_cancel(job=scene.ingest_job)
    scene.refresh_from_db()
    assert scene.state == "rejected"
    assert scene.findings[0]["code"] == "E-JOB-04"


def test_checks_leave_an_observation_mask(send: Callable[..., Scene], person: Callable[..., Any]) -> None:
    scene = send(person("interpreter"))
    work_off()
    mask = scene.observation
    assert (mask.method, mask.cloud_share, mask.lock) == ("automatic", 0.0, 1)
    scene.refresh_from_db()
    assert shapely.equals_exact(from_geos(mask.geom), from_geos(scene.footprint), 1e-9)


@pytest.mark.parametrize(("cloud", "state"), [(0.35, "restricted"), (0.7, "rejected")])
def test_clouds_restrict_or_reject_a_scene(
    send: Callable[..., Scene], person: Callable[..., Any], cloud: float, state: str
) -> None:
    scene = send(person("interpreter"), cloud=cloud)
    work_off()
    scene.refresh_from_db()
    finding = next(f for f in scene.findings if f["code"] == "E-QUA-01")
    assert (scene.state, finding["severity"]) == (state, "error" if state == "rejected" else "warn")
    assert scene.observation.cloud_share == pytest.approx(cloud, abs=0.1)
    assert scene.runs.exists() == (state != "rejected")


def from_geos(geometry: Any) -> Any:
    return shapely.from_wkb(bytes(geometry.wkb))
