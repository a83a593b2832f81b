"""Clips, enhancements, cameras and pinned frames over HTTP."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rest_framework.test import APIClient

from enhancement import selectors
from enhancement.models import Clip, Enhancement
from enhancement.services import files
from minegis.registry.models import Camera

pytestmark = pytest.mark.django_db


def client(user: Any) -> APIClient:
    made = APIClient()
    made.force_authenticate(user)
    return made


def body_of(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_a_clip_is_listed_played_in_parts_and_downloaded(enhanced: Any, hazy_video: Path) -> None:
    api, content = client(enhanced.user), hazy_video.read_bytes()
    listed = api.get("/api/v1/clips/?camera=CAM-1").json()
    assert [row["clip_id"] for row in listed["results"]] == [str(enhanced.clip.pk)]
    clip = f"/api/v1/clips/{enhanced.clip.pk}"
    assert api.get(f"{clip}/").json()["frames"] == 24
    part = api.get(f"{clip}/play/", headers={"Range": "bytes=10-19"})
    assert (part.status_code, body_of(part), part["Content-Type"]) == (206, content[10:20], "video/mp4")
    whole = api.get(f"{clip}/original/")
    assert (body_of(whole), whole["Content-Disposition"]) == (content, 'attachment; filename="pit-east.mp4"')
    assert Image.open(io.BytesIO(body_of(api.get(f"{clip}/thumbnail/")))).format == "WEBP"
    result = f"/api/v1/enhancements/{enhanced.enhancement.pk}/result/"
    expected = files.path_of(enhanced.enhancement.result_sha256).read_bytes()
    assert body_of(api.get(result)) == expected
    kept = api.get(f"{result}?download=1")
    assert kept["Content-Disposition"] == 'attachment; filename="pit-east-dehaze.mp4"'
    assert body_of(kept) == expected


def test_an_enhancement_is_started_watched_and_refused_twice(footage: Any, run_job: Any) -> None:
    api = client(footage.user)
    wanted = {"clip": str(footage.clip.pk), "preset": "gentle", "params": {"omega": 0.9}, "remember": True}
    made = api.post("/api/v1/enhancements/", wanted, format="json")
    assert (made.status_code, made.json()["state"], made.json()["params"]["omega"]) == (202, "queued", 0.9)
    again = api.post("/api/v1/enhancements/", wanted, format="json")
    assert (again.status_code, again.json()["code"]) == (409, "E-VID-19")
    assert api.get(f"/api/v1/enhancements/{made.json()['enhancement_id']}/result/").status_code == 404
    run_job(Enhancement.objects.get().job)
    shown = api.get(f"/api/v1/enhancements/{made.json()['enhancement_id']}/").json()
    assert (shown["state"], shown["frames"], shown["progress"]) == ("succeeded", 24, 1.0)
    bad = api.post("/api/v1/enhancements/", wanted | {"params": {"omega": "much"}}, format="json")
    assert (bad.status_code, bad.json()["code"]) == (422, "E-ENH-02")


def test_a_preview_follows_the_parameters(footage: Any, settings: Any) -> None:
    api = client(footage.user)

    def ask(**params: Any) -> dict[str, Any]:
        answer = api.post(
            f"/api/v1/clips/{footage.clip.pk}/preview/", {"seconds": 0.5, "params": params}, format="json"
        )
        assert answer.status_code == 200, answer.json()
        return answer.json()  # type: ignore[no-any-return]

    weak, strong = ask(omega=0.5), ask(omega=1.0)
    assert weak["seconds"] == pytest.approx(0.48)
    assert weak["before"] == strong["before"]
    assert strong["readings"]["residual"] < weak["readings"]["residual"]
    image = Image.open(io.BytesIO(base64.b64decode(strong["after"].partition(",")[2])))
    assert image.size == (160, 96)
    assert [f["code"] for f in ask(omega=3)["findings"]] == ["E-ENH-01"]


def test_a_preview_of_a_large_picture_is_small_and_shrinks_lengths_alike() -> None:
    from enhancement.dehaze.settings import preset

    settings = preset("standard")
    shrunk = selectors._shrunk(settings, 2.0, (540, 960, 3))
    assert (shrunk.window_size, shrunk.radius) == (13, 20)
    assert selectors._shrunk(settings, 1.0, (540, 960, 3)) == settings


def test_a_frame_is_pinned_over_http(enhanced: Any) -> None:
    api = client(enhanced.user)
    wanted = {"clip": str(enhanced.clip.pk), "enhancement": str(enhanced.enhancement.pk), "mine": "M-1", "seconds": 0.2}
    pinned = api.post("/api/v1/evidence-frames/", wanted, format="json")
    assert (pinned.status_code, pinned.json()["number"], pinned.json()["mine"]) == (201, 5, "M-1")
    image = api.get(f"/api/v1/evidence-frames/{pinned.json()['frame_id']}/image/")
    assert Image.open(io.BytesIO(body_of(image))).size == (160, 96)
    assert api.post("/api/v1/evidence-frames/", wanted | {"mine": "none"}, format="json").status_code == 404
    listed = api.get("/api/v1/evidence-frames/?mine__code=M-1").json()
    assert listed["count"] == 1
    gone = api.delete(f"/api/v1/clips/{enhanced.clip.pk}/")
    assert gone.status_code == 403
    assert Clip.objects.count() == 1


def test_a_camera_never_tells_its_password(footage: Any, make_user: Any, regions: Any, caplog: Any) -> None:
    reviewer = make_user("reviewer", regions.changji)
    api = client(reviewer)
    for place in ("/api/v1/cameras/", f"/api/v1/cameras/{footage.camera.pk}/", "/api/v1/cameras/geojson/"):
        text = api.get(place).content.decode()
        assert "CAM-1" in text
        assert "secret" not in text
    assert api.get("/api/v1/cameras/").json()["results"][0]["stream"] == "rtsp://10.0.0.8:554"
    changed = api.patch(f"/api/v1/cameras/{footage.camera.pk}/", {"name_en": "East"}, format="json")
    assert changed.json()["name_en"] == "East"
    assert Camera.objects.get().stream_address == "rtsp://viewer:secret@10.0.0.8:554/live"
    refused = api.patch(
        f"/api/v1/cameras/{footage.camera.pk}/", {"stream_address": "file:///etc/passwd"}, format="json"
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "E-REG-03")


def test_a_camera_is_made_where_one_may(make_user: Any, regions: Any, footage: Any) -> None:
    reviewer = client(make_user("reviewer", regions.fukang))
    wanted = {"code": "CAM-2", "name_zh": "西帮", "region": "652302", "longitude": 87.1, "latitude": 43.1}
    made = reviewer.post("/api/v1/cameras/", wanted, format="json")
    assert (made.status_code, made.json()["longitude"]) == (201, 87.1)
    assert reviewer.post("/api/v1/cameras/", wanted, format="json").json()["code"] == "E-REG-04"
    nowhere = reviewer.post("/api/v1/cameras/", {"code": "CAM-3", "name_zh": "无"}, format="json")
    assert nowhere.json()["code"] == "E-REG-05"
    elsewhere = reviewer.post("/api/v1/cameras/", wanted | {"code": "CAM-4", "region": "650400"}, format="json")
    assert elsewhere.status_code == 404
    assert client(footage.user).post("/api/v1/cameras/", wanted, format="json").status_code == 403


def test_the_time_of_an_enhancement_is_told_before(footage: Any, make_user: Any, regions: Any) -> None:
    from enhancement.estimates import PACE
    from minegis.jobs.models import Job

    Job.objects.create(kind="enhance_night", queue="gpu", state="succeeded", max_attempts=1, result={PACE: 1000.0})
    Job.objects.create(kind="interpret", queue="gpu", state="queued", max_attempts=1)
    api, place = client(footage.user), f"/api/v1/clips/{footage.clip.pk}/estimate/"
    told = api.get(f"{place}?method=lednet").json()
    assert (told["basis"], told["ahead"], told["ms_per_megapixel"]) == ("jobs", 1, 1000.0)
    assert told["seconds"] == pytest.approx(24 * 0.01536)
    assert api.get(f"{place}?method=magic").status_code == 400
    assert client(make_user("uploader", regions.turpan)).get(f"{place}?method=lednet").status_code == 404


def test_the_night_is_started_over_http(footage: Any) -> None:
    api = client(footage.user)
    wanted = {"clip": str(footage.clip.pk), "method": "lednet", "params": {"dehaze": True}}
    made = api.post("/api/v1/enhancements/", wanted, format="json")
    assert (made.status_code, made.json()["method"], made.json()["state"]) == (202, "lednet", "queued")
    assert (made.json()["params"]["dehaze"], made.json()["params"]["always"]) == (True, True)
    bad = api.post("/api/v1/enhancements/", wanted | {"params": {"always": "perhaps"}}, format="json")
    assert (bad.status_code, bad.json()["code"]) == (422, "E-ENH-02")
