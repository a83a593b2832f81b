"""Patches grown band by band: what a band holds of each is kept until no later band can add to it.

A band's borders are smoothed together, its long edges and every vertex on them staying where they are, so the
pieces of a patch fit each other and their neighbours exactly, and joining them is a matter of cancelling common edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.bands import Band
from landdamage.interpretation.components import VOID, join, label_block
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.taxonomy import IGNORE

LOW_QUANTILE = 0.05
_WIDTH = PROBABILITY_STEPS + 1


@dataclass(frozen=True, slots=True)
class Pieces:
    """Patches or parts of patches; arrays of one length n.

    Attributes:
        class_ids: class of each.
        polygons: in lattice coordinates.
        steps: (n, 201) pixels at each step of confidence.
        margins: sum of the margins in steps.
    """

    class_ids: NDArray[np.uint8]
    polygons: NDArray[Any]
    steps: NDArray[np.int64]
    margins: NDArray[np.int64]

    def __getitem__(self, which: NDArray[Any]) -> Pieces:
        return Pieces(self.class_ids[which], self.polygons[which], self.steps[which], self.margins[which])

    @staticmethod
    def concatenate(parts: Sequence[Pieces]) -> Pieces:
        """All of them, one after the other."""
        return Pieces(*(np.concatenate([getattr(part, name) for part in parts]) for name in Pieces.__slots__))

    def columns(self) -> dict[str, NDArray[Any]]:
        """Mean and 5 % quantile of the confidence, mean margin and number of pixels of each."""
        pixels = self.steps.sum(axis=1)
        below = self.steps.cumsum(axis=1) >= np.ceil(LOW_QUANTILE * pixels)[:, None]
        return {
            "confidence": self.steps @ np.arange(_WIDTH) / (pixels * PROBABILITY_STEPS),
            "confidence_p5": below.argmax(axis=1) / PROBABILITY_STEPS,
            "margin": self.margins / (pixels * PROBABILITY_STEPS),
            "pixels": pixels,
        }


@dataclass(frozen=True, slots=True)
class BandPieces:
    """What a band holds of the patches.

    Attributes:
        pieces: its connected parts of every class but background, in the order of their first pixels.
        entered, left: (width,) the piece at each column of the first and of the last row that the band above and below
            goes on with; ``VOID`` elsewhere.
    """

    pieces: Pieces
    entered: NDArray[np.int32]
    left: NDArray[np.int32]


def band_pieces(band: Band, simplify_pixels: float) -> BandPieces:
    """The connected parts of a band, with borders simplified.

    Args:
        band: rows of the sieved raster.
        simplify_pixels: as for ``tracing.trace``.
    """
    from landdamage.interpretation.kernels import count_steps, measure_components  # Numba loads where a scene is read
    from landdamage.interpretation.tracing import trace

    labels, count = label_block(band.classes)
    class_ids, pixels = np.empty(count, np.uint8), np.zeros(count, np.int32)
    measure_components(np.ascontiguousarray(band.classes), labels, class_ids, pixels)
    observed = class_ids != IGNORE
    wanted = (class_ids != 0) & observed
    polygons, _ = trace(
        labels,
        band.above,
        band.below,
        band.row,
        simplify_pixels=simplify_pixels,
        observed=observed,
        wanted=wanted,
    )
    number = np.where(wanted, np.cumsum(wanted) - 1, VOID).astype(np.int32)
    steps, margins = np.zeros((len(polygons), _WIDTH), np.int64), np.zeros(len(polygons), np.int64)
    count_steps(labels, number, band.confidence, band.margin, steps, margins)
    first, last = number[labels[0]], number[labels[-1]]
    none = np.full_like(first, VOID)
    return BandPieces(
        Pieces(class_ids[wanted], polygons, steps, margins),
        none if band.above is None else np.where(band.classes[0] == band.above, first, VOID),
        none if band.below is None else np.where(band.classes[-1] == band.below, last, VOID),
    )


class OpenPatches:
    """The patches whose end has not been seen yet."""

    def __init__(self) -> None:
        self._open: list[list[Pieces]] = []
        self._line: NDArray[np.int32] | None = None  # which of them goes on at each column

    def add(self, band: BandPieces) -> Pieces:
        """Take the next band.

        Returns:
            The patches that end in it: those begun earlier, then the others, each in the order of their first pixels.
        """
        k, n = len(self._open), len(band.pieces.class_ids)
        enters = band.entered != VOID
        begun = np.zeros(0, np.int32) if self._line is None else self._line[enters]
        groups, member = join(k + n, begun, k + band.entered[enters])
        leaves = band.left != VOID
        goes_on = np.zeros(groups, bool)
        goes_on[member[k + band.left[leaves]]] = True
        was_begun = np.zeros(groups, bool)
        was_begun[member[:k]] = True
        parts: dict[int, list[Pieces]] = {}
        for group, earlier in zip(member[:k].tolist(), self._open, strict=True):
            parts.setdefault(group, []).extend(earlier)
        in_part = (was_begun | goes_on)[member[k:]]
        for i in np.flatnonzero(in_part):
            parts.setdefault(int(member[k + i]), []).append(band.pieces[np.array([i])])
        staying = [group for group in parts if goes_on[group]]
        self._open = [parts[group] for group in staying]
        place = np.full(groups, VOID, np.int32)
        place[staying] = np.arange(len(staying))
        self._line = np.full(len(band.left), VOID, np.int32)
        self._line[leaves] = place[member[k + band.left[leaves]]]
        ended = [whole for group, whole in parts.items() if not goes_on[group]]
        untouched = band.pieces[~in_part]
        return Pieces.concatenate([_joined(ended), untouched]) if ended else untouched


def _joined(patches: list[list[Pieces]]) -> Pieces:
    """The pieces of each patch as one."""
    from landdamage.interpretation.joining import join_pieces

    every = Pieces.concatenate([piece for pieces in patches for piece in pieces])
    counts = np.array([len(pieces) for pieces in patches])
    starts = np.cumsum(counts) - counts
    polygons, _ = join_pieces(every.polygons, np.repeat(np.arange(len(patches), dtype=np.int32), counts))
    return Pieces(
        every.class_ids[starts],
        polygons,
        np.add.reduceat(every.steps, starts, axis=0),
        np.add.reduceat(every.margins, starts),
    )
