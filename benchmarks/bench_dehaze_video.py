"""1080p from file to file: what reading, dehazing and writing take per frame, and the memory it needs.

    python benchmarks/bench_dehaze_video.py [--frames 500] [--workers 2]

The clip is a drawn mine in haze under a panning camera, H.264 at 25 frames per second. Real time on two cores is 80 ms
of CPU per frame. The floors are read only, and read, convert and write again without dehazing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.haze_simulation import scene
from enhancement.video.encode import SegmentWriter, picture_of
from enhancement.video.enhance import dehaze_video
from enhancement.video.source import frames, probe
from tests.fixtures.clips import write_clip


def make(path: Path, count: int) -> None:
    """Write the clip."""
    wide = scene(1, "dense", height=1080, width=1920 + 240).hazy
    pan = (np.ascontiguousarray(wide[:, i % 240 : i % 240 + 1920]) for i in range(count))
    write_clip(path, pan, options={"preset": "veryfast", "g": "50"})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="minegis-") as name:
        folder = Path(name)
        source = folder / "in.mp4"
        child = multiprocessing.get_context("spawn").Process(target=make, args=(source, options.frames))
        child.start()  # of its own, so that the peak of memory is that of dehazing
        child.join()
        clip = probe(source)
        dehazer = Dehazer(preset("standard"))
        dehazer(scene(1, "dense").hazy)  # compiled before the clock starts

        def copy() -> None:
            writer = SegmentWriter(clip, folder / "copy.nut")
            for pts, frame in frames(clip, clip.segments[0]):
                writer.write(picture_of(frame), pts, frame)
            writer.finish()

        def whole() -> None:
            dehaze_video(source, folder / "out.mp4", folder / "work", dehazer, workers=options.workers)

        ways: dict[str, Callable[[], object]] = {
            "read only": lambda: sum(1 for _ in frames(clip, clip.segments[0])),
            "read, convert, write": copy,
            f"dehaze, {options.workers} workers": whole,
        }
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.frames} frames\n")
        print("| way | CPU ms per frame | frames per second, wall |")
        print("|---|---|---|")
        for title, work in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"| {title} | {1e3 * cpu / options.frames:.1f} | {options.frames / wall:.1f} |", flush=True)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\nPeak memory of the process: {peak:.0f} MB")


if __name__ == "__main__":
    main()
