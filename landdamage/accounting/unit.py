"""One unit of the books: a mine's ground in one year, from last year's cells and this year's labels to cells."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np

from landdamage.accounting import overlay
from landdamage.accounting.cells import build_cells, build_pieces, cell_numbers
from landdamage.accounting.filter import keep, local_zone, mark
from landdamage.accounting.ground import Layers
from landdamage.accounting.observation import Observation
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import State
from landdamage.accounting.territories import Territory


@dataclass(frozen=True)
class UnitCells:
    """What a year did to a unit's ground, before anybody decides.

    Attributes:
        cells: Albers, without overlaps, all of the territory: geometry, area_cm2 (int64), prev_state, obs_state
            (int16), piece (-1 none), region (position, -1 none), outside_licence, since_year (last year really
            observed before this one, 0 never), observed_year (this year where observed), redamaged (restored ground
            that shows damage), filtered (the difference reverts to the book), scene (position, -1 none), confidence
            (NaN none), vegetated_years (consecutive observed years of vegetation on ground still booked as damaged).
        pieces: Albers: piece, kind, prev_kind, obs_kind, prev_state, obs_state (of most of its area), area_cm2,
            confidence, outside_licence (any of it), patches (positions of the patches that show it), geometry.
    """

    cells: gpd.GeoDataFrame
    pieces: gpd.GeoDataFrame


def open_unit(
    territory: Territory,
    opening: gpd.GeoDataFrame,
    observation: Observation,
    regions: gpd.GeoDataFrame,
    rules: Rules,
    *,
    year: int,
) -> UnitCells:
    """Lay book and labels over each other, filter the differences, and cut the ground into cells.

    Args:
        territory: the unit's ground and licence boundary, Albers.
        opening: last year's book of exactly this ground (`territories.split_opening`): geometry, state, area_cm2,
            observed_year (0 never) and, where `Rules.auto_restore_after` is used, vegetated_years; no rows for a
            first book. Ground without a cell is UNKNOWN.
        observation: the year's labels and the ground seen; ground seen without a label is OTHER.
        regions: lowest level, any coordinate system; rows are referred to by position.
        rules: thresholds.
        year: of the account.

    Raises:
        MineGISError: E-ACC-03, the opening lies outside the territory or overlaps itself.
        ValueError: a table names no coordinate system, or the unit lies outside the zones of China.
    """
    layers = Layers(territory, opening, observation, regions)
    edges = layers.edges
    faces, pairs = layers.describe(overlay.faces_of(edges))
    layers.check_opening(faces)
    kept = keep(faces, pairs, rules, local_zone(layers.territory))
    if kept.cut.any():
        # The filter cuts through faces: node once more with its outlines, so that the cells stay a coverage.
        faces, pairs = layers.describe(overlay.faces_of([*edges, overlay.edges(kept.shapes[kept.cut])]))
    marked = mark(faces, kept, rules)
    cell = cell_numbers(faces, marked, pairs)
    cells = build_cells(faces, marked, cell, layers.opening["area_cm2"].to_numpy(), year)
    return UnitCells(cells, build_pieces(cells, marked, observation.labels))


def exit_cells(gone: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Cells for ground that left the monitored area (second result of `territories.split_opening`).

    Returns:
        The columns of `UnitCells.cells`; the label OUTSIDE makes the ledger book them as ``exit``.
    """
    frame = overlay.frame_to_albers(gone)
    count, year = len(frame), frame["observed_year"].to_numpy(np.int64)
    columns = {
        "area_cm2": frame["area_cm2"].to_numpy(np.int64),
        "prev_state": frame["state"].to_numpy(np.int16),
        "obs_state": np.full(count, State.OUTSIDE, np.int16),
        "piece": np.full(count, -1),
        "region": np.full(count, -1),
        "outside_licence": np.zeros(count, bool),
        "since_year": year,
        "observed_year": year,
        "redamaged": np.zeros(count, bool),
        "filtered": np.zeros(count, bool),
        "scene": np.full(count, -1),
        "confidence": np.full(count, np.nan),
        "vegetated_years": np.zeros(count, np.int64),
    }
    return gpd.GeoDataFrame(columns, geometry=frame.geometry.to_numpy(), crs=overlay.ALBERS)
