"""Which ground of a scene is wanted: an area of interest from a file, and what other scenes have shown already."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from minegis.errors import MineGISError, SceneError
from minegis.units import CGCS2000_EPSG, reproject

SUFFIXES = (".gpkg", ".geojson", ".json", ".shp", ".fgb", ".kml")
EDGE_SHARE = 1 / 64  # edges are cut to this share of an outline's extent before they go to another projection


@dataclass(frozen=True)
class Ground:
    """Wanted ground: inside ``area`` if there is one, and outside all of ``seen``.

    Attributes:
        area: polygons in EPSG:4490; None for everywhere.
        seen: polygons and their CRS, which others show.
    """

    area: BaseGeometry | None = None
    seen: tuple[tuple[BaseGeometry, CRS], ...] = ()

    def on_grid(self, crs: CRS, transform: Affine, height: int, width: int) -> BaseGeometry:
        """The wanted ground of a grid in its own pixels, x to the right and y down.

        Raises:
            SceneError: E-AOI-02 there is none.
        """
        matrix = ~transform

        def pixels(geometry: BaseGeometry, of: CRS) -> BaseGeometry:
            placed = _moved(geometry, of, crs)
            placed = shapely.transform(
                placed, lambda xy: np.column_stack(matrix @ (xy[:, 0], xy[:, 1])) if len(xy) else xy
            )
            return shapely.make_valid(placed)

        wanted: BaseGeometry = shapely.box(0, 0, width, height)
        if self.area is not None:
            wanted = wanted.intersection(pixels(self.area, CRS.from_epsg(CGCS2000_EPSG)))
        for geometry, of in self.seen:
            wanted = wanted.difference(pixels(geometry, of))
        if wanted.area == 0:
            raise SceneError("E-AOI-02")
        shapely.prepare(wanted)
        return wanted

    def digest(self) -> str:
        """A name for it: equal grounds have equal ones."""
        facts = [b"" if self.area is None else shapely.to_wkb(shapely.normalize(self.area))]
        facts += [shapely.to_wkb(shapely.normalize(g)) + of.to_wkt().encode() for g, of in self.seen]
        return hashlib.sha256(b"|".join(facts)).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for another process."""
        area = None if self.area is None else shapely.to_wkb(self.area, hex=True)
        return {"area": area, "seen": [[shapely.to_wkb(g, hex=True), of.to_wkt()] for g, of in self.seen]}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Ground:
        """What ``as_dict`` wrote."""
        area = None if raw["area"] is None else shapely.from_wkb(raw["area"])
        return cls(area, tuple((shapely.from_wkb(wkb), CRS.from_wkt(wkt)) for wkb, wkt in raw["seen"]))


def _moved(geometry: BaseGeometry, source: CRS, target: CRS) -> BaseGeometry:
    if source == target:
        return geometry
    west, south, east, north = geometry.bounds
    fine = shapely.segmentize(geometry, max(east - west, north - south) * EDGE_SHARE)
    return reproject(fine, source.to_wkt(), target.to_wkt())


def inside(ground: BaseGeometry, top: int, left: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which pixels of rows from ``top`` and columns from ``left`` on have their centre in ``ground`` (in pixels)."""
    rows, columns = shape
    window = shapely.box(left, top, left + columns, top + rows)
    if not shapely.intersects(ground, window):
        return np.zeros((rows, columns), np.bool_)
    if shapely.contains_properly(ground, window):
        return np.ones((rows, columns), np.bool_)
    here = shapely.clip_by_rect(ground, left - 1, top - 1, left + columns + 1, top + rows + 1)
    if shapely.is_empty(here):
        return np.zeros((rows, columns), np.bool_)
    return rasterio.features.geometry_mask([here], (rows, columns), Affine.translation(left, top), invert=True)


def read_area(path: Path) -> BaseGeometry:
    """All polygons of a file as one, in EPSG:4490.

    Raises:
        MineGISError: E-AOI-01 the file cannot be read, names no CRS or holds no polygon.
    """
    import pyogrio
    import pyogrio.errors

    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise MineGISError("E-AOI-01", value=path.name, known=", ".join(SUFFIXES))
    try:
        frame = pyogrio.read_dataframe(path, columns=[])
        if frame.crs is None:
            raise MineGISError("E-AOI-01", value=path.name, known=", ".join(SUFFIXES))
        crs = CRS.from_user_input(frame.crs)
        shapes = [shapely.make_valid(shape) for shape in shapely.force_2d(frame.geometry.dropna().to_numpy())]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, AttributeError, ValueError) as error:
        raise MineGISError("E-AOI-01", value=path.name, known=", ".join(SUFFIXES)) from error
    area = shapely.union_all([part for shape in shapes for part in _polygons(shape)])
    if area.is_empty:
        raise MineGISError("E-AOI-01", value=path.name, known=", ".join(SUFFIXES))
    return shapely.make_valid(_moved(area, crs, CRS.from_epsg(CGCS2000_EPSG)))


def observed(raster: Path) -> tuple[BaseGeometry, CRS]:
    """The ground on which a class raster says anything, along its pixels, and its CRS."""
    with rasterio.open(raster) as dataset:
        shapes = [
            shapely.geometry.shape(outline)
            for outline, value in rasterio.features.shapes(dataset.dataset_mask(), transform=dataset.transform)
            if value
        ]
        return shapely.union_all(shapes), CRS.from_user_input(dataset.crs)


def _polygons(shape: BaseGeometry) -> list[BaseGeometry]:
    return [part for part in shapely.get_parts(shape) if part.geom_type in ("Polygon", "MultiPolygon")]
