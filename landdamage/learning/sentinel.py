"""The public set of 90 Sentinel-2 mine scenes with seven-class outlines (``tailings_s2``), split by overlap group."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np
import rasterio
from numpy.typing import NDArray

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.losses import NOT_TAILINGS
from landdamage.learning.scenes import Scene
from landdamage.taxonomy import IGNORE

GSD_M = 10.0


Labelling = Literal["labels7", "masks_union", "both"]


def load_scenes(folder: Path, labels: Labelling = "labels7") -> dict[str, list[Scene]]:
    """Scenes by split (``train``, ``val``), bands B, G, R.

    Args:
        folder: holds ``scenes.csv`` (scene, group, split, ...), ``images/img_NNN.tif`` and their label rasters.
        labels: ``labels7/img_NNN.tif``, seven classes outlined by eye (255 = unsure), or ``masks_union/mask_NNN.tif``,
            where 1 is tailings and 0 everything else, other classes of ours among it. ``both`` is for training: the
            seven classes, and ``NOT_TAILINGS`` where they are unsure and the mask says 0.

    Raises:
        FileNotFoundError: the folder is not that set.
        ValueError: a group lies in two splits.
    """
    with (folder / "scenes.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    split_of: dict[str, str] = {}
    for row in rows:
        if split_of.setdefault(row["group"], row["split"]) != row["split"]:
            raise ValueError(f"group {row['group']} lies in two splits")
    splits: dict[str, list[Scene]] = {"train": [], "val": []}
    for row in rows:
        name = f"img_{row['scene']}.tif"
        with rasterio.open(folder / "images" / name) as image:
            pixels = image.read()
        truth = _labels(folder, row["scene"], labels)
        valid = (pixels > 0).all(axis=0)
        splits[row["split"]].append(
            Scene(row["scene"], row["group"], pixels, truth, valid, Stretch.from_pixels(pixels, valid), GSD_M)
        )
    return splits


def _labels(folder: Path, scene: str, labels: Labelling) -> NDArray[np.uint8]:
    """Labels of a scene, (H,W)."""
    files = {"labels7": f"labels7/img_{scene}.tif", "masks_union": f"masks_union/mask_{scene}.tif"}
    first, *others = [files[labels]] if labels in files else files.values()
    with rasterio.open(folder / first) as source:
        truth: NDArray[np.uint8] = source.read(1)
    for other in others:
        with rasterio.open(folder / other) as source:
            truth[(truth == IGNORE) & (source.read(1) == 0)] = NOT_TAILINGS
    return truth
