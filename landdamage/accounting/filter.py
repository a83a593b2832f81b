"""The change filter: differences too narrow or too small to be more than position error revert to the book.

A piece is adjacent ground of one (kind before, kind seen). Of it counts what survives an opening by half of ε (erode,
then dilate, mitre joins) in parts of at least the mapping unit. Because the comparison is with the book and not with
last year's image, growth slower than ε per year is not lost: it is booked once it exceeds ε.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from landdamage.accounting import overlay
from landdamage.accounting.ground import Faces, kind_number
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import PieceKind, State
from minegis.units import CGCS2000_EPSG, gauss_kruger_epsg, transformer

SLACK_M: Final = 0.02  # an opened outline is that much wider, so that it meets the piece's own edge and not beside it
LOST_M2: Final = 1e-3  # a piece that the opening leaves whole but for rounding is whole


@dataclass(frozen=True)
class Kept:
    """Parts of changed ground that count, in place order.

    Attributes:
        shapes: (n,) polygons in Albers.
        prev, obs: (n,) kind numbers, see `kind_number`.
        cut: (n,) the part is not bounded by edges of the overlay alone.
    """

    shapes: np.ndarray
    prev: np.ndarray
    obs: np.ndarray
    cut: np.ndarray


def local_zone(territory: np.ndarray) -> int:
    """EPSG code of the Gauss-Kruger zone at the middle of a unit: widths are measured there."""
    west, south, east, north = shapely.total_bounds(territory)
    lon, _ = transformer(overlay.ALBERS, CGCS2000_EPSG).transform((west + east) / 2, (south + north) / 2)
    return gauss_kruger_epsg(lon)


def keep(faces: Faces, pairs: np.ndarray, rules: Rules, zone: int) -> Kept:
    """Which changed ground is change.

    Args:
        faces: the overlay.
        pairs: (p, 2) neighbours among them.
        rules: ε and the mapping unit.
        zone: EPSG code of the plane in which widths are measured.
    """
    changed = np.flatnonzero(faces.changed & faces.joined)
    prev, obs = kind_number(faces.prev[changed]), kind_number(faces.obs[changed])
    place = np.full(len(faces), -1)
    place[changed] = np.arange(len(changed))
    pairs = place[pairs]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    pairs = pairs[(prev[pairs[:, 0]] == prev[pairs[:, 1]]) & (obs[pairs[:, 0]] == obs[pairs[:, 1]])]
    part = overlay.components(len(changed), pairs)
    least = round(rules.mmu_m2 * 20_000)
    size = np.zeros(part.max(initial=-1) + 1, np.int64)
    np.add.at(size, part, faces.weight[changed])
    large = np.flatnonzero(size >= least)
    number = np.full(len(size), -1)
    number[large] = np.arange(len(large))
    use = number[part] >= 0
    pieces = overlay.dissolve(faces.shapes[changed[use]], number[part[use]], len(large))
    first = np.unique(number[part[use]], return_index=True)[1]
    of_prev, of_obs = prev[use][first], obs[use][first]

    core = shapely.intersection(pieces, _opened(pieces, rules.epsilon / 2, zone), grid_size=overlay.GRID)
    whole = shapely.area(pieces) - shapely.area(core) < LOST_M2
    core[whole] = pieces[whole]
    shapes, owner = shapely.get_parts(core, return_index=True)
    large_enough = np.rint(shapely.area(shapes) * 20_000) >= least
    shapes, owner = shapes[large_enough], owner[large_enough]
    order = overlay.place_order(shapes)
    shapes, owner = shapes[order], owner[order]
    return Kept(shapes, of_prev[owner], of_obs[owner], ~whole[owner])


def _opened(pieces: np.ndarray, radius: float, zone: int) -> np.ndarray:
    """Erode and dilate with mitre joins in the local zone, a hair wider than the opening proper."""
    there, back = transformer(overlay.ALBERS, zone), transformer(zone, overlay.ALBERS)
    plane = shapely.transform(pieces, lambda xy: np.column_stack(there.transform(xy[:, 0], xy[:, 1])))
    eroded = shapely.buffer(plane, -radius, join_style="mitre")
    opened = shapely.buffer(eroded, radius + SLACK_M, join_style="mitre")
    opened = shapely.transform(opened, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
    # Mitre joins leave corners that all but touch: a nanometre of reprojection may cross them.
    return overlay.repaired(opened)


@dataclass(frozen=True)
class Marked:
    """What the filter says about each face.

    Attributes:
        part: (n,) index into `Kept`, -1 where the face belongs to none.
        piece: (n,) number of the piece to be decided, -1 none.
        filtered: (n,) the difference reverts to the book.
        obs: (n,) state seen; holes below the mapping unit show the class of the piece around them.
        kinds: per piece, what is to be decided.
    """

    part: np.ndarray
    piece: np.ndarray
    filtered: np.ndarray
    obs: np.ndarray
    kinds: list[PieceKind]


def mark(faces: Faces, kept: Kept, rules: Rules) -> Marked:
    """Give every face its piece, fill small holes, revert the rest.

    A hole below the mapping unit takes the class of the piece around it where its book is of the piece's kind before
    and the label does not confirm a damage there; anything else that changed in it is too small itself.
    """
    prev, obs = kind_number(faces.prev), kind_number(faces.obs)
    part = _held(kept.shapes, kept.prev, kept.obs, faces.points, prev, obs, np.flatnonzero(faces.changed))
    states = faces.obs.copy()
    rings, owner = shapely.get_rings(kept.shapes, return_index=True)
    hole = np.r_[False, owner[1:] == owner[:-1]] if len(owner) else np.zeros(0, bool)
    holes, owner = shapely.polygons(rings[hole]), owner[hole]
    small = shapely.area(holes) < rules.mmu_m2
    holes, owner = holes[small], owner[small]
    if len(holes):
        seen = (faces.obs != State.NOOBS) & (faces.prev != State.UNKNOWN) & (part < 0)
        free = np.flatnonzero(seen & ~((prev > 0) & (prev == obs)))
        asked, face = shapely.STRtree(faces.points[free]).query(holes, predicate="contains")
        fits = prev[free[face]] == kept.prev[owner[asked]]
        face, around = free[face[fits]], owner[asked[fits]]
        part[face] = around
        states[face] = _main_states(faces, part, len(kept.shapes))[around]
    filtered = faces.changed & (part < 0)
    decided = (kept.prev == 0) | (kept.obs == 0)
    number = np.where(decided, np.cumsum(decided) - 1, -1)
    kinds = [PieceKind.NEW if before == 0 else PieceKind.RELEASED for before in kept.prev[decided]]
    return Marked(part, np.append(number, -1)[part], filtered, states, kinds)


def _held(
    shapes: np.ndarray,
    shape_prev: np.ndarray,
    shape_obs: np.ndarray,
    points: np.ndarray,
    prev: np.ndarray,
    obs: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """The kept part that holds each changed face: of the same kinds, because parts of other kinds may touch it."""
    part = np.full(len(points), -1, np.int64)
    if len(shapes) and len(rows):
        shape, row = shapely.STRtree(points[rows]).query(shapes, predicate="contains")
        same = (shape_prev[shape] == prev[rows[row]]) & (shape_obs[shape] == obs[rows[row]])
        part[rows[row[same]]] = shape[same]
    return part


def _main_states(faces: Faces, part: np.ndarray, count: int) -> np.ndarray:
    """(count,) the state seen on most of each part's own changed ground."""
    own = np.flatnonzero((part >= 0) & faces.changed)
    area = np.zeros((count, 32), np.int64)
    np.add.at(area, (part[own], faces.obs[own]), faces.weight[own])
    return area.argmax(axis=1)
