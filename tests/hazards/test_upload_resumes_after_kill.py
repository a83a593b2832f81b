"""kill -9 of client and server in mid-upload: the file goes on from the server's offset and arrives bit for bit."""

from __future__ import annotations

import hashlib
import http.client
import random
from urllib.parse import urlsplit

import pytest
from tusclient.client import TusClient

from minegis.uploads.models import Upload
from minegis.uploads.services import SYNC_EVERY, upload_path
from tests.fixtures.handlers import taken_by

pytestmark = pytest.mark.django_db(transaction=True)
LENGTH = SYNC_EVERY + 12 * 2**20


def test_the_upload_goes_on_where_the_server_vouches_for_the_bytes(
    web_server, make_user, token_for, wait_until, tmp_path
):
    body = random.Random(7).randbytes(LENGTH)
    scene = tmp_path / "scene.tif"
    scene.write_bytes(body)
    sha256 = hashlib.sha256(body).hexdigest()
    token = token_for(make_user("uploader"))
    server = web_server(UPLOAD_KINDS=taken_by("receive"))
    client = TusClient(f"{server.url}/api/v1/uploads/", headers={"Authorization": token})
    uploader = client.uploader(str(scene), metadata={"filename": "scene.tif", "sha256": sha256})
    url = uploader.create_url()

    address = urlsplit(url)
    line = http.client.HTTPConnection(address.hostname, address.port)
    line.putrequest("PATCH", address.path)
    for name, value in {
        "Authorization": token,
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(LENGTH),
    }.items():
        line.putheader(name, value)
    line.endheaders()
    line.send(body[: SYNC_EVERY + 4 * 2**20])
    wait_until(lambda: Upload.objects.get().offset == SYNC_EVERY)
    server.kill()
    line.close()
    with upload_path(Upload.objects.get()).open("ab") as file:
        file.write(b"torn page")  # what a power cut may leave behind the last sync

    server.start()
    server.wait_ready()
    again = client.uploader(str(scene), url=url, chunk_size=5 * 2**20, upload_checksum=True)
    assert again.offset == SYNC_EVERY
    again.upload()
    upload = Upload.objects.get()
    assert (upload.state, upload.sha256) == ("consumed", sha256)
    assert hashlib.sha256(upload_path(upload).read_bytes()).hexdigest() == sha256
