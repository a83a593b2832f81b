"""Rows of a finished raster gathered into bands of equal height, each with the row beyond either of its edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 1 << 22  # polygons are made from about this many pixels at once
Pixels = NDArray[np.uint8]
Block = tuple[Pixels, Pixels, Pixels]  # class, confidence, margin, each (rows, width)


@dataclass(frozen=True, slots=True)
class Band:
    """Some rows of the raster, over its whole width.

    Attributes:
        row: the first of them.
        classes: (rows, width) class of each pixel.
        confidence, margin: (rows, width) in steps of probability.
        above, below: (width,) classes of the rows beyond; None at the raster's edge.
    """

    row: int
    classes: Pixels
    confidence: Pixels
    margin: Pixels
    above: Pixels | None
    below: Pixels | None


def bands(blocks: Iterable[Block], height: int) -> Iterator[Band]:
    """Cut anew what comes in blocks of rows from top to bottom; the last band may be lower.

    Args:
        blocks: classes, confidence and margin, each (rows, width); at least one.
        height: rows of a band, ≥ 1.
    """
    parts: list[Block] = []
    row = filled = 0
    above: Pixels | None = None

    def band(below: Pixels | None) -> Band:
        classes, confidence, margin = (np.concatenate(layer) for layer in zip(*parts, strict=True))
        return Band(row, classes, confidence, margin, above, below)

    for block in blocks:
        rest = block
        while len(rest[0]):
            if filled == height:
                whole = band(rest[0][0])
                yield whole
                above, row, filled = whole.classes[-1], row + height, 0
                parts.clear()
            take = height - filled
            parts.append((rest[0][:take], rest[1][:take], rest[2][:take]))
            filled += len(parts[-1][0])
            rest = (rest[0][take:], rest[1][take:], rest[2][take:])
    yield band(None)
