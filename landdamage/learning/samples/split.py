"""Regions to sets: the rarest class first, each region to the set that lacks it most (iterative stratification).

Whatever is augmented later is augmented after the split, so no copy of a training tile can be validated on.
Method: Sechidis, Tsoumakas, Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, for whole regions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landdamage.learning.samples.params import SETS, SHARES
from landdamage.taxonomy import BY_CODE, CLASSES
from minegis.errors import Finding, SampleSetError

LEAST_REGIONS: Final = 5  # of validation and of test
LEAST_PONDS: Final = 15  # tailings ponds in each of them
_PONDS: Final = BY_CODE["tailings_pond"].id


def assign(counts: Mapping[str, NDArray[Any]], shares: Mapping[str, float], seed: int = 0) -> dict[str, str]:
    """Set of every region.

    Again and again the class with the fewest objects left is taken, and of it the region with most. That region goes to
    the set that needs it most: the sum over classes of the region's share in all objects of the class times the part of
    its goal the set still lacks. Shares make a rare class weigh as much as a common one. Regions without any object
    come last, by number. Sets that have nothing yet are not forgotten: the last regions with objects are theirs.

    Args:
        counts: region -> objects per class (C,), not negative.
        shares: set -> wanted share; they add up to 1.
        seed: decides between regions that are alike.

    Raises:
        SampleSetError: E-SET-03, fewer regions with objects than sets.
    """
    names = sorted(counts)
    useful = sum(bool(np.any(counts[name])) for name in names)
    if useful < len(shares):
        raise SampleSetError("E-SET-03", value=useful, least=len(shares))
    shuffled = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    table = np.array([counts[name] for name in shuffled], np.float64)
    sets = list(shares)
    wanted = np.array([shares[name] for name in sets])
    whole = np.maximum(table.sum(axis=0), 1)
    goal = wanted[:, None] * whole
    lacking = goal.copy()
    slots = wanted * len(names)
    filled = np.zeros(len(sets), np.int64)
    left = np.ones(len(names), bool)
    out: dict[str, str] = {}
    while left.any():
        remaining = table[left].sum(axis=0)
        present = np.flatnonzero(remaining > 0)
        if present.size:
            rarest = present[np.argmin(remaining[present])]
            chosen = int(np.argmax(np.where(left, table[:, rarest], -1)))
        else:
            chosen = int(np.argmax(left))
        need = (table[chosen] / whole * lacking / goal).sum(axis=1)
        open_sets, empty = np.arange(len(sets)), np.flatnonzero(filled == 0)
        # Counted in regions with objects, which come first: a set of mere background would judge nothing.
        if table[left].any(axis=1).sum() <= len(empty) > 0:
            open_sets = empty
        keys = (slots[open_sets], np.round(need[open_sets], 9))
        best = open_sets[np.lexsort(keys)[-1]]
        out[shuffled[chosen]] = sets[best]
        lacking[best] -= table[chosen]
        slots[best] -= 1
        filled[best] += 1
        left[chosen] = False
    return out


def as_in_the_paper(count: int, seed: int) -> NDArray[np.str_]:
    """Set of every sample as the source paper draws them: at random, val = test = round(0.2 N), train the rest."""
    part = round(SHARES["val"] * count)
    names = np.repeat(SETS, [count - 2 * part, part, part])
    return np.random.default_rng(seed).permutation(names)


def split_findings(counts: Mapping[str, NDArray[Any]], sets: Mapping[str, str], names: Sequence[str]) -> list[Finding]:
    """Classes that nobody labelled, classes that a set lacks, sets too small to be believed.

    Args:
        counts: region -> objects per class (C,).
        sets: region -> set.
        names: of the sets.
    """
    total = sum(counts.values(), np.zeros(len(CLASSES)))
    foreground = [c for c in CLASSES if c.id]
    absent = [c for c in foreground if not total[c.id]]
    found = []
    if absent:
        found.append(Finding("E-SET-02", "class", {"value": ", ".join(f"{c.zh} {c.code}" for c in absent)}))
    for name in names:
        members = [region for region, own in sets.items() if own == name]
        own = sum((counts[region] for region in members), np.zeros(len(CLASSES)))
        lacking = [c for c in foreground if total[c.id] and not own[c.id]]
        if lacking:
            values = {"set": name, "value": ", ".join(f"{c.zh} {c.code}" for c in lacking)}
            found.append(Finding("E-SET-26", name, values))
        few_ponds = bool(total[_PONDS]) and own[_PONDS] < LEAST_PONDS
        if name != "train" and (len(members) < LEAST_REGIONS or few_ponds):
            small: dict[str, object] = {
                "set": name,
                "regions": len(members),
                "least_regions": LEAST_REGIONS,
                "ponds": int(own[_PONDS]),
                "least_ponds": LEAST_PONDS,
            }
            found.append(Finding("E-SET-14", name, small))
    return found
