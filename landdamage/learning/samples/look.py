"""Every label looked at once: which windows show something, and which objects there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry.base import BaseGeometry

from landdamage.learning.samples.images import OpenImage, open_image
from landdamage.learning.samples.labels import COLUMNS, Labels, Things, count_pixels
from landdamage.learning.samples.material import Material
from landdamage.learning.samples.params import Params
from landdamage.learning.samples.regions import Footprints, Regions
from landdamage.taxonomy import NETWORK_CLASS_COUNT
from minegis.errors import Finding

TRAIN, EVAL = "train", "eval"  # windows that overlap, windows that touch
_REPORT_EVERY: Final = 64  # windows

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Windows:
    """Every window over every image that shows something labelled.

    Attributes:
        image: (N,) position of the image.
        grid: (N,) ``train`` or ``eval``.
        row: (N,) of the first pixel.
        column: (N,) of it.
        region: (N,) where its middle lies.
        pixels: (N,9) per class, last not labelled.
        footprint: (N,) polygons in EPSG:4490.
    """

    image: NDArray[np.int64]
    grid: NDArray[np.str_]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    region: NDArray[np.str_]
    pixels: NDArray[np.int64]
    footprint: Footprints


@dataclass(frozen=True)
class Seen:
    """What planning found on the images.

    Attributes:
        windows: of both grids.
        things: per image.
        regions: (things of that image,) the region of each, per image.
        findings: of the material.
    """

    windows: Windows
    things: Sequence[Things]
    regions: Sequence[NDArray[np.str_]]
    findings: list[Finding]


def look(
    material: Material,
    params: Params,
    named: Sequence[tuple[str, BaseGeometry]],
    progress: Progress = lambda share: None,
) -> Seen:
    """Read every label once and count it window by window.

    Args:
        material: images and labels.
        params: of the set.
        named: regions as (key, polygon in EPSG:4490), for ``regions="mine"``.
        progress: called with the share done.

    Raises:
        MineGISError: an image or its labels cannot be used.
    """
    regions = Regions(params.cell_m, named if params.regions == "mine" else ())
    parts: list[Windows] = []
    things: list[Things] = []
    places: list[NDArray[np.str_]] = []
    count = len(material.images)
    kinds = (TRAIN,) if params.split == "s2" else (TRAIN, EVAL)
    for number, source in enumerate(material.images):

        def told(share: float, done: int = number) -> object:
            return progress((done + share) / count)

        with open_image(source, params.gsd_m, params.bands) as image, material.labels(image, params) as labels:
            own = [_windows(number, image, labels, params, regions, kind, told) for kind in kinds]
            parts += own
            found = labels.things()
            things.append(found)
            places.append(_homes(found, own[0], params.tile))
    merged = [np.concatenate([getattr(part, name) for part in parts]) for name in Windows.__dataclass_fields__]
    return Seen(Windows(*merged), things, places, material.findings())


def _windows(
    number: int, image: OpenImage, labels: Labels, params: Params, regions: Regions, kind: str, told: Progress
) -> Windows:
    """The windows of one grid that show something labelled."""
    grid, side = image.grid, params.tile
    starts = np.array(grid.starts(side, params.stride if kind == TRAIN else side), np.int64).reshape(-1, 2)
    pixels = np.zeros((len(starts), COLUMNS), np.int64)
    for position, (top, left) in enumerate(starts.tolist()):
        pixels[position] = count_pixels(labels.window(top, left, side))
        if position % _REPORT_EVERY == 0:
            told((position / len(starts) + (kind == EVAL)) / 2)
    known = pixels[:, :NETWORK_CLASS_COUNT].any(axis=1)
    rows, columns = starts[known].T
    down = (rows + np.minimum(rows + side, grid.height)) / 2
    across = (columns + np.minimum(columns + side, grid.width)) / 2
    if params.regions == "image":
        keys = np.full(len(rows), f"image:{image.source.name}")
    else:
        keys = regions.keys_of(*grid.lonlat(down, across))
    return Windows(
        np.full(len(rows), number),
        np.full(len(rows), kind),
        rows,
        columns,
        keys,
        pixels[known],
        grid.footprints(rows, columns, side),
    )


def _homes(things: Things, windows: Windows, side: int) -> NDArray[np.str_]:
    """Region (N,) of every object: that of the training window whose middle lies nearest."""
    if not len(windows.row) or not len(things.row):
        return np.full(len(things.row), "")
    middles = np.column_stack([windows.row, windows.column]) + side / 2
    _, nearest = cKDTree(middles).query(np.column_stack([things.row, things.column]))
    return windows.region[nearest]
