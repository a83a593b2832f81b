"""The platform on a bucket: the check at start, uploads that any machine takes over, models, an outage in a request."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from minegis.checks import shared_storage
from minegis.errors import StorageError
from minegis.files import bucket, files
from minegis.storage import Storage
from minegis.uploads.models import Upload
from minegis.uploads.services import upload_append, upload_create, upload_path, upload_resume
from tests.fixtures.handlers import taken_by

ROOT = Path(__file__).resolve().parents[2]


def test_without_an_address_it_is_a_folder(settings: Any) -> None:
    assert bucket() is None
    assert isinstance(files(), Storage)
    assert shared_storage(None) == []


def test_a_bucket_that_works_passes_the_check_and_is_left_empty(s3_storage: Any) -> None:
    assert shared_storage(None) == []
    assert s3_storage.keys() == {}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "E-STO-02"),
        ("STORAGE_URL", "s3://no-such-bucket/minegis", "E-STO-03"),
        ("STORAGE_URL", "s3:/bucket", "E-STO-07"),
        ("AWS_ACCESS_KEY_ID", "", "E-STO-07"),
    ],
)
def test_a_bucket_that_cannot_work_is_an_error_at_start(
    s3_storage: Any, settings: Any, name: str, value: str, code: str
) -> None:
    setattr(settings, name, value)
    (message,) = shared_storage(None)
    assert message.is_serious()
    assert message.id == "minegis.E003"
    assert message.msg.startswith(code)
    assert message.hint


def test_a_bucket_that_is_away_at_start_is_only_warned_of(s3_storage: Any, settings: Any) -> None:
    settings.S3_PATIENCE_SECONDS = 0.1
    s3_storage.line.cut()
    (message,) = shared_storage(None)
    assert message.id == "minegis.W002"
    assert message.msg.startswith("E-STO-01")


def test_a_worker_does_not_start_on_a_bucket_that_turns_it_away(s3_storage: Any, settings: Any, tmp_path: Path) -> None:
    given = {name: str(value) for name, value in s3_storage.settings.items()} | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    env = {**os.environ, **given, "DEBUG": "1", "MINEGIS_STORAGE": str(tmp_path), "REDIS_URL": settings.REDIS_URL}
    command = [sys.executable, "-m", "celery", "-A", "minegis.celery", "worker", "--pool", "solo", "-Q", "none"]
    ended = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert "E-STO-02" in ended.stderr
    assert "wrong" not in ended.stderr + ended.stdout


@pytest.fixture
def upload(make_user: Any, settings: Any) -> Upload:
    settings.UPLOAD_KINDS = taken_by("receive")
    return upload_create(user=make_user("interpreter"), length=4, metadata={"filename": "a.tif"})


@pytest.mark.django_db(transaction=True)
def test_another_machine_takes_an_upload_over(s3_storage: Any, upload: Upload, settings: Any, tmp_path: Path) -> None:
    upload_append(upload=upload, stream=io.BytesIO(b"data"), size=4, offset=0)
    assert upload.state == "consumed"
    assert not any((settings.STORAGE_ROOT / "quarantine").iterdir())
    settings.STORAGE_ROOT = tmp_path / "other"
    assert upload_path(upload).read_bytes() == b"data"


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_ends_while_the_bucket_is_away_is_handed_over_later(
    s3_storage: Any, upload: Upload, settings: Any
) -> None:
    settings.S3_PATIENCE_SECONDS = 0.1
    s3_storage.line.cut()
    with pytest.raises(StorageError) as error:
        upload_append(upload=upload, stream=io.BytesIO(b"data"), size=4, offset=0)
    assert error.value.code == "E-STO-01"
    upload.refresh_from_db()
    assert (upload.state, upload.offset, upload.error_code) == ("complete", 4, "")
    s3_storage.line.mend()
    assert upload_resume(upload=upload).state == "consumed"
    assert len(s3_storage.keys("quarantine/")) == 1


@pytest.mark.django_db(transaction=True)
def test_a_refused_upload_leaves_nothing_in_the_bucket(s3_storage: Any, make_user: Any, settings: Any) -> None:
    settings.UPLOAD_KINDS = taken_by("receive")
    refused = upload_create(user=make_user("interpreter"), length=4, metadata={"filename": "refused.tif"})
    with pytest.raises(Exception, match="E-UPL-03"):
        upload_append(upload=refused, stream=io.BytesIO(b"data"), size=4, offset=0)
    assert s3_storage.keys() == {}


@pytest.mark.django_db(transaction=True)
def test_a_model_registered_on_one_machine_is_at_hand_on_another(
    s3_storage: Any, random_model: Any, settings: Any, tmp_path: Path
) -> None:
    from landdamage.services.trained_models import model_card, model_register

    path = random_model("small")
    weights = path.with_suffix(".safetensors")
    row = model_register(card=json.loads(path.read_text()), weights=weights, origin="trained", user=None)
    settings.STORAGE_ROOT = tmp_path / "other"
    card = model_card(row)
    assert card.path.is_relative_to(settings.STORAGE_ROOT)
    assert card.path.with_suffix(".safetensors").read_bytes() == weights.read_bytes()


@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_a_sample_set_built_on_one_machine_is_read_on_another(
    s3_storage: Any, small_set: Any, settings: Any, tmp_path: Path
) -> None:
    from landdamage.learning.samples.sampleset import SampleSet
    from landdamage.services.sample_sets import sample_set_folder

    settings.STORAGE_ROOT = tmp_path / "other"
    folder = sample_set_folder(small_set.sha256)
    assert folder.is_relative_to(settings.STORAGE_ROOT)
    SampleSet.open(folder).verify()
