"""Dehazing on one core: ours, the source report's way, OpenCV's pieces, a plain copy; and ours beside the oracle.

    python benchmarks/bench_dehaze.py [--height 1080 --width 1920 --rounds 9]

Times are CPU seconds of the process, least of the rounds, the ways taken in turn. With the public material at hand
(``$MINEGIS_DATA``), the fast path is compared with the literal formulas on all of its hazy photos.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from PIL import Image

from enhancement.dehaze import reference
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import PRESETS, Settings
from enhancement.haze_simulation import scene
from enhancement.quality import psnr

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MINEGIS_DATA", ROOT.parent / "shared" / "data")) / "enhancement" / "haze"


def source_report(frame: np.ndarray) -> np.ndarray:
    """The report's way: float64 at full size, CV_64F box filters, its parameters (omega 0.75, window 5, radius 20)."""
    image = frame.astype(np.float64) / 255
    dark = cv2.erode(image.min(axis=2), np.ones((5, 5)))
    index = np.argpartition(dark.ravel(), -dark.size // 1000)[-dark.size // 1000 :]
    candidates = image.reshape(-1, 3)[index]
    light = candidates[candidates.mean(axis=1).argmax()]
    t = 1 - 0.75 * cv2.erode((image / light).min(axis=2), np.ones((5, 5)))
    mean = image.mean(axis=2)
    sky = (mean > 0.7) & (image[:, :, 0] > mean)
    t = np.where(sky, np.clip(t, 0.85, 0.98), 0.9 * t)
    guide = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_BGR2GRAY).astype(np.float64)

    def box(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x, cv2.CV_64F, (41, 41))

    mean_guide, mean_t = box(guide), box(t)
    a = (box(guide * t) - mean_guide * mean_t) / (box(guide * guide) - mean_guide**2 + 1e-3)
    t = box(a) * guide + box(mean_t - a * mean_guide)
    clear = (image - light) / np.clip(t, 0.1, 1)[..., None] + light
    return (np.clip(clear, 0, 1) * 255).astype(np.uint8)


def opencv_pieces(frame: np.ndarray) -> np.ndarray:
    """A guided filter at a quarter of the size in float32, everything by OpenCV and NumPy calls."""
    image = frame.astype(np.float32) / 255
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    dark = cv2.erode(small.min(axis=2), np.ones((3, 3)))
    number = max(1, dark.size // 1000)
    light = np.median(small.reshape(-1, 3)[np.argpartition(dark.ravel(), -number)[-number:]], axis=0)
    t = 1 - 0.75 * cv2.erode((small / light).min(axis=2), np.ones((3, 3)))
    guide = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)

    def box(x: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(x, cv2.CV_32F, (11, 11))

    mean_guide, mean_t = box(guide), box(t)
    a = (box(guide * t) - mean_guide * mean_t) / (box(guide * guide) - mean_guide**2 + 1e-3)
    size = (frame.shape[1], frame.shape[0])
    slope, offset = cv2.resize(box(a), size), cv2.resize(box(mean_t - a * mean_guide), size)
    t = np.clip(slope * cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) + offset, 0.1, 1)[..., None]
    return (np.clip((image - light) / t + light, 0, 1) * 255).astype(np.uint8)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    frame = scene(1, "dense", height=options.height, width=options.width).hazy
    megapixels = frame.shape[0] * frame.shape[1] / 1e6
    copy = np.empty_like(frame)
    ways: dict[str, Callable[[], object]] = {}
    for name, settings in PRESETS.items():
        dehazer = Dehazer(settings)
        ways[f"ours, preset {name}"] = lambda dehazer=dehazer: dehazer(frame)
        light = dehazer.measure(frame).airlight
        ways[f"ours, preset {name}, air light known (video)"] = lambda d=dehazer, light=light: d.recover(
            frame, light, d.lines(frame, light, full=255.0), full=255.0
        )
    ways["the source report's way, float64"] = lambda: source_report(frame)
    ways["OpenCV pieces at a quarter, float32"] = lambda: opencv_pieces(frame)
    ways["copy of the frame"] = lambda: np.copyto(copy, frame)
    began = time.perf_counter()
    for work in ways.values():
        work()
    warm = time.perf_counter() - began
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(options.rounds):
        for name, work in ways.items():
            began = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - began)
    floor = best["copy of the frame"]
    report = best["the source report's way, float64"]
    print(
        f"{platform.machine()}, one-minute load {os.getloadavg()[0]:.1f}, {options.width}x{options.height}, ",
        end="",
    )
    print(f"one thread, least CPU time of {options.rounds}; first calls of all ways together {warm:.1f} s\n")
    print("| way | ms/MP | copies | the report's way takes |")
    print("|---|---|---|---|")
    for name, seconds in best.items():
        print(
            f"| {name} | {1e3 * seconds / megapixels:.2f} | {seconds / floor:.0f} | {report / seconds:.1f} times that |"
        )
    if DATA.is_dir():
        agreement()


def agreement() -> None:
    """Fast path beside the oracle on every hazy photo at hand."""
    print("\n| photo | preset | mean difference, of 255 | PSNR, dB |")
    print("|---|---|---|---|")
    for path in sorted(DATA.iterdir()):
        with Image.open(path) as image:
            frame = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        for name, settings in {**PRESETS, "report, window auto": Settings(window_size="auto")}.items():
            exact = reference.dehaze(frame, settings).image / 255
            quick = Dehazer(replace(settings, night_gate=False))(frame).image / 255
            print(f"| {path.name} | {name} | {255 * np.abs(exact - quick).mean():.3f} | {psnr(exact, quick):.1f} |")


if __name__ == "__main__":
    main()
