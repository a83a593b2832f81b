"""Night clips on the platform: from the dark file to a bright result, what is recorded, the time told before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from enhancement import estimates, selectors
from enhancement.lednet.facts import Choice, shipped_card
from enhancement.models import Clip, Enhancement, LiveStream
from enhancement.services import enhancements, files, methods
from enhancement.services.enhancements import enhancement_start
from enhancement.services.live import UNWATCHED, live_start
from enhancement.services.methods import choice_from, params_of, settings_from
from minegis.errors import EnhancementError, VideoError
from minegis.jobs.models import Job
from minegis.registry.models import Camera
from tests.fixtures.clips import decoded, pictures, shown, write_clip

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(footage: Any, send_clip: Callable[..., Any], run_job: Callable[[Any], Any], tmp_path: Path) -> Any:
    """``footage`` whose clip is a second-half-dark one: 12 frames at night, then 12 by day in haze."""
    hazy = pictures(24)
    frames = [(p * 0.12).astype(np.uint8) for p in hazy[:12]] + hazy[12:]
    path = write_clip(tmp_path / "gate.mp4", frames, options={"g": "6", "bf": "0"})
    footage.clip = send_clip(footage.user, path, camera="CAM-1")
    run_job(footage.clip.job)
    footage.clip.refresh_from_db()
    return footage


def made(night: Any, run_job: Callable[[Any], Any], **wanted: Any) -> Enhancement:
    row = enhancement_start(clip=night.clip, user=night.user, **wanted)
    assert run_job(row.job).state == "succeeded", row.job.error_code
    row.refresh_from_db()
    return row


def lumas(path: Path) -> list[float]:
    return [float(frame.mean()) for frame in decoded(path)]


def test_automatic_brightens_the_night_and_takes_haze_from_the_day(night: Any, run_job: Callable[[Any], Any]) -> None:
    row = made(night, run_job, method="chain", remember=True)
    source, result = files.path_of(night.clip.sha256), files.path_of(row.result_sha256)
    assert shown(result) == shown(source)
    before, after = lumas(source), lumas(result)
    assert np.mean(after[:12]) > 1.5 * np.mean(before[:12])
    assert np.mean(after[13:]) < np.mean(before[13:])  # haze is bright
    assert (row.readings["brightened"], row.readings["dehazed"], row.readings["cuts"]) == (0.5, 0.5, 1)
    assert set(row.readings) >= {"brightness", "noise", "contrast_gain", "saturated", "flicker", "passed_through"}
    assert row.weights_sha256 == shipped_card()["weights_sha256"]
    assert row.code_version
    assert row.job.queue == "gpu"
    remembered = Camera.objects.get(pk=night.camera.pk).preset
    assert (remembered["method"], remembered["params"]["always"]) == ("chain", False)
    with pytest.raises(VideoError, match="E-VID-19"):
        enhancement_start(clip=night.clip, user=night.user, method="chain")
    Enhancement.objects.filter(pk=row.pk).update(weights_sha256="0" * 64)  # newer weights may do it again
    assert enhancement_start(clip=night.clip, user=night.user, method="chain").state == "queued"


class Killed(BaseException):
    """What ends a process without asking."""


def test_a_worker_that_is_killed_leaves_its_segments_to_the_next(
    night: Any, run_job: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from enhancement.lednet import video

    row = enhancement_start(clip=night.clip, user=night.user, method="lednet")
    rendered: list[int] = []
    real = video._render
    deadly = True

    def watched(clip: Any, segment: Any, workdir: Path, *rest: Any) -> None:
        if not video.part_path(workdir, segment).is_file():
            if deadly and segment.number == 3:
                raise Killed
            real(clip, segment, workdir, *rest)
            rendered.append(segment.number)

    monkeypatch.setattr(video, "SEGMENT_FRAMES", 6)
    monkeypatch.setattr(video, "_render", watched)
    with pytest.raises(Killed):
        run_job(row.job)
    assert 0 in rendered
    assert Job.objects.get(pk=row.job.pk).state == "running"
    Job.objects.filter(pk=row.job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    deadly = False
    job = run_job(row.job)
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert sorted(rendered) == [0, 1, 2, 3]  # none of them twice
    row.refresh_from_db()
    assert (row.state, row.frames, row.readings["brightened"]) == ("succeeded", 24, 1.0)
    assert shown(files.path_of(row.result_sha256)) == shown(files.path_of(night.clip.sha256))


def test_still_pictures_know_the_night_too(
    footage: Any, send_clip: Callable[..., Any], run_job: Callable[[Any], Any], tmp_path: Path
) -> None:
    from PIL import Image

    for name, scale, expected in [("dark", 0.12, (1.0, 0.0)), ("hazy", 1.0, (0.0, 1.0))]:
        picture = (pictures(1)[0] * scale).astype(np.uint8)
        Image.fromarray(picture[:, :, ::-1]).save(tmp_path / f"{name}.png")
        clip = send_clip(footage.user, tmp_path / f"{name}.png", camera="CAM-1")
        run_job(clip.job)
        clip.refresh_from_db()
        assert clip.facts["luma"] == pytest.approx(float(picture.mean()) / 255, abs=0.05)
        row = enhancement_start(clip=clip, user=footage.user, method="chain")
        assert run_job(row.job).state == "succeeded"
        row.refresh_from_db()
        assert (row.readings["brightened"], row.readings["dehazed"]) == expected
        assert (row.readings["brightness"] > 1.5) == (name == "dark")


def test_the_light_of_a_clip_is_measured_when_it_comes(night: Any) -> None:
    frames = lumas(files.path_of(night.clip.sha256))
    assert night.clip.facts["luma"] == pytest.approx(
        (2 * np.mean(frames[:12]) + np.mean(frames[12:])) / 3 / 255, abs=0.05
    )


def test_choices_are_read_kept_and_given_back() -> None:
    params, findings = params_of("lednet", "gentle", {"dehaze": "on", "omega": 0.9})
    assert not findings
    assert (params["dehaze"], params["always"], params["omega"]) == (True, True, 0.9)
    assert choice_from("lednet", params) == Choice(dehaze=True, always=True)
    assert settings_from(params).omega == 0.9
    assert choice_from("chain", params_of("chain", "standard", {"dehaze": False})[0]) == Choice(False, False)
    assert choice_from("dehaze", params_of("dehaze", "standard", {})[0]) is None
    assert set(methods.JOB_KIND) == set(Enhancement.Method.values)


@pytest.mark.parametrize(
    ("method", "params"),
    [("lednet", {"always": "perhaps"}), ("chain", {"dehaze": 3}), ("dehaze", {"always": True}), ("chain", {"gain": 1})],
)
def test_choices_that_cannot_be_are_refused(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(EnhancementError, match="E-ENH-02"):
        params_of(method, "standard", params)


def test_a_preview_of_the_night_is_brighter_and_small(night: Any) -> None:
    params = params_of("lednet", "standard", {})[0]
    found = selectors.preview(night.clip, settings_from(params), 0.1, choice_from("lednet", params))
    assert found.readings["brightness"] > 1.5
    assert (found.readings["brightened"], found.readings["dehazed"]) == (1.0, 0.0)
    params = params_of("chain", "standard", {})[0]
    by_day = selectors.preview(night.clip, settings_from(params), 0.9, choice_from("chain", params))
    assert (by_day.readings["brightened"], by_day.readings["dehazed"]) == (0.0, 1.0)


def finished(kind: str, pace: float) -> None:
    Job.objects.create(kind=kind, queue="gpu", state="succeeded", max_attempts=1, result={estimates.PACE: pace})


def test_the_time_is_estimated_from_what_jobs_took(night: Any) -> None:
    for pace in (900.0, 1000.0, 5000.0):
        finished("enhance_night", pace)
    finished("enhance", 20.0)
    found = estimates.estimate(night.clip, "chain")
    assert (found.ms_per_megapixel, found.basis) == (1000.0, "jobs")
    assert found.seconds == pytest.approx(24 * 160 * 96 / 1e6)
    hours = Clip(width=1920, height=1080, frames=15_000)
    assert estimates.megapixels(hours, "dehaze") == pytest.approx(31_104)
    assert estimates.megapixels(hours, "lednet") > 1.2 * 31_104  # tiles overlap
    assert estimates.learned("dehaze") == 20.0


def test_a_trial_tells_the_pace_where_nothing_has_been_made_yet(night: Any) -> None:
    found = estimates.estimate(night.clip, "dehaze")
    assert found.basis == "trial"
    assert 0 < found.ms_per_megapixel < 60_000


def test_what_no_worker_could_finish_is_refused_with_its_hours(night: Any, settings: Any) -> None:
    finished("enhance_night", 2000.0)
    Clip.objects.filter(pk=night.clip.pk).update(width=1920, height=1080, frames=15_000)
    night.clip.refresh_from_db()
    with pytest.raises(EnhancementError, match="E-ENH-17") as refused:
        enhancement_start(clip=night.clip, user=night.user, method="lednet")
    assert "h" in refused.value.values["needed"]
    assert not Enhancement.objects.exists()
    settings.LONGEST_JOB_SECONDS = 10**6
    assert enhancement_start(clip=night.clip, user=night.user, method="lednet").state == "queued"


def test_without_weights_nothing_is_queued(night: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(enhancements, "shipped_card", lambda: shipped_card(tmp_path / "lednet-t.safetensors"))
    with pytest.raises(EnhancementError, match="E-ENH-15"):
        enhancement_start(clip=night.clip, user=night.user, method="chain")
    assert not Job.objects.filter(kind="enhance_night").exists()


def test_a_live_stream_takes_the_method_its_camera_remembers(footage: Any, run_job: Callable[[Any], Any]) -> None:
    params = params_of("chain", "standard", {})[0]
    preset = {"method": "chain", "preset": "standard", "params": params}
    Camera.objects.update(stream_address="rtsp://127.0.0.1:9/nobody", preset=preset)
    stream = live_start(camera=footage.camera, user=footage.user)
    assert (stream.method, stream.params) == ("chain", params)
    LiveStream.objects.update(watched_at=timezone.now() - UNWATCHED - timedelta(seconds=1))
    assert run_job(stream.job).state == "succeeded"
