"""From pixels to strips of classes: windows through the network, blended, committed strip by strip.

One thread reads the next strip and another writes the last one while the network computes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from landdamage.interpretation.blocks import Claims, SceneBlock, Shared
from landdamage.interpretation.source import SceneSource
from landdamage.interpretation.strips import LAYERS, StripStore
from minegis.errors import JobCancelledError
from minegis.windows import Panel, Plan, StripBlender, pad_window

# Confidence and margin rasters hold probabilities in steps of 1/200, so that 255 is left for unobserved pixels.
PROBABILITY_STEPS = 200
LOOK_EVERY_S = 1.0  # into the folder, for what others have finished


class Network(Protocol):
    """What prediction needs of an engine."""

    classes: int
    batch: int
    temperature: float

    def logits(self, batch: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """(N, bands, H, W) normalised -> for each view (N, classes, H, W), C-contiguous."""
        ...


def predict_strips(
    source: SceneSource,
    engine: Network,
    store: StripStore,
    progress: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> int:
    """Interpret every strip that the store lacks, alone.

    Args:
        source: the scene.
        engine: the network.
        store: where finished strips lie and go; its plan fits the scene.
        progress: called with the finished share 0-1 after every batch.
        should_stop: asked before every batch.

    Returns:
        How many windows went through the network; windows without a wanted pixel are skipped.

    Raises:
        JobCancelledError: ``should_stop`` said so; finished strips stay for the next attempt.
        SceneError: E-FMT-02 the scene cannot be read to its end.
    """
    plan = store.plan
    total = sum(len(panel.columns) for panel in plan.panels) * len(plan.rows)
    done = 0

    def tell(windows: int) -> None:
        nonlocal done
        done += windows
        progress(done / total)

    whole = [SceneBlock(k, panel, 0, len(plan.rows)) for k, panel in enumerate(plan.panels)]
    computed = sum(_predict_block(source, engine, store, block, tell, should_stop) for block in whole)
    progress(1.0)
    return computed


def predict_blocks(
    source: SceneSource,
    engine: Network,
    shared: Shared,
    claims: Claims,
    progress: Callable[[float], None],
    should_stop: Callable[[], bool],
) -> int:
    """Interpret blocks beside other workers, as long as there are any to claim.

    Args:
        source: the scene.
        engine: the network.
        shared: the scene's blocks and strips.
        claims: who does which block.
        progress: called after every batch with the share of the scene, 0-1, that all workers together have finished.
        should_stop: asked before every batch.

    Returns:
        How many windows went through the network here.

    Raises:
        JobCancelledError: ``should_stop`` said so; the block in hand was given back, its finished strips stay.
        SceneError: E-FMT-02 the scene cannot be read to its end.
    """
    share, looked = 0.0, float("-inf")

    def tell(windows: int) -> None:
        nonlocal share, looked
        if time.monotonic() - looked >= LOOK_EVERY_S:
            share, looked = max(share, shared.store.share()), time.monotonic()
        progress(share)

    computed, last = 0, None
    while (number := claims.take(last)) is not None:
        try:
            windows = _predict_block(
                source, engine, shared.store, shared.blocks[number], tell, lambda: claims.lost() or should_stop()
            )
        except JobCancelledError:
            if not claims.lost():
                claims.release(number)
                raise
            last = None  # somebody else does it now
        except BaseException:
            claims.release(number)
            raise
        else:
            claims.finish(number, windows)
            computed, last = computed + windows, number
    return computed


def _predict_block(
    source: SceneSource,
    engine: Network,
    store: StripStore,
    block: SceneBlock,
    tell: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> int:
    """Compute the strips of a block that the store lacks; ``tell`` is called with numbers of windows done with."""
    there = {strip for panel, strip in store.present() if panel == block.panel.index}
    lacking = [strip for strip in range(block.first, block.last) if strip not in there]
    if len(lacking) < block.last - block.first:
        tell((block.last - block.first - len(lacking)) * len(block.panel.columns))
    computed = 0
    while lacking:
        run = [lacking.pop(0)]
        while lacking and lacking[0] == run[-1] + 1:
            run.append(lacking.pop(0))
        computed += _predict_run(source, engine, store, block.panel, run[0], run[-1] + 1, tell, should_stop)
    return computed


def _predict_run(
    source: SceneSource,
    engine: Network,
    store: StripStore,
    panel: Panel,
    first: int,
    last: int,
    tell: Callable[[int], None],
    should_stop: Callable[[], bool],
) -> int:
    """Compute strips [first, last) of a panel one after the other."""
    plan, left, computed = store.plan, panel.columns[0], 0
    blender = StripBlender(plan, panel, engine.classes)
    begin = first
    if first:
        carry = store.carry(panel, first - 1)
        if carry is not None:
            blender.restore(carry)
        else:  # the sums of the strips above are made again, in the order in which they were or will be made there
            begin = next(k for k in range(first) if plan.rows[k] + plan.window > plan.rows[first])
    with _Writer() as writer, _read_ahead(source, plan, panel, begin, last) as strips:
        for strip, (pixels, valid) in enumerate(strips, start=begin):
            wanted = source.wanted(valid, plan.rows[strip], left)
            seen = [c for c in panel.columns if wanted[:, c - left : c - left + plan.window].any()]
            if strip >= first and len(seen) < len(panel.columns):
                tell(len(panel.columns) - len(seen))
            for start in range(0, len(seen), engine.batch):
                if should_stop():
                    raise JobCancelledError
                columns = seen[start : start + engine.batch]
                spans = [slice(c - left, c - left + plan.window) for c in columns]
                batch = np.stack(
                    [pad_window(source.network_input(pixels[..., s], valid[:, s]), plan.window) for s in spans]
                )
                _blend(blender, columns, engine.logits(batch), engine.temperature)
                computed += len(columns)
                if strip >= first:
                    tell(len(columns))
            if strip >= first:
                layers = _layers(blender, panel, strip, wanted, left)
                writer.run(store.save, panel, strip, layers, blender.carry(strip).copy())
            blender.advance(strip)
    return computed


class _Writer:
    """Does one thing at a time in a thread of its own; the next waits for it, and its error is not lost."""

    def __enter__(self) -> _Writer:
        self._pool = ThreadPoolExecutor(1, "strip-writer")
        self._last: Future[None] | None = None
        return self

    def run(self, do: Callable[..., None], *arguments: Any) -> None:
        self.wait()
        self._last = self._pool.submit(do, *arguments)

    def wait(self) -> None:
        if self._last is not None:
            self._last.result()

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        self._pool.shutdown()  # what was computed is written, also when the work was cancelled
        if failed is None:
            self.wait()


Strip = tuple[NDArray[Any], NDArray[np.bool_]]


@contextmanager
def _read_ahead(source: SceneSource, plan: Plan, panel: Panel, start: int, end: int) -> Iterator[Iterator[Strip]]:
    """Pixels and validity of strips [start, end) of a panel, each read while the one before is worked on."""
    left, right = panel.columns[0], min(panel.columns[-1] + plan.window, plan.width)

    def read(strip: int) -> Strip:
        top = plan.rows[strip]
        return source.read(top, min(top + plan.window, plan.height), left, right)

    def strips(pool: ThreadPoolExecutor) -> Iterator[Strip]:
        ahead = pool.submit(read, start)
        for strip in range(start, end):
            here = ahead.result()
            if strip + 1 < end:
                ahead = pool.submit(read, strip + 1)
            yield here

    # The one thread of the pool is the only one that touches the file while it lives.
    with ThreadPoolExecutor(1, "strip-reader") as pool:
        yield strips(pool)


def _blend(blender: StripBlender, columns: list[int], views: list[NDArray[np.float32]], temperature: float) -> None:
    """Add the probabilities of windows, averaged over their views, to the sums of the strip."""
    from landdamage.interpretation.kernels import add_softmax  # Numba loads where a scene is read, not in web processes

    weights = blender.plan.weights
    for view in views:
        for column, logits in zip(columns, view, strict=True):
            left, first, count = blender.span(column)
            across = weights[first : first + count] / np.float32(len(views))
            add_softmax(blender.sums, left, logits, first, weights, across, np.float32(1 / temperature))


def _layers(blender: StripBlender, panel: Panel, strip: int, wanted: NDArray[np.bool_], left: int) -> NDArray[np.uint8]:
    """Class, confidence (probability of the class) and margin (to the second class) of a strip's finished rows."""
    from landdamage.interpretation.kernels import decide

    first, last = blender.plan.final_rows(strip)
    seen = np.ascontiguousarray(wanted[: last - first, panel.left - left : panel.right - left])
    out = np.empty((LAYERS, *seen.shape), np.uint8)
    down = blender.plan.row_weight_sums[first:last]
    across = blender.plan.column_weight_sums[panel.left : panel.right]
    decide(blender.sums, down, across, seen, np.float32(PROBABILITY_STEPS), out)
    return out
