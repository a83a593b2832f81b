"""What a sealed edition is: one hash over its cells and restorations, the same whenever they are computed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from landdamage.accounting.planar import ALBERS, GRID_M

ATTRIBUTES: Final = (
    "area_cm2", "prev_state", "obs_state", "new_state", "flow", "mine_id", "region_code", "since_year",
    "observed_year", "redamaged", "outside_licence", "scene_id", "confidence", "vegetated_years",
)  # fmt: skip
CONFIDENCE_DIGITS: Final = 6
# What the hash covers: 1 the cells; 2 the cells, then how ground was restored and what proves it.
FORMAT: Final = 2
FORMATS: Final = (1, 2)


@dataclass(frozen=True, slots=True)
class RestorationRecord:
    """How the ground of a piece was brought back: what a reviewer entered, and the SHA-256 of each piece of evidence.

    ``piece`` is its identity, see ``outline_sha256``; row numbers play no part.
    """

    piece: str
    restored_kind: str
    mode: str
    post_use: str
    accepted_on: date | None
    evidence: tuple[str, ...]


def place_keys(geometries: gpd.GeoSeries) -> np.ndarray:
    """WKB (N,) of outlines on the 0.01 m grid of Albers, in whole grid steps, rings and parts in normal order.

    Outlines that were on the grid once give the same key after a round trip through degrees.
    """
    shapes = geometries.to_crs(ALBERS).to_numpy()
    steps = shapely.transform(shapes, lambda xy: np.rint(xy / GRID_M) + 0.0)  # + 0.0: no negative zero
    return shapely.to_wkb(shapely.normalize(steps), byte_order=1)


def outline_sha256(wkb: bytes, *what: str) -> str:
    """The identity of a change: its place key and what it is."""
    return hashlib.sha256(wkb + "|".join(what).encode()).hexdigest()


def content_sha256(
    cells: gpd.GeoDataFrame, restorations: Iterable[RestorationRecord] = (), *, version: int = FORMAT
) -> str:
    """The hash of an edition's content: its cells sorted by place, then its restorations by piece, a line of canonical
    JSON each.

    Args:
        cells: any CRS; geometry and ``ATTRIBUTES`` (codes as text, missing values as None or NA).
        restorations: of its pieces.
        version: one of ``FORMATS``; an edition keeps the one it was sealed with, 1 does not cover restorations.

    Returns:
        SHA-256 in hexadecimal; it does not depend on the order of the rows, nor on rings, nor on row numbers.

    Raises:
        KeyError: an attribute is missing.
        ValueError: no such format.
    """
    if version not in FORMATS:
        raise ValueError(f"no content format {version}")
    table = {name: _plain(cells[name]) for name in ATTRIBUTES}
    lines = []
    for position, wkb in enumerate(place_keys(cells.geometry)):
        record: dict[str, Any] = {name: values[position] for name, values in table.items()}
        record["wkb"] = wkb.hex()
        lines.append(_line(record))
    lines.sort(key=lambda line: (line[line.rindex('"wkb"') :], line))
    if version > 1:
        lines.insert(0, _line({"format": version}))
        lines += sorted(
            _line(
                asdict(row)
                | {
                    "accepted_on": row.accepted_on.isoformat() if row.accepted_on else None,
                    "evidence": sorted(row.evidence),
                }
            )
            for row in restorations
        )
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
        digest.update(b"\n")
    return digest.hexdigest()


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _plain(column: pd.Series) -> list[Any]:
    """Values that JSON writes in one way only: int, bool, rounded float, text, None."""
    values = column.astype(object).where(column.notna(), None).tolist()
    if column.name == "confidence":
        return [None if value is None else round(float(value), CONFIDENCE_DIGITS) for value in values]
    if column.name in ("redamaged", "outside_licence"):
        return [bool(value) for value in values]
    if column.name in ("area_cm2", "since_year", "observed_year", "vegetated_years"):
        return [None if value is None else int(value) for value in values]
    return [None if value is None else str(value) for value in values]
