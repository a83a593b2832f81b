"""From pixels to strips of classes: windows through the network, blended, committed strip by strip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.source import SceneSource
from landdamage.interpretation.strips import LAYERS, StripStore
from landdamage.taxonomy import IGNORE
from minegis.errors import JobCancelledError
from minegis.windows import Panel, StripBlender, pad_window

# Confidence and margin rasters hold probabilities in steps of 1/200, so that 255 is left for unobserved pixels.
PROBABILITY_STEPS = 200
_ROWS_AT_ONCE = 64


class Network(Protocol):
    """What prediction needs of an engine."""

    classes: int
    batch: int

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, bands, H, W) normalised -> (N, classes, H, W)."""
        ...


def predict_strips(
    source: SceneSource,
    engine: Network,
    store: StripStore,
    progress: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> int:
    """Interpret every strip that the store lacks.

    Args:
        source: the scene.
        engine: the network.
        store: where finished strips lie and go; its plan fits the scene.
        progress: called with the finished share 0-1 after every batch.
        should_stop: asked before every batch.

    Returns:
        How many windows went through the network; windows without a valid pixel are skipped.

    Raises:
        JobCancelledError: ``should_stop`` said so; finished strips stay for the next attempt.
        SceneError: E-FMT-02 the scene cannot be read to its end.
    """
    plan = store.plan
    total = sum(len(panel.columns) for panel in plan.panels) * len(plan.rows)
    done = computed = 0
    for panel in plan.panels:
        finished = store.finished(panel)
        done += finished * len(panel.columns)
        if finished == len(plan.rows):
            continue
        blender = StripBlender(plan, panel, engine.classes)
        if finished:
            blender.restore(store.carry(panel, finished - 1))
        left, right = panel.columns[0], min(panel.columns[-1] + plan.window, plan.width)
        for strip in range(finished, len(plan.rows)):
            top = plan.rows[strip]
            pixels, valid = source.read(top, min(top + plan.window, plan.height), left, right)
            seen = [c for c in panel.columns if valid[:, c - left : c - left + plan.window].any()]
            done += len(panel.columns) - len(seen)
            for first in range(0, len(seen), engine.batch):
                if should_stop():
                    raise JobCancelledError
                columns = seen[first : first + engine.batch]
                spans = [slice(c - left, c - left + plan.window) for c in columns]
                batch = np.stack(
                    [pad_window(source.network_input(pixels[..., s], valid[:, s]), plan.window) for s in spans]
                )
                for column, values in zip(columns, engine.probabilities(batch), strict=True):
                    blender.add(column, values)
                computed += len(columns)
                done += len(columns)
                progress(done / total)
            store.save(panel, strip, _layers(blender, panel, strip, valid, left), blender.carry(strip))
            blender.advance(strip)
    progress(1.0)
    return computed


def _layers(blender: StripBlender, panel: Panel, strip: int, valid: NDArray[np.bool_], left: int) -> NDArray[np.uint8]:
    """Class, confidence (probability of the class) and margin (to the second class) of a strip's finished rows."""
    probabilities = blender.finished(strip)
    rows = probabilities.shape[1]
    seen = valid[:rows, panel.left - left : panel.right - left]
    out = np.full((LAYERS, *seen.shape), IGNORE, np.uint8)
    for first in range(0, rows, _ROWS_AT_ONCE):
        part = probabilities[:, first : first + _ROWS_AT_ONCE]
        here = seen[first : first + _ROWS_AT_ONCE]
        winner = part.argmax(axis=0)
        best = np.take_along_axis(part, winner[None], axis=0)[0]
        np.put_along_axis(part, winner[None], -1.0, axis=0)  # the rows are done with; what is left gives the second
        layers = (winner, best * PROBABILITY_STEPS, (best - part.max(axis=0)) * PROBABILITY_STEPS)
        for layer, values in zip(out[:, first : first + _ROWS_AT_ONCE], layers, strict=True):
            layer[here] = np.rint(values[here])
    return out
