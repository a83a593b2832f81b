"""What LEDNet learns from and what is kept from it: photographs, a driven video, real pairs of one scene at two lights.

The folder is laid out as ``sharp/urban100``, ``sharp/bsds500/train`` and ``val``, ``validation/kodak12``,
``real_low_light_pairs/low`` and ``high``, ``video``. What is held back is fixed here, by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from enhancement.lednet.degradation.interpolation import TIMES, between
from minegis.errors import TrainingError

Picture = np.ndarray[Any, np.dtype[Any]]
SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")
# Real pairs by scene: 184 and 187 show one, 468 to 501 one table of toys.
REAL_TEST = ("116", "144", "184", "187", "204", "238", "260")
REAL_VALIDATION = ("160", "180")
TRAINING_VIDEO, TEST_VIDEO = "road_solidWhiteRight.mp4", "intel_car-detection.mp4"
# First number of a degradation's seed.
TRAINING, VALIDATION, TEST = 0, 1, 2
VIDEO_SIZE = (480, 270)
WINDOW = 5  # frames of a video that are interpolated at a time: 17 to 33 of the fast ones


@dataclass(frozen=True, slots=True)
class Split:
    """Files of one part: sharp pictures by collection, real pairs (dark, clear), a video or None."""

    sharp: dict[str, list[Path]]
    real: list[tuple[Path, Path]]
    video: Path | None

    def names(self) -> dict[str, list[str]]:
        """For a card."""
        found = {name: [path.stem for path in paths] for name, paths in self.sharp.items()}
        found["real"] = [dark.stem for dark, _ in self.real]
        found["video"] = [self.video.name] if self.video else []
        return found

    def sha256(self) -> str:
        """Of the contents of all files, in order."""
        digest = hashlib.sha256()
        pairs = [path for pair in self.real for path in pair]
        for path in [
            *(p for paths in self.sharp.values() for p in paths),
            *pairs,
            *([self.video] if self.video else []),
        ]:
            digest.update(path.read_bytes())
        return digest.hexdigest()


def split(folder: Path) -> dict[str, Split]:
    """The three parts, "train", "validation" and "test".

    Raises:
        TrainingError: E-TRN-09 there are no pictures to train on.
    """
    sharp = folder / "sharp"
    kodak = _files(folder / "validation" / "kodak12")
    urban, clean = _files(sharp / "urban100"), _files(sharp / "bsds500" / "train")
    other = _files(sharp / "bsds500" / "val")
    if not urban and not clean:
        raise TrainingError("E-TRN-09", value=sharp)
    pairs = [
        (path, folder / "real_low_light_pairs" / "high" / path.name)
        for path in _files(folder / "real_low_light_pairs" / "low")
    ]
    pairs = [pair for pair in pairs if pair[1].is_file()]

    def every(paths: list[Path], remainder: int) -> list[Path]:
        return [path for k, path in enumerate(paths) if k % 10 == remainder]

    def video(name: str) -> Path | None:
        return path if (path := folder / "video" / name).is_file() else None

    def real(names: Iterable[str]) -> list[tuple[Path, Path]]:
        return [pair for pair in pairs if pair[0].stem in names]

    held = set(every(urban, 0) + every(urban, 5) + every(other, 0) + every(other, 5))
    kept = [path.stem for path, _ in pairs if path.stem not in REAL_TEST + REAL_VALIDATION]
    return {
        "train": Split(
            {"urban100": [p for p in urban if p not in held], "bsds500": [p for p in clean + other if p not in held]},
            real(kept), video(TRAINING_VIDEO),
        ),
        "validation": Split(
            {"urban100": every(urban, 5), "bsds500": every(other, 5)}, real(REAL_VALIDATION), None
        ),
        "test": Split(
            {"urban100": every(urban, 0), "bsds500": every(other, 0), "kodak12": kodak},
            real(REAL_TEST), video(TEST_VIDEO),
        ),
    }  # fmt: skip


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)


def read(path: Path) -> Picture:
    """An image as bytes (H, W, 3), B, G, R."""
    with Image.open(path) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def windows(video: Path, count: int, size: tuple[int, int] = VIDEO_SIZE) -> list[list[Picture]]:
    """``count`` sequences of a video at eight times its rate, evenly spread, reduced to ``size`` (width, height).

    Each is 33 frames long; windows that hold a cut of the scene are left out.
    """
    with av.open(str(video)) as source:
        frames = [frame.reformat(*size, "bgr24", interpolation="AREA").to_ndarray() for frame in source.decode(video=0)]
    starts = np.linspace(0, len(frames) - WINDOW, count).astype(int)
    found = []
    for start in starts:
        chosen = frames[start : start + WINDOW]
        steps = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(chosen[1:], chosen[:-1], strict=True)]
        if max(steps) < 40:
            found.append(between(chosen, TIMES))
    return found
