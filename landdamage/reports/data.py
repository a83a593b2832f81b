"""The one bundle of plain data that everything about an edition is made of: pages, tables, documents, maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import geopandas as gpd


@dataclass(frozen=True, slots=True)
class MineFacts:
    """A mine as it stood when the edition was computed."""

    mine_id: str
    code: str
    name_zh: str
    name_en: str
    licence_no: str
    mineral_kind: str
    mining_method: str
    status: str
    region_code: str
    monitored_cm2: int
    observed_cm2: int
    prev_on: date | None = None
    obs_on: date | None = None


@dataclass(frozen=True, slots=True)
class RegionFacts:
    """A region of the lowest level in the edition."""

    code: str
    name_zh: str
    name_en: str
    monitored_cm2: int
    observed_cm2: int

    @property
    def coverage(self) -> float:
        """Observed share 0-1 of the monitored ground."""
        return self.observed_cm2 / self.monitored_cm2 if self.monitored_cm2 else 0.0


@dataclass(frozen=True, slots=True)
class SceneFacts:
    """An image the edition stands on."""

    scene_id: str
    file_name: str
    sha256: str
    satellite: str
    sensor: str
    acquired_on: date | None
    gsd_m: float | None
    cloud_share: float | None
    model: str
    weights_sha256: str
    year: int
    georef_rmse_m: float | None = None


@dataclass(frozen=True, slots=True)
class EditionFacts:
    """What identifies an edition and how it was computed."""

    edition_id: str
    year: int
    version: int
    state: str
    region_code: str
    region_zh: str
    region_en: str
    content_sha256: str
    based_on: str  # "2022 v1", empty for a first book
    based_on_outdated: bool
    previous_year: int | None
    published_on: date | None
    published_by: str
    change_note: str
    params: dict[str, Any]
    results: dict[str, Any]
    code_version: str


@dataclass(frozen=True)
class EditionData:
    """Everything about an edition, without the database.

    Attributes:
        cells: EPSG:4490; columns geometry, cell_id, area_cm2, prev_state, obs_state, new_state, flow (codes of
            ``accounting.states``), mine_id (str or None), region_code (str or None), since_year, observed_year,
            redamaged, outside_licence (only for those who may know, else False), scene_id, confidence, piece_id.
        pieces: EPSG:4490; geometry, piece_id, kind, prev_kind, obs_kind, prev_state, obs_state, area_cm2, mine_id,
            confidence, prev_on, obs_on, decision, reason, author, decided_by, decided_on, outside_licence,
            restored_kind, mode, post_use, accepted_on, evidence (file names with hashes).
        history: one row per year and damage kind of the editions this one stands on, oldest first: year, version,
            kind and the sums of a statement.
        accuracy: results of the newest check sample of the edition, empty without one.
        outlines: EPSG:4490; geometry, what ("mine", "licence", "region", "unobserved"), code: for the map sheets.
    """

    edition: EditionFacts
    cells: gpd.GeoDataFrame
    pieces: gpd.GeoDataFrame
    mines: list[MineFacts]
    regions: list[RegionFacts]
    scenes: list[SceneFacts]
    history: list[dict[str, Any]] = field(default_factory=list)
    accuracy: dict[str, Any] = field(default_factory=dict)
    outlines: gpd.GeoDataFrame | None = None
