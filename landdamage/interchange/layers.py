"""One layer of a vector file from outside: told from content, read in its own encoding, placed on the Earth."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import CRSError as RasterCRSError
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.georeference import Bounds, parse_crs
from landdamage.interchange import checks, dbf, unpack
from minegis.errors import Finding, MineGISError
from minegis.units import CGCS2000_EPSG, reproject

MAX_FEATURES: Final = 500_000
_READ_ERRORS = (DataSourceError, DataLayerError, FeatureError, GeometryError, ValueError, OSError)


@dataclass(frozen=True)
class Layer:
    """A layer as the file holds it.

    Attributes:
        table: its columns and geometry.
        shapes: (n,) the geometry without heights, nothing repaired.
        crs: the file's own coordinate system, or the one chosen for it; None where neither is known.
        findings: faults of the place.
    """

    table: gpd.GeoDataFrame
    shapes: np.ndarray
    crs: CRS | None
    findings: list[Finding]


def read_layer(
    path: Path,
    *,
    name: str,
    facts: dict[str, Any],
    layer: str = "",
    crs: str = "",
    encoding: str = "",
    monitored: Bounds | BaseGeometry | None = None,
    lines: bool = False,
) -> Layer:
    """Read one layer of a zipped shapefile, GeoPackage, GeoJSON or zipped file geodatabase.

    Args:
        path: the file.
        name: its owner's name for it.
        facts: gets what was found for the report: layer, driver, encoding, crs, rows, columns, preview.
        layer: which one; empty takes the only one.
        crs: EPSG code or WKT for a file without one.
        encoding: ``utf-8`` or ``gbk`` of a shapefile's table; empty tells it from the file.
        monitored: where it should lie, degrees.
        lines: layers of lines may be read too.

    Raises:
        MineGISError: E-VEC-01, -02, -07 to -09, -12, -13, -16, -17: there is nothing to look at.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, chosen = _choose(unpack.sources(path, name or path.name, Path(folder)), layer, lines)
        facts |= {"layer": chosen or source.name, "driver": source.driver}
        table = _read(source, chosen, encoding, facts)
    facts |= {"rows": len(table), "columns": [c for c in table.columns if c != "geometry"]}
    if table.empty:
        raise MineGISError("E-VEC-08")
    if len(table) > MAX_FEATURES:
        raise MineGISError("E-VEC-16", value=len(table), limit=MAX_FEATURES)
    first = table.drop(columns="geometry").head(3).astype(object)
    facts["preview"] = first.where(first.notna(), "").astype(str).to_dict("records")  # JSON knows no missing number
    system, findings = _crs(table, crs, facts, monitored)
    return Layer(table, shapely.force_2d(table.geometry.to_numpy()), system, findings)


def to_degrees(shapes: np.ndarray, crs: CRS) -> np.ndarray:
    """(n,) valid polygons or lines in EPSG:4490; WGS 84 is relabelled: PROJ knows only a null step between them."""
    if crs.to_epsg() in (CGCS2000_EPSG, 4326):
        return shapes
    moved = np.array([reproject(shape, crs) for shape in shapes], object)
    return np.array([shape if shape.is_valid else checks.repair(shape) for shape in moved], object)


def _choose(found: Sequence[unpack.Source], wanted: str, lines: bool) -> tuple[unpack.Source, str | None]:
    """The layer to read: the one asked for, else the only one with polygons, else the only one of damage patches."""
    candidates: list[tuple[unpack.Source, str | None, str]] = []
    for source in found:
        if source.driver in ("ESRI Shapefile", "GeoJSON"):
            candidates.append((source, None, Path(source.name).stem))
            continue
        try:
            named = pyogrio.list_layers(source.path)
        except _READ_ERRORS:
            raise MineGISError("E-VEC-17") from None
        candidates += [(source, str(layer), str(layer)) for layer, kind in named if _may_hold(kind, lines)]
    if not candidates:
        raise MineGISError("E-VEC-07")
    if wanted:
        candidates = [c for c in candidates if c[2] == wanted] or candidates
    if len(candidates) > 1:
        candidates = [c for c in candidates if c[2].startswith("SHTB")] or candidates
    if len(candidates) > 1 or (wanted and candidates[0][2] != wanted):
        names = [c[2] for c in candidates]
        raise MineGISError("E-VEC-12", value=", ".join(names), layers=names)
    return candidates[0][:2]


def _may_hold(kind: str | None, lines: bool) -> bool:
    if kind is None:
        return False
    wanted = ("Polygon", "Surface", *(("Line", "Curve") if lines else ()))
    return any(word in kind for word in wanted) or kind in ("Unknown", "GeometryCollection")


def _read(source: unpack.Source, layer: str | None, wanted: str, facts: dict[str, Any]) -> gpd.GeoDataFrame:
    encoding = None
    if source.driver == "ESRI Shapefile":
        encoding = _encoding(source, wanted)
        facts["encoding"] = encoding
    try:
        info = pyogrio.read_info(source.path, layer=layer, encoding=encoding)
        if 0 <= MAX_FEATURES < info["features"]:
            raise MineGISError("E-VEC-16", value=info["features"], limit=MAX_FEATURES)
        table = pyogrio.read_dataframe(source.path, layer=layer, encoding=encoding, on_invalid="ignore")
    except UnicodeDecodeError:
        raise MineGISError("E-VEC-02") from None
    except _READ_ERRORS:
        raise MineGISError("E-VEC-17") from None
    if not isinstance(table, gpd.GeoDataFrame):
        raise MineGISError("E-VEC-07" if len(table) else "E-VEC-08")
    return table


def _encoding(source: unpack.Source, wanted: str) -> str:
    """The encoding GDAL shall read the table with; a name cut in mid-character would stop GDAL later."""
    path = source.path.with_suffix(".dbf")
    header = dbf.read_header(path)
    if header is None:
        raise MineGISError("E-VEC-17")
    chosen = {"gbk": "gb18030", "utf-8": "utf-8"}.get(wanted) or dbf.sniff_encoding(path, source.cpg, header)
    if chosen is None:
        rows = [[raw.decode("gb18030", "replace") for raw in row] for row in dbf.text_rows(path, header, 3)]
        raise MineGISError("E-VEC-02", preview=rows)
    if any(dbf.fits(name, chosen) != "whole" for name in header.names):
        raise MineGISError("E-VEC-09")
    return {"utf-8": "UTF-8", "gb18030": "GB18030"}[chosen]


def _crs(
    table: gpd.GeoDataFrame, chosen: str, facts: dict[str, Any], monitored: Bounds | BaseGeometry | None
) -> tuple[CRS | None, list[Finding]]:
    west, south, east, north = (float(value) for value in table.total_bounds)
    bounds = (west, south, east, north)
    crs = table.crs
    if crs is None and chosen:
        try:
            crs = CRS.from_user_input(parse_crs(chosen).to_wkt())
        except (CRSError, RasterCRSError):
            return None, [Finding("E-CRS-05", "crs", {"value": chosen})]
    if not np.all(np.isfinite(bounds)):
        return crs, []  # every geometry is empty, which is told one by one
    if crs is None:
        return None, [checks.missing_crs_finding(bounds)]
    facts["crs"] = crs.name
    return crs, checks.place_findings(crs, bounds, monitored)
