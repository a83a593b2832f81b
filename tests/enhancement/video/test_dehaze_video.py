"""Videos from file to file: nothing lost, nothing doubled, everything said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from enhancement.cli import main
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.haze_simulation import mining_scene
from enhancement.video.atmosphere import Airs
from enhancement.video.encode import picture_of
from enhancement.video.enhance import airs_of, dehaze_video, measure_part
from enhancement.video.source import frames, probe
from enhancement.video.steady import LEAD, SteadyDehazer
from minegis.errors import JobCancelledError, VideoError
from tests.fixtures.clips import decoded, pictures, shown, write_clip

DEHAZER = Dehazer(preset("standard"))
SHORT_GOPS = {"g": "8", "bf": "2", "sc_threshold": "0"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 frames with B-frames and a key frame every 8, with sound."""
    return write_clip(tmp_path_factory.mktemp("clip") / "mine.mp4", pictures(48), options=SHORT_GOPS, sound="aac")


def pictures_of(source: Path, segment_frames: int, airs: Airs) -> dict[int, np.ndarray]:
    """The rendered pictures by timestamp, each segment begun on its own."""
    found = {}
    clip = probe(source, segment_frames)
    for segment in clip.segments:
        steady = SteadyDehazer(DEHAZER)
        for pts, frame in frames(clip, segment, lead=LEAD):
            picture = steady(picture_of(frame), airs[pts])
            if pts >= segment.start:
                found[pts] = picture
    return found


def dehaze(source: Path, folder: Path, **options: object) -> Path:
    output = folder / "out.mp4"
    dehaze_video(source, output, folder / "work", DEHAZER, **options)  # type: ignore[arg-type]
    return output


def test_frames_times_and_sound_are_kept(clip: Path, tmp_path: Path) -> None:
    output = dehaze(clip, tmp_path)
    assert shown(output) == shown(clip)
    with av.open(str(clip)) as before, av.open(str(output)) as after:
        assert [bytes(p) for p in before.demux(audio=0)] == [bytes(p) for p in after.demux(audio=0)]
        video = after.streams.video[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert abs(before.duration - after.duration) < 1000  # microseconds
    head = output.read_bytes()
    assert head.index(b"moov") < head.index(b"mdat"), "players would have to load it all first"
    assert not list(tmp_path.glob(".*"))
    before_contrast, after_contrast = (np.mean([frame.std() for frame in decoded(path)]) for path in (clip, output))
    assert after_contrast > 1.2 * before_contrast


def test_segments_join_without_a_seam(clip: Path, tmp_path: Path) -> None:
    assert len(probe(clip, 8).segments) == 6
    assert shown(dehaze(clip, tmp_path, segment_frames=8, workers=3)) == shown(clip)
    settings = DEHAZER.settings
    airs = airs_of(probe(clip, 8), tmp_path / "work", settings)
    (tmp_path / "whole").mkdir()
    measure_part(probe(clip, 1000), probe(clip, 1000).segments[0], tmp_path / "whole", settings)
    alone = airs_of(probe(clip, 1000), tmp_path / "whole", settings)
    assert airs.keys() == alone.keys()
    np.testing.assert_array_equal([air.light for air in airs.values()], [air.light for air in alone.values()])
    whole = pictures_of(clip, 1000, airs)
    parts = pictures_of(clip, 8, airs)
    assert whole.keys() == parts.keys()
    worst = max(np.abs(whole[pts].astype(int) - parts[pts]).max() for pts in whole)
    assert worst <= 2  # of 255, before encoding


def test_the_number_of_workers_changes_no_frame(clip: Path, tmp_path: Path) -> None:
    """What is encoded is equal to the bit; the encoder itself is not quite the same from run to run."""
    files = []
    for workers in (1, 3):
        folder = tmp_path / str(workers)
        folder.mkdir()
        files.append(dehaze(clip, folder, segment_frames=8, workers=workers))
    assert shown(files[0]) == shown(files[1])
    one, three = (np.stack(list(decoded(file))).astype(float) for file in files)
    assert one.shape == three.shape
    assert np.abs(one - three).mean() < 0.5


def test_a_varying_frame_rate_is_kept(tmp_path: Path) -> None:
    steps = np.random.default_rng(3).choice([256, 512, 1024, 2777], 30)
    times = [int(t) for t in np.cumsum(steps)]
    source = write_clip(tmp_path / "in.mp4", pictures(30), times=times, options=SHORT_GOPS)
    output = dehaze(source, tmp_path, segment_frames=8, workers=2)
    given, found = shown(source), shown(output)
    assert [t - found[0] for t in found] == [t - given[0] for t in given]


def test_rotation_is_kept(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", pictures(5), rotation=90)
    with av.open(str(source)) as before, av.open(str(dehaze(source, tmp_path))) as after:
        turned = next(before.decode(video=0)).rotation
        assert turned in (90, -90)
        assert next(after.decode(video=0)).rotation == turned


def test_cancel_leaves_nothing_half_written_and_work_goes_on(clip: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(JobCancelledError):
        dehaze(clip, tmp_path, segment_frames=8, should_stop=lambda: (work / "part-00001.nut").exists())
    assert not (tmp_path / "out.mp4").exists()
    assert not list(tmp_path.glob(".*"))
    assert not list(work.glob(".*"))
    finished = {path: path.stat().st_mtime_ns for path in work.glob("part-*.nut")}
    assert (work / "part-00001.nut") in finished
    stages: list[tuple[str, float]] = []
    output = dehaze(clip, tmp_path, segment_frames=8, progress=lambda stage, part: stages.append((stage, part)))
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items()), "finished parts were done again"
    assert shown(output) == shown(clip)
    assert stages[-1] == ("join", 1.0)
    assert all(0 <= part <= 1 for _, part in stages)


def test_other_settings_do_not_use_the_work_of_these(clip: Path, tmp_path: Path) -> None:
    dehaze(clip, tmp_path)
    first = (tmp_path / "out.mp4").read_bytes()
    dehaze_video(clip, tmp_path / "out.mp4", tmp_path / "work", Dehazer(preset("gentle")))
    assert (tmp_path / "out.mp4").read_bytes() != first


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("in.mkv", "libx265", "yuv420p"), ("in.avi", "mjpeg", "yuvj420p"), ("in.ts", "libx264", "yuv420p")],
)
def test_codecs_of_cameras(tmp_path: Path, name: str, codec: str, pix_fmt: str) -> None:
    frames = pictures(12)
    source = write_clip(tmp_path / name, frames, codec=codec, pix_fmt=pix_fmt, base=Fraction(1, 25))
    output = dehaze(source, tmp_path)
    times = shown(output)
    assert len(times) == 12
    assert np.allclose(np.diff([float(t) for t in times]), 0.04, atol=1e-3)


def planes(path: Path) -> np.ndarray:
    """Luma and chroma of all frames as decoded, (N, 3 H / 2, W)."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray().astype(float) for frame in container.decode(video=0)])


def test_frames_that_pass_through_are_unchanged(tmp_path: Path) -> None:
    """Of the night or clear: what differs is the noise of the codec, not a level of brightness or colour."""
    night = [(frame * 0.2).astype(np.uint8) for frame in pictures(6)]
    wide = (mining_scene(1, height=96, width=166) * 255).astype(np.uint8)
    clear = [np.ascontiguousarray(wide[:, i : i + 160]) for i in range(6)]
    for given in (night, clear):
        source = write_clip(tmp_path / "a.mp4", given, base=Fraction(1, 25))
        done = dehaze_video(source, tmp_path / "out.mp4", tmp_path / "work", DEHAZER)
        assert done.passed_through == 6
        assert [finding.code for finding in done.findings] == ["E-VID-11"]
        before, after = planes(source), planes(tmp_path / "out.mp4")
        for part in (slice(0, 96), slice(96, 120), slice(120, 144)):  # Y, U, V
            assert abs((after - before)[:, part].mean()) < 0.5, part
        assert np.abs(after - before).mean() < 2


def test_full_range_comes_through_too(tmp_path: Path) -> None:
    frames = [(frame * 0.2).astype(np.uint8) for frame in pictures(6)]
    for pix_fmt in ("yuvj420p", "yuvj422p"):
        source = write_clip(
            tmp_path / "b.avi", frames, codec="mjpeg", pix_fmt=pix_fmt, base=Fraction(1, 25), options={"qmin": "1"}
        )
        dehaze_video(source, tmp_path / "out.mp4", tmp_path / "work", DEHAZER)
        with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
            for a, b in zip(before.decode(video=0), after.decode(video=0), strict=True):
                one, other = picture_of(a).astype(float), picture_of(b).astype(float)
                assert np.abs(one.mean(axis=(0, 1)) - other.mean(axis=(0, 1))).max() < 0.6


def test_a_cut_off_file_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.ts", pictures(40), options=SHORT_GOPS)
    content = whole.read_bytes()
    (tmp_path / "cut.ts").write_bytes(content[: len(content) * 2 // 3])
    output = dehaze(tmp_path / "cut.ts", tmp_path, segment_frames=8)
    assert 10 < len(shown(output)) < 40
    assert len(shown(output)) == len(shown(tmp_path / "cut.ts"))


def test_foreign_sound_becomes_aac(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.avi", pictures(25), codec="mjpeg", pix_fmt="yuvj420p", sound="pcm_s16le")
    with av.open(str(dehaze(source, tmp_path))) as after:
        sound = after.streams.audio[0]
        assert sound.codec_context.name == "aac"
        samples = sum(frame.samples for frame in after.decode(audio=0))
    assert 16000 <= samples <= 16000 + 4096


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: write_clip(folder / "sound.mp4", [], sound="aac"), "error E-VID-03"),
        (lambda folder: folder.joinpath("text.mp4").write_text("no video") and folder / "text.mp4", "error E-VID-01"),
        (lambda folder: write_clip(folder / "odd.mkv", pictures(3, height=95, width=161), codec="mjpeg",
                                   pix_fmt="yuvj444p"), "warning E-VID-05"),
        (lambda folder: write_clip(folder / "deep.mkv", pictures(3), codec="libx265", pix_fmt="yuv420p10le"),
         "warning E-VID-06"),
        (lambda folder: write_clip(folder / "alpha.mkv", pictures(3), codec="ffv1", pix_fmt="yuva420p"),
         "warning E-VID-07"),
        (lambda folder: write_clip(folder / "renamed.mp4", pictures(3)).rename(folder / "renamed.png"),
         "warning E-VID-13"),
    ],
    ids=["sound only", "text", "odd", "ten bits", "alpha", "renamed"],
)  # fmt: skip
def test_unusual_files_have_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], make: object, code: str) -> None:
    source = make(tmp_path)  # type: ignore[operator]
    status = main([str(source), "-o", str(tmp_path / "out.mp4"), "--lang", "en"])
    assert code in capsys.readouterr().err
    assert status == (2 if code.startswith("error") else 0)
    assert (tmp_path / "out.mp4").exists() == (status == 0)


def test_a_file_without_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", pictures(3))
    with av.open(str(source)) as given, av.open(str(tmp_path / "empty.mkv"), "w") as out:
        out.add_stream_from_template(given.streams.video[0])
        out.start_encoding()
    with pytest.raises(VideoError, match=r"E-VID-0[14]"):
        probe(tmp_path / "empty.mkv")


def test_lists_of_other_files_are_not_followed(tmp_path: Path) -> None:
    target = write_clip(tmp_path / "secret.mp4", pictures(3))
    for name, text in (
        ("list.mp4", f"ffconcat version 1.0\nfile {target}\n"),
        ("list.ts", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(VideoError, match=r"E-VID-0[12]"):
            probe(tmp_path / name)


def test_the_command_does_folders_of_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_clip(folder / "a.mkv", pictures(3))
    assert main([str(folder), "-o", str(tmp_path / "out"), "--lang", "zh"]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.mp4"]
    assert main([str(folder / "a.mkv"), "-o", str(tmp_path / "out.avi"), "--lang", "zh"]) == 2
    assert "错误 E-VID-12" in capsys.readouterr().err
