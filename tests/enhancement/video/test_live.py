"""A camera's stream becomes a playlist: fresh, without haze, and again after the camera was away."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.video import live
from tests.fixtures.clips import pictures
from tests.fixtures.rtmp import Sender
from tests.fixtures.rtsp import RATE, Camera, coded, decode_number


@pytest.fixture
def camera() -> Iterator[Camera]:
    hazy = pictures(1, height=180, width=320)[0]
    made = Camera(lambda number: coded(hazy, number % 65_536), password="secret")
    yield made
    made.close()


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("not true in time")


def newest_number(folder: Path) -> int:
    """The number on the last picture of the last listed file."""
    names = [line for line in (folder / live.PLAYLIST).read_text().splitlines() if line.endswith(".ts")]
    with av.open(str(folder / names[-1])) as container:
        return decode_number([frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)][-1])


def test_a_stream_becomes_a_fresh_playlist_and_comes_back(camera: Camera, tmp_path: Path) -> None:
    over = threading.Event()
    told: list[live.Status] = []
    ended: list[live.Status] = []
    thread = threading.Thread(
        target=lambda: ended.append(
            live.relay(camera.address, tmp_path, Dehazer(preset("standard")), should_stop=over.is_set, tell=told.append)
        )
    )
    thread.start()
    try:
        playlist = tmp_path / live.PLAYLIST
        wait_until(lambda: playlist.is_file() and playlist.read_text().count(".ts") >= 2)
        # However busy the machine is, the picture catches up, because frames are left out.
        wait_until(lambda: 0 <= (camera.frame_now() - newest_number(tmp_path)) / RATE < 4)
        status = wait_until(lambda: told and told[-1].last_at and told[-1])
        assert (status.connected, status.width, status.height) == (True, 320, 180)
        wait_until(lambda: 0 < status.behind < 4)
        assert json.loads((tmp_path / live.STATUS).read_text())["connections"] == 1

        camera.refusing = True
        camera.hang_up()
        wait_until(lambda: not status.connected)
        shown = newest_number(tmp_path)
        camera.refusing = False
        wait_until(lambda: status.connections == 2)
        wait_until(lambda: newest_number(tmp_path) > shown + 2 * RATE // 2)
        wait_until(lambda: (camera.frame_now() - newest_number(tmp_path)) / RATE < 4)
    finally:
        over.set()
        thread.join(30)
    assert not thread.is_alive()
    assert ended
    files = sorted(path.name for path in tmp_path.glob("*.ts"))
    assert len(files) <= live.WINDOW + 6, "old files are deleted"
    with av.open(str(tmp_path / files[-2])) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="bgr24")[40:]
    assert frame.std() > 1.2 * pictures(1, height=180, width=320)[0][40:].std()


def test_a_camera_that_is_away_ends_with_the_wish_to_stop(tmp_path: Path) -> None:
    asked: list[float] = []

    def should_stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 3

    status = live.relay("rtsp://127.0.0.1:9/none", tmp_path, Dehazer(), should_stop=should_stop)
    assert (status.connected, status.frames) == (False, 0)
    assert not list(tmp_path.glob("*.ts"))


def test_rtmp_is_relayed_and_connected_again(tmp_path: Path) -> None:
    frames = pictures(50, height=180, width=320)
    sender = Sender(frames.__getitem__)
    over = threading.Event()
    told: list[live.Status] = []
    ended: list[live.Status] = []
    dehazer = Dehazer(preset("standard"))
    thread = threading.Thread(
        target=lambda: ended.append(
            live.relay(sender.address, tmp_path, dehazer, should_stop=over.is_set, tell=told.append)
        )
    )
    thread.start()
    try:
        playlist = tmp_path / live.PLAYLIST
        wait_until(lambda: playlist.is_file() and ".ts" in playlist.read_text())
        sender.hang_up()
        wait_until(lambda: sender.players == 2)
        wait_until(lambda: told[-1].connections == 2)
        seen = told[-1].frames
        wait_until(lambda: told[-1].frames > seen)
    finally:
        over.set()
        thread.join(30)
        sender.close()
    assert (ended[0].width, ended[0].height) == (320, 180)
    with av.open(str(sorted(tmp_path.glob("*.ts"))[0])) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="bgr24")
    assert shown.std() > 1.2 * frames[0].std()
