"""1080p from file to file: CPU and wall time per frame, and the memory that an enhancement job needs.

    python benchmarks/bench_dehaze_video.py [--frames 1000] [--workers 2]

The clip is a drawn mine in haze under a panning camera, H.264 at 25 frames per second. Real time on two cores is 80 ms
of CPU per frame; the wall beside it says how much of two cores the machine gave. Each way runs in a process of its own
that has loaded what a worker has (Django, Celery, both applications), so that its peak of memory is a job's.
The floors are read only, and read, convert and write again without dehazing.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from enhancement.haze_simulation import scene

WAYS = ("read only", "read, convert, write", "dehaze", "dehaze and take the readings")
# As the Procfile starts a worker of the queue cpu.
WORKER = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "16000000000", "MALLOC_ARENA_MAX": "1",
    "DJANGO_SETTINGS_MODULE": "minegis.settings", "SECRET_KEY": "of-a-benchmark-that-serves-nobody-0123456789",
}  # fmt: skip


def make(path: Path, count: int) -> None:
    """Write the clip."""
    from tests.fixtures.clips import write_clip

    wide = scene(1, "dense", height=1080, width=1920 + 240).hazy
    pan = (np.ascontiguousarray(wide[:, (x := 240 - abs(i % 480 - 240)) : x + 1920]) for i in range(count))
    write_clip(path, pan, options={"preset": "veryfast", "g": "50"})


def one(way: str, folder: Path, workers: int) -> None:
    """Do it one way and print CPU and wall seconds; loading and the first call are not counted."""
    import django

    django.setup()
    import minegis.celery  # noqa: F401
    from enhancement.dehaze.fast import Dehazer
    from enhancement.dehaze.settings import preset
    from enhancement.inspection import inspect
    from enhancement.readings import read_videos
    from enhancement.video.encode import SegmentWriter, picture_of
    from enhancement.video.enhance import dehaze_video
    from enhancement.video.source import Segment, frames, probe

    source, output = folder / "in.mp4", folder / "out.mp4"
    clip = probe(source)
    dehazer = Dehazer(preset("standard"))
    whole = Segment(0, clip.pts[0], None)
    dehazer(scene(1, "dense").hazy)

    def copy() -> None:
        writer = SegmentWriter(clip, folder / "copy.nut")
        for pts, frame in frames(clip, whole):
            writer.write(picture_of(frame), pts, frame)
        writer.finish()

    def dehaze() -> None:
        dehaze_video(source, output, folder / way / "work", dehazer, workers=workers)

    def job() -> None:
        dehaze()
        read_videos(source, output, float(inspect(output, output.name).facts["seconds"]))

    ways: dict[str, Callable[[], object]] = dict(
        zip(WAYS, (lambda: sum(1 for _ in frames(clip, whole)), copy, dehaze, job), strict=True)
    )
    wall, cpu = time.perf_counter(), time.process_time()
    ways[way]()
    print(time.process_time() - cpu, time.perf_counter() - wall)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        one(options.way, options.folder, options.workers)
        return
    with tempfile.TemporaryDirectory(prefix="minegis-") as name:
        make(Path(name) / "in.mp4", options.frames)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.frames} frames, "
            f"{options.workers} workers\n"
        )
        print("| way | CPU ms per frame | wall ms per frame | cores it got | peak memory, MB |")
        print("|---|---|---|---|---|")
        for way in WAYS:
            command = [sys.executable, __file__, "--way", way, "--folder", name, "--workers", str(options.workers)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | WORKER) as process:
                assert process.stdout is not None
                cpu, wall = map(float, process.stdout.read().split())
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            per = 1e3 / options.frames
            print(
                f"| {way} | {per * cpu:.1f} | {per * wall:.1f} | {cpu / wall:.2f} | {usage.ru_maxrss / 1024:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
