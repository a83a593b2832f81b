"""Which change of a new computation is the one that people decided before."""

from __future__ import annotations

from typing import Final

import geopandas as gpd
import numpy as np
import shapely

SAME_SHARE: Final = 0.99  # of the larger of the two outlines


def matches(new: gpd.GeoDataFrame, old: gpd.GeoDataFrame) -> dict[int, int]:
    """Pair pieces that stand for the same change.

    A pair has the same outline hash, or else the same kinds (kind, prev_kind, obs_kind) and outlines whose common
    part is at least 99 % of the larger one. At that share no piece has two partners.

    Args:
        new: geometry, kind, prev_kind, obs_kind, geometry_sha256; same CRS as ``old``, equal-area.
        old: the same columns.

    Returns:
        Position in ``new`` -> position in ``old``.
    """
    by_hash = {digest: position for position, digest in enumerate(old["geometry_sha256"])}
    found = {position: by_hash[digest] for position, digest in enumerate(new["geometry_sha256"]) if digest in by_hash}
    rest_new = np.array([i for i in range(len(new)) if i not in found], int)
    rest_old = np.setdiff1d(np.arange(len(old)), np.array(list(found.values()), int))
    if not len(rest_new) or not len(rest_old):
        return found
    shapes, others = new.geometry.to_numpy()[rest_new], old.geometry.to_numpy()[rest_old]
    one, two = shapely.STRtree(others).query(shapes, predicate="intersects")
    larger = np.maximum(shapely.area(shapes[one]), shapely.area(others[two]))
    near = np.minimum(shapely.area(shapes[one]), shapely.area(others[two])) >= SAME_SHARE * larger
    one, two, larger = one[near], two[near], larger[near]
    common = shapely.area(shapely.intersection(shapes[one], others[two]))
    kinds = ["kind", "prev_kind", "obs_kind"]
    alike = (new[kinds].to_numpy()[rest_new[one]] == old[kinds].to_numpy()[rest_old[two]]).all(axis=1)
    for i in np.flatnonzero(alike & (common >= SAME_SHARE * larger)):
        found[int(rest_new[one[i]])] = int(rest_old[two[i]])
    return found
