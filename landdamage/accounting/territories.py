"""Whose ground it is: every point of the monitored area belongs to exactly one mine, or to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import Voronoi
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.planar import (
    ALBERS,
    Geometries,
    faces,
    first_of,
    geometries,
    lying_in,
    multipolygon,
    to_albers,
)
from landdamage.accounting.shares import apportion, plane_weights
from landdamage.accounting.states import State

# Samples of a licence boundary. The border between two mines is equidistant from the samples: ground at distance D of
# its licence is at most sqrt(D^2 + (SAMPLE_M / 2)^2) - D nearer to the other one, 0.1 m at 100 m, never above 5 m.
SAMPLE_M: Final = 10.0
SMOOTH_M: Final = 0.5  # simplification of that border
SLIVER_M: Final = 0.02  # narrower strips are rounding of the grid, not ground that changed hands


@dataclass(frozen=True, slots=True)
class MineArea:
    """A mine's outlines in EPSG:4490, longitude first. ``licence`` is None for an unlicensed mine."""

    mine: str
    code: str
    licence: BaseGeometry | None
    zone: BaseGeometry | None


@dataclass(frozen=True, slots=True)
class RegionArea:
    """A region of the lowest level, EPSG:4490."""

    code: str
    geometry: BaseGeometry


@dataclass(frozen=True, slots=True)
class Territory:
    """The ground that is accounted for one mine, or for none.

    ``geometry`` and ``licence`` (None where there is none) are in Albers metres. ``region`` is the code of the region
    for ground of no mine; a mine's ground may cross regions and has None.
    """

    mine: str | None
    region: str | None
    geometry: shapely.MultiPolygon
    licence: shapely.MultiPolygon | None

    @property
    def key(self) -> str:
        """A name of its own among the territories of a partition."""
        return f"mine:{self.mine}" if self.mine else f"region:{self.region or ''}"


def partition(
    mines: Sequence[MineArea],
    extra: BaseGeometry | None,
    regions: Sequence[RegionArea],
    overrides: Sequence[tuple[str, BaseGeometry]] = (),
) -> list[Territory]:
    """Share the monitored area out: the union of the influence zones and ``extra``.

    In this order: an override polygon; the licence boundary that contains the ground (the smaller licence first where
    two overlap, so that a licence inside another keeps its ground; then the lower code); the nearest licence among
    the zones that contain it. A mine without licence stands for its zone: it comes after licences, before margins.
    What only ``extra`` holds belongs to no mine, one territory per region of the lowest level.

    Args:
        mines: zones and licences; a mine without zone has no ground unless an override gives it some.
        extra: ground beyond the zones, EPSG:4490.
        regions: lowest level only; where two overlap the lower code wins.
        overrides: (mine, polygon in EPSG:4490), earlier ones first. They share out, they do not enlarge the area.

    Returns:
        Territories with ground, mines by code, then regions by code; on the 0.01 m grid, a valid coverage.

    Raises:
        ValueError: an override names a mine that is not among ``mines``.
    """
    licences, zones = to_albers(m.licence for m in mines), to_albers(m.zone for m in mines)
    licences, zones = shapely.make_valid(licences), shapely.make_valid(zones)
    order = np.empty(len(mines), int)
    sizes = np.nan_to_num(shapely.area(licences), nan=np.inf)
    order[sorted(range(len(mines)), key=lambda i: (sizes[i], mines[i].code))] = np.arange(len(mines))
    ids = {mine.mine: i for i, mine in enumerate(mines)}
    if unknown := [mine for mine, _ in overrides if mine not in ids]:
        raise ValueError(f"overrides name unknown mines: {unknown}")
    special = shapely.make_valid(to_albers(shape for _, shape in overrides))
    beyond = shapely.make_valid(to_albers([extra]))
    counties = sorted(regions, key=lambda region: region.code)
    outlines = shapely.make_valid(to_albers(region.geometry for region in counties))
    borders = outlines if beyond[0] is not None else outlines[:0]
    borders = shapely.intersection(shapely.boundary(borders), beyond[0]) if len(borders) else borders

    cells = faces(np.concatenate([licences, zones, special, beyond, borders, _bisectors(licences, zones)]))
    places = shapely.point_on_surface(cells)
    in_zone, of_zone = lying_in(places, zones)
    of_extra = lying_in(places, beyond)[1]
    monitored = np.zeros(len(cells), bool)
    monitored[of_zone] = monitored[of_extra] = True

    distance = shapely.distance(licences[in_zone], places[of_zone])
    in_licence, of_licence = lying_in(places, licences)
    in_special, of_special = lying_in(places, special)
    mine = np.concatenate([in_zone, in_licence, [ids[overrides[i][0]] for i in in_special]]).astype(int)
    face = np.concatenate([of_zone, of_licence, of_special])
    # No licence: as near as can be, but after a licence that contains the place.
    claim = np.concatenate(
        [np.nan_to_num(distance, nan=0.0), np.full(len(of_licence), -1.0), in_special - 2.0 - len(special)]
    )
    owner = first_of(len(cells), face, mine, claim, order[mine])
    in_region, of_region = lying_in(places, outlines)
    region = first_of(len(cells), of_region, in_region, in_region)

    result = []
    for i in sorted(range(len(mines)), key=lambda i: mines[i].code):
        if len(mask := np.flatnonzero(monitored & (owner == i))):
            licence = None if licences[i] is None else multipolygon(licences[i])
            result.append(Territory(mines[i].mine, None, _joined(cells[mask]), licence))
    result += [
        Territory(None, counties[i].code if i >= 0 else None, _joined(cells[mask]), None)
        for i in [*range(len(counties)), -1]
        if len(mask := np.flatnonzero(monitored & (owner == -1) & (region == i)))
    ]
    return result


def _joined(parts: Geometries) -> shapely.MultiPolygon:
    return multipolygon(shapely.coverage_union_all(parts))


def _bisectors(licences: Geometries, zones: Geometries) -> Geometries:
    """Lines of equal distance to two licences wherever both their zones reach."""
    licensed = np.flatnonzero(~shapely.is_missing(licences) & ~shapely.is_missing(zones))
    tree = shapely.STRtree(zones[licensed])
    one, two = licensed[tree.query(zones[licensed], predicate="intersects")]
    pairs = [(i, j) for i, j in zip(one, two, strict=True) if i < j]
    lines = [_bisector(licences[i], licences[j], shapely.intersection(zones[i], zones[j])) for i, j in pairs]
    return geometries(line for line in lines if line is not None)


def _bisector(one: BaseGeometry, two: BaseGeometry, both: BaseGeometry) -> BaseGeometry | None:
    contested = shapely.difference(both, shapely.union(one, two))
    if contested.area == 0:
        return None
    shapely.prepare(contested)
    samples = [_samples(shape, contested) for shape in (one, two)]
    points, first = np.unique(np.concatenate(samples), axis=0, return_index=True)
    side = first >= len(samples[0])
    # Four far corners close every cell that matters, so that no border runs to infinity.
    low, high = points.min(axis=0), points.max(axis=0)
    middle, reach = (low + high) / 2, 20 * (np.ptp(points, axis=0).max() + 1000)
    corners = middle + reach * np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    diagram = Voronoi(np.concatenate([points, corners]) - middle)
    ridges = np.asarray(diagram.ridge_points)
    of_samples = (ridges < len(points)).all(axis=1)
    ends = np.asarray(diagram.ridge_vertices)[of_samples]
    parted = (side[ridges[of_samples]].sum(axis=1) == 1) & (ends >= 0).all(axis=1)
    segments = shapely.linestrings(diagram.vertices[ends[parted]] + middle)
    line = shapely.line_merge(shapely.union_all(segments[shapely.intersects(contested, segments)]))
    return None if line.is_empty else shapely.simplify(line, SMOOTH_M)


def _samples(licence: BaseGeometry, contested: BaseGeometry) -> NDArray[np.float64]:
    """Points of a licence boundary that can be the nearest to contested ground."""
    points = shapely.get_coordinates(shapely.segmentize(shapely.boundary(licence), SAMPLE_M))
    away = shapely.distance(shapely.points(points), contested)
    reach = shapely.distance(shapely.points(shapely.get_coordinates(contested)), licence).max()
    return points[away <= reach + SAMPLE_M]


def split_opening(
    opening: gpd.GeoDataFrame, territories: Sequence[Territory]
) -> tuple[Mapping[str, gpd.GeoDataFrame], gpd.GeoDataFrame]:
    """Hand last year's cells to this year's territories.

    A cell that a border cuts shares its integer cm² by the largest remainder, in proportion to the planar Albers areas
    of its parts; strips narrower than 2 cm stay with the largest part. Cells that had left the monitored area
    (state OUTSIDE) are dropped: should their ground come back it has never been observed.

    Args:
        opening: Albers; geometry, state, area_cm2 (int) and any other columns, which parts inherit.
        territories: of this year's partition.

    Returns:
        The opening of each territory by its key (every key is there), and the cells that lie in none any more.
        All cm² of the opening are in exactly one of them.
    """
    opening = opening[opening["state"] != State.OUTSIDE].reset_index(drop=True)
    cells = geometries(opening.geometry)
    # A shape may have come to touch itself when its corners were rounded to the grid.
    bad = ~shapely.is_valid(cells)
    cells[bad] = geometries(multipolygon(cell) for cell in shapely.make_valid(cells[bad]))
    shapes = geometries(territory.geometry for territory in territories)
    nowhere = len(territories)
    tree = shapely.STRtree(cells)
    where = np.full(len(cells), -1, np.int64)
    within, whole = tree.query(shapes, predicate="covers")
    where[whole] = within
    touched, cell = tree.query(shapes, predicate="intersects")
    where[np.setdiff1d(np.arange(len(cells)), cell)] = nowhere
    touched, cell = touched[where[cell] < 0], cell[where[cell] < 0]
    # Most of these only share a border: nothing of them but rounding lies outside the territory that holds most.
    common = shapely.area(shapely.intersection(cells[cell], shapes[touched]))
    most = first_of(len(cells), cell, touched, -common, touched)
    near = np.unique(cell)
    rest = shapely.buffer(shapely.difference(cells[near], shapes[most[near]]), -SLIVER_M / 2)
    where[near[shapely.is_empty(rest)]] = most[near[shapely.is_empty(rest)]]
    touched, cell = touched[where[cell] < 0], cell[where[cell] < 0]
    rows, homes, parts, shares = [], [], [], []
    sequence = np.argsort(cell, kind="stable")
    for group in np.split(sequence, np.flatnonzero(np.diff(cell[sequence])) + 1) if len(cell) else []:
        row = int(cell[group[0]])
        pieces = _pieces(cells[row], {int(t): shapes[t] for t in touched[group]}, nowhere)
        if len(pieces) == 1:
            where[row] = pieces[0][0]
            continue
        rows += [row] * len(pieces)
        homes += [home for home, _ in pieces]
        parts += [part for _, part in pieces]
        shares += apportion(int(opening["area_cm2"].iat[row]), plane_weights(geometries(p for _, p in pieces)).tolist())
    kept = np.flatnonzero(where >= 0)
    result = opening.iloc[np.concatenate([kept, np.array(rows, int)])].reset_index(drop=True)
    result["area_cm2"] = np.concatenate([opening["area_cm2"].to_numpy()[kept], np.array(shares, np.int64)]).astype(
        np.int64
    )
    result = result.set_geometry(gpd.GeoSeries(np.concatenate([cells[kept], geometries(parts)]), crs=ALBERS))
    home = np.concatenate([where[kept], np.array(homes, np.int64)])
    split = {t.key: result[home == i].reset_index(drop=True) for i, t in enumerate(territories)}
    return split, result[home == nowhere].reset_index(drop=True)


def _pieces(cell: BaseGeometry, shapes: Mapping[int, BaseGeometry], nowhere: int) -> list[tuple[int, BaseGeometry]]:
    """The parts of a cell in each territory and in none; slivers go to the largest part."""
    parts = faces([cell, *(multipolygon(shapely.intersection(cell, shape)) for shape in shapes.values())])
    places = shapely.point_on_surface(parts)
    parts, places = parts[shapely.contains(cell, places)], places[shapely.contains(cell, places)]
    keys = np.array(list(shapes))
    inside, of = lying_in(places, geometries(shapes.values()))
    home = np.full(len(parts), nowhere)
    home[of] = keys[inside]
    pieces = [(int(h), multipolygon(shapely.coverage_union_all(parts[home == h]))) for h in np.unique(home)]
    wide = [piece for piece in pieces if not shapely.buffer(piece[1], -SLIVER_M / 2).is_empty]
    if not pieces:  # smaller than the grid can show
        return [(min(shapes), cell)]
    if len(wide) <= 1:
        return [(max(pieces, key=lambda piece: piece[1].area)[0], cell)]
    if len(wide) < len(pieces):
        biggest = max(range(len(wide)), key=lambda i: wide[i][1].area)
        slivers = [piece[1] for piece in pieces if all(piece is not other for other in wide)]
        wide[biggest] = (wide[biggest][0], multipolygon(shapely.union_all([wide[biggest][1], *slivers])))
    return wide
