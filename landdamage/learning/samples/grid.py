"""The pixel grid of one image at the sampling distance of a sample set: same axes, same CRS, other pixel size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader

from landdamage.imagery.georeference import ground_size, to_lonlat
from minegis.errors import SceneError

# Training tiles are stretched by 15 % at random anyway: resampling by less than this would only blur the image.
AS_IT_IS: Final = 0.10
_EDGE_POINTS: Final = 5  # of a footprint's side: a straight side in the image's CRS is no straight line in degrees


@dataclass(frozen=True)
class Grid:
    """Rows and columns of an image at one ground sampling distance.

    Attributes:
        crs: of the image.
        transform: (column, row) of the grid -> CRS.
        height: rows.
        width: columns.
        gsd_m: sampling distance of the grid on the ground, metres (its own where it was kept).
        native: transform of the image itself.
    """

    crs: CRS
    transform: Affine
    height: int
    width: int
    gsd_m: float
    native: Affine

    @classmethod
    def of(cls, dataset: DatasetReader, gsd_m: float) -> Grid:
        """The grid of an open image; its own pixels where they differ by less than 10 % from ``gsd_m``.

        Pixels that are not square on the ground (degrees) become square where the grid is resampled.

        Raises:
            SceneError: E-GEO-01, the image has no place.
        """
        if dataset.crs is None:
            raise SceneError("E-GEO-01")
        crs = CRS.from_wkt(dataset.crs.to_wkt())
        size = ground_size(crs, dataset.transform, dataset.width, dataset.height)
        if size is None:
            raise SceneError("E-GEO-01")
        across, down = size[0] / gsd_m, size[1] / gsd_m
        if max(abs(across - 1), abs(down - 1)) <= AS_IT_IS:
            own = math.sqrt(size[0] * size[1])
            return cls(crs, dataset.transform, dataset.height, dataset.width, own, dataset.transform)
        height, width = max(1, round(dataset.height * down)), max(1, round(dataset.width * across))
        transform = dataset.transform * Affine.scale(dataset.width / width, dataset.height / height)
        return cls(crs, transform, height, width, gsd_m, dataset.transform)

    @property
    def resampled(self) -> bool:
        """Whether its pixels differ from the image's."""
        return self.transform != self.native

    @cached_property
    def pixel_area(self) -> float:
        """Area of a pixel in units of the CRS squared."""
        return abs(self.transform.determinant)

    @cached_property
    def outline(self) -> shapely.Polygon:
        """The grid's edge in its CRS."""
        corners = ((0, 0), (self.width, 0), (self.width, self.height), (0, self.height))
        return shapely.Polygon([self.transform * corner for corner in corners])

    def box(self, row: float, column: float, height: float, width: float) -> shapely.Polygon:
        """A window in the CRS."""
        corners = ((column, row), (column + width, row), (column + width, row + height), (column, row + height))
        return shapely.Polygon([self.transform * corner for corner in corners])

    def at(self, row: int, column: int) -> Affine:
        """The transform of a window that begins at a pixel."""
        return self.transform * Affine.translation(column, row)

    def starts(self, side: int, stride: int) -> list[tuple[int, int]]:
        """(row, column) of the windows that cover the grid, row by row.

        With ``stride`` < ``side`` the last window is pulled back to the edge; windows that merely touch stay on their
        raster instead and end beyond the edge, because pulled back they would show ground twice.
        """

        def along(length: int) -> list[int]:
            if stride >= side:
                return list(range(0, length, stride))
            last = max(length - side, 0)
            return [*range(0, last, stride), last]

        return [(row, column) for row in along(self.height) for column in along(self.width)]

    def lonlat(self, rows: NDArray[Any], columns: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude (EPSG:4490) of places on the grid; rows and columns may be fractions."""
        x = self.transform.a * columns + self.transform.b * rows + self.transform.c
        y = self.transform.d * columns + self.transform.e * rows + self.transform.f
        lon, lat = to_lonlat(self.crs).transform(x, y)
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)

    def footprints(self, rows: NDArray[np.int64], columns: NDArray[np.int64], side: int) -> NDArray[np.object_]:
        """Outlines (N,) in EPSG:4490 of windows, cut at the edge of the grid."""
        share = np.linspace(0, 1, _EDGE_POINTS)[:-1]
        u = np.concatenate([share, np.ones(4), 1 - share, np.zeros(4)])
        v = np.concatenate([np.zeros(4), share, np.ones(4), 1 - share])
        bottom, right = np.minimum(rows + side, self.height), np.minimum(columns + side, self.width)
        along = rows[:, None] + (bottom - rows)[:, None] * v
        across = columns[:, None] + (right - columns)[:, None] * u
        lon, lat = self.lonlat(along.ravel(), across.ravel())
        ring = np.stack([lon.reshape(along.shape), lat.reshape(along.shape)], axis=-1)
        return np.asarray(shapely.polygons(np.concatenate([ring, ring[:, :1]], axis=1)))
