"""Night videos from file to file: steady brightness, segments without seams, scenes chosen by what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from enhancement.dehaze.settings import Settings
from enhancement.lednet.apply import Enhancer
from enhancement.lednet.cli import main
from enhancement.lednet.facts import Choice
from enhancement.lednet.network import LEDNet
from enhancement.lednet.video import gain, night_video, scaled, steps_of
from enhancement.quality import flicker
from enhancement.video.atmosphere import Measure
from minegis.errors import JobCancelledError
from minegis.training import checkpoint
from tests.fixtures.clips import decoded, pictures, shown, write_clip

GOPS = {"g": "8", "bf": "0", "sc_threshold": "0"}


def brighten(batch):
    """A stand-in for a trained network whose brightness depends on every single frame's noise."""
    return batch * (3 + 40 * (batch.mean((1, 2, 3), keepdim=True) - 0.12))


BRIGHT = Enhancer(brighten, {"name": "stand-in", "weights_sha256": "0"})


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 dark frames whose exposure trembles."""
    rng = np.random.default_rng(0)
    frames = [np.clip(p * 0.25 * rng.uniform(0.9, 1.1), 0, 255).astype(np.uint8) for p in pictures(24)]
    return write_clip(tmp_path_factory.mktemp("night") / "n.mp4", frames, options=GOPS)


def enhanced(source: Path, folder: Path, **options: object) -> Path:
    output = folder / "out.mp4"
    night_video(source, output, folder / "work", BRIGHT, **options)  # type: ignore[arg-type]
    return output


def test_every_frame_is_brightened_and_keeps_its_time(night: Path, tmp_path: Path) -> None:
    output = enhanced(night, tmp_path)
    assert shown(output) == shown(night)
    before, after = (np.mean([frame.mean() for frame in decoded(path)]) for path in (night, output))
    assert after > 1.8 * before


def test_brightness_flickers_less_than_frames_enhanced_alone(night: Path, tmp_path: Path) -> None:
    alone = [BRIGHT(np.ascontiguousarray(frame)) / 255 for frame in decoded(night)]
    steady = [frame / 255 for frame in decoded(enhanced(night, tmp_path))]
    assert flicker(steady) < 0.7 * flicker(alone)


def test_segments_workers_and_batches_change_nothing(night: Path, tmp_path: Path) -> None:
    found = []
    for number, options in enumerate(({}, {"segment_frames": 8, "workers": 2}, {"batch": 5})):
        folder = tmp_path / str(number)
        folder.mkdir()
        found.append(np.stack(list(decoded(enhanced(night, folder, **options)))).astype(float))
    whole, parts, batches = found
    assert whole.shape == parts.shape == batches.shape
    assert np.abs(whole - batches).mean() < 0.5  # of 255; the encoder is not quite the same from run to run
    # A segment begins with a key frame, whose pixels differ; its brightness must not.
    assert np.abs(whole.mean((1, 2, 3)) - parts.mean((1, 2, 3))).max() < 0.5


def test_a_stopped_video_goes_on_from_its_finished_parts(night: Path, tmp_path: Path) -> None:
    calls = []
    with pytest.raises(JobCancelledError):
        enhanced(night, tmp_path, segment_frames=8, should_stop=lambda: bool(list((tmp_path / "work").glob("part-*"))))
    kept = list((tmp_path / "work").glob("part-*.nut"))
    assert kept
    assert not (tmp_path / "out.mp4").exists()
    times = {path: path.stat().st_mtime_ns for path in kept}
    enhanced(night, tmp_path, segment_frames=8, progress=lambda stage, part: calls.append(stage))
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert shown(tmp_path / "out.mp4") == shown(night)
    assert calls[-1] == "join"


def measure(time: float, luma: float, dark: float = 0.0, differs: bool = False) -> Measure:
    return Measure(time, differs, differs, (0.5, 0.5, 0.5), luma, dark)


def test_the_gain_is_a_running_mean_that_begins_anew_at_a_cut() -> None:
    gains = [1.0, 1.1, 0.9, 2.0, 2.0]
    measures = [measure(0.1 * k, 0.1, differs=k == 3) for k in range(5)]
    steps = steps_of(measures, gains, Settings(), Choice())
    assert steps[0].factor == 1
    assert steps[3].factor == 1
    assert steps[3].air.fresh
    mean = 1.0 + (1 - np.exp(-0.1)) * 0.1
    assert steps[1].factor == pytest.approx(np.exp(mean - 1.1))
    jump = steps_of([measure(0, 0.1), measure(0.1, 0.1)], [0.0, 3.0], Settings(), Choice())
    assert jump[1].factor == pytest.approx(np.exp(-0.25))  # never more than a flicker


def test_daylight_passes_and_haze_is_taken_out_where_it_is_light_enough() -> None:
    scenes = [measure(0, 0.1), measure(1, 0.28, 0.2, differs=True), measure(2, 0.6, 0.3, differs=True)]
    scenes.append(measure(3, 0.32, 0.3))  # between the thresholds: it stays what it was
    steps = steps_of(scenes, [1.0] * 4, Settings(), Choice())
    assert [(step.dark, step.air.night) for step in steps[:3]] == [(True, True), (True, False), (False, False)]
    assert not steps[3].dark
    assert all(step.dark for step in steps_of(scenes, [1.0] * 4, Settings(), Choice(always=True)))


def test_gain_and_factor_are_inverse() -> None:
    picture = np.random.default_rng(0).integers(20, 120, (20, 20, 3), np.uint8)
    assert gain(picture, scaled(picture, 1.5)) == pytest.approx(np.log(1.5), abs=0.02)
    assert (scaled(picture, 1.0) == picture).all()
    assert scaled(np.full((1, 1, 3), 200, np.uint8), 2.0).max() == 255


def test_the_command_takes_images_and_folders(tmp_path: Path, night: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "w.safetensors"
    card = {"name": "t", "network": {"name": "lednet", "size": "T"}}
    checkpoint.save(weights, LEDNet("T").state_dict(), card)
    from PIL import Image

    given = tmp_path / "in"
    given.mkdir()
    deep = np.random.default_rng(0).integers(0, 2**16, (9, 11), np.uint16)
    Image.fromarray(deep).save(given / "deep.png")
    Image.fromarray(np.full((20, 24, 3), 40, np.uint8)).save(given / "a.jpg")
    (given / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (given / "n.mp4").write_bytes(night.read_bytes())
    way = ["--weights", str(weights), "--engine", "torch", "--lang", "en"]
    status = main([str(given), "-o", str(tmp_path / "out"), *way])
    assert status == 2
    assert "bad.png: error E-ENH-07" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "deep.png", "n.mp4"]
    with Image.open(tmp_path / "out" / "deep.png") as image:
        assert (np.asarray(image).astype(int) == deep).all()  # an untrained network returns its input, in 16 bits too
    assert main([str(given), "-o", str(given), "--weights", str(weights), "--lang", "en"]) == 2
    assert main([str(given), "-o", str(tmp_path / "x"), "--weights", str(tmp_path / "no.safetensors")]) == 2
