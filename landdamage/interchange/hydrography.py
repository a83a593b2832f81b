"""Read rivers, lakes and reservoirs of a map: areas or lines, each with its kind, nothing guessed in silence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import geopandas as gpd
import pandas as pd
from shapely.geometry.base import BaseGeometry

from landdamage.imagery.georeference import Bounds
from landdamage.interchange.checks import LISTED
from landdamage.interchange.outlines import Outlines, read_outlines
from landdamage.interchange.read import SKIP, Choices
from minegis.errors import Finding

WaterKind = Literal["river", "lake", "reservoir"]
KINDS: Final[tuple[WaterKind, ...]] = ("river", "lake", "reservoir")
KIND_COLUMNS: Final = ("kind", "类别", "水系类别", "类型", "type", "fclass", "waterway", "water")
NAME_COLUMNS: Final = ("name_zh", "名称", "name", "XZMC", "河流名称")
READ_AS: Final = MappingProxyType(
    {
        name: kind
        for kind, names in {
            "river": ("river", "stream", "canal", "河流", "河", "干流", "支流", "地面河流", "时令河", "沟渠", "渠道"),
            "lake": ("lake", "湖泊", "湖", "常年湖", "时令湖"),
            "reservoir": ("reservoir", "水库", "池塘", "坑塘水库"),
        }.items()
        for name in names
    }
)


def read_hydrography(
    path: Path,
    *,
    name: str = "",
    choices: Choices | None = None,
    kind: str = "",
    monitored: Bounds | BaseGeometry | None = None,
) -> Outlines:
    """Read the waters of a file and check everything.

    Args:
        path: a zipped shapefile, a GeoPackage, GeoJSON, or a zipped file geodatabase.
        name: its owner's name for it.
        choices: answers to what an earlier report asked; ``mapping`` goes from what the file calls a kind to a kind
            of ``KINDS`` or ``skip``.
        kind: that of all features; empty tells it from a column.
        monitored: where they should lie, degrees.

    Returns:
        ``frame`` has the columns kind and name (empty where the file has none) and the geometry, EPSG:4490; ``facts``
        also column and kinds [{value, rows, kind}].
    """
    choices = choices or Choices()
    read = read_outlines(
        path, name=name, layer=choices.layer, crs=choices.crs, encoding=choices.encoding, repair=choices.repair,
        lines=True, monitored=monitored,
    )  # fmt: skip
    if read.frame is None:
        return read
    findings, facts = list(read.findings), dict(read.facts)
    kinds = _kinds(read.frame, choices, kind, findings, facts)
    if kinds is None:
        return Outlines(None, findings, facts)
    named = _column(read.frame, NAME_COLUMNS)
    names = read.frame[named].fillna("").astype(str).str.strip().str[:80] if named else ""
    frame = gpd.GeoDataFrame({"kind": kinds, "name": names}, geometry=read.frame.geometry, crs=read.frame.crs)
    return Outlines(frame[frame["kind"] != SKIP].reset_index(drop=True), findings, facts)


def _kinds(
    frame: gpd.GeoDataFrame, choices: Choices, kind: str, findings: list[Finding], facts: dict[str, Any]
) -> list[str] | None:
    known = ", ".join(KINDS)
    if kind:
        if kind not in KINDS:
            findings.append(Finding("E-VEC-22", "kind", {"value": kind, "known": known}))
            return None
        return [kind] * len(frame)
    column = _column(frame, [choices.column] if choices.column else KIND_COLUMNS)
    if column is None:
        columns = [str(one) for one in frame.columns if one != frame.geometry.name]
        values = {"value": choices.column or "kind", "known": ", ".join(columns)}
        findings.append(Finding("E-VEC-05", "column", values))
        return None
    texts = ["" if pd.isna(value) else str(value).strip() for value in frame[column]]
    counts = Counter(texts)
    chosen = {str(key).strip(): value for key, value in choices.mapping.items()}
    meaning = {text: chosen.get(text) or READ_AS.get(text.lower(), "") for text in counts}
    unknown = sorted(text or "(空 empty)" for text, value in meaning.items() if value not in (*KINDS, SKIP))
    facts["column"] = column
    facts["kinds"] = [{"value": text, "rows": rows, "kind": meaning[text]} for text, rows in counts.most_common(200)]
    if unknown:
        findings.append(Finding("E-VEC-22", column, {"value": ", ".join(unknown[:LISTED]), "known": known}))
        return None
    return [meaning[text] for text in texts]


def _column(frame: gpd.GeoDataFrame, wanted: Any) -> str | None:
    names = {str(column).lower(): str(column) for column in frame.columns if column != frame.geometry.name}
    return next((names[name.lower()] for name in wanted if name.lower() in names), None)
