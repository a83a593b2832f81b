"""Patches on disk: written batch by batch as they are found, read back the same way, never all in memory.

What reads and writes them is imported then: 60 MB that the network's stage has better use for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from landdamage.taxonomy import FOREGROUND_IDS

if TYPE_CHECKING:
    import geopandas as gpd

LAYER = "patches"
BATCH = 2000  # patches read at once


def write_patches(path: Path, batches: Iterable[gpd.GeoDataFrame], metadata: dict[str, str]) -> dict[int, int]:
    """Write batches of patches to layer ``patches`` of a GeoPackage, which gets its name when it is complete.

    Args:
        path: the file; one that is there is replaced.
        batches: frames as ``vectorise`` makes them; at least one, which may be empty.
        metadata: recorded in the file.

    Returns:
        Sum of ``area_cm2`` for every foreground class id.
    """
    import pyogrio

    for left_over in path.parent.glob(f"{path.stem}.*.partial*"):
        left_over.unlink()
    # A name of its own: an attempt that was given up must not add to the file of the next one.
    partial = path.with_suffix(f".{uuid4().hex}.partial.gpkg")
    areas = np.zeros(max(FOREGROUND_IDS) + 1, np.int64)

    def write(batch: gpd.GeoDataFrame) -> None:
        pyogrio.write_dataframe(
            batch,
            partial,
            layer=LAYER,
            driver="GPKG",
            geometry_type="Polygon",
            append=partial.exists(),
            dataset_metadata=None if partial.exists() else metadata,
        )

    for batch in batches:
        if len(batch):  # from an empty one the types of the columns cannot be told
            write(batch)
        np.add.at(areas, batch["class_id"].to_numpy(), batch["area_cm2"].to_numpy())
    if not partial.exists():
        write(batch)
    partial.replace(path)
    return {class_id: int(areas[class_id]) for class_id in FOREGROUND_IDS}


def patch_count(path: Path) -> int:
    """How many patches a file of ``write_patches`` holds."""
    import pyogrio

    return int(pyogrio.read_info(path, layer=LAYER)["features"])


def read_patches(path: Path, size: int = BATCH) -> Iterator[gpd.GeoDataFrame]:
    """The patches of a file of ``write_patches`` in the order of writing, at most ``size`` at once.

    Without any patch there is one empty batch, which still has the columns.
    """
    import pyogrio

    for first in range(0, max(patch_count(path), 1), size):
        # Feature numbers count from 1 and are the table's key, so each batch is found at once.
        batch = pyogrio.read_dataframe(path, layer=LAYER, where=f"fid > {first} AND fid <= {first + size}")
        yield batch.astype({"class_id": np.uint8})
