"""A clip of two hours dehazed by a worker that is killed twice and cancelled once: nothing lost, nothing left over.

    python benchmarks/bench_long_clip.py [--seconds 7200] [--workers 2]

The clip (160 x 120, 25 frames per second, H.264, with sound) carries a number on every frame, so that each frame of the
result is counted, not only how many there are. A process of its own does what the enhancement job does; it is killed
with SIGKILL at 20 % and 70 % of its progress and cancelled at 45 %; every next one goes on in the same work folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import numpy as np

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.haze_simulation import scene
from enhancement.video.enhance import dehaze_video
from enhancement.video.source import open_video, probe
from minegis.errors import JobCancelledError

RATE, HEIGHT, WIDTH = 25, 120, 160
BITS, SIDE = 18, 8  # of the number on a frame: blocks of 8 pixels in its top rows between a white and a black one
PAN = 800  # pixels that the camera pans to and fro
SOUND = 16_000  # samples per second
STOPS = (("SIGKILL", 0.20), ("cancel", 0.45), ("SIGKILL", 0.70))
CANCELLED = 3


def frame_of(wide: np.ndarray, number: int) -> np.ndarray:
    """Frame ``number``: bytes, B, G, R, with the number along its upper edge."""
    left = PAN - abs(number % (2 * PAN) - PAN)
    picture = wide[:, left : left + WIDTH].copy()
    picture[: 2 * SIDE, :SIDE], picture[: 2 * SIDE, -SIDE:] = 235, 16
    bits = number >> np.arange(BITS - 1, -1, -1) & 1
    picture[: 2 * SIDE, SIDE:-SIDE] = np.repeat(np.where(bits, 235, 16), SIDE)[:, None]
    return picture


def number_of(luma: np.ndarray) -> int:
    """The number on a frame, from its luma plane."""
    white, *blocks, black = luma[4 : 2 * SIDE - 4].mean(axis=0).reshape(BITS + 2, SIDE)[:, 2:-2].mean(axis=1)
    return int((np.array(blocks) > (white + black) / 2) @ (1 << np.arange(BITS - 1, -1, -1)))


def make(path: Path, frames: int) -> None:
    """Write the clip with its sound."""
    wide = scene(1, "dense", height=HEIGHT, width=WIDTH + PAN).hazy
    wave = (np.sin(np.arange(SOUND) * 0.1) * 8000).astype(np.int16)[None]
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=RATE, options={"preset": "ultrafast", "crf": "20"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        tone: Any = out.add_stream("aac", rate=SOUND, layout="mono")
        resampler = av.AudioResampler(tone.codec_context.format, "mono", SOUND, frame_size=1024)
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(frame_of(wide, number), "bgr24")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            out.mux(video.encode(picture))
            if number % RATE == 0:
                audio = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
                audio.sample_rate, audio.pts = SOUND, number // RATE * SOUND
                for piece in resampler.resample(audio):
                    out.mux(tone.encode(piece))
        out.mux(video.encode(None))
        out.mux(tone.encode(None))


def work(folder: Path, workers: int) -> int:
    """The process that does the job; the file ``stop`` is the wish to end it."""

    def progress(stage: str, share: float) -> None:
        print(f"{share:.4f} {stage}", flush=True)

    try:
        dehaze_video(
            folder / "in.mp4", folder / "out.mp4", folder / "work", Dehazer(preset("standard")), workers=workers,
            progress=progress, should_stop=(folder / "stop").exists,
        )  # fmt: skip
    except JobCancelledError:
        return CANCELLED
    return 0


def attempt(folder: Path, workers: int, end: str, at: float) -> tuple[int, float, float, int]:
    """One process, ended at a share of its progress; exit status, CPU seconds, peak MB, finished parts it found."""
    found = {path: path.stat().st_mtime_ns for path in (folder / "work").glob("part-*.nut")}
    command = [sys.executable, __file__, "--work", str(folder), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if end and float(line.split()[0]) >= at:
                if end == "cancel":
                    (folder / "stop").touch()
                else:
                    process.send_signal(signal.SIGKILL)
                break
        for _ in process.stdout:
            pass
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    (folder / "stop").unlink(missing_ok=True)
    assert all(path.stat().st_mtime_ns == time for path, time in found.items()), "finished parts were done again"
    return process.returncode, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, len(found)


def numbers(path: Path) -> Iterator[tuple[Fraction, int]]:
    """Time and number of every frame."""
    with open_video(path) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            plane = frame.planes[0]
            luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:HEIGHT, :WIDTH]
            yield frame.pts * stream.time_base, number_of(luma)


def sound(path: Path) -> tuple[str, int, Fraction]:
    """Hash of the sound's packets, how many, and when the last one ends, in seconds."""
    import hashlib

    digest, count, last = hashlib.sha256(), 0, Fraction(0)
    with open_video(path) as container:
        stream = container.streams.audio[0]
        for packet in container.demux(stream):
            if packet.size:
                digest.update(bytes(packet))
                count, last = count + 1, (packet.pts + packet.duration) * packet.time_base
    return digest.hexdigest(), count, last


def check(folder: Path, frames: int) -> str:
    """What is proven of the result.

    Raises:
        AssertionError: something is lost, doubled, late or left over.
    """
    segments = len(probe(folder / "in.mp4").segments)
    expected = {f"measures-{n:05d}.json" for n in range(segments)} | {f"part-{n:05d}.nut" for n in range(segments)}
    left = {path.name for path in (folder / "work").iterdir()}
    assert left == expected | {"plan.json"}, f"files too many or too few: {left ^ expected}"
    assert {path.name for path in folder.iterdir()} == {"in.mp4", "out.mp4", "work"}
    count = 0
    for time_, number in numbers(folder / "out.mp4"):
        assert (time_, number) == (Fraction(count, RATE), count), (float(time_), number, count)
        count += 1
    assert count == frames, count
    given, found = sound(folder / "in.mp4"), sound(folder / "out.mp4")
    assert given == found, (given, found)
    with open_video(folder / "in.mp4") as before, open_video(folder / "out.mp4") as after:
        durations = [c.streams.video[0].duration * c.streams.video[0].time_base for c in (before, after)]
    assert durations[0] == durations[1], durations
    return (
        f"{count} of {frames} frames, each with its own number at its own time; {float(durations[1]):.2f} s of picture "
        f"before and after; all {found[1]} packets of sound equal; {segments} parts, no other file"
    )


def main() -> None:
    """Make, stop, go on, check, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=7200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        sys.exit(work(options.work, options.workers))
    frames = options.seconds * RATE
    with tempfile.TemporaryDirectory(prefix="minegis-") as name:
        folder = Path(name)
        began = time.process_time()
        make(folder / "in.mp4", frames)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores shared with other work, load {os.getloadavg()[0]:.1f}; "
            f"{frames} frames of {WIDTH} x {HEIGHT}, made in {time.process_time() - began:.0f} s of CPU\n"
        )
        print("| attempt | ended by | finished parts it found | CPU s | wall s | peak memory, MB |")
        print("|---|---|---|---|---|---|")
        for number, (end, at) in enumerate([*STOPS, ("", 1.0)], 1):
            wall = time.perf_counter()
            status, cpu, peak, found = attempt(folder, options.workers, end, at)
            assert status == {"SIGKILL": -signal.SIGKILL, "cancel": CANCELLED, "": 0}[end], status
            assert (folder / "out.mp4").exists() == (not end)
            partial = sum(1 for _ in (folder / "work").glob(".*.partial"))
            assert not partial or end == "SIGKILL", "a cancel leaves nothing half-written"
            how = f"{end} at {100 * at:.0f} %" if end else "its own end"
            wall = time.perf_counter() - wall
            print(f"| {number} | {how} | {found} | {cpu:.0f} | {wall:.0f} | {peak:.0f} |", flush=True)
        print(f"\n{check(folder, frames)}.")


if __name__ == "__main__":
    main()
