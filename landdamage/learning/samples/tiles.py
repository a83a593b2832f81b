"""One tile on disk: the image as a GeoTIFF with its mask, the labels as another, and its line in the index."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from landdamage.imagery.open import READ_ERRORS
from landdamage.taxonomy import IGNORE
from minegis.errors import SampleSetError

FOLDER: Final = "tiles"
_LAYOUT: Final = {"driver": "GTiff", "compress": "deflate", "tiled": True, "blockxsize": 256, "blockysize": 256}


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's line in the index.

    Attributes:
        id: name of its files.
        set: train, val, test, or foldN.
        grid: ``train`` (overlapping windows) or ``eval`` (windows that touch).
        region: what it never parts from.
        image: name of its image.
        sensor: of the image.
        acquired: ISO date of the image, empty where unknown.
        row: of its first pixel on the image's grid.
        column: of it.
        labelled: whether it counts as labelled or as background.
        pixels: pixels per class in the order of the taxonomy's ids, and last those not labelled.
        sha256: of pixels, labels and validity.
        fingerprint: of the picture, see ``likeness``.
        footprint: ring of (longitude, latitude), EPSG:4490.
        origin: id of the tile it is an augmented copy of (only in the paper's split), else its own.
    """

    id: str
    set: str
    grid: str
    region: str
    image: str
    sensor: str
    acquired: str
    row: int
    column: int
    labelled: bool
    pixels: tuple[int, ...]
    sha256: str
    fingerprint: str
    footprint: tuple[tuple[float, float], ...]
    origin: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**dataclasses.asdict(self), "pixels": list(self.pixels), "footprint": [list(p) for p in self.footprint]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Tile:
        """The inverse of ``as_dict``."""
        footprint = tuple((float(x), float(y)) for x, y in values["footprint"])
        return cls(**{**values, "pixels": tuple(values["pixels"]), "footprint": footprint})


def image_path(folder: Path, tile_id: str) -> Path:
    """Where the image of a tile lies."""
    return folder / FOLDER / f"{tile_id}.tif"


def label_path(folder: Path, tile_id: str) -> Path:
    """Where the labels of a tile lie."""
    return folder / FOLDER / f"{tile_id}_label.tif"


def content_sha256(pixels: NDArray[Any], labels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> str:
    """Hash of what a tile holds, whatever the compression of its files."""
    digest = hashlib.sha256(json.dumps([str(pixels.dtype), list(pixels.shape)]).encode())
    for part in (pixels, labels, np.packbits(valid)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def write_tile(
    folder: Path,
    tile_id: str,
    pixels: NDArray[Any],
    labels: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    *,
    crs: Any,
    transform: Affine,
) -> None:
    """Write both files of a tile.

    Args:
        folder: of the sample set.
        tile_id: its name.
        pixels: (C,side,side).
        labels: (side,side).
        valid: (side,side).
        crs: anything rasterio understands.
        transform: of the tile.
    """
    side = labels.shape[0]
    common = {**_LAYOUT, "crs": crs, "transform": transform, "height": side, "width": side}
    predictor = 3 if pixels.dtype.kind == "f" else 2
    layout = {**common, "count": len(pixels), "dtype": pixels.dtype, "predictor": predictor}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES"),
        _complete(image_path(folder, tile_id)) as part,
        rasterio.open(part, "w", photometric="minisblack", **layout) as image,
    ):
        image.write(pixels)
        image.write_mask(valid)
    with (
        _complete(label_path(folder, tile_id)) as part,
        rasterio.open(part, "w", count=1, dtype="uint8", nodata=IGNORE, **common) as target,
    ):
        target.write(labels, 1)


@contextmanager
def _complete(path: Path) -> Iterator[Path]:
    """A name of one's own to write under; the file gets its place whole, whoever else may be writing the same tile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_labels(folder: Path, tile_id: str) -> NDArray[np.uint8]:
    """Labels (side, side) of a tile.

    Raises:
        SampleSetError: E-SET-16, the file is gone or damaged.
    """
    try:
        with rasterio.open(label_path(folder, tile_id)) as source:
            return np.asarray(source.read(1), np.uint8)
    except READ_ERRORS:
        raise SampleSetError("E-SET-16", value=label_path(folder, tile_id).name) from None


def read_pixels(folder: Path, tile_id: str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Pixels (C,side,side) and validity (side,side) of a tile.

    Raises:
        SampleSetError: E-SET-16, the file is gone or damaged.
    """
    try:
        with rasterio.open(image_path(folder, tile_id)) as source:
            return np.asarray(source.read()), source.read_masks(1) > 0
    except READ_ERRORS:
        raise SampleSetError("E-SET-16", value=image_path(folder, tile_id).name) from None
