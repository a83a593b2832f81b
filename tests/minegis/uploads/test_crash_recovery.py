"""What a crash, a broken line or a restored disk leaves behind, and how the next request goes on from it."""

from __future__ import annotations

import hashlib

import pytest
from django.http import UnreadablePostError

from minegis.errors import UploadError
from minegis.uploads import services, storage
from minegis.uploads.models import Upload
from minegis.uploads.protocol import Checksum
from tests.fixtures.handlers import taken_by

pytestmark = pytest.mark.django_db
BODY = bytes(range(250)) * 40


class BrokenLine:
    """Delivers some bytes, then the connection is gone."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, size: int) -> bytes:
        if not self.data:
            raise UnreadablePostError("connection reset")
        block, self.data = self.data[:size], self.data[size:]
        return block


@pytest.fixture
def url(tus) -> str:
    return tus.create(len(BODY), sha256=hashlib.sha256(BODY).hexdigest())["Location"]


@pytest.fixture
def upload(url) -> Upload:
    return Upload.objects.get()


def test_a_broken_line_keeps_what_arrived(upload):
    services.upload_append(upload=upload, stream=BrokenLine(BODY[:700]), size=len(BODY), offset=0)
    assert Upload.objects.get().offset == 700
    assert services.upload_path(upload).read_bytes() == BODY[:700]


def test_a_broken_line_leaves_nothing_of_a_checked_chunk(upload):
    whole = Checksum("sha256", hashlib.sha256(BODY).digest())
    with pytest.raises(UploadError, match="E-UPL-01"):
        services.upload_append(upload=upload, stream=BrokenLine(BODY[:700]), size=len(BODY), offset=0, checksum=whole)
    assert Upload.objects.get().offset == 0
    assert services.upload_path(upload).read_bytes() == b""


def test_bytes_nobody_vouched_for_are_cut_off(tus, url, upload):
    tus.patch(url, 0, BODY[:500])
    with services.upload_path(upload).open("ab") as file:
        file.write(b"written but never synced" * 1000)  # longer than all that is to come
    assert tus.head(url)["Upload-Offset"] == "500"
    assert tus.patch(url, 500, BODY[500:])["Upload-Result"]
    assert services.upload_path(upload).read_bytes() == BODY


def test_a_disk_that_lost_bytes_sets_the_offset_back(tus, url, upload):
    tus.patch(url, 0, BODY[:500])
    with services.upload_path(upload).open("r+b") as file:
        file.truncate(300)
    refused = tus.patch(url, 500, BODY[500:])
    assert (refused.status_code, refused.json()["code"]) == (409, "E-UPL-06")
    assert tus.head(url)["Upload-Offset"] == "300"
    assert tus.patch(url, 300, BODY[300:])["Upload-Result"]


def test_a_lost_file_is_said(tus, url, upload):
    storage.remove(upload.pk)
    assert tus.patch(url, 0, BODY).status_code == 410


@pytest.mark.parametrize("rescue", ["HEAD", "housekeeping"])
def test_a_crash_after_the_last_byte_is_made_good(tus, url, upload, settings, rescue):
    settings.UPLOAD_KINDS = taken_by("crash")
    tus.client.raise_request_exception = False
    assert tus.patch(url, 0, BODY).status_code == 500
    assert Upload.objects.get().state == "complete"
    settings.UPLOAD_KINDS = taken_by("receive")
    if rescue == "HEAD":
        assert tus.head(url)["Upload-Result"] == str(upload.pk)
    else:
        Upload.objects.update(expires_at=services._expiry() - services.INTERRUPTED_AFTER)
        services.uploads_expire()
    assert Upload.objects.get().state == "consumed"


def test_old_files_without_an_open_upload_are_swept(tus, url, upload):
    import os
    from uuid import uuid4

    stray = storage.quarantine_path(uuid4())
    storage.create(uuid4())
    stray.write_bytes(b"left by a crash between file and row")
    for path in stray.parent.iterdir():
        os.utime(path, (0, 0))
    services.uploads_expire()
    assert [path.name for path in stray.parent.iterdir()] == [upload.pk.hex]


@pytest.mark.parametrize("received", [0, len(BODY)])
def test_an_upload_whose_file_is_gone_expires_and_the_others_go_on(tus, url, upload, received):
    other = Upload.objects.get(pk=tus.create(len(BODY))["Location"].rstrip("/").rpartition("/")[2])
    Upload.objects.update(expires_at=services.timezone.now())
    Upload.objects.filter(pk=upload.pk).update(offset=received)
    storage.remove(upload.pk)
    assert services.uploads_expire() == 2
    assert set(Upload.objects.filter(pk__in=[upload.pk, other.pk]).values_list("state", flat=True)) == {"expired"}
    assert services.uploads_expire() == 0


def test_a_receiver_with_a_bug_does_not_stop_the_housekeeping(tus, url, upload, settings):
    settings.UPLOAD_KINDS = taken_by("crash")
    tus.client.raise_request_exception = False
    assert tus.patch(url, 0, BODY).status_code == 500
    idle = Upload.objects.get(pk=tus.create(len(BODY))["Location"].rstrip("/").rpartition("/")[2])
    Upload.objects.update(expires_at=services.timezone.now())
    assert services.uploads_expire() == 1
    upload.refresh_from_db()
    idle.refresh_from_db()
    assert (upload.state, idle.state) == ("complete", "expired")


def test_the_sweep_leaves_what_a_receiver_took_over_and_what_is_not_its_own(tus, url, upload):
    import os

    assert tus.patch(url, 0, BODY)["Upload-Result"]
    folder = services.upload_path(upload).parent
    (folder / "lost+found").mkdir()
    (folder / "notes.txt").write_text("put here by an administrator")
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    services.uploads_expire()
    assert {path.name for path in folder.iterdir()} == {upload.pk.hex, "lost+found", "notes.txt"}
