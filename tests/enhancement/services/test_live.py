"""A camera's stream on the platform: started once for all, watched by those who may, ended when nobody does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from enhancement.models import LiveStream
from enhancement.services.live import UNWATCHED, folder_of, live_start
from minegis.errors import ForbiddenError, VideoError
from minegis.jobs.services import job_cancel
from minegis.registry.models import Camera

pytestmark = pytest.mark.django_db


def client(user: Any) -> APIClient:
    made = APIClient()
    made.force_authenticate(user)
    return made


def test_one_stream_of_a_camera_serves_all(footage: Any, make_user: Any, regions: Any) -> None:
    Camera.objects.update(preset={"preset": "gentle", "params": {"omega": 0.8}})
    first = live_start(camera=footage.camera, user=footage.user)
    assert live_start(camera=footage.camera, user=make_user("reviewer", regions.fukang)) == first
    assert (first.params, first.job.kind, first.job.queue) == ({"omega": 0.8}, "live", "live")
    with pytest.raises(ForbiddenError):
        live_start(camera=footage.camera, user=make_user("analyst", regions.changji))
    job_cancel(job=first.job)
    assert live_start(camera=footage.camera, user=footage.user) != first


def test_a_camera_without_a_stream_says_so(footage: Any) -> None:
    Camera.objects.update(stream_address="")
    with pytest.raises(VideoError, match="E-VID-21"):
        live_start(camera=footage.camera, user=footage.user)
    assert not LiveStream.objects.exists()


def test_the_relay_ends_when_nobody_watches(footage: Any, run_job: Any) -> None:
    Camera.objects.update(stream_address="rtsp://127.0.0.1:9/nobody")
    stream = live_start(camera=footage.camera, user=footage.user)
    LiveStream.objects.update(watched_at=timezone.now() - UNWATCHED - timedelta(seconds=1))
    assert run_job(stream.job).state == "succeeded"
    stream.refresh_from_db()
    assert stream.running is False
    assert stream.job.result["connections"] == 0
    assert not folder_of(stream.pk).exists()


def test_the_playlist_is_for_those_who_may_watch(footage: Any, make_user: Any, regions: Any) -> None:
    started = client(footage.user).post("/api/v1/live-streams/", {"camera": "CAM-1"}, format="json")
    assert (started.status_code, started.json()["age"]) == (202, None)
    assert "secret" not in started.content.decode()
    stream = LiveStream.objects.get()
    place = f"/api/v1/live-streams/{stream.pk}/hls"
    assert client(footage.user).get(f"{place}/index.m3u8").status_code == 404  # nothing has come yet
    folder = folder_of(stream.pk)
    folder.mkdir(parents=True)
    (folder / "index.m3u8").write_text("#EXTM3U\n")
    (folder / "000001.ts").write_bytes(b"G" * 188)
    LiveStream.objects.update(watched_at=timezone.now() - timedelta(minutes=1))
    playlist = client(footage.user).get(f"{place}/index.m3u8")
    assert (playlist.content, playlist["Cache-Control"]) == (b"#EXTM3U\n", "no-store")
    assert timezone.now() - LiveStream.objects.get().watched_at < timedelta(seconds=30)
    assert client(footage.user).get(f"{place}/000001.ts")["Content-Type"] == "video/mp2t"
    for name in ("status.json", "000002.ts", "..%2Findex.m3u8", "index.m3u8%00"):
        assert client(footage.user).get(f"{place}/{name}").status_code == 404
    assert client(make_user("analyst", regions.fukang)).get(f"{place}/index.m3u8").status_code == 200
    for role, region in [("reviewer", regions.turpan), ("viewer", regions.fukang), ("admin", regions.fukang)]:
        assert client(make_user(role, region)).get(f"{place}/index.m3u8").status_code == 404
    assert client(make_user("analyst", regions.fukang)).delete(f"/api/v1/live-streams/{stream.pk}/").status_code == 403
    assert client(footage.user).delete(f"/api/v1/live-streams/{stream.pk}/").status_code == 204
    stream.refresh_from_db()
    assert stream.running is False
