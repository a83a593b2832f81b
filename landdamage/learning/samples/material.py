"""What a sample set is made of: images, and polygons or label rasters that belong to them."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import block_windows
from landdamage.interchange import checks
from landdamage.learning.samples.grid import Grid
from landdamage.learning.samples.images import ImageSource, OpenImage
from landdamage.learning.samples.labels import Labels, RasterLabels, VectorLabels
from landdamage.learning.samples.params import Params
from landdamage.taxonomy import IGNORE, NETWORK_CLASS_COUNT, SUBSIDENCE
from minegis.errors import Finding, SampleSetError
from minegis.units import CGCS2000_EPSG, areas_m2, transformer

LONGEST_EDGE_M: Final = 100.0  # before a polygon changes its CRS, so that straight edges stay where they were drawn
LISTED: Final = 20
OWN_VALUES: Final[Mapping[int, int]] = {**{i: i for i in range(NETWORK_CLASS_COUNT)}, IGNORE: IGNORE}


class Material(Protocol):
    """Images with labels."""

    images: Sequence[ImageSource]
    kind: str

    def labels(self, image: OpenImage, params: Params) -> AbstractContextManager[Labels]:
        """What is labelled on an image, while it is open."""

    def findings(self) -> list[Finding]:
        """What there is to say once every image has been labelled."""


@dataclass(frozen=True)
class Layer:
    """Polygons in one CRS.

    Attributes:
        shapes: (N,) polygons as they came.
        class_ids: (N,) ids of ``taxonomy``; 255 marks ground whose class nobody settled.
        crs: theirs.
        image: (N,) the image each belongs to, empty for every image it reaches; None is empty for all.
    """

    shapes: NDArray[np.object_]
    class_ids: NDArray[np.int64]
    crs: CRS
    image: NDArray[np.str_] | None = None


def move(shapes: NDArray[np.object_], source: CRS, target: CRS) -> NDArray[np.object_]:
    """Polygons (N,) in another CRS; edges are densified first. Equal systems change nothing."""
    if source == target:
        return shapes
    step = LONGEST_EDGE_M / 111_320 if source.is_geographic else LONGEST_EDGE_M
    there = transformer(source, target)
    dense = shapely.segmentize(shapes, step)
    return np.asarray(shapely.transform(dense, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1]))))


def _valid(shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    """Polygons (N,) without the self-intersections that rounded coordinates bring."""
    broken = ~shapely.is_valid(shapes)
    if broken.any():
        shapes = shapes.copy()
        shapes[broken] = [checks.repair(shape) for shape in shapes[broken]]
    return shapes


class PolygonMaterial:
    """Polygons of people, or accepted patches, on images."""

    def __init__(
        self,
        images: Sequence[ImageSource],
        layers: Sequence[Layer],
        *,
        surveyed: Sequence[BaseGeometry] = (),
        surveyed_on: Container[str] | None = None,
        kind: str = "vectors",
    ) -> None:
        """Repair and join the layers.

        Args:
            images: to cut tiles from.
            layers: polygons.
            surveyed: polygons (EPSG:4490) where whatever is not labelled is background.
            surveyed_on: names of the images on which it was surveyed; None means all of them.
            kind: ``vectors`` or ``patches``.
        """
        self.images, self.kind = images, kind
        self._surveyed, self._surveyed_on = np.array(list(surveyed), object), surveyed_on
        self._classes = np.concatenate([layer.class_ids for layer in layers]).astype(np.int64)
        self._image = np.concatenate(
            [np.full(len(layer.shapes), "") if layer.image is None else layer.image for layer in layers]
        )
        self._of = np.repeat(np.arange(len(layers)), [len(layer.shapes) for layer in layers])
        self._layers = layers
        shapes = np.concatenate([shapely.force_2d(layer.shapes) for layer in layers])
        self._repaired = ~shapely.is_valid(shapes)
        self._change_m2 = 0.0
        for number, layer in enumerate(layers):
            broken = np.flatnonzero(self._repaired & (self._of == number))
            if broken.size:
                before = areas_m2(shapes[broken], layer.crs)
                shapes[broken] = [checks.repair(shape) for shape in shapes[broken]]
                self._change_m2 += float((areas_m2(shapes[broken], layer.crs) - before).sum())
        self._shapes = shapes
        degrees = CRS.from_epsg(CGCS2000_EPSG)
        self._lonlat = np.concatenate(
            [_valid(move(shapes[self._of == number], layer.crs, degrees)) for number, layer in enumerate(layers)]
        )
        self._slivers = np.zeros(len(shapes), bool)
        self._seen = np.zeros(len(shapes), bool)
        self._sliver_px = 0.0

    @contextmanager
    def labels(self, image: OpenImage, params: Params) -> Iterator[Labels]:
        """The polygons that reach onto an image, in its CRS."""
        grid, name = image.grid, image.source.name
        self._sliver_px = params.sliver_px
        outline = grid.footprints(np.array([0]), np.array([0]), max(grid.height, grid.width))[0]
        near = shapely.intersects(self._lonlat, outline.buffer(1e-4)) & np.isin(self._image, ("", name))
        chosen = np.flatnonzero(near)
        shapes = np.empty(len(chosen), object)
        for number, layer in enumerate(self._layers):
            here = self._of[chosen] == number
            shapes[here] = _valid(move(self._shapes[chosen[here]], layer.crs, grid.crs))
        self._seen[chosen[shapely.intersects(shapes, grid.outline)]] = True
        small = shapely.area(shapes) < params.sliver_px * grid.pixel_area
        self._slivers[chosen[small]] = True
        kept, shapes = chosen[~small], shapes[~small]
        settled = self._classes[kept] != IGNORE
        looked = self._surveyed_on is None or name in self._surveyed_on
        yield VectorLabels(
            grid,
            shapes[settled],
            self._classes[kept[settled]],
            surveyed=_reaching(self._surveyed, grid) if len(self._surveyed) and looked else None,
            undecided=shapes[~settled],
            observed=self._observed(image),
            ring_px=params.ring_px,
        )

    @staticmethod
    def _observed(image: OpenImage) -> BaseGeometry | None:
        if image.source.observed is None:
            return None
        return _reaching(np.array([image.source.observed], object), image.grid, keep=True)[0]

    def findings(self) -> list[Finding]:
        """Repairs, slivers, overlaps, polygons beyond every image, several CRS, subsidence, no surveyed ground."""
        found: list[Finding] = []
        names = sorted({layer.crs.name for layer in self._layers})
        if len(names) > 1:
            found.append(Finding("E-SET-04", "crs", {"value": ", ".join(names)}))
        if self._repaired.any():
            values = {"value": int(self._repaired.sum()), "difference": f"{self._change_m2:+.2f}"}
            found.append(Finding("E-SET-10", "geometry", values))
        if self._slivers.any():
            found.append(
                Finding("E-SET-09", "geometry", {"value": int(self._slivers.sum()), "limit": f"{self._sliver_px:g}"})
            )
        outside = ~self._seen
        if outside.any():
            values = {"value": int(outside.sum()), "area": f"{areas_m2(self._lonlat[outside]).sum():.2f}"}
            found.append(Finding("E-SET-07", "geometry", values, "error" if outside.all() else None))
        shared = self.overlap_m2()
        if shared > checks.OVERLAP_M2:
            found.append(Finding("E-SET-06", "geometry", {"value": f"{shared:.2f}"}))
        sunken = int((self._classes == SUBSIDENCE.id).sum())
        if sunken:
            found.append(Finding("E-SET-25", "class", {"value": sunken}))
        if not len(self._surveyed):
            found.append(Finding("E-SET-21"))
        return found

    def overlap_m2(self) -> float:
        """Ground under more than one settled polygon of the same image, m²."""
        settled = self._classes != IGNORE
        return sum(
            checks.overlap(self._lonlat[settled & (self._image == name)], CRS.from_epsg(CGCS2000_EPSG))[0]
            for name in np.unique(self._image[settled])
        )


def _reaching(shapes: NDArray[np.object_], grid: Grid, *, keep: bool = False) -> NDArray[np.object_]:
    """Polygons (EPSG:4490) in the CRS of an image, cut to it; those beyond it are left out unless ``keep``."""
    moved = _valid(move(shapes, CRS.from_epsg(CGCS2000_EPSG), grid.crs))
    cut = shapely.intersection(moved, grid.outline)
    return np.asarray(cut if keep else cut[shapely.area(cut) > 0])


@dataclass
class RasterMaterial:
    """Label rasters on the grids of their images.

    Attributes:
        images: to cut tiles from.
        rasters: name of the image -> its label raster.
        values: value in the rasters -> class id or 255.
        kind: ``labels``.
    """

    images: Sequence[ImageSource]
    rasters: Mapping[str, Path]
    values: Mapping[int, int] = field(default_factory=lambda: OWN_VALUES)
    kind: str = "labels"

    @contextmanager
    def labels(self, image: OpenImage, params: Params) -> Iterator[Labels]:
        """The raster of an image, checked against it.

        Raises:
            SampleSetError: E-SET-22 there is none; E-SET-05, E-SET-23 another CRS or grid; E-SET-08 unknown values.
        """
        name = image.source.name
        if name not in self.rasters:
            raise SampleSetError("E-SET-22", value=name)
        with open_raster(self.rasters[name]) as dataset:
            _check_place(name, dataset, image)
            self._check_values(name, dataset)
            values = dict(self.values)
            if dataset.nodata is not None and 0 <= dataset.nodata <= IGNORE:
                values.setdefault(int(dataset.nodata), IGNORE)
            yield RasterLabels(image.grid, dataset, values, ring_px=params.ring_px)

    def _check_values(self, name: str, dataset: DatasetReader) -> None:
        nodata = dataset.nodata
        seen: set[float] = set()
        for window in block_windows(dataset):
            seen |= set(np.unique(dataset.read(1, window=window)).tolist())
        unknown = {value for value in seen if value not in self.values and value != nodata and not _is_nan(value)}
        if unknown:
            listed = ", ".join(f"{value:g}" for value in sorted(unknown)[:LISTED])
            raise SampleSetError("E-SET-08", value=name, known=listed)

    def findings(self) -> list[Finding]:
        """Nothing: what may be wrong with a raster stops the set."""
        return []


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _check_place(name: str, dataset: DatasetReader, image: OpenImage) -> None:
    """The label raster lies on the pixels of the image."""
    if dataset.crs is None or CRS.from_wkt(dataset.crs.to_wkt()) != image.grid.crs:
        label = "—" if dataset.crs is None else CRS.from_wkt(dataset.crs.to_wkt()).name
        raise SampleSetError("E-SET-05", value=name, label=label, image=image.grid.crs.name)
    own, theirs = image.grid.native, dataset.transform
    size = abs(own.determinant) ** 0.5
    corner = image.dataset.width, image.dataset.height
    shift = max(abs(a - b) for place in ((0, 0), corner) for a, b in zip(own * place, theirs * place, strict=True))
    if dataset.shape != image.dataset.shape or shift > 0.01 * size:
        raise SampleSetError(
            "E-SET-23",
            value=name,
            label=_grid_words(theirs, dataset),
            image=_grid_words(own, image.dataset),
        )


def _grid_words(transform: Affine, dataset: DatasetReader) -> str:
    return f"{dataset.width} × {dataset.height} @ {transform.c:.6g}, {transform.f:.6g}"
