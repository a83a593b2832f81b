"""Integer shares of an integer area, so that what was booked once is never gained or lost by cutting it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split an integer in proportion to integer weights (largest remainder).

    Args:
        total: non-negative integer to split, cm².
        weights: non-negative integers, not all zero unless total is 0.

    Returns:
        One integer per weight, each the floor or the ceiling of its exact share; they add up to total. Ties go to the
        larger weight, then to the earlier one.

    Raises:
        ValueError: something is to be split over no weight at all.
    """
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError("cannot split an area over parts without area")
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    rest = [total * weight % whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-rest[i], -weights[i], i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts


def apportion_all(owners: np.ndarray, weights: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Split many totals at once.

    Args:
        owners: (n,) index into totals of each part.
        weights: (n,) int64 weights, see `plane_weights`.
        totals: (m,) int64; every total that is not 0 needs a part.

    Returns:
        (n,) int64 shares; the parts of one owner add up to its total.
    """
    shares = np.zeros(len(owners), np.int64)
    order = np.argsort(owners, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(owners[order])) + 1) if len(order) else []:
        total = int(totals[owners[rows[0]]])
        # One part gets everything, which is the usual case.
        shares[rows] = total if len(rows) == 1 else apportion(total, weights[rows].tolist())
    return shares


def plane_weights(geometries: np.ndarray) -> np.ndarray:
    """Twice the plane area of polygons on the 0.01 m grid, in cm²: exact integers, int64.

    A polygon with corners on the grid has half-integer cm²; Albers is equal-area, so these are the right proportions.
    """
    return np.rint(shapely.area(geometries) * 20_000).astype(np.int64)
