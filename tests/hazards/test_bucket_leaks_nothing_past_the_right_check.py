"""Files in a bucket reach people only through the platform's doors: no foreign region, no address of the bucket."""

from __future__ import annotations

import hashlib
import io
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from landdamage.models import Scene
from minegis.jobs.runner import run_job
from minegis.uploads.services import upload_append, upload_create

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db(transaction=True)
def test_foreign_region_gets_nothing_and_the_owner_gets_bytes_not_an_address(
    s3_storage: Any, make_raster: Any, make_user: Any, client_for: Any, regions: Any, settings: Any, tmp_path: Path
) -> None:
    content = make_raster(shape=(4, 96, 96)).read_bytes()
    about = {"filename": "area_20220715.tif", "sha256": hashlib.sha256(content).hexdigest(), "region": "652302"}
    upload = upload_create(user=make_user("interpreter", regions.fukang), length=len(content), metadata=about)
    upload_append(upload=upload, stream=io.BytesIO(content), size=len(content), offset=0)
    assert list(s3_storage.keys("quarantine/")) == [upload.pk.hex]
    settings.STORAGE_ROOT = tmp_path / "worker"  # of another machine
    scene = Scene.objects.get()
    run_job(scene.ingest_job_id, "test")
    scene.refresh_from_db()
    assert scene.is_usable
    assert s3_storage.keys("quarantine/") == {}
    assert len(s3_storage.keys("files/")) == 3  # original, COG, thumbnail

    settings.STORAGE_ROOT = tmp_path / "web"
    address = f"/api/v1/scenes/{scene.pk}/thumbnail/"
    answer = client_for(make_user("viewer", regions.fukang)).get(address)
    assert answer.status_code == 200
    body = b"".join(answer) if answer.streaming else answer.content
    assert body[:4] == b"RIFF"
    said = repr(answer.headers).encode() + body
    assert s3_storage.name.encode() not in said
    assert b"amz" not in said.lower()
    assert client_for(make_user("viewer", regions.turpan)).get(address).status_code == 404
    assert client_for(None).get(address).status_code == 401

    name = next(iter(s3_storage.keys("files/")))
    with pytest.raises(urllib.error.HTTPError):  # the bucket itself opens for nobody
        urllib.request.urlopen(f"{s3_storage.settings['S3_ENDPOINT_URL']}/{s3_storage.name}/minegis/files/{name}")


def test_no_code_makes_addresses_that_open_the_bucket() -> None:
    sources = [path for top in ("minegis", "landdamage", "enhancement") for path in (ROOT / top).rglob("*.py")]
    assert len(sources) > 200
    opened = re.compile(r"presigned_(url|post)\(|ACL=|public-read")
    assert [path for path in sources if opened.search(path.read_text("utf-8"))] == []
