"""From a clip to its result: parameters, readings, what is remembered; frames pinned as evidence."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from PIL import Image

from enhancement.models import Enhancement, EvidenceFrame
from enhancement.quality import GREY
from enhancement.services import files
from enhancement.services.enhancements import enhancement_start
from enhancement.services.frames import frame_pin
from enhancement.services.methods import settings_from, settings_of
from enhancement.video.shots import shot_at
from minegis.errors import EnhancementError, ForbiddenError, VideoError
from minegis.registry.models import Camera
from tests.fixtures.clips import decoded, pictures, shown

pytestmark = pytest.mark.django_db


def test_the_result_has_every_frame_and_less_haze(enhanced: Any) -> None:
    row = enhanced.enhancement
    source, result = files.path_of(enhanced.clip.sha256), files.path_of(row.result_sha256)
    assert shown(result) == shown(source)
    assert (row.state, row.frames, row.seconds, row.media_type) == ("succeeded", 24, 0.96, "video/mp4")
    assert hashlib.sha256(result.read_bytes()).hexdigest() == row.result_sha256
    assert row.code_version
    assert np.mean([f.std() for f in decoded(result)]) > 1.2 * np.mean([f.std() for f in decoded(source)])
    assert row.readings["contrast_gain"] > 1.2
    assert set(row.readings) >= {"residual", "colour_shift", "saturated", "flicker", "cuts", "passed_through"}
    assert settings_from(row.params) == settings_of("standard", {})[0]


def test_parameters_are_read_clamped_and_remembered(footage: Any) -> None:
    made = enhancement_start(
        clip=footage.clip, user=footage.user, preset_name="report", remember=True,
        params={"omega": "0.9", "window_size": "9", "sky_trans": 1.4, "sky_thresh": ""},
    )  # fmt: skip
    assert (made.params["omega"], made.params["window_size"], made.params["sky_trans"]) == (0.9, 9, 0.98)
    assert made.params["sky_thresh"] == 0.7
    assert [finding["code"] for finding in made.findings] == ["E-ENH-01"]
    remembered = Camera.objects.get(pk=footage.camera.pk).preset
    assert remembered == {"method": "dehaze", "preset": "report", "params": made.params}


@pytest.mark.parametrize("params", [{"omega": "much"}, {"unknown": 1}, {"omega": float("nan")}, {"airlight": "sun"}])
def test_a_parameter_that_cannot_be_is_refused(footage: Any, params: dict[str, Any]) -> None:
    with pytest.raises(EnhancementError, match="E-ENH-02"):
        enhancement_start(clip=footage.clip, user=footage.user, params=params)
    assert not Enhancement.objects.exists()


def test_the_same_again_names_what_is_there(enhanced: Any) -> None:
    with pytest.raises(VideoError, match="E-VID-19") as caught:
        enhancement_start(clip=enhanced.clip, user=enhanced.user)
    assert caught.value.values["value"] == enhanced.enhancement.pk


def test_a_method_that_is_none_is_refused_by_service_and_record(footage: Any) -> None:
    with pytest.raises(EnhancementError, match="E-ENH-02"):
        enhancement_start(clip=footage.clip, user=footage.user, method="magic")
    with pytest.raises(IntegrityError), transaction.atomic():
        Enhancement.objects.create(clip=footage.clip, method="magic")


def test_a_reader_without_the_right_starts_nothing(footage: Any, make_user: Any, regions: Any) -> None:
    for role, region in [("analyst", regions.changji), ("interpreter", regions.turpan), ("uploader", regions.fukang)]:
        with pytest.raises(ForbiddenError):
            enhancement_start(clip=footage.clip, user=make_user(role, region))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
def test_a_still_stays_what_it_is(suffix: str, footage: Any, send_clip: Any, run_job: Any, tmp_path: Path) -> None:
    picture = pictures(1, height=120, width=200)[0]
    Image.fromarray(picture[:, :, ::-1]).save(tmp_path / f"wall{suffix}")
    clip = send_clip(footage.user, tmp_path / f"wall{suffix}", camera="CAM-1")
    run_job(clip.job)
    clip.refresh_from_db()
    made = enhancement_start(clip=clip, user=footage.user)
    assert run_job(made.job).state == "succeeded"
    made.refresh_from_db()
    with Image.open(files.path_of(made.result_sha256)) as result:
        assert result.size == (200, 120)
        assert np.asarray(result.convert("L")).std() > 1.2 * (picture @ GREY).std()
    assert bool(made.proxy_sha256) == (suffix in (".bmp", ".tif"))


def test_a_pinned_frame_is_the_very_frame_with_its_hash(enhanced: Any) -> None:
    row = frame_pin(
        clip=enhanced.clip, enhancement=enhanced.enhancement, user=enhanced.user, mine=enhanced.mine, seconds=0.5,
        note="crack",
    )  # fmt: skip
    assert (row.number, row.seconds, row.width, row.height, row.note) == (12, 0.48, 160, 96, "crack")
    assert row.source_sha256 == enhanced.enhancement.result_sha256
    content = files.path_of(row.sha256).read_bytes()
    assert hashlib.sha256(content).hexdigest() == row.sha256
    expected = decoded(files.path_of(enhanced.enhancement.result_sha256))[12]
    with Image.open(files.path_of(row.sha256)) as image:
        found = np.asarray(image)[:, :, ::-1]
    assert np.abs(found.astype(int) - expected).max() <= 8  # another reading of the colours, no other frame
    again = frame_pin(
        clip=enhanced.clip, enhancement=enhanced.enhancement, user=enhanced.user, mine=enhanced.mine, seconds=0.48
    )
    assert again == row


def test_evidence_cannot_be_changed(footage: Any) -> None:
    row = frame_pin(clip=footage.clip, enhancement=None, user=footage.user, mine=footage.mine)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        EvidenceFrame.objects.filter(pk=row.pk).update(sha256="0" * 64)
    row.refresh_from_db()
    assert row.source_sha256 == footage.clip.sha256


def test_a_frame_goes_to_a_mine_of_the_region_and_lies_within_the_clip(footage: Any, regions: Any) -> None:
    from minegis.registry.models import Mine

    elsewhere = Mine.objects.get(pk=footage.mine.pk)
    elsewhere.pk, elsewhere.code, elsewhere.region = None, "M-2", regions.turpan
    elsewhere.save(force_insert=True)
    with pytest.raises(VideoError, match="E-VID-20"):
        frame_pin(clip=footage.clip, enhancement=None, user=footage.user, mine=elsewhere)
    with pytest.raises(VideoError, match="E-VID-17"):
        frame_pin(clip=footage.clip, enhancement=None, user=footage.user, mine=footage.mine, seconds=90)


def test_the_shot_is_the_frame_that_players_show(hazy_video: Path) -> None:
    frames = decoded(hazy_video)
    for seconds, number in [(0.0, 0), (0.039, 0), (0.04, 1), (0.5, 12), (0.96, 23), (5.0, 23)]:
        shot = shot_at(hazy_video, seconds)
        assert shot.time == pytest.approx(number / 25)
        differences = [np.abs(shot.picture.astype(int) - frame).mean() for frame in frames]
        assert int(np.argmin(differences)) == number
