"""Real images go in over HTTP and come out as patches, or are refused with codes that say why in both languages.

A real gunicorn, a real worker for both queues, the tus client a user's program would use. ``MINEGIS_ALL_SCENES=1``
sends every image of the collections instead of a sample.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient

from landdamage.models import InterpretationRun, Scene
from minegis.errors import TABLE

pytestmark = [pytest.mark.data, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1500)]

EVERY = 1 if os.environ.get("MINEGIS_ALL_SCENES") else 10
AWKWARD = Path(__file__).parent / "imagery" / "awkward.csv"
# One file for each way an image may be unusable, and some that look odd but are good.
ODD = (
    "derived/rpc_only_DERIVED.tif",
    "derived/transform_without_crs_DERIVED.tif",
    "derived/truncated_60pct_DERIVED.tif",
    "image-tiff/flower-rgb-contig-32.tif",
    "rasterio/RGB.byte.rpc.vrt",
    "rasterio/all-nodata.tif",
    "rasterio/goes.tif",
    "rasterio/world.byte.tif",
    "rio-tiler/cog_hirise_mars.tif",
    "derived/big_endian_uint16_DERIVED.tif",
    "rasterio/alpha.tif",
    "tailings_img23_nonsquare_pixels_float32.tif",
)
PATIENCE_S = 1400 if EVERY == 1 else 600  # a quiet machine needs a tenth


@pytest.fixture
def send(
    web_server: Callable[..., Any], make_user: Callable[..., Any], regions: Any, token_for: Callable[[Any], str]
) -> Callable[..., Scene]:
    """Upload a file with the tus client as an interpreter: ``send(path, **metadata)``."""
    address = web_server().url
    client = TusClient(f"{address}/api/v1/uploads/", headers={"Authorization": token_for(make_user("interpreter"))})

    def upload(path: Path, **metadata: str) -> Scene:
        given = {"filename": path.name, **metadata}
        sender = client.uploader(str(path), chunk_size=2**20, metadata=given)
        sender.upload()
        number = (sender.url or "").rstrip("/").rsplit("/", 1)[1]
        return Scene.objects.get(upload_id=number)

    return upload


def settled(scenes: list[Scene]) -> bool:
    """No scene is being checked and no run is under way."""
    ours = Scene.objects.filter(pk__in=[scene.pk for scene in scenes])
    if ours.filter(state=Scene.State.CHECKING).exists():
        return False
    return not InterpretationRun.objects.filter(scene__in=ours, state__in=["queued", "running"]).exists()


def codes(findings: list[dict[str, Any]], severity: str) -> list[str]:
    return [finding["code"] for finding in findings if finding["severity"] == severity]


def explained(findings: list[dict[str, Any]]) -> Iterator[bool]:
    for finding in findings:
        yield finding["code"] in TABLE and bool(finding["message_zh"]) and bool(finding["message_en"])


def assert_interpreted(scene: Scene) -> InterpretationRun:
    run = InterpretationRun.objects.get(scene=scene)
    assert run.state == "succeeded", (scene.file_name, run.job and run.job.error_code)
    assert (run.is_current, bool(run.weights_sha256), bool(run.class_sha256)) == (True, True, True), scene.file_name
    assert all(explained(scene.findings + run.findings)), scene.file_name
    return run


def test_real_scenes_become_patches(
    shared_data: Path, send: Callable[..., Scene], celery_worker: Any, wait_until: Any, tmp_path: Path
) -> None:
    land = shared_data / "land"
    aerial = [send(path) for path in sorted((land / "naip_dates").glob("*.tif"))]
    landsat = [send(path) for path in sorted((land / "landsat_pucallpa").glob("*.tif"))]
    sentinel = [send(path) for path in sorted((land / "tailings_s2" / "images").glob("*.tif"))[::EVERY]]
    assert (len(aerial), len(landsat), len(sentinel)) == (4, 5, len(range(0, 90, EVERY)))
    # The owner of the Landsat images may know better: they hold no blue band, and no model does without.
    named = tmp_path / "named.tif"
    named.write_bytes((land / "landsat_pucallpa" / "2020.tif").read_bytes() + b"\0")  # equal bytes would be refused
    without_blue = send(named, bands="SWIR1,N,R,G")
    scenes = [*aerial, *landsat, *sentinel]
    celery_worker("cpu", "gpu")
    wait_until(lambda: settled([*scenes, without_blue]), PATIENCE_S)

    for scene in [*scenes, without_blue]:
        scene.refresh_from_db()
        assert scene.is_usable, (scene.file_name, scene.findings)
    for scene in scenes:
        areas = list(assert_interpreted(scene).patches.values_list("area_cm2", flat=True))
        assert areas, scene.file_name
        assert min(areas) > 0, scene.file_name
    for scene in [*aerial, *landsat]:  # the order of bands is a proposal and the resolution no model's: it says so
        assert "E-RAD-05" in codes(scene.findings, "warn"), scene.file_name
        assert "E-MOD-02" in codes(scene.runs.get().findings, "warn"), scene.file_name
    assert [scene.year for scene in aerial] == [2009, 2012, 2017, 2019]
    refused = without_blue.runs.select_related("job").get()
    assert (without_blue.bands, refused.state) == (["SWIR1", "N", "R", "G"], "failed")
    assert (refused.job.error_code, refused.job.error_values) == ("E-MOD-04", {"value": "B"})
    assert not refused.patches.exists()


def test_odd_files_become_patches_or_say_what_is_wrong(
    shared_data: Path, send: Callable[..., Scene], celery_worker: Any, wait_until: Any
) -> None:
    with AWKWARD.open(newline="") as stream:
        table = {row["file"]: row for row in csv.DictReader(stream)}
    names = list(table) if EVERY == 1 else list(ODD)
    scenes = {name: send(shared_data / "land" / "awkward" / name) for name in names}
    celery_worker("cpu", "gpu")
    wait_until(lambda: settled(list(scenes.values())), PATIENCE_S)
    for name, scene in scenes.items():
        scene.refresh_from_db()
        assert scene.state == table[name]["state"], name
        assert codes(scene.findings, "error") == table[name]["errors"].split(), name
        assert all(explained(scene.findings)), name
        if scene.is_usable:
            assert_interpreted(scene)
        else:
            assert not scene.runs.exists(), name
