"""A file becomes a clip: checks, coded faults, what browsers need, nothing left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from enhancement.models import Clip
from enhancement.services import files
from enhancement.services.clips import clip_delete, clip_expected
from minegis.errors import ForbiddenError, MineGISError, UploadError, VideoError
from minegis.jobs.services import job_cancel, job_retry
from minegis.uploads.services import upload_path
from tests.fixtures.clips import pictures, shown, write_clip

pytestmark = pytest.mark.django_db


def stored() -> set[str]:
    root = files.store().root
    return {path.parent.name + path.name for path in root.glob("*/*")} if root.is_dir() else set()


def codes(clip: Clip) -> list[str]:
    return [finding["code"] for finding in clip.findings]


def test_a_playable_video_is_kept_as_it_is(footage: Any, hazy_video: Path) -> None:
    clip = footage.clip
    assert (clip.state, clip.kind, clip.codec, clip.width, clip.height) == ("ready", "video", "h264", 160, 96)
    assert (clip.frames, clip.seconds, clip.rate, clip.proxy_sha256, clip.findings) == (24, 0.96, 25.0, "", [])
    assert (clip.region.code, clip.mine, clip.camera) == ("652302", footage.mine, footage.camera)
    assert files.path_of(clip.sha256).read_bytes() == hazy_video.read_bytes()
    assert stored() == {clip.sha256, clip.thumbnail_sha256}
    assert not upload_path(clip.upload).exists()


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"), [("old.avi", "mjpeg", "yuvj420p"), ("new.mkv", "libx265", "yuv420p")]
)
def test_what_browsers_do_not_play_gets_a_copy_with_every_frame(
    name: str, codec: str, pix_fmt: str, footage: Any, send_clip: Any, run_job: Any, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / name, pictures(20), codec=codec, pix_fmt=pix_fmt)
    clip = send_clip(footage.user, source, camera="CAM-1")
    assert run_job(clip.job).state == "succeeded"
    clip.refresh_from_db()
    assert clip.state == "ready"
    proxy = files.path_of(clip.proxy_sha256)
    assert [t - shown(proxy)[0] for t in shown(proxy)] == [t - shown(source)[0] for t in shown(source)]
    head = proxy.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")


def _noise(folder: Path) -> Path:
    """The first bytes of an MP4, and nothing sensible after them."""
    (folder / "a.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\7" * 900)
    return folder / "a.mp4"


def _png(folder: Path, name: str = "still.png", deep: bool = False) -> Path:
    pixels = np.full((60, 90), 900, np.uint16) if deep else np.full((60, 90, 3), 120, np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("make", "state", "code"),
    [
        (_noise, "rejected", "E-VID-01"),
        (lambda f: f.joinpath("text.jpg").write_text("no picture") and f / "text.jpg", "rejected", "E-ENH-08"),
        (lambda f: write_clip(f / "sound.mp4", [], sound="aac"), "rejected", "E-VID-03"),
        (lambda f: write_clip(f / "odd.mkv", pictures(4, height=95), pix_fmt="yuv444p"), "ready", "E-VID-05"),
        (lambda f: write_clip(f / "10.mp4", pictures(4), codec="libx265", pix_fmt="yuv420p10le"), "ready", "E-VID-06"),
        (lambda f: write_clip(f / "alpha.mkv", pictures(4), codec="ffv1", pix_fmt="yuva420p"), "ready", "E-VID-07"),
        (lambda f: write_clip(f / "real.mp4", pictures(4)).rename(f / "named.avi"), "ready", "E-VID-13"),
        (lambda f: _png(f).rename(f / "still.jpg"), "ready", "E-ENH-09"),
    ],
    ids=["corrupted", "no picture", "audio only", "odd size", "ten bits", "alpha", "renamed video", "renamed still"],
)  # fmt: skip
def test_every_fault_has_its_code(
    make: Any, state: str, code: str, footage: Any, send_clip: Any, run_job: Any, tmp_path: Path
) -> None:
    clip = send_clip(footage.user, make(tmp_path), camera="CAM-1")
    before = stored()
    assert run_job(clip.job).state == "succeeded"
    clip.refresh_from_db()
    assert (clip.state, code in codes(clip)) == (state, True), clip.findings
    assert not upload_path(clip.upload).exists()
    if state == "rejected":
        assert stored() == before
        assert clip.file_name in clip.findings[0]["message_en"]


def test_a_video_without_a_frame_is_rejected(footage: Any, send_clip: Any, run_job: Any, tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.avi", pictures(3), codec="mjpeg", pix_fmt="yuvj420p").read_bytes()
    (tmp_path / "empty.avi").write_bytes(whole[: whole.index(b"movi") + 4])
    clip = send_clip(footage.user, tmp_path / "empty.avi", camera="CAM-1")
    run_job(clip.job)
    clip.refresh_from_db()
    assert (clip.state, codes(clip)) == ("rejected", ["E-VID-04"])


def test_a_deep_still_is_kept_and_shown_as_a_copy(footage: Any, send_clip: Any, run_job: Any, tmp_path: Path) -> None:
    clip = send_clip(footage.user, _png(tmp_path, deep=True), camera="CAM-1")
    run_job(clip.job)
    clip.refresh_from_db()
    assert (clip.state, clip.kind, clip.facts["bits"], clip.frames) == ("ready", "image", 16, 1)
    with Image.open(files.path_of(clip.proxy_sha256)) as shown_as:
        assert (shown_as.format, shown_as.size) == ("WEBP", (90, 60))


def test_the_same_file_is_one_clip_of_a_region_and_betrays_nothing_elsewhere(
    footage: Any, send_clip: Any, hazy_video: Path, make_user: Any, regions: Any
) -> None:
    with pytest.raises(UploadError, match="E-VID-14") as caught:
        send_clip(footage.user, hazy_video, camera="CAM-1")
    assert caught.value.values["clip"] == footage.clip.pk
    stranger = send_clip(make_user("interpreter", regions.turpan), hazy_video, region=regions.turpan)
    assert stranger.pk != footage.clip.pk
    field = make_user("uploader", regions.fukang)
    with pytest.raises(UploadError, match="E-VID-14") as caught:
        send_clip(field, hazy_video, region=regions.fukang)
    assert caught.value.values["clip"] == "…"


def test_where_a_clip_belongs_is_asked_before_the_first_byte(footage: Any, make_user: Any, regions: Any) -> None:
    with pytest.raises(VideoError, match="E-VID-15"):
        clip_expected(user=footage.user, metadata={}, region=None)
    assert clip_expected(user=footage.user, metadata={"camera": "CAM-1"}, region=None).code == "652302"
    assert clip_expected(user=footage.user, metadata={"mine": "M-1"}, region=regions.jimsar).code == "652302"
    with pytest.raises(MineGISError, match="E-API-04"):
        clip_expected(user=make_user("interpreter", regions.turpan), metadata={"camera": "CAM-1"}, region=None)


def test_a_cancelled_check_leaves_no_file(
    footage: Any, send_clip: Any, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    before = stored()
    clip = send_clip(footage.user, write_clip(tmp_path / "b.mp4", pictures(5)), camera="CAM-1")
    with django_capture_on_commit_callbacks(execute=True):
        job_cancel(job=clip.job)
    clip.refresh_from_db()
    assert (clip.state, codes(clip)) == ("rejected", ["E-JOB-04"])
    assert not upload_path(clip.upload).exists()
    assert stored() == before
    clip.job.refresh_from_db()
    with pytest.raises(UploadError, match="E-UPL-08"):
        job_retry(job=clip.job)


def test_a_clip_is_removed_with_its_results_unless_it_is_evidence(
    enhanced: Any, make_user: Any, regions: Any, django_capture_on_commit_callbacks: Any
) -> None:

    with pytest.raises(ForbiddenError):
        clip_delete(clip=enhanced.clip, user=make_user("reviewer", regions.changji))
    manager = make_user("manager", regions.changji)
    assert len(stored()) == 3
    with django_capture_on_commit_callbacks(execute=True):
        clip_delete(clip=enhanced.clip, user=manager)
    assert (stored(), Clip.objects.count()) == (set(), 0)


def test_a_clip_whose_frame_is_evidence_stays(enhanced: Any, make_user: Any, regions: Any) -> None:
    from enhancement.services.frames import frame_pin

    frame_pin(clip=enhanced.clip, enhancement=None, user=enhanced.user, mine=enhanced.mine)
    with pytest.raises(VideoError, match="E-VID-18"):
        clip_delete(clip=enhanced.clip, user=make_user("manager", regions.changji))
