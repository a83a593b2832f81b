"""tus 1.0: core, creation, termination, checksum, expiration, and every refusal with its code."""

from __future__ import annotations

import base64
import hashlib
import threading
from datetime import timedelta

import pytest
from django.conf import settings as live
from django.test import Client
from django.utils import timezone
from django.utils.http import parse_http_date

from minegis.uploads import services, storage
from minegis.uploads.models import Upload
from tests.fixtures.handlers import taken_by

pytestmark = pytest.mark.django_db
BODY = bytes(range(256)) * 40


def upload_of(url: str) -> Upload:
    return Upload.objects.get(pk=url.rstrip("/").rsplit("/", 1)[-1])


def on_disk(url: str) -> bytes:
    return storage.quarantine_path(upload_of(url).pk).read_bytes()


@pytest.fixture
def url(tus) -> str:
    return tus.create(len(BODY), filename="scene.tif")["Location"]


def test_anybody_may_ask_what_the_server_speaks():
    answer = Client().options("/api/v1/uploads/")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == answer["Tus-Resumable"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) == {"creation", "termination", "checksum", "expiration"}
    assert answer["Tus-Checksum-Algorithm"] == "sha256,sha1,md5"
    assert int(answer["Tus-Max-Size"]) == live.UPLOAD_MAX_BYTES


def test_a_file_arrives_in_chunks_and_is_taken_over(tus):
    created = tus.create(len(BODY), filename="scene.tif", sha256=hashlib.sha256(BODY).hexdigest())
    assert created.status_code == 201
    url = created["Location"]
    assert parse_http_date(created["Upload-Expires"]) > timezone.now().timestamp()
    assert tus.head(url)["Upload-Offset"] == "0"
    first = tus.patch(url, 0, BODY[:5000])
    assert (first.status_code, first["Upload-Offset"]) == (204, "5000")
    assert "Upload-Result" not in first
    state = tus.head(url)
    assert (state["Upload-Offset"], state["Upload-Length"], state["Cache-Control"]) == ("5000", "10240", "no-store")
    assert base64.b64encode(b"scene.tif").decode() in state["Upload-Metadata"]
    last = tus.patch(url, 5000, BODY[5000:])
    assert (last.status_code, last["Upload-Offset"]) == (204, "10240")
    upload = upload_of(url)
    assert last["Upload-Result"] == tus.head(url)["Upload-Result"] == str(upload.pk)
    assert (upload.state, upload.sha256) == ("consumed", hashlib.sha256(BODY).hexdigest())
    assert services.upload_path(upload).read_bytes() == BODY


@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
@pytest.mark.parametrize("version", ["", "0.2.2"])
def test_the_version_must_be_named(tus, url, method, version):
    target = "/api/v1/uploads/" if method == "POST" else url
    answer = tus.send(method, target, headers={"Tus-Resumable": version})
    assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize(
    ("length", "status", "code"),
    [
        ("0", 422, "E-UPL-02"),
        ("", 400, "E-UPL-11"),
        ("-1", 400, "E-UPL-11"),
        ("1e3", 400, "E-UPL-11"),
        (2**40, 413, "E-UPL-05"),
    ],
)
def test_a_length_that_cannot_be(tus, length, status, code):
    answer = tus.create(length)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_full_disk_is_said_before_the_first_byte(tus, monkeypatch):
    monkeypatch.setattr(storage, "RESERVE_BYTES", 2**60)
    answer = tus.create(100)
    assert (answer.status_code, answer.json()["code"]) == (507, "E-UPL-04")


@pytest.mark.parametrize("name", ["../../../etc/passwd", "C:\\temp\\passwd", "/etc/passwd", "a\x00\n/passwd"])
def test_a_client_never_names_a_file_on_the_disk(tus, name):
    upload = upload_of(tus.create(10, filename=name)["Location"])
    assert upload.file_name == "passwd"
    folder = live.STORAGE_ROOT / "quarantine"
    assert [path.name for path in folder.iterdir()] == [upload.pk.hex]


@pytest.mark.parametrize(
    "header", ["filename not-base64!", "filename /w==", "a YQ==,a YQ==", "a YQ==,,b YQ==", "x " + "A" * 9000]
)
def test_malformed_metadata(tus, header):
    answer = tus.send("POST", "/api/v1/uploads/", headers={"Upload-Length": "5", "Upload-Metadata": header})
    assert (answer.status_code, answer.json()["code"]) == (400, "E-UPL-11")


def test_a_chunk_at_the_wrong_place(tus, url):
    tus.patch(url, 0, BODY[:100])
    for offset in (0, 99, 101):
        answer = tus.patch(url, offset, BODY[100:200])
        assert (answer.status_code, answer.json()["code"]) == (409, "E-UPL-06")
    assert on_disk(url) == BODY[:100]


def test_a_chunk_of_another_type(tus, url):
    answer = tus.send("PATCH", url, BODY, "application/octet-stream", {"Upload-Offset": "0"})
    assert (answer.status_code, answer.json()["code"]) == (415, "E-API-08")


def test_while_one_request_writes_another_waits(tus, url):
    with storage.locked(upload_of(url).pk):
        for answer in (tus.patch(url, 0, BODY), tus.delete(url)):
            assert (answer.status_code, answer.json()["code"]) == (423, "E-UPL-10")
        assert tus.head(url).status_code == 200
    assert tus.patch(url, 0, BODY).status_code == 204


def test_a_terminated_upload_is_gone(tus, url):
    tus.patch(url, 0, BODY[:100])
    assert tus.delete(url).status_code == 204
    assert not storage.quarantine_path(upload_of(url).pk).exists()
    assert tus.head(url).status_code == 410
    answer = tus.patch(url, 100, BODY[100:])
    assert (answer.status_code, answer.json()["code"]) == (410, "E-UPL-08")


def test_a_file_taken_over_cannot_be_cancelled(tus, url):
    tus.patch(url, 0, BODY)
    assert tus.delete(url).status_code == 410
    assert on_disk(url) == BODY


def test_the_hash_of_the_whole_file_must_agree(tus):
    url = tus.create(len(BODY), sha256="0" * 64)["Location"]
    answer = tus.patch(url, 0, BODY)
    assert (answer.status_code, answer.json()["code"]) == (460, "E-UPL-01")
    assert upload_of(url).state == "failed"
    assert not storage.quarantine_path(upload_of(url).pk).exists()
    assert tus.head(url).status_code == 410


def test_a_hash_that_is_none(tus):
    assert tus.create(10, sha256="abc").json()["code"] == "E-UPL-11"


def test_what_the_receiver_finds_wrong_reaches_the_sender(tus):
    url = tus.create(len(BODY), filename="refused.tif")["Location"]
    answer = tus.patch(url, 0, BODY)
    assert (answer.status_code, answer.json()["code"]) == (422, "E-UPL-03")
    shown = tus.client.get(url).json()
    assert (shown["state"], shown["error"]["code"]) == ("failed", "E-UPL-03")
    assert "7" in shown["error"]["message_zh"]


def test_a_proxy_that_knows_only_post(tus, url):
    answer = tus.client.post(
        url,
        BODY,
        content_type="application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
    )
    assert (answer.status_code, answer["Upload-Offset"]) == (204, str(len(BODY)))


def test_a_session_needs_its_csrf_token_and_a_token_does_not(make_user, token_for, settings):
    settings.UPLOAD_KINDS = taken_by("receive")
    user = make_user("uploader")
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    assert browser.generic("POST", "/api/v1/uploads/", headers=headers).status_code == 403
    browser.cookies["csrftoken"] = "a" * 32
    allowed = browser.generic("POST", "/api/v1/uploads/", headers=headers | {"X-CSRFToken": "a" * 32})
    assert allowed.status_code == 201
    answer = browser.generic(
        "PATCH",
        allowed["Location"],
        b"12345",
        "application/offset+octet-stream",
        headers={"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "X-CSRFToken": "a" * 32},
    )
    assert answer.status_code == 204
    script = Client(enforce_csrf_checks=True, headers={"Authorization": token_for(user)})
    assert script.generic("POST", "/api/v1/uploads/", headers=headers).status_code == 201


def test_a_person_sees_the_state_of_their_uploads(tus, tus_for, make_user, url):
    tus_for(make_user("uploader")).create(7)
    shown = tus.client.get("/api/v1/uploads/").json()
    assert [(row["file_name"], row["length"], row["state"]) for row in shown["results"]] == [
        ("scene.tif", len(BODY), "receiving")
    ]


def test_uploads_nobody_continued_expire(tus, url):
    tus.patch(url, 0, BODY[:10])
    assert services.uploads_expire() == 0
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert services.uploads_expire() == 1
    assert upload_of(url).state == "expired"
    assert not storage.quarantine_path(upload_of(url).pk).exists()
    assert tus.head(url).status_code == 410


def test_an_upload_being_written_does_not_expire(tus, url):
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with storage.locked(upload_of(url).pk):
        assert services.uploads_expire() == 0
    assert upload_of(url).state == "receiving"


def test_memory_does_not_grow_with_the_chunk(tus):
    import tracemalloc

    class Zeros:
        def read(self, size: int) -> bytes:
            return bytes(size)

    size = 100 * 2**20
    upload = upload_of(tus.create(2 * size)["Location"])
    tracemalloc.start()
    services.upload_append(upload=upload, stream=Zeros(), size=size, offset=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert upload.offset == size
    assert peak < 8 * 2**20


def test_two_threads_of_one_server_cannot_write_at_once(tus, url):
    pk, busy = upload_of(url).pk, []

    def other() -> None:
        try:
            with storage.locked(pk):
                pass
        except services.UploadError as error:
            busy.append(error.code)

    with storage.locked(pk):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert busy == ["E-UPL-10"]
