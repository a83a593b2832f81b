"""Rounding a whole table so that what is printed adds up (controlled rounding).

Chinese land-survey summaries convert to hectares and then force the closure of what rounding lost. Every printed value
is the floor or the ceiling of its exact value; totals are the rounded exact totals and parts add up to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array

PENALTY = 1e4  # of one unit by which a row does not balance: dearer than any choice of roundings


def close_parts(parts: Sequence[int], unit: Fraction | int, total: int | None = None) -> list[int]:
    """Largest remainder: round parts so that they add up to a total.

    Args:
        parts: exact values, of either sign.
        unit: size of one printed unit in the parts' unit.
        total: printed total in units, floor or ceiling of the exact one; None rounds the exact total half to even.

    Returns:
        One integer number of units per part, the floor or the ceiling of each. Ties go to the larger part, then to the
        earlier one.

    Raises:
        ValueError: ``total`` is not within reach of the parts' floors and ceilings.
    """
    exact = [Fraction(part) / unit for part in parts]
    floors = [value.__floor__() for value in exact]
    wanted = round(sum(exact)) if total is None else total
    missing = wanted - sum(floors)
    open_ = sorted(
        (i for i, value in enumerate(exact) if value != floors[i]), key=lambda i: (floors[i] - exact[i], -parts[i], i)
    )
    if not 0 <= missing <= len(open_):
        raise ValueError(f"{wanted} cannot be made of floors and ceilings that add up to {sum(floors)} at least")
    for i in open_[:missing]:
        floors[i] += 1
    return floors


def close_matrix(
    parts: Sequence[Sequence[int]], unit: int, signs: Sequence[int], totals: Sequence[int] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]:
    """Round a table so that every column adds up to its total and, wherever possible, every row balances.

    A row balances when the sum of ``signs`` x value is 0 (opening + new - restored - closing, or cells - row total).
    Columns are closed strictly. The choice of floors and ceilings that moves values least is a minimum-cost flow
    (Cox 1987, "A constructive procedure for unbiased controlled rounding"); for one column it is the largest remainder.

    Args:
        parts: (rows, columns) exact integers.
        unit: size of one printed unit.
        signs: per column +1, -1, or 0 where the column takes no part in the balance.
        totals: printed column totals in units; None rounds the exact totals half to even.

    Returns:
        Printed values (rows, columns) and totals (columns) in units, and whether all rows and the totals balance.
    """
    rows, columns = len(parts), len(signs)
    exact = np.array(parts, dtype=object).reshape(rows, columns)
    floors = np.array([[int(v) // unit for v in row] for row in exact], np.int64).reshape(rows, columns)
    left = np.array([[int(v) % unit for v in row] for row in exact], dtype=object).reshape(rows, columns)
    exact_totals = [sum(int(v) for v in exact[:, j]) for j in range(columns)]
    closed = np.array([round(Fraction(t, unit)) for t in exact_totals] if totals is None else totals, np.int64)
    sign = np.array(signs, np.int64)
    missing = closed - floors.sum(axis=0)
    at = np.argwhere(left != 0)  # exact multiples stay where they are
    if len(at):
        balanced = [i for i in range(rows) if _balances(exact[i], sign)] if sign.any() else []
        floors[at[:, 0], at[:, 1]] += _ceilings(at, left, unit, floors, missing, sign, balanced)
    if (floors.sum(axis=0) != closed).any():
        raise ValueError("a column total is out of reach of its parts")
    good = bool(((floors @ sign) == 0).all() and int(closed @ sign) == 0)
    return floors, closed, good


def _balances(row: NDArray[np.object_], sign: NDArray[np.int64]) -> bool:
    return sum(int(v) * int(s) for v, s in zip(row, sign, strict=True)) == 0


def _ceilings(
    at: NDArray[np.int64],
    left: NDArray[np.object_],
    unit: int,
    floors: NDArray[np.int64],
    missing: NDArray[np.int64],
    sign: NDArray[np.int64],
    balanced: list[int],
) -> NDArray[np.int64]:
    """0 or 1 for every open cell: the least movement that meets the columns and, softly, the rows."""
    cells = len(at)
    share = np.array([float(Fraction(left[i, j], unit)) for i, j in at])
    # Ties: the larger part, then the earlier row, as in the one-column rule.
    rank = np.lexsort((at[:, 0], -floors[at[:, 0], at[:, 1]]))
    order = np.empty(cells)
    order[rank] = np.arange(cells)
    cost = 1 - 2 * share + 1e-7 * order / cells
    place = {row: k for k, row in enumerate(balanced)}
    column_rows, column_of, column_at = at[:, 1], np.arange(cells), np.ones(cells)
    in_balance = [(len(missing) + place[i], k, float(sign[j])) for k, (i, j) in enumerate(at) if i in place and sign[j]]
    slack = [
        (len(missing) + k, cells + 2 * k + side, (1.0, -1.0)[side]) for k in range(len(balanced)) for side in (0, 1)
    ]
    extra = np.array(in_balance + slack, float).reshape(-1, 3)
    matrix = coo_array(
        (
            np.concatenate([column_at, extra[:, 2]]),
            (
                np.concatenate([column_rows, extra[:, 0].astype(int)]),
                np.concatenate([column_of, extra[:, 1].astype(int)]),
            ),
        ),
        shape=(len(missing) + len(balanced), cells + 2 * len(balanced)),
    ).tocsr()
    right = np.concatenate([missing, -(floors[balanced] @ sign)]) if balanced else missing
    costs = np.concatenate([cost, np.full(2 * len(balanced), PENALTY)])
    bounds = np.concatenate([np.tile([0.0, 1.0], (cells, 1)), np.tile([0.0, float(len(sign))], (2 * len(balanced), 1))])
    # The dual simplex ends on a vertex, and the vertices of a network are whole numbers.
    found = linprog(costs, A_eq=matrix, b_eq=right, bounds=bounds, method="highs-ds")
    if found.x is None:
        raise ValueError("a column total is out of reach of its parts")
    return np.rint(found.x[:cells]).astype(np.int64)
