"""What is labelled on the grid of one image: from polygons or from a label raster, never reprojected as pixels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.io import DatasetReader
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from landdamage.learning.samples.grid import Grid
from landdamage.taxonomy import BY_CODE, IGNORE, LABEL_PRECEDENCE, NETWORK_CLASS_COUNT

BACKGROUND: Final = BY_CODE["background"].id
COLUMNS: Final = NETWORK_CLASS_COUNT + 1  # of a count of pixels: every class, then what is not labelled
_STRIP_PIXELS: Final = 1 << 26  # of a label raster looked at together
_SHARED: Final = ndimage.generate_binary_structure(2, 2)  # objects of a raster hang together over corners


@dataclass(frozen=True, slots=True)
class Things:
    """Labelled objects of one image: polygons, or connected areas of a label raster.

    Attributes:
        class_id: (N,) ids of ``taxonomy``.
        row: (N,) of a point inside, on the grid.
        column: (N,) of it.
        pixels: (N,) area in pixels of the grid.
    """

    class_id: NDArray[np.int64]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    pixels: NDArray[np.float64]


class Labels(Protocol):
    """Labels on a grid."""

    def window(self, row: int, column: int, side: int) -> NDArray[np.uint8]:
        """Classes (side, side); 255 where nothing is labelled, and beyond the grid."""

    def things(self) -> Things:
        """Everything labelled, background left out."""


def count_pixels(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels per class and, last, of what is not labelled: (9,)."""
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    return np.append(counts[:NETWORK_CLASS_COUNT], labels.size - counts[:NETWORK_CLASS_COUNT].sum()).astype(np.int64)


def ring(labels: NDArray[np.uint8], width: int) -> NDArray[np.bool_]:
    """Pixels (H,W) within ``width`` / 2 of a border between two classes, half of the band on either side.

    A border with unlabelled ground is none: nobody drew it.
    """
    reach = max(1, (width + 1) // 2)
    across = np.arange(-reach, reach + 1)
    disc = across[:, None] ** 2 + across**2 <= reach**2
    seen, wide = labels != IGNORE, labels.astype(np.int16)  # -1 and 1000 are no bytes
    low = ndimage.minimum_filter(np.where(seen, wide, 1000), footprint=disc, mode="nearest")
    high = ndimage.maximum_filter(np.where(seen, wide, -1), footprint=disc, mode="nearest")
    return seen & (high > low)


class VectorLabels:
    """Polygons burnt window by window: a pixel belongs to the polygon that holds its centre."""

    def __init__(
        self,
        grid: Grid,
        shapes: NDArray[np.object_],
        class_ids: NDArray[np.int64],
        *,
        surveyed: NDArray[np.object_] | None = None,
        undecided: NDArray[np.object_] | None = None,
        observed: BaseGeometry | None = None,
        ring_px: int = 0,
    ) -> None:
        """Keep polygons for burning.

        Args:
            grid: of the image.
            shapes: (N,) valid polygons in the CRS of the image.
            class_ids: (N,) ids of ``taxonomy``; 8 (subsidence) burns as unlabelled.
            surveyed: polygons where whatever is not labelled is background; None is nowhere.
            undecided: polygons whose class nobody settled: unlabelled, unless a settled one lies there.
            observed: ground the image shows; None is everywhere.
            ring_px: width of the unsure band along class borders.
        """
        self.grid, self.ring_px = grid, ring_px
        order = {BY_CODE[code].id: rank for rank, code in enumerate(LABEL_PRECEDENCE)}
        ranks = np.array([order[int(class_id)] for class_id in class_ids], np.int64)
        self._classes = np.asarray(class_ids, np.int64)
        self._own = shapes
        # What is burnt later stands above: surveyed ground, undecided polygons, then classes from the lowest rank up.
        first = [] if surveyed is None else list(surveyed)
        loose = [] if undecided is None else list(undecided)
        upward = np.argsort(-ranks, kind="stable")
        last = [] if observed is None else [self.grid.outline.difference(observed)]
        burn = [*([BACKGROUND] * len(first)), *([IGNORE] * len(loose))]
        burn += [int(c) if c < NETWORK_CLASS_COUNT else IGNORE for c in self._classes[upward]]
        self._burn = np.array([*burn, *([IGNORE] * len(last))], np.int64)
        self._shapes = np.array([*first, *loose, *shapes[upward], *last], object)
        self._tree = shapely.STRtree(self._shapes)

    def window(self, row: int, column: int, side: int) -> NDArray[np.uint8]:
        """Classes (side, side); 255 where nothing is labelled, and beyond the grid."""
        margin = (self.ring_px + 1) // 2
        wide = side + 2 * margin
        top, left = row - margin, column - margin
        hits = np.sort(self._tree.query(self.grid.box(top, left, wide, wide), predicate="intersects"))
        if not hits.size:
            return np.full((side, side), IGNORE, np.uint8)
        out = rasterize(
            zip(self._shapes[hits], self._burn[hits].tolist(), strict=True),
            out_shape=(wide, wide),
            fill=IGNORE,
            transform=self.grid.at(top, left),
            all_touched=False,
            dtype=np.uint8,
        )
        if self.ring_px:
            out[ring(out, self.ring_px)] = IGNORE
        out = out[margin : margin + side, margin : margin + side]
        out[max(0, self.grid.height - row) :] = IGNORE
        out[:, max(0, self.grid.width - column) :] = IGNORE
        return out

    def things(self) -> Things:
        """The polygons that reach onto the image, background left out."""
        shown = shapely.intersects(self._own, self.grid.outline)
        kept = np.flatnonzero((self._classes != BACKGROUND) & (self._classes < NETWORK_CLASS_COUNT) & shown)
        parts = shapely.intersection(self._own[kept], self.grid.outline)
        solid = shapely.area(parts) > 0
        kept, parts = kept[solid], parts[solid]
        points = shapely.point_on_surface(parts)
        inverse = ~self.grid.transform
        x, y = shapely.get_x(points), shapely.get_y(points)
        return Things(
            self._classes[kept],
            inverse.d * x + inverse.e * y + inverse.f,
            inverse.a * x + inverse.b * y + inverse.c,
            shapely.area(parts) / self.grid.pixel_area,
        )


def read_bytes(dataset: DatasetReader, window: Window) -> NDArray[np.uint8]:
    """The first band as bytes; values that are no byte become 255."""
    values = dataset.read(1, window=window)
    if values.dtype == np.uint8:
        return np.asarray(values)
    with np.errstate(invalid="ignore"):
        small = (values >= 0) & (values <= IGNORE)
        return np.where(small, values, IGNORE).astype(np.uint8)


class RasterLabels:
    """A label raster on the grid of its image; where the set has another sampling distance, the nearest label
    counts.
    """

    def __init__(self, grid: Grid, dataset: DatasetReader, values: Mapping[int, int], *, ring_px: int = 0) -> None:
        """Keep an open raster for reading.

        Args:
            grid: of the image.
            dataset: one band of class values, same pixels as the image.
            values: value in the raster -> class id or 255; whatever is not named is 255.
            ring_px: width of the unsure band along class borders.
        """
        self.grid, self._dataset, self.ring_px = grid, dataset, ring_px
        self._table = np.full(256, IGNORE, np.uint8)
        for value, meaning in values.items():
            self._table[value] = meaning
        self._down, self._across = dataset.height / grid.height, dataset.width / grid.width

    def window(self, row: int, column: int, side: int) -> NDArray[np.uint8]:
        """Classes (side, side); 255 where nothing is labelled, and beyond the grid."""
        margin = (self.ring_px + 1) // 2
        wide = side + 2 * margin
        rows = self._native(row - margin, wide, self.grid.height, self._down)
        columns = self._native(column - margin, wide, self.grid.width, self._across)
        out = np.full((wide, wide), IGNORE, np.uint8)
        inside = np.ix_(np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0))
        rows, columns = rows[rows >= 0], columns[columns >= 0]
        if rows.size and columns.size:
            top, left = int(rows[0]), int(columns[0])
            window = Window(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
            out[inside] = self._table[read_bytes(self._dataset, window)][np.ix_(rows - top, columns - left)]
        if self.ring_px:
            out[ring(out, self.ring_px)] = IGNORE
        return out[margin : margin + side, margin : margin + side]

    @staticmethod
    def _native(first: int, count: int, length: int, step: float) -> NDArray[np.int64]:
        """Rows (or columns) of the raster whose pixels hold the centres of those of the grid; -1 beyond it."""
        places = np.arange(first, first + count)
        native = np.floor((places + 0.5) * step).astype(np.int64)
        return np.where((places >= 0) & (places < length), native, -1)

    def things(self) -> Things:
        """Connected areas of one class; a raster of more than 64 million pixels is cut into strips first."""
        found = list(self._things())
        columns = (np.concatenate([part[i] for part in found]) if found else np.empty(0) for i in range(4))
        class_id, row, column, pixels = columns
        return Things(class_id.astype(np.int64), row, column, pixels)

    def _things(self) -> Iterator[tuple[NDArray[Any], ...]]:
        step = max(1, _STRIP_PIXELS // max(1, self._dataset.width))
        area = self._down * self._across
        for top in range(0, self._dataset.height, step):
            window = Window(0, top, self._dataset.width, min(step, self._dataset.height - top))
            strip = self._table[read_bytes(self._dataset, window)]
            for class_id in np.unique(strip[(strip != IGNORE) & (strip != BACKGROUND)]):
                parts, count = ndimage.label(strip == class_id, structure=_SHARED)
                sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
                # An area's first pixel in reading order lies inside it, which its mean may not.
                _, first = np.unique(parts.ravel(), return_index=True)
                first = first[1:] if (parts == 0).any() else first
                row = (first // strip.shape[1] + top + 0.5) / self._down
                column = (first % strip.shape[1] + 0.5) / self._across
                yield np.full(count, class_id), row, column, sizes / area
