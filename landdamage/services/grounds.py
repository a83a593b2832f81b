"""Whose ground a patch is: the mine whose licence or zone it lies in, and the smallest region around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from django.db.backends.utils import CursorWrapper
from numpy.typing import NDArray

from minegis.registry.models import SRID

Shapes = NDArray[np.object_]

# The key share is what the foreign keys of the patches ask for anyway: nothing named here can be deleted meanwhile.
_MINES_SQL = """
SELECT mine_id, ST_AsBinary(influence_zone), ST_AsBinary(boundary) FROM registry_mine
WHERE influence_zone && ST_MakeEnvelope(%s, %s, %s, %s, %s) ORDER BY code FOR KEY SHARE
"""
_REGIONS_SQL = """
SELECT id, ST_AsBinary(geom) FROM registry_region
WHERE geom && ST_MakeEnvelope(%s, %s, %s, %s, %s) AND valid_to IS NULL
ORDER BY array_position(ARRAY['township', 'county', 'prefecture', 'province'], level::text), code FOR KEY SHARE
"""
_GROWTH = 0.5  # of its sides: a box that grows step by step over a scene is read again a few times only


class Grounds:
    """Mines and regions in a box of EPSG:4490, read from the register inside the caller's transaction.

    A scene touches few of them, so they are read once and compared here with thousands of patches at a time; a
    query per patch took the database 0.1 ms each.
    """

    def __init__(self, cursor: CursorWrapper, box: Sequence[float] | None = None) -> None:
        """Begin with the mines and regions in ``box`` (west, south, east, north), or with none."""
        self._cursor = cursor
        self._box: tuple[float, ...] | None = None
        if box is not None:
            self.reach(box)

    def reaches(self, box: Sequence[float]) -> bool:
        """Whether everything in a box (west, south, east, north) has been read."""
        if self._box is None:
            return False
        west, south, east, north = self._box
        return west <= box[0] and south <= box[1] and box[2] <= east and box[3] <= north

    def reach(self, box: Sequence[float]) -> None:
        """Read all mines and regions in a box and in what was reached before, and somewhat around."""
        both = np.array([box, self._box or box])
        low, high = both[:, :2].min(axis=0), both[:, 2:].max(axis=0)
        margin = (high - low) * _GROWTH
        self._box = (*(low - margin).tolist(), *(high + margin).tolist())
        self._cursor.execute(_MINES_SQL, [*self._box, SRID])
        mines = self._cursor.fetchall()
        self._mines: list[UUID] = [row[0] for row in mines]
        self._zones, self._licences = (
            shapely.make_valid(shapely.from_wkb([row[k] and bytes(row[k]) for row in mines])) for k in (1, 2)
        )
        self._cursor.execute(_REGIONS_SQL, [*self._box, SRID])
        regions = self._cursor.fetchall()
        self._regions: list[int] = [row[0] for row in regions]
        self._outlines = shapely.from_wkb([bytes(row[1]) for row in regions])
        for shapes in (self._zones, self._outlines):
            shapely.prepare(shapes)

    def mines(self, patches: Shapes) -> list[UUID | None]:
        """Of the mines whose zone a patch touches that whose licence covers most of it, else the nearest, else none.

        Args:
            patches: valid polygons within what was reached.
        """
        zone, patch = shapely.STRtree(patches).query(self._zones, predicate="intersects")
        several = np.bincount(patch, minlength=len(patches))[patch] > 1
        covered, distance = np.zeros(len(zone)), np.zeros(len(zone))
        of, shapes = zone[several], patches[patch[several]]
        licences = self._licences[of]
        covered[several] = np.nan_to_num(shapely.area(shapely.intersection(licences, shapes)))
        grounds = np.where(shapely.is_missing(licences), self._zones[of], licences)
        distance[several] = shapely.distance(grounds, shapes)
        # What stands first for a patch is its mine; the register gave the mines by their codes.
        return _first(self._mines, len(patches), patch, zone, np.lexsort((zone, distance, -covered, patch)))

    def regions(self, patches: Shapes) -> list[int | None]:
        """The lowest region that holds a point inside of each patch, or None."""
        tree = shapely.STRtree(shapely.point_on_surface(patches))
        outline, patch = tree.query(self._outlines, predicate="intersects")
        return _first(self._regions, len(patches), patch, outline, np.lexsort((outline, patch)))


def _first(
    names: list[Any], count: int, patch: NDArray[np.int64], number: NDArray[np.int64], order: NDArray[np.int64]
) -> list[Any]:
    """For each of ``count`` patches the name that comes first in the order, None where there is none."""
    found: list[Any] = [None] * count
    having, at = np.unique(patch[order], return_index=True)
    for one, which in zip(having.tolist(), number[order][at].tolist(), strict=True):
        found[one] = names[which]
    return found
