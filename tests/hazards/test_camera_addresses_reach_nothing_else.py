"""A camera's address is opened by the server: it leads to a camera, not to files or what only the server sees."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enhancement.dehaze.fast import Dehazer
from enhancement.models import LiveStream
from enhancement.services.live import live_start
from enhancement.video import live
from minegis.addresses import check_stream_address
from minegis.errors import MineGISError
from minegis.registry.models import Camera
from minegis.registry.services import camera_save

INSIDE = ("10.20.0.0/16", "fd00::/8")


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd", "concat:/etc/passwd|/etc/group", "http://10.20.0.1/x.m3u8", "https://10.20.0.1/", "tcp://10.20.0.1:22",
        "pipe:0", "subfile,,start,0,end,9,,:/etc/passwd", "/etc/passwd", "rtsp:///etc/passwd", "rtsp://", "rtsp://h:0/",
        "rtsp://10.20.0.1/a\r\nX-Header: 1", "RTSP//10.20.0.1", "ftp://10.20.0.1/a", "rtspt:file:a", "",
    ],
)  # fmt: skip
def test_only_streams_are_addresses(address: str, tmp_path: Path) -> None:
    with pytest.raises(MineGISError, match="E-REG-03") as caught:
        check_stream_address(address)
    assert "passwd" not in str(caught.value)
    with pytest.raises(MineGISError, match="E-REG-03"):
        live.relay(address, tmp_path, Dehazer(), should_stop=lambda: False)


@pytest.mark.parametrize(
    ("host", "inside"),
    [("10.20.3.4", True), ("10.21.0.1", False), ("127.0.0.1", False), ("[fd12::1]", True), ("[::1]", False),
     ("[::ffff:10.20.3.4]", True), ("[::ffff:127.0.0.1]", False), ("169.254.169.254", False)],
)  # fmt: skip
def test_hosts_are_within_the_allowed_networks(host: str, inside: bool) -> None:
    with contextlib.nullcontext() if inside else pytest.raises(MineGISError, match="E-REG-06") as caught:
        check_stream_address(f"rtsp://viewer:secret@{host}:554/live", INSIDE)
    assert inside or "secret" not in str(caught.value)
    check_stream_address(f"rtsp://{host}/live")  # without networks every host is allowed


def test_names_are_looked_up_before_every_connection(tmp_path: Path) -> None:
    with pytest.raises(MineGISError, match="E-REG-06"):
        check_stream_address("rtsp://localhost/live", INSIDE, resolve=True)
    check_stream_address("rtsp://localhost/live", ("127.0.0.0/8", "::1/128"), resolve=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        asked = iter(range(6))
        address = f"rtsp://localhost:{server.getsockname()[1]}/live"
        status = live.relay(address, tmp_path, Dehazer(), should_stop=lambda: next(asked) > 4, networks=INSIDE)
        assert status.connections == 0
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.django_db
def test_the_register_and_the_start_hold_to_them(footage: Any, make_user: Any, regions: Any, settings: Any) -> None:
    settings.CAMERA_NETWORKS = list(INSIDE)
    user = make_user("reviewer", regions.changji)
    for address, code in [("rtsp://127.0.0.1:6379/", "E-REG-06"), ("http://10.20.0.1/", "E-REG-03")]:
        with pytest.raises(MineGISError, match=code):
            camera_save(user=user, camera=footage.camera, stream_address=address)
        Camera.objects.update(stream_address=address)  # entered before the rule
        with pytest.raises(MineGISError, match=code):
            live_start(camera=footage.camera, user=user)
    assert not LiveStream.objects.exists()
    assert camera_save(user=user, camera=footage.camera, stream_address="rtsp://10.20.0.9/live").stream_host
    assert camera_save(user=user, camera=footage.camera, stream_address="").stream_host == ""


class Answers:
    """A server that answers the first bytes of every connection, and notes them."""

    def __init__(self, answer: bytes) -> None:
        self.heard: list[bytes] = []
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                with connection:
                    self.heard.append(connection.recv(4096))
                    connection.sendall(self._answer)

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def web() -> Iterator[Answers]:
    made = Answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    yield made
    made.close()


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "http://127.0.0.1:{port}/", "concat:/etc/hostname", "tcp://127.0.0.1:{port}"]
)
def test_a_redirecting_camera_leads_to_no_other_protocol(target: str, web: Answers, tmp_path: Path) -> None:
    location = target.format(port=web.port)
    camera = Answers(f"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: {location}\r\n\r\n".encode())
    try:
        status = live.relay(
            f"rtsp://127.0.0.1:{camera.port}/live", tmp_path, Dehazer(), should_stop=lambda: len(camera.heard) > 1
        )
    finally:
        camera.close()
    assert camera.heard[0].startswith(b"OPTIONS rtsp://")
    assert web.heard == []
    assert (status.connections, status.frames) == (0, 0)
