"""The public set of 90 Sentinel-2 mine scenes with seven-class outlines (``tailings_s2``), split by overlap group."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import rasterio

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.scenes import Scene

GSD_M = 10.0


def load_scenes(folder: Path, labels: Literal["labels7", "masks_union"] = "labels7") -> dict[str, list[Scene]]:
    """Scenes by split (``train``, ``val``), bands B, G, R.

    Args:
        folder: holds ``scenes.csv`` (scene, group, split, ...), ``images/img_NNN.tif`` and their label rasters.
        labels: ``labels7/img_NNN.tif``, seven classes outlined by eye (255 = unsure), or ``masks_union/mask_NNN.tif``,
            where 1 is tailings and 0 everything else, other classes of ours among it.

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
        with rasterio.open(folder / labels / (name if labels == "labels7" else f"mask_{row['scene']}.tif")) as mask:
            truth = mask.read(1)
        valid = (pixels > 0).all(axis=0)
        splits[row["split"]].append(
            Scene(row["scene"], row["group"], pixels, truth, valid, Stretch.from_pixels(pixels, valid), GSD_M)
        )
    return splits
