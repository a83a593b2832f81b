"""A chunk that was damaged on the way is refused (460) and leaves nothing behind; so is one that is too long."""

from __future__ import annotations

import base64
import hashlib

import pytest

from minegis.uploads.models import Upload
from minegis.uploads.services import upload_path
from tests.fixtures.handlers import taken_by

pytestmark = pytest.mark.django_db
BODY = bytes(range(256)) * 100


@pytest.fixture
def send(client_for, make_user, settings):
    settings.UPLOAD_KINDS = taken_by("receive")
    client = client_for(make_user("uploader"))
    created = client.generic(
        "POST", "/api/v1/uploads/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(len(BODY))}
    )

    def patch(data: bytes, offset: int = 0, checksum: str = ""):
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(offset)}
        if checksum:
            headers["Upload-Checksum"] = checksum
        kind = "application/offset+octet-stream"
        return client.generic("PATCH", created["Location"], data, kind, headers=headers)

    return patch


def checksum(algorithm: str, data: bytes) -> str:
    return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_one_flipped_bit_is_refused_and_the_true_chunk_then_fits(send, algorithm):
    half = len(BODY) // 2
    assert send(BODY[:half], 0, checksum(algorithm, BODY[:half])).status_code == 204
    damaged = bytearray(BODY[half:])
    damaged[77] ^= 1
    refused = send(bytes(damaged), half, checksum(algorithm, BODY[half:]))
    assert (refused.status_code, refused.json()["code"]) == (460, "E-UPL-01")
    upload = Upload.objects.get()
    assert upload.offset == half
    assert upload_path(upload).read_bytes() == BODY[:half]
    assert send(BODY[half:], half, checksum(algorithm, BODY[half:])).status_code == 204
    assert Upload.objects.get().sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("header", ["crc32 AAAA", "sha256", "sha256 !!!", "sha256 AAAA"])
def test_a_checksum_that_cannot_be_checked_is_refused(send, header):
    refused = send(BODY, 0, header)
    assert (refused.status_code, refused.json()["code"]) == (400, "E-UPL-11")
    assert Upload.objects.get().offset == 0


def test_a_chunk_past_the_declared_length_is_refused_whole(send):
    assert send(BODY[:100]).status_code == 204
    refused = send(BODY[100:] + b"x", 100)
    assert (refused.status_code, refused.json()["code"]) == (413, "E-UPL-07")
    assert upload_path(Upload.objects.get()).read_bytes() == BODY[:100]
