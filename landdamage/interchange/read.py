"""Read polygons of earlier years as an opening book: every fault at once, nothing repaired or guessed in silence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.states import RESTORED, State
from landdamage.imagery.georeference import Bounds
from landdamage.interchange import checks
from landdamage.interchange.classes import SKIP, Choices, Vocabulary, read_classes
from landdamage.interchange.codes import AMBIGUOUS, BOOKABLE, READ_AS
from landdamage.interchange.layers import read_layer, to_degrees
from landdamage.taxonomy import PRECEDENCE
from minegis.errors import Finding, MineGISError
from minegis.units import CGCS2000_EPSG, area_cm2

__all__ = ["SKIP", "Choices", "Opening", "read_opening"]

_STATES: Final = Vocabulary(
    READ_AS,
    {text: tuple(state.code for state in states) for text, states in AMBIGUOUS.items()},
    {state.code: state for state in BOOKABLE},
)
_RANK = MappingProxyType({code: rank for rank, code in enumerate(PRECEDENCE)})


@dataclass(frozen=True)
class Opening:
    """What was read, with every fault found on the way.

    Attributes:
        frame: EPSG:4490, columns ``geometry`` (valid, not overlapping) and ``state`` (int16, numbers of
            ``accounting.states.State``); None while an error stands in the findings.
        findings: errors and warnings.
        facts: for the report: layer, driver, encoding, crs, columns, column, classes [{value, rows, state, area_m2}],
            rows, overlap_m2, area_m2, preview (first three rows).
        left_out: ground under rows that a mapping skipped, EPSG:4490; None where there are none.
    """

    frame: gpd.GeoDataFrame | None
    findings: list[Finding]
    facts: dict[str, Any]
    left_out: BaseGeometry | None = None

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
    try:
        layer = read_layer(
            path,
            name=name,
            facts=facts,
            layer=choices.layer,
            crs=choices.crs,
            encoding=choices.encoding,
            monitored=monitored,
        )
    except MineGISError as fault:
        return Opening(None, [fault.finding()], facts)
    shapes, crs, findings = layer.shapes, layer.crs, layer.findings
    states = read_classes(layer.table, choices, _STATES, facts, findings)
    for row in facts.get("classes", ()):
        meaning = row.pop("meaning")
        row["state"] = meaning.code if meaning is not None else None
    findings += checks.polygon_findings(shapes, crs, repaired=choices.repair)
    if crs is None or any(f.severity == "error" for f in findings):
        return Opening(None, findings, facts)
    return _placed(shapes, states, crs, choices, findings, facts)


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
    skipped = _skipped(shapes[~kept], crs)
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
    shapes = to_degrees(shapes, crs)
    area = np.array([area_cm2(shape) for shape in shapes], "int64")
    facts["area_m2"] = round(int(area.sum()) / 10_000, 2)
    facts["states"] = [
        {"state": State(code).code, "polygons": int((state == code).sum()), "area_cm2": int(area[state == code].sum())}
        for code in np.unique(state)
    ]
    frame = gpd.GeoDataFrame({"state": state}, geometry=list(shapes), crs=CGCS2000_EPSG)
    return Opening(frame, findings, facts, skipped)


def _skipped(shapes: np.ndarray, crs: CRS) -> BaseGeometry | None:
    """The ground under rows that are not taken over; only where they lie matters, so a repair changes nothing."""
    solid = to_degrees(np.array([checks.repair(shape) for shape in shapes], object), crs)
    return shapely.union_all(solid) if len(solid) else None


def _rank(state: State) -> int:
    """Precedence where polygons overlap: damage by the taxonomy's order, then restored ground, then context."""
    if state in RESTORED:
        return len(_RANK)
    name = {"pit_water": "water", "other": "background"}.get(state.code, state.code)
    return _RANK[name] if name not in ("vegetation", "background") else len(_RANK) + 1
