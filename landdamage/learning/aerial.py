"""Two public sets of aerial images with some of our classes: ``dronedeploy`` (10 cm chips) and ``harvey_uav``.

Neither shows a mine; they tell whether one network is better than another at real pixels of several classes. Classes
they have no label for (stockpile, tailings pond, open pit) are absent, not background.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.scenes import Scene
from landdamage.taxonomy import BY_CODE, IGNORE

# building, clutter, vegetation, water, ground, car
DRONEDEPLOY = MappingProxyType(
    {0: "living_area", 1: "background", 2: "vegetation", 3: "water", 4: "background", 5: "background"}
)
# Roofs; grass and trees; pool, water and flood; parking as the nearest thing to an industrial square; road, bare ground
# and drive. All others, and what nobody labelled, are ignored.
HARVEY = MappingProxyType(
    {
        **dict.fromkeys((1, 2), "living_area"),
        **dict.fromkeys((5, 6, 22), "vegetation"),
        **dict.fromkeys((3, 23, 24), "water"),
        19: "industrial_square",
        **dict.fromkeys((14, 15, 26), "background"),
    }
)
DRONEDEPLOY_GSD_M = 0.1
HARVEY_GSD_M = 0.06  # not stated by the set; a car is about 75 pixels long
BLOCK = 10  # chips of a flight that count as one region: neighbours show the same ground
# Images of the flood flight that may overlap are one region; these are validated on, the others trained on.
HARVEY_REGIONS = ((6435,), (6445,), (6627,), (6704,), (6893,), (6930, 6935), (6957, 6959, 6963, 6966))
HARVEY_VALIDATION = (6445, 6893, 6930, 6935)


def class_table(mapping: Mapping[int, str]) -> NDArray[np.uint8]:
    """Our class of every label value, (256,); 255 for values without one."""
    table = np.full(256, IGNORE, np.uint8)
    for value, code in mapping.items():
        table[value] = BY_CODE[code].id
    return table


def load_dronedeploy(folder: Path) -> dict[str, list[Scene]]:
    """Chips by split (``train``, ``val``), bands B, G, R; each flight has one stretch, ten chips of it make a region.

    Args:
        folder: holds ``splits.csv`` (chip, split), ``images/CHIP.webp`` and ``labels/CHIP.png``.

    Raises:
        FileNotFoundError: the folder is not that set.
    """
    table = class_table(DRONEDEPLOY)
    with (folder / "splits.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted((row["chip"], row["split"]) for row in csv.DictReader(file))
    pixels = {chip: _bands(folder / "images" / f"{chip}.webp") for chip, _ in rows}
    flights: dict[str, list[str]] = {}
    for chip, _ in rows:
        flights.setdefault(chip.rpartition("-")[0], []).append(chip)
    stretches = {
        flight: Stretch.from_pixels(np.concatenate([pixels[chip].reshape(3, -1) for chip in chips], axis=1))
        for flight, chips in flights.items()
    }
    splits: dict[str, list[Scene]] = {"train": [], "val": []}
    for chip, split in rows:
        flight, _, number = chip.rpartition("-")
        labels = table[_labels(folder / "labels" / f"{chip}.png")]
        region = f"{flight}-{split}-{int(number) // BLOCK}"
        valid = np.ones(labels.shape, bool)
        scene = Scene(chip, region, pixels[chip], labels, valid, stretches[flight], DRONEDEPLOY_GSD_M)
        splits[split].append(scene)
    return splits


def load_harvey(folder: Path) -> dict[str, list[Scene]]:
    """Images by split (``train``, ``val``), bands B, G, R; those that may overlap share a region and a split.

    Args:
        folder: holds ``images/NUMBER.webp`` and ``labels/NUMBER.png``.

    Raises:
        FileNotFoundError: the folder is not that set.
    """
    table = class_table(HARVEY)
    splits: dict[str, list[Scene]] = {"train": [], "val": []}
    for region in HARVEY_REGIONS:
        for number in region:
            pixels = _bands(folder / "images" / f"{number}.webp")
            labels = table[_labels(folder / "labels" / f"{number}.png")]
            scene = Scene(
                f"harvey-{number}",
                f"harvey-{region[0]}",
                pixels,
                labels,
                np.ones(labels.shape, bool),
                Stretch.from_pixels(pixels),
                HARVEY_GSD_M,
            )
            splits["val" if number in HARVEY_VALIDATION else "train"].append(scene)
    return splits


def _bands(path: Path) -> NDArray[np.uint8]:
    """A picture as bands B, G, R: (3,H,W)."""
    with Image.open(path) as image:
        return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1].transpose(2, 0, 1))


def _labels(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)
