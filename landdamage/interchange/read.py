"""Read polygons of earlier years as an opening book: every fault at once, nothing repaired or guessed in silence."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import CRSError as RasterCRSError
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.states import RESTORED, State
from landdamage.imagery.georeference import Bounds, parse_crs
from landdamage.interchange import checks, dbf, unpack
from landdamage.interchange.codes import AMBIGUOUS, BOOKABLE, READ_AS
from landdamage.taxonomy import PRECEDENCE
from minegis.errors import Finding, MineGISError
from minegis.units import CGCS2000_EPSG, area_cm2, reproject

# Where other tables keep the class, in this order; names are compared without case.
CLASS_COLUMNS: Final = (
    "DWMC", "DWDM", "class_code", "class", "state", "类别", "地物类别", "图斑类型", "类型", "class_zh", "LX",
)  # fmt: skip
SKIP: Final = "skip"  # in a mapping: leave these rows out
MAX_FEATURES: Final = 500_000
_READ_ERRORS = (DataSourceError, DataLayerError, FeatureError, GeometryError, ValueError, OSError)
_RANK = MappingProxyType({code: rank for rank, code in enumerate(PRECEDENCE)})


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person decided where the file leaves it open.

    Attributes:
        layer: name of the layer to read.
        crs: EPSG code or WKT, for files without one.
        encoding: ``utf-8`` or ``gbk`` of a shapefile's table.
        column: that holds the class.
        mapping: class as written in the file -> code of a state, or ``skip``.
        repair: take self-intersecting polygons as the preview repaired them.
        clip: where polygons overlap, let the precedence of the classes decide.
    """

    layer: str = ""
    crs: str = ""
    encoding: str = ""
    column: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    repair: bool = False
    clip: bool = False


@dataclass(frozen=True)
class Opening:
    """What was read, with every fault found on the way.

    Attributes:
        frame: EPSG:4490, columns ``geometry`` (valid, not overlapping) and ``state`` (int16, numbers of
            ``accounting.states.State``); None while an error stands in the findings.
        findings: errors and warnings.
        facts: for the report: layer, driver, encoding, crs, columns, column, classes [{value, rows, state, area_m2}],
            rows, overlap_m2, area_m2, preview (first three rows).
    """

    frame: gpd.GeoDataFrame | None
    findings: list[Finding]
    facts: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        return {"usable": self.frame is not None, "findings": [f.as_dict() for f in self.findings], **self.facts}


def read_opening(
    path: Path | str,
    *,
    name: str = "",
    choices: Choices | None = None,
    monitored: Bounds | BaseGeometry | None = None,
) -> Opening:
    """Read a file of damage polygons and check everything.

    Args:
        path: a zipped shapefile, a GeoPackage, GeoJSON, or a zipped file geodatabase.
        name: its owner's name for it.
        choices: answers to what an earlier report asked.
        monitored: where the polygons should lie, in degrees.
    """
    path, choices = Path(path), choices or Choices()
    facts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            source, layer = _choose(unpack.sources(path, name or path.name, Path(folder)), choices.layer)
            facts |= {"layer": layer or source.name, "driver": source.driver}
            table = _read(source, layer, choices, facts)
        except MineGISError as fault:
            return Opening(None, [fault.finding()], facts)
    facts |= {"rows": len(table), "columns": [c for c in table.columns if c != "geometry"]}
    if table.empty:
        return Opening(None, [Finding("E-VEC-08")], facts)
    if len(table) > MAX_FEATURES:
        return Opening(None, [Finding("E-VEC-16", "", {"value": len(table), "limit": MAX_FEATURES})], facts)
    facts["preview"] = table.drop(columns="geometry").head(3).astype(str).to_dict("records")
    shapes = shapely.force_2d(table.geometry.to_numpy())
    crs, findings = _crs(table, choices, facts, monitored)
    states = _states(table, choices, facts, findings)
    findings += checks.polygon_findings(shapes, crs, repaired=choices.repair)
    if crs is None or any(f.severity == "error" for f in findings):
        return Opening(None, findings, facts)
    return _placed(shapes, states, crs, choices, findings, facts)


def _choose(found: Sequence[unpack.Source], wanted: str) -> tuple[unpack.Source, str | None]:
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
        candidates += [(source, str(layer), str(layer)) for layer, kind in named if _may_be_polygons(kind)]
    if not candidates:
        raise MineGISError("E-VEC-07")
    if wanted:
        candidates = [c for c in candidates if c[2] == wanted] or candidates
    if len(candidates) > 1:
        candidates = [c for c in candidates if c[2].startswith("SHTB")] or candidates
    if len(candidates) > 1 or (wanted and candidates[0][2] != wanted):
        raise MineGISError("E-VEC-12", value=", ".join(c[2] for c in candidates))
    return candidates[0][:2]


def _may_be_polygons(kind: str | None) -> bool:
    return kind is not None and ("Polygon" in kind or "Surface" in kind or kind in ("Unknown", "GeometryCollection"))


def _read(source: unpack.Source, layer: str | None, choices: Choices, facts: dict[str, Any]) -> gpd.GeoDataFrame:
    encoding = None
    if source.driver == "ESRI Shapefile":
        encoding = _encoding(source, choices)
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


def _encoding(source: unpack.Source, choices: Choices) -> str:
    """The encoding GDAL shall read the table with; a name cut in mid-character would stop GDAL later."""
    path = source.path.with_suffix(".dbf")
    header = dbf.read_header(path)
    if header is None:
        raise MineGISError("E-VEC-17")
    chosen = {"gbk": "gb18030", "utf-8": "utf-8"}.get(choices.encoding) or dbf.sniff_encoding(path, source.cpg, header)
    if chosen is None:
        rows = [[raw.decode("gb18030", "replace") for raw in row] for row in dbf.text_rows(path, header, 3)]
        raise MineGISError("E-VEC-02", preview=rows)
    if any(dbf.fits(name, chosen) != "whole" for name in header.names):
        raise MineGISError("E-VEC-09")
    return {"utf-8": "UTF-8", "gb18030": "GB18030"}[chosen]


def _crs(
    table: gpd.GeoDataFrame, choices: Choices, facts: dict[str, Any], monitored: Bounds | BaseGeometry | None
) -> tuple[CRS | None, list[Finding]]:
    west, south, east, north = (float(value) for value in table.total_bounds)
    bounds = (west, south, east, north)
    crs = table.crs
    if crs is None and choices.crs:
        try:
            crs = CRS.from_user_input(parse_crs(choices.crs).to_wkt())
        except (CRSError, RasterCRSError):
            return None, [Finding("E-CRS-05", "crs", {"value": choices.crs})]
    if not np.all(np.isfinite(bounds)):
        return crs, []  # every geometry is empty, which is told one by one
    if crs is None:
        return None, [checks.missing_crs_finding(bounds)]
    facts["crs"] = crs.name
    return crs, checks.place_findings(crs, bounds, monitored)


def _states(
    table: gpd.GeoDataFrame, choices: Choices, facts: dict[str, Any], findings: list[Finding]
) -> list[State | None] | None:
    """The state of every row (None: left out), or None where the classes are not settled yet."""
    names = {str(column).lower(): column for column in table.columns if column != "geometry"}
    wanted = [choices.column] if choices.column else CLASS_COLUMNS
    column = next((names[name.lower()] for name in wanted if name.lower() in names), None)
    if column is None:
        values = {"value": choices.column or "DWMC / DWDM", "known": ", ".join(map(str, names.values()))}
        findings.append(Finding("E-VEC-05", "column", values))
        return None
    texts = [_written(value) for value in table[column]]
    counts = Counter(texts)
    chosen = {str(key).strip(): value for key, value in choices.mapping.items()}
    meaning: dict[str, State | None] = {}
    unknown: list[str] = []
    for text in counts:
        if text in chosen:
            if chosen[text] == SKIP:
                meaning[text] = None
                continue
            state = next((s for s in BOOKABLE if s.code == chosen[text]), None)
        else:
            if text.lower() in AMBIGUOUS:
                known = ", ".join(state.code for state in AMBIGUOUS[text.lower()])
                findings.append(Finding("E-VEC-11", str(column), {"value": text, "known": known}))
                continue
            state = READ_AS.get(text.lower())
        if state is None:
            unknown.append(text or "(空 empty)")
        else:
            meaning[text] = state
    if unknown:
        findings.append(Finding("E-VEC-10", str(column), {"value": ", ".join(sorted(unknown)[: checks.LISTED])}))
    facts["column"] = str(column)
    facts["classes"] = [
        {"value": text, "rows": count, "state": state.code if (state := meaning.get(text)) is not None else None}
        for text, count in counts.most_common(200)
    ]
    return [meaning[text] for text in texts] if len(meaning) == len(counts) else None


def _written(value: Any) -> str:
    """A class as text: numbers without decimals, nothing as empty."""
    if pd.isna(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _placed(
    shapes: np.ndarray,
    states: list[State | None] | None,
    crs: CRS,
    choices: Choices,
    findings: list[Finding],
    facts: dict[str, Any],
) -> Opening:
    """Repair and clip as chosen, move to EPSG:4490, measure."""
    assert states is not None  # else a finding would have stopped the reading
    kept = np.array([state is not None for state in states])
    shapes, state = shapes[kept], np.array([s for s in states if s is not None], "int16")
    invalid = ~shapely.is_valid(shapes)
    shapes[invalid] = [checks.repair(shape) for shape in shapes[invalid]]
    shared, pairs = checks.overlap(shapes, crs)
    facts["overlap_m2"] = round(shared, 2)
    if len(pairs):
        severity = "warn" if choices.clip else None
        findings.append(Finding("E-VEC-06", "", {"value": f"{shared:.2f}"}, severity))  # type: ignore[arg-type]
        if not choices.clip:
            return Opening(None, findings, facts)
        shapes = checks.cut_by_rank(shapes, np.array([_rank(State(code)) for code in state]), pairs)
    solid = ~shapely.is_empty(shapes)
    shapes, state = shapes[solid], state[solid]
    if crs.to_epsg() not in (CGCS2000_EPSG, 4326):  # 4326 is relabelled: PROJ knows only a null step between them
        shapes = np.array([reproject(shape, crs) for shape in shapes], object)
        shapes = np.array([shape if shape.is_valid else checks.repair(shape) for shape in shapes], object)
    area = np.array([area_cm2(shape) for shape in shapes], "int64")
    facts["area_m2"] = round(int(area.sum()) / 10_000, 2)
    facts["states"] = [
        {"state": State(code).code, "polygons": int((state == code).sum()), "area_cm2": int(area[state == code].sum())}
        for code in np.unique(state)
    ]
    frame = gpd.GeoDataFrame({"state": state}, geometry=list(shapes), crs=CGCS2000_EPSG)
    return Opening(frame, findings, facts)


def _rank(state: State) -> int:
    """Precedence where polygons overlap: damage by the taxonomy's order, then restored ground, then context."""
    if state in RESTORED:
        return len(_RANK)
    name = {"pit_water": "water", "other": "background"}.get(state.code, state.code)
    return _RANK[name] if name not in ("vegetation", "background") else len(_RANK) + 1
