"""What a year's imagery shows of a territory: labels without overlaps, and the ground that was seen at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.overlay import edges, faces_of
from landdamage.accounting.planar import (
    ALBERS,
    Geometries,
    first_of,
    geometries,
    lying_in,
    multipolygon,
    to_albers,
)
from landdamage.accounting.states import State
from landdamage.accounting.territories import Territory
from landdamage.taxonomy import PRECEDENCE, SUBSIDENCE, WaterOrigin

SOURCES: Final = ("model", "manual", "edited", "imported")  # the label's ``source`` is the position here
PERSONAL: Final = ("manual", "edited")  # a person's outline stands above every other
SEASON: Final = ((5, 1), (10, 31))  # snow-free: 1 May to 31 October
HALF: Final = 0.5
WaterMode = Literal["origin", "paper"]

STATE_OF_CLASS: Final = {
    "background": State.OTHER,
    "vegetation": State.VEGETATION,
    "living_area": State.LIVING_AREA,
    "industrial_square": State.INDUSTRIAL_SQUARE,
    "stockpile": State.STOCKPILE,
    "tailings_pond": State.TAILINGS_POND,
    "open_pit": State.OPEN_PIT,
    "subsidence": State.SUBSIDENCE,
}
STATE_OF_WATER: Final = {
    "pit_water": State.PIT_WATER,
    "tailings_water": State.TAILINGS_POND,
    "natural": State.OTHER,
    "unknown": State.OTHER,
}


@dataclass(frozen=True, slots=True)
class SceneView:
    """A scene as the account needs it.

    ``seen`` is the validly observed ground, EPSG:4490. ``scene_id`` breaks ties between scenes of one day, so that
    the order they come in does not matter.
    """

    scene_id: str
    acquired_on: date
    gsd_m: float
    seen: BaseGeometry
    satellite: str = ""

    def in_season(self, season: tuple[tuple[int, int], tuple[int, int]] = SEASON) -> bool:
        """Whether it was taken between the first and the last day (month, day) of the season, both included."""
        first, last = season
        return first <= (self.acquired_on.month, self.acquired_on.day) <= last


@dataclass(frozen=True)
class Observation:
    """A territory as a year's scenes show it.

    Attributes:
        labels: Albers, on the 0.01 m grid, without overlaps, all of ``observed``: geometry, state (int16), scene
            (position among the scenes given), patch (position among the patches given, -1 none), confidence (NaN
            without a patch), source (position in ``SOURCES``).
        observed: the ground seen, Albers.
        scenes: positions of the scenes that show some of it as the newest, newest first.
        gsd_m: the coarsest ground sample distance among them; NaN when nothing was seen.
        undecided_water: positions of visible water patches whose origin nobody knows; they count as no damage and
            block freezing.
        out_of_season: positions, among ``scenes``, taken outside the season.
    """

    labels: gpd.GeoDataFrame
    observed: shapely.MultiPolygon
    scenes: tuple[int, ...]
    gsd_m: float
    undecided_water: tuple[int, ...] = ()
    out_of_season: tuple[int, ...] = field(default=())


def with_decided_waters(patches: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Let what a person said of a water hold wherever the year's scenes show that water.

    A decision is about the water, not about the picture it was made on: another scene's water patch, at least half of
    which lies on waters that people decided, has their origin too (of several, the one with most of its ground). Where
    another scene shows no water the decision says nothing.

    Args:
        patches: all of a year's, EPSG:4490; class_code, water_origin, source, author, water_by (key of who decided the
            origin, empty for nobody).

    Returns:
        The same rows; water_origin and water_by are filled in where a decision reaches.
    """
    result = patches.copy()
    water = patches["class_code"].to_numpy() == "water"
    decided = np.flatnonzero(water & _by_hand(patches))
    asked = np.flatnonzero(water & ~_by_hand(patches))
    if not len(decided) or not len(asked):
        return result
    known = shapely.make_valid(to_albers(patches.geometry.iloc[decided]))
    shapes = shapely.make_valid(to_albers(patches.geometry.iloc[asked]))
    one, two = shapely.STRtree(known).query(shapes, predicate="intersects")
    common = shapely.intersection(shapes[one], known[two])
    shared = pd.DataFrame(
        {
            "patch": asked[one],
            "origin": patches["water_origin"].to_numpy()[decided[two]],
            "decided": decided[two],
            "row": np.arange(len(one)),
            "area": shapely.area(common),
        }
    )
    origins, people = result.columns.get_loc("water_origin"), result.columns.get_loc("water_by")
    whole = pd.Series(shapely.area(shapes), index=asked)
    for patch, rows in shared.groupby("patch"):
        if shapely.union_all(common[rows["row"]]).area < HALF * whole[patch]:  # type: ignore[index]
            continue
        origin = rows.groupby("origin")["area"].sum().idxmax()
        source = rows[rows["origin"] == origin].sort_values("area")["decided"].iat[-1]
        result.iloc[patch, origins] = origin
        result.iloc[patch, people] = patches["water_by"].iat[source] or patches["author"].iat[source]
    return result


def _by_hand(patches: gpd.GeoDataFrame) -> NDArray[np.bool_]:
    """Where a person's word about the water stands; tables of before the question was kept apart have no column."""
    drawn = np.isin(patches["source"].to_numpy(), PERSONAL)
    known = (patches["water_origin"].notna() & ~patches["water_origin"].isin(["", "unknown"])).to_numpy()
    said = patches["water_by"].to_numpy() != "" if "water_by" in patches else np.zeros(len(patches), bool)
    return np.asarray((drawn & known) | said, bool)


def water_origins(
    patches: gpd.GeoDataFrame,
    book_pits: Sequence[BaseGeometry] | Geometries = (),
    hydrography: Sequence[BaseGeometry] | Geometries = (),
) -> list[WaterOrigin | None]:
    """Decide the origin of each water patch; None for other classes.

    What a person drew, edited or decided keeps its origin. Else, in this order: at least half of the patch lies on
    ground that was open pit or pit water in last year's book, or its proposal says so -> ``pit_water``; proposed as
    ``tailings_water``; it meets the hydrography, or was proposed as ``natural`` -> ``natural``; ``unknown``.

    Args:
        patches: EPSG:4490; class_code, water_origin (the proposal of the interpretation), source, water_by (key of who
            decided the origin; may be missing).
        book_pits: cells of open pit and pit water in last year's book that touch the patches, Albers, disjoint.
        hydrography: rivers, lakes, reservoirs as areas or lines, EPSG:4490.
    """
    pits = geometries(book_pits)
    tree = shapely.STRtree(pits)
    natural = shapely.STRtree(shapely.make_valid(to_albers(hydrography)))
    origins: list[WaterOrigin | None] = [None] * len(patches)
    by_hand = _by_hand(patches) | np.isin(patches["source"].to_numpy(), PERSONAL)
    for i in np.flatnonzero(patches["class_code"].to_numpy() == "water"):
        stored: WaterOrigin = patches["water_origin"].iat[i] or "unknown"
        origins[i] = stored
        if by_hand[i] or stored == "pit_water":
            continue
        shape = to_albers([patches.geometry.iat[i]])[0]
        near = pits[tree.query(shape, predicate="intersects")]
        if shapely.area(shapely.intersection(near, shape)).sum() >= HALF * shape.area:
            origins[i] = "pit_water"
        elif stored == "unknown" and len(natural.query(shape, predicate="intersects")):
            origins[i] = "natural"
    return origins


def labels_of_year(
    territory: Territory,
    scenes: Sequence[SceneView],
    patches: gpd.GeoDataFrame,
    *,
    subsidence: Sequence[BaseGeometry] = (),
    book_pits: Sequence[BaseGeometry] | Geometries = (),
    hydrography: Sequence[BaseGeometry] | Geometries = (),
    water_mode: WaterMode = "origin",
) -> Observation:
    """What the scenes of a year show of a territory.

    The newest scene that sees a place decides; there the class first in ``taxonomy.PRECEDENCE`` wins, and ground
    without a patch is OTHER. A polygon that a person drew or edited stands above all, on ground its own scene sees; who
    only decided the origin of a water has drawn nothing, and a newer scene still decides what is there.
    Accepted subsidence counts on observed ground below visible excavation, occupation and water, above vegetation.

    Args:
        territory: whose ground.
        scenes: usable scenes of the year; those that do not reach the territory do no harm.
        patches: EPSG:4490, the patches of the scenes' current runs that reach the territory, whole: geometry,
            class_code, water_origin ("" or None unless water), confidence, source (of ``SOURCES``), scene (position
            in ``scenes``).
        subsidence: accepted polygons valid in the year, EPSG:4490.
        book_pits: see ``water_origins``; also cells beyond the territory where its patches reach there.
        hydrography: see ``water_origins``.
        water_mode: "paper" takes all water for excavation, only to compare with published figures.

    Raises:
        KeyError: a class, source or water origin is not in the vocabulary.
    """
    rank = _newest_first(scenes)
    shape = territory.geometry
    seen = shapely.make_valid(to_albers(s.seen for s in scenes))
    outlines = shapely.make_valid(to_albers(patches.geometry))
    sunk = shapely.make_valid(to_albers(subsidence))
    window = shape.bounds
    cells = faces_of(edges(layer, window) for layer in ([shape], seen, outlines, sunk))
    places = shapely.point_on_surface(cells)
    own = lying_in(places, [shape])[1]
    cells, places = cells[own], places[own]
    view, at = lying_in(places, seen)
    newest = first_of(len(cells), at, view, rank[view])

    origins = water_origins(patches, book_pits, hydrography)
    codes, states = _meaning(patches["class_code"].tolist(), origins, water_mode)
    order = np.array([PRECEDENCE.index(code) for code in codes], int)
    person = np.isin(patches["source"].to_numpy(), PERSONAL)
    of_scene = patches["scene"].to_numpy(int)
    patch, face = lying_in(places, outlines)
    sees = np.zeros((len(scenes), len(cells)), bool)
    sees[view, at] = True
    counts = (of_scene[patch] == newest[face]) | (person[patch] & sees[of_scene[patch], face])
    patch, face = patch[counts], face[counts]
    key = ((~person[patch]).astype(int) * len(scenes) + rank[of_scene[patch]]) * len(PRECEDENCE) + order[patch]
    winner = first_of(len(cells), face, patch, key, patch)

    # winner -1 reads the last entry, which stands for ground without a patch.
    state = np.append(states, np.int16(State.OTHER))[winner]
    sinkable = np.append(order > PRECEDENCE.index(SUBSIDENCE.code), True)[winner] & ~np.append(person, False)[winner]
    below = np.zeros(len(cells), bool)
    below[lying_in(places, sunk)[1]] = True
    state[below & sinkable] = State.SUBSIDENCE
    scene = np.where(winner >= 0, np.append(of_scene, -1)[winner], newest)

    observed = newest >= 0
    labels = _dissolved(cells[observed], state[observed], scene[observed], winner[observed], patches)
    used = sorted(set(newest[observed].tolist()), key=lambda i: rank[i])
    visible = set(winner[observed].tolist())
    return Observation(
        labels=labels,
        observed=multipolygon(shapely.coverage_union_all(cells[observed])),
        scenes=tuple(used),
        gsd_m=max((scenes[i].gsd_m for i in used), default=float("nan")),
        undecided_water=tuple(
            i for i, o in enumerate(origins) if o == "unknown" and i in visible and water_mode == "origin"
        ),
        out_of_season=tuple(i for i in used if not scenes[i].in_season()),
    )


def _newest_first(scenes: Sequence[SceneView]) -> NDArray[np.int64]:
    """The rank of each scene: 0 is the newest; among scenes of one day the finer, then the lower id."""
    by_age = sorted(
        range(len(scenes)), key=lambda i: (-scenes[i].acquired_on.toordinal(), scenes[i].gsd_m, scenes[i].scene_id)
    )
    rank = np.empty(len(scenes), np.int64)
    rank[by_age] = np.arange(len(scenes))
    return rank


def _meaning(
    codes: Sequence[str], origins: Sequence[WaterOrigin | None], water_mode: WaterMode
) -> tuple[list[str], NDArray[np.int16]]:
    """The class each patch competes as, and the state it means."""
    classes, states = [], []
    for code, origin in zip(codes, origins, strict=True):
        if code != "water":
            classes.append(code)
            states.append(STATE_OF_CLASS[code])
            continue
        origin = "pit_water" if water_mode == "paper" else origin or "unknown"
        classes.append("tailings_pond" if origin == "tailings_water" else "water")
        states.append(STATE_OF_WATER[origin])
    return classes, np.array(states, np.int16)


def _dissolved(
    cells: Geometries, state: NDArray, scene: NDArray, patch: NDArray, patches: gpd.GeoDataFrame
) -> gpd.GeoDataFrame:
    """Faces of one meaning from one patch become one label."""
    keys = np.column_stack([state, scene, patch]).astype(np.int64).reshape(-1, 3)
    unique, group = np.unique(keys, axis=0, return_inverse=True)
    sequence = np.argsort(group, kind="stable")
    joined = [
        multipolygon(shapely.coverage_union_all(cells[members]))
        for members in np.split(sequence, np.flatnonzero(np.diff(group[sequence])) + 1)
        if len(members)
    ]
    by = unique[:, 2]
    confidence = np.append(patches["confidence"].to_numpy(float), np.nan)[by]
    source = np.array([*(SOURCES.index(s) for s in patches["source"]), SOURCES.index("model")], np.int16)[by]
    columns = {
        "state": unique[:, 0].astype(np.int16),
        "scene": unique[:, 1],
        "patch": by,
        "confidence": confidence,
        "source": source,
    }
    return gpd.GeoDataFrame(columns, geometry=geometries(joined), crs=ALBERS)
