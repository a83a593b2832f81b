"""The passes over every pixel that numpy would make twenty of, compiled: blend, decide, label, count.

Each reads its input once, row by row, so that what is between stays in the cache of the processor, and works without
Python's lock, beside the network. Compiled code is kept in ``$NUMBA_CACHE_DIR`` or beside this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from landdamage.taxonomy import IGNORE

LOG2_E = np.float32(1.4426950408889634)
LEAST_EXPONENT = np.float32(-126.0)  # below it float32 has no normal numbers


@intrinsic
def _from_bits(typing: Any, bits: Any) -> Any:  # Numba's signature
    """The float32 with these 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@njit(inline="always")
def _exp2(t: Any) -> Any:
    """2 to the power of t ≤ 0, relative error below 3e-6; vectorises, which calls of libm do not."""
    t = max(t, LEAST_EXPONENT)
    whole = np.floor(t + np.float32(0.5))
    f = (t - whole) * np.float32(0.6931471805599453)
    p = np.float32(1 / 120)  # Taylor's series of exp on ±0.35
    p = p * f + np.float32(1 / 24)
    p = p * f + np.float32(1 / 6)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    bits = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23))
    return p * _from_bits(bits)  # type: ignore[call-arg]  # Numba adds the first argument


@njit(nogil=True, cache=True, fastmath={"contract", "reassoc", "nsz"}, boundscheck=False)
def add_softmax(
    total: NDArray[np.float32],
    left: int,
    logits: NDArray[np.float32],
    first: int,
    down: NDArray[np.float32],
    across: NDArray[np.float32],
    scale: np.float32,
) -> None:
    """Add the weighted class probabilities of a window to the sums of its strip.

    total += softmax(logits * scale) * down * across, the softmax over the classes, relative error below 1e-5. All
    arrays are C-contiguous: with a stride that the compiler does not know it takes twice the time.

    Args:
        total: (classes, rows, width) float32, changed in place from column ``left`` on.
        left: where the window's part begins in it.
        logits: (classes, rows, columns) float32, finite.
        first: the window's first column that counts.
        down: (rows,) weights.
        across: (n,) weights of the columns that count.
        scale: 1 / temperature.
    """
    classes, rows, _ = logits.shape
    columns = len(across)
    powers = np.empty((classes, columns), np.float32)
    highest = np.empty(columns, np.float32)
    weight = np.empty(columns, np.float32)
    factor = np.float32(scale) * LOG2_E
    for y in range(rows):
        highest[:] = logits[0, y][first : first + columns]
        for c in range(1, classes):
            row = logits[c, y][first : first + columns]
            for x in range(columns):
                highest[x] = max(highest[x], row[x])
        weight[:] = np.float32(0.0)
        for c in range(classes):
            row = logits[c, y][first : first + columns]
            for x in range(columns):
                e = _exp2((row[x] - highest[x]) * factor)
                powers[c, x] = e
                weight[x] += e
        for x in range(columns):
            weight[x] = down[y] * across[x] / weight[x]
        for c in range(classes):
            row = total[c, y][left : left + columns]
            for x in range(columns):
                row[x] += powers[c, x] * weight[x]


@njit(nogil=True, cache=True, boundscheck=False)
def decide(
    total: NDArray[np.float32],
    down: NDArray[np.float32],
    across: NDArray[np.float32],
    valid: NDArray[np.bool_],
    steps: np.float32,
    out: NDArray[np.uint8],
) -> None:
    """The class of every pixel, how probable it is, and by how much the second one is less so.

    Args:
        total: (classes, at least rows, columns) sums of weighted probabilities, C-contiguous as all arrays here.
        down: (rows,) sums of the weights.
        across: (columns,) sums of the weights.
        valid: (rows, columns), False where nothing was observed.
        steps: the two probabilities are written in steps of 1 / steps, rounded.
        out: (3, rows, columns) class, probability, margin; ``IGNORE`` where not valid. The lowest class wins a tie.
    """
    classes, _, columns = total.shape
    rows = len(down)
    best = np.empty(columns, np.float32)
    second = np.empty(columns, np.float32)
    winner = np.empty(columns, np.uint8)
    for y in range(rows):
        for x in range(columns):
            best[x] = total[0, y, x]
            second[x] = np.float32(0.0)
            winner[x] = 0
        for c in range(1, classes):
            for x in range(columns):
                value = total[c, y, x]
                higher = value > best[x]
                second[x] = best[x] if higher else max(second[x], value)
                winner[x] = np.uint8(c) if higher else winner[x]
                best[x] = value if higher else best[x]
        for x in range(columns):
            if valid[y, x]:
                step = np.float32(steps) / (down[y] * across[x])
                out[0, y, x] = winner[x]
                out[1, y, x] = np.uint8(best[x] * step + np.float32(0.5))
                out[2, y, x] = np.uint8((best[x] - second[x]) * step + np.float32(0.5))
            else:
                out[0, y, x] = IGNORE
                out[1, y, x] = IGNORE
                out[2, y, x] = IGNORE


@njit(inline="always")
def _root(parent: NDArray[np.int32], item: int) -> int:
    """The first of an item's group, with the way there halved."""
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@njit(nogil=True, cache=True, boundscheck=False)
def label_components(classes: NDArray[np.uint8]) -> tuple[NDArray[np.int32], int]:
    """4-connected components of equal class, by runs of a row and union-find (Wu, Otoo, Suzuki 2009).

    Args:
        classes: (rows, columns) uint8, at least one pixel.

    Returns:
        Component of each pixel, (rows, columns) int32 from 0 in the order of their first pixels, and their number.
    """
    rows, columns = classes.shape
    runs = 0
    for y in range(rows):
        row = classes[y]
        runs += 1
        for x in range(1, columns):
            runs += row[x] != row[x - 1]
    parent = np.arange(runs).astype(np.int32)
    label = np.empty((rows, columns), np.int32)
    run = -1
    for y in range(rows):
        row, here = classes[y], label[y]
        for x in range(columns):
            begins = x == 0 or row[x] != row[x - 1]
            run += begins
            here[x] = run
            # Two runs on top of each other are joined once: where their common stretch begins.
            if y > 0 and row[x] == classes[y - 1, x] and (begins or row[x] != classes[y - 1, x - 1]):
                first, second = _root(parent, label[y - 1, x]), _root(parent, run)
                parent[max(first, second)] = min(first, second)
    count = 0
    for k in range(runs):  # a root comes before all of its group, so its number is known
        if parent[k] == k:
            parent[k] = count
            count += 1
        else:
            parent[k] = parent[parent[k]]
    for y in range(rows):
        here = label[y]
        for x in range(columns):
            here[x] = parent[here[x]]
    return label, count


@njit(nogil=True, cache=True, boundscheck=False)
def measure_components(
    classes: NDArray[np.uint8], label: NDArray[np.int32], of_label: NDArray[np.uint8], pixels: NDArray[np.int32]
) -> None:
    """Class and size of each component.

    Args:
        classes, label: (rows, columns), see ``label_components``.
        of_label: (components,) class, filled in.
        pixels: (components,) zeros, counted up.
    """
    rows, columns = classes.shape
    for y in range(rows):
        for x in range(columns):
            of_label[label[y, x]] = classes[y, x]
            pixels[label[y, x]] += 1


@njit(nogil=True, cache=True, boundscheck=False)
def count_borders(label: NDArray[np.int32]) -> NDArray[np.int32]:
    """How many pixel edges each pair of components shares.

    Args:
        label: (rows, columns).

    Returns:
        (3, pairs) int32: lower component, higher component, shared edges; every pair once, in no order to rely on.
    """
    rows, columns = label.shape
    keys, times = np.full(1 << 12, np.int64(-1)), np.zeros(1 << 12, np.int32)
    pairs = 0
    run = np.empty(2 * columns, np.int64)  # the borders of a row
    for y in range(rows):
        here = label[y]
        count = 0
        for x in range(1, columns):
            run[count] = np.int64(min(here[x], here[x - 1])) << 32 | max(here[x], here[x - 1])
            count += here[x] != here[x - 1]
        if y > 0:
            above = label[y - 1]
            for x in range(columns):
                run[count] = np.int64(min(here[x], above[x])) << 32 | max(here[x], above[x])
                count += here[x] != above[x]
        place, last = 0, np.int64(-1)
        for k in range(count):
            key = run[k]
            if key != last:  # a border is mostly followed for a while
                place, last = _slot(keys, key), key
                if keys[place] < 0:
                    pairs += 1
                    if 2 * pairs > len(keys):
                        keys, times = _twice_as_long(keys, times)
                        place = _slot(keys, key)
                    keys[place] = key
            times[place] += 1
    out = np.empty((3, pairs), np.int32)
    k = 0
    for place in range(len(keys)):
        if keys[place] >= 0:
            out[0, k], out[1, k], out[2, k] = keys[place] >> 32, keys[place] & 0xFFFFFFFF, times[place]
            k += 1
    return out


@njit(inline="always")
def _slot(keys: NDArray[np.int64], key: Any) -> Any:
    """Where a key is in a table whose length is a power of two, or where it would go."""
    mask = len(keys) - 1
    # 2^64 / golden ratio: spreads what lies close together
    place = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(33)) & mask
    while keys[place] >= 0 and keys[place] != key:
        place = (place + 1) & mask
    return place


@njit(nogil=True, cache=True, boundscheck=False)
def _twice_as_long(keys: NDArray[np.int64], times: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The same table with twice as many places."""
    more, counts = np.full(2 * len(keys), np.int64(-1)), np.zeros(2 * len(keys), np.int32)
    for k in range(len(keys)):
        if keys[k] >= 0:
            place = _slot(more, keys[k])
            more[place], counts[place] = keys[k], times[k]
    return more, counts


@njit(nogil=True, cache=True, boundscheck=False)
def count_steps(
    label: NDArray[np.int32],
    piece: NDArray[np.int32],
    confidence: NDArray[np.uint8],
    margin: NDArray[np.uint8],
    steps: NDArray[np.int64],
    margins: NDArray[np.int64],
) -> None:
    """Add every pixel to its piece.

    Args:
        label: (rows, columns).
        piece: (labels,) number of the piece that a label is, negative where it is none.
        confidence, margin: (rows, columns); a confidence beyond the last value counts as that.
        steps: (pieces, values) pixels at each value of the confidence, changed in place.
        margins: (pieces,) sum of the margins, changed in place.
    """
    rows, columns = label.shape
    last = steps.shape[1] - 1
    for y in range(rows):
        for x in range(columns):
            number = piece[label[y, x]]
            if number >= 0:
                steps[number, min(np.int64(confidence[y, x]), last)] += 1
                margins[number] += margin[y, x]
