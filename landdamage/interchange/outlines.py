"""Read outlines without classes of the books: what a survey covered, rivers and lakes. Nothing is repaired silently."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.georeference import Bounds
from landdamage.interchange import checks
from landdamage.interchange.layers import read_layer, to_degrees
from minegis.errors import Finding, MineGISError
from minegis.units import CGCS2000_EPSG


@dataclass(frozen=True)
class Outlines:
    """What was read, with every fault found on the way.

    Attributes:
        frame: EPSG:4490, the columns of the file and valid geometry; None while an error stands in the findings.
        findings: errors and warnings.
        facts: for the report: layer, driver, encoding, crs, columns, rows, preview.
    """

    frame: gpd.GeoDataFrame | None
    findings: list[Finding]
    facts: dict[str, Any]


def read_outlines(
    path: Path,
    *,
    name: str = "",
    layer: str = "",
    crs: str = "",
    encoding: str = "",
    repair: bool = False,
    lines: bool = False,
    monitored: Bounds | BaseGeometry | None = None,
) -> Outlines:
    """Read polygons, with ``lines`` lines too, of any formats that ``read_opening`` reads, and check everything.

    Args:
        path: a zipped shapefile, a GeoPackage, GeoJSON, or a zipped file geodatabase.
        name: its owner's name for it.
        layer: name of the layer, where there are several.
        crs: EPSG code or WKT, for files without one.
        encoding: ``utf-8`` or ``gbk`` of a shapefile's table.
        repair: take self-intersecting polygons as the preview repaired them.
        lines: whether lines are welcome.
        monitored: where the outlines should lie, degrees.
    """
    facts: dict[str, Any] = {}
    try:
        read = read_layer(
            path, name=name, facts=facts, layer=layer, crs=crs, encoding=encoding, monitored=monitored, lines=lines
        )
    except MineGISError as fault:
        return Outlines(None, [fault.finding()], facts)
    findings = read.findings + checks.polygon_findings(read.shapes, read.crs, repaired=repair, lines=lines)
    if read.crs is None or any(f.severity == "error" for f in findings):
        return Outlines(None, findings, facts)
    shapes = read.shapes
    wrong = ~shapely.is_valid(shapes) & (shapely.get_dimensions(shapes) == 2)
    shapes[wrong] = [checks.repair(shape) for shape in shapes[wrong]]
    placed = gpd.GeoSeries(list(to_degrees(shapes, read.crs)), index=read.table.index, crs=CGCS2000_EPSG)
    columns = read.table.drop(columns=read.table.geometry.name)
    return Outlines(gpd.GeoDataFrame(columns, geometry=placed, crs=CGCS2000_EPSG), findings, facts)


def ground_of(outlines: gpd.GeoDataFrame) -> BaseGeometry:
    """The ground under all polygons of a table, as one geometry."""
    return shapely.union_all(np.asarray(outlines.geometry.to_numpy(), object))
