"""From faces to cells: the atoms of the books, their integer areas, and the pieces people decide."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from landdamage.accounting import overlay
from landdamage.accounting.filter import Marked
from landdamage.accounting.ground import Faces, kind_number
from landdamage.accounting.shares import apportion_all
from landdamage.accounting.states import KINDS, RESTORED, PieceKind, State
from minegis.units import areas_cm2


def cell_numbers(faces: Faces, marked: Marked, pairs: np.ndarray) -> np.ndarray:
    """(n,) which cell each face belongs to: the largest ground with one history.

    Ground that book or label calls damaged or restored makes one cell per connected area (a shared corner does not
    connect), so that a cell is a patch on the map. The slivers of one history along one patch of the book are one
    cell of many parts, and so is all context of one history: they are thousands of splinters that nobody looks at
    singly.
    """
    columns = [faces.prev, marked.obs, faces.since, faces.vegetated, faces.scene, faces.region, faces.outside]
    columns += [marked.piece, marked.filtered, faces.opening >= 0]
    key = np.unique(np.column_stack(columns).astype(np.int64), axis=0, return_inverse=True)[1].ravel()
    same = pairs[key[pairs[:, 0]] == key[pairs[:, 1]]]
    alike = pairs[faces.prev[pairs[:, 0]] == faces.prev[pairs[:, 1]]]
    patch, book = overlay.components(len(faces), same), overlay.components(len(faces), alike)
    counts = (kind_number(faces.prev) > 0) | (kind_number(marked.obs) > 0) | np.isin(faces.prev, RESTORED)
    place = np.where(marked.filtered, book, np.where(counts, patch, -1))
    return np.unique(np.column_stack([key, place]), axis=0, return_inverse=True)[1].ravel()


def build_cells(faces: Faces, marked: Marked, cell: np.ndarray, opening_cm2: np.ndarray, year: int) -> gpd.GeoDataFrame:
    """The cells of a unit, in Albers.

    Args:
        faces: the overlay, its `marked` filter and its `cell` numbers.
        opening_cm2: (m,) int64 areas of the opening cells.
        year: of this account.

    Returns:
        The columns that `unit.UnitCells` describes. An opening cell's cm² are shared out by the largest remainder
        over the plane areas of its parts; ground that was never booked is measured once on the ellipsoid.
    """
    count = int(cell.max(initial=-1)) + 1
    first = np.unique(cell, return_index=True)[1]
    # A swallowed opening cell lies under its neighbours; it lends its outline only to a cell that has no other.
    outlines = overlay.dissolve(faces.shapes[faces.joined], cell[faces.joined], count)
    for number in np.flatnonzero(shapely.is_empty(outlines)):
        outlines[number] = shapely.union_all(faces.shapes[cell == number])
    area = np.zeros(count, np.int64)
    booked = faces.opening >= 0
    both, inverse = np.unique(np.column_stack([faces.opening[booked], cell[booked]]), axis=0, return_inverse=True)
    weight = np.zeros(len(both), np.int64)
    np.add.at(weight, inverse.ravel(), faces.weight[booked])
    np.add.at(area, both[:, 1], apportion_all(both[:, 0], weight, opening_cm2))
    fresh = np.flatnonzero(faces.opening[first] < 0)
    area[fresh] = areas_cm2(outlines[fresh], overlay.ALBERS)

    prev, obs, since = faces.prev[first], marked.obs[first], faces.since[first]
    seen = obs != State.NOOBS
    waiting = (kind_number(prev) > 0) & (kind_number(obs) == 0)
    vegetated = np.where(obs == State.VEGETATION, faces.vegetated[first] + 1, np.where(seen, 0, faces.vegetated[first]))
    columns = {
        "area_cm2": area,
        "prev_state": prev.astype(np.int16),
        "obs_state": obs.astype(np.int16),
        "piece": marked.piece[first],
        "region": faces.region[first],
        "outside_licence": faces.outside[first],
        "since_year": since,
        "observed_year": np.where(seen, year, since),
        "redamaged": np.isin(prev, RESTORED) & (kind_number(obs) > 0) & ~marked.filtered[first],
        "filtered": marked.filtered[first],
        "scene": faces.scene[first],
        "confidence": _weighted(faces.confidence, faces.weight, cell, count),
        "vegetated_years": np.where(waiting, vegetated, 0),
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(outlines, crs=overlay.ALBERS))


def build_pieces(cells: gpd.GeoDataFrame, marked: Marked, labels: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The pieces of a unit, from their cells; see `unit.UnitCells`."""
    rows = []
    for number, group in cells[cells["piece"] >= 0].groupby("piece"):
        area = group["area_cm2"].to_numpy()
        prev, obs = (_largest(group[name].to_numpy(), area) for name in ("prev_state", "obs_state"))
        outline = shapely.coverage_union_all(group.geometry.to_numpy())
        known = group["confidence"].notna().to_numpy()
        rows.append(
            {
                "piece": number,
                "kind": marked.kinds[int(number)].value,
                "prev_kind": _kind(prev),
                "obs_kind": _kind(obs),
                "prev_state": prev,
                "obs_state": obs,
                "area_cm2": int(area.sum()),
                "confidence": float(_weighted(group["confidence"].to_numpy(), area, np.zeros(len(area), int), 1)[0])
                if known.any()
                else np.nan,
                "outside_licence": bool(group["outside_licence"].any()),
                "patches": _patches(outline, labels, marked.kinds[int(number)]),
                "geometry": outline,
            }
        )
    names = ["piece", "kind", "prev_kind", "obs_kind", "prev_state", "obs_state", "area_cm2", "confidence"]
    names += ["outside_licence", "patches", "geometry"]
    return gpd.GeoDataFrame(pd.DataFrame(rows, columns=names), geometry="geometry", crs=overlay.ALBERS)


def _kind(state: int) -> str:
    number = int(kind_number(np.array(state)))
    return KINDS[number - 1] if number else ""


def _largest(states: np.ndarray, area: np.ndarray) -> int:
    """The state with most area; of equal ones the lowest."""
    total = np.zeros(32, np.int64)
    np.add.at(total, states, area)
    total[np.unique(states)] += 1  # a state of 0 cm² is still better than one that is not there
    return int(total.argmax())


def _patches(outline: shapely.Geometry, labels: gpd.GeoDataFrame, kind: PieceKind) -> tuple[int, ...]:
    """Positions of the patches that show what a piece claims: new damage, or what lies there instead of the old."""
    if "patch" not in labels:
        return ()
    damaged = kind_number(labels["state"].to_numpy(np.int64)) > 0
    telling = labels[(damaged == (kind is PieceKind.NEW)) & (labels["patch"] >= 0)]
    near = telling.iloc[telling.sindex.query(outline, predicate="intersects")]
    shapes = overlay.repaired(near.geometry.to_numpy().copy())  # labels from outside may cross themselves by a hair
    shared = shapely.area(shapely.intersection(shapes, outline)) > 0
    return tuple(sorted({int(patch) for patch in near["patch"].to_numpy()[shared]}))


def _weighted(values: np.ndarray, weight: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """(count,) area-weighted means per group over the values that are known; NaN where none is."""
    known = ~np.isnan(values)
    total = np.bincount(group[known], weight[known] * values[known], count)
    whole = np.bincount(group[known], weight[known], count)
    return np.divide(total, whole, out=np.full(count, np.nan), where=whole > 0)
