"""Patches grown band by band: what a band holds of each is kept until no later band can add to it.

A band's polygons are simplified together, its long edges and every vertex on them staying where they are, so the
pieces of a patch fit each other and their neighbours exactly, and joining them is a matter of cancelling common edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from landdamage.interpretation.bands import Band
from landdamage.interpretation.components import label_block
from landdamage.interpretation.predict import PROBABILITY_STEPS
from landdamage.interpretation.tracing import VOID, trace
from landdamage.taxonomy import IGNORE

LOW_QUANTILE = 0.05
_WIDTH = PROBABILITY_STEPS + 1


@dataclass(frozen=True, slots=True)
class Pieces:
    """Parts of components, or whole ones; arrays of one length n.

    Attributes:
        components: component of each.
        polygons: in lattice coordinates.
        steps: (n, 201) pixels at each step of confidence.
        margins: sum of the margins in steps.
    """

    components: NDArray[np.int32]
    polygons: NDArray[Any]
    steps: NDArray[np.int64]
    margins: NDArray[np.int64]

    def __getitem__(self, which: NDArray[Any]) -> Pieces:
        return Pieces(self.components[which], self.polygons[which], self.steps[which], self.margins[which])

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


def band_pieces(band: Band, classes: NDArray[np.uint8], simplify_pixels: float) -> Pieces:
    """The connected parts of a band of every class but background, with borders simplified.

    Args:
        band: rows of the sieved raster.
        classes: class of each component.
        simplify_pixels: tolerance in pixels; 0 keeps the stairs of pixels.
    """
    labels, count = label_block(band.components)
    component = np.empty(count, np.int32)
    component[labels] = band.components
    wanted = (classes[component] != 0) & (classes[component] != IGNORE)
    number = np.where(wanted, np.cumsum(wanted) - 1, VOID).astype(np.int32)
    pixels = number[labels]
    seen = pixels != VOID
    pixels = pixels[seen].astype(np.int64)
    n = int(wanted.sum())
    steps = np.bincount(pixels * _WIDTH + band.confidence[seen], minlength=n * _WIDTH).reshape(n, _WIDTH)
    margins = np.bincount(pixels, weights=band.margin[seen], minlength=n).astype(np.int64)
    del pixels, seen
    observed = np.where(classes[component] != IGNORE, np.arange(count, dtype=np.int32), VOID)
    polygons, owners = trace(observed[labels], band.above, band.below, band.row)
    if simplify_pixels > 0:  # together with the background, whose borders are those of its neighbours
        polygons = shapely.coverage_simplify(polygons, simplify_pixels, simplify_boundary=False)
    return Pieces(component[wanted], polygons[wanted[owners]], steps, margins)


def components_below(band: Band) -> NDArray[np.int32]:
    """Components, ascending, that go on in the next band: every one that reaches it crosses the line somewhere."""
    last = band.components[-1]
    return np.unique(last[last == band.below]) if band.below is not None else np.zeros(0, np.int32)


@dataclass(slots=True)
class _Open:
    polygons: list[Any]
    steps: NDArray[np.int64]
    margins: int


class OpenPatches:
    """The components whose end has not been seen yet."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def add(self, pieces: Pieces, going_on: NDArray[np.int32]) -> Pieces:
        """Take the pieces of the next band.

        Args:
            pieces: of the band.
            going_on: components that later bands add to.

        Returns:
            The components now complete, ascending.
        """
        begun = np.fromiter(self._open, np.int32, len(self._open))
        partial = np.isin(pieces.components, going_on) | np.isin(pieces.components, begun)
        for k in np.flatnonzero(partial):
            state = self._open.setdefault(int(pieces.components[k]), _Open([], np.zeros(_WIDTH, np.int64), 0))
            state.polygons.append(pieces.polygons[k])
            state.steps += pieces.steps[k]
            state.margins += int(pieces.margins[k])
        ended = sorted(self._open.keys() - set(going_on.tolist()))
        states = [self._open.pop(component) for component in ended]
        whole = pieces[~partial]
        joined = np.empty(len(states), object)
        joined[:] = [shapely.coverage_union_all(state.polygons) for state in states]
        done = Pieces(
            np.concatenate([whole.components, np.array(ended, np.int32)]),
            np.concatenate([whole.polygons, joined]),
            np.concatenate([whole.steps, np.array([s.steps for s in states], np.int64).reshape(-1, _WIDTH)]),
            np.concatenate([whole.margins, np.array([s.margins for s in states], np.int64)]),
        )
        return done[np.argsort(done.components)]
