"""What is known of a scene from its file and its name."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import Any, Literal

import pyproj
from affine import Affine
from rasterio.crs import CRS
from rasterio.io import DatasetReader

from landdamage.imagery.bands import BandOrder
from landdamage.imagery.georeference import ground_size, is_placed
from landdamage.imagery.names import SceneName
from landdamage.imagery.open import read_tags

DATE_TAG = "ACQUISITION_DATE"  # written into every COG of the product, so that a file remembers its date
RMSE_TAG = "GEOREF_RMSE_M"  # likewise
RMSE_TAGS = (RMSE_TAG, "GEOMETRIC_RMSE_MODEL")  # the second is Landsat's; both in metres
LARGEST_RMSE_M = 1000.0  # what is worse is no registration

DateSource = Literal["", "user", "file name", "tag"]
Radiometry = Literal["dn", "display8", "reflectance"]


@dataclass(frozen=True, slots=True)
class SceneMetadata:
    """Facts of one scene.

    ``bands`` are names in file order (B, G, R, N or others) and ``band_indexes`` their 1-based numbers; alpha is not
    among them. ``gsd_m`` is the geometric mean of the pixel's sides on the ground at the image centre, in metres,
    also for degrees and Web Mercator; None where the image has no place. ``georef_rmse_m`` is the registration error
    that the file states, metres; None where it states none. ``valid_bits`` is the number of bits the largest valid
    value needs; None for floats.
    """

    satellite: str
    sensor: str
    product_level: str
    acquired_on: dt.date | None
    date_source: DateSource
    bands: tuple[str, ...]
    band_indexes: tuple[int, ...]
    dtype: str
    valid_bits: int | None
    width: int
    height: int
    gsd_m: float | None
    crs: CRS | None
    epsg: int | None
    transform: Affine
    nodata: float | None
    radiometry: Radiometry
    has_mask: bool
    georef_rmse_m: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the CRS as WKT, the transform as its six numbers a, b, c, d, e, f."""
        nodata = self.nodata if self.nodata is None or math.isfinite(self.nodata) else str(self.nodata)
        return {
            "satellite": self.satellite,
            "sensor": self.sensor,
            "product_level": self.product_level,
            "acquired_on": self.acquired_on.isoformat() if self.acquired_on else None,
            "date_source": self.date_source,
            "bands": list(self.bands),
            "band_indexes": list(self.band_indexes),
            "dtype": self.dtype,
            "valid_bits": self.valid_bits,
            "width": self.width,
            "height": self.height,
            "gsd_m": self.gsd_m,
            "crs": self.crs.to_wkt() if self.crs else None,
            "epsg": self.epsg,
            "transform": list(self.transform)[:6],
            "nodata": nodata,
            "radiometry": self.radiometry,
            "has_mask": self.has_mask,
            "georef_rmse_m": self.georef_rmse_m,
        }


def read_metadata(
    dataset: DatasetReader,
    name: SceneName,
    order: BandOrder,
    *,
    crs: CRS | None,
    acquired_on: dt.date | None,
    largest: float | None,
    has_mask: bool,
) -> SceneMetadata:
    """Collect the facts of an open file.

    Args:
        dataset: the open file.
        name: what its name tells.
        order: its bands.
        crs: the CRS to use (the file's own, or the one a person chose); None where it has none.
        acquired_on: a date given by a person; wins over name and tag.
        largest: largest valid value over all bands, None where unknown.
        has_mask: whether the file's own mask or alpha band is to be believed.
    """
    date, source = _date(name, date_tag(dataset), acquired_on)
    placed = crs is not None and is_placed(dataset.transform)
    size = None
    if placed and crs is not None:
        size = ground_size(pyproj.CRS.from_wkt(crs.to_wkt()), dataset.transform, dataset.width, dataset.height)
    dtype = dataset.dtypes[order.indexes[0] - 1]
    integer = dtype.startswith(("uint", "int"))
    return SceneMetadata(
        satellite=name.satellite,
        sensor=name.sensor,
        # A file keeps its L1A name through orthorectification; one that lies on the map is raw no longer.
        product_level="ORTHO" if placed and name.product_level in ("", "L1A", "L1L") else name.product_level,
        acquired_on=date,
        date_source=source,
        bands=order.names,
        band_indexes=order.indexes,
        dtype=dtype,
        valid_bits=int(largest).bit_length() if integer and largest is not None and largest > 0 else None,
        width=dataset.width,
        height=dataset.height,
        gsd_m=math.sqrt(size[0] * size[1]) if size else None,
        crs=crs,
        epsg=crs.to_epsg() if crs else None,
        transform=dataset.transform,
        nodata=dataset.nodatavals[order.indexes[0] - 1],
        radiometry=_radiometry(dtype, largest),
        has_mask=has_mask,
        georef_rmse_m=rmse_tag(dataset),
    )


def date_tag(dataset: DatasetReader) -> dt.date | None:
    """The acquisition date in the file's own tag; TIFF's DateTime is when software wrote the file and is not used."""
    try:
        return dt.date.fromisoformat(read_tags(dataset).get(DATE_TAG, ""))
    except ValueError:
        return None


def rmse_tag(dataset: DatasetReader) -> float | None:
    """The registration error in metres that the file's tags state; None without one, or where it is no length."""
    tags = read_tags(dataset)
    for name in RMSE_TAGS:
        try:
            stated = float(tags.get(name, ""))
        except ValueError:
            continue
        if 0 <= stated <= LARGEST_RMSE_M:
            return stated
    return None


def _date(name: SceneName, tag: dt.date | None, given: dt.date | None) -> tuple[dt.date | None, DateSource]:
    if given:
        return given, "user"
    if name.acquired_on:
        return name.acquired_on, "file name"
    return (tag, "tag") if tag else (None, "")


def _radiometry(dtype: str, largest: float | None) -> Radiometry:
    if dtype == "uint8":
        return "display8"
    return "reflectance" if dtype.startswith("float") and largest is not None and largest <= 2 else "dn"
