"""Blocks of a scene: runs of strips that workers share out, and what predicting needs to know of who does which.

A block's result depends on nothing but the scene and the model. What its first rows need of the strip above, the sums
of that strip, lies on the shared disk where the block above is finished, and is computed again, window by window, where
it is not; both give the same bits, so it does not matter who does what, in which order, or how often.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from landdamage.interpretation.engine import Engine
from landdamage.interpretation.strips import StripStore
from minegis.windows import Panel, Plan

BLOCK_PIXELS = 1 << 24  # a minute of work for two cores, half a second for a GPU
# What libraries choose their kernels by: with others the last bits of a sum may differ.
_KERNEL_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


@dataclass(frozen=True, slots=True)
class SceneBlock:
    """Strips [first, last) of a panel."""

    number: int
    panel: Panel
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Shared:
    """A scene whose blocks are shared out.

    Attributes:
        store: the strips, on a disk that all workers see.
        blocks: in the order of their numbers.
        key: equal for two workers only when they would write the same bits.
    """

    store: StripStore
    blocks: tuple[SceneBlock, ...]
    key: str

    def finished(self) -> set[int]:
        """Numbers of the blocks all of whose strips are there."""
        there = self.store.present()
        return {
            block.number
            for block in self.blocks
            if all((block.panel.index, strip) in there for strip in range(block.first, block.last))
        }


class Claims(Protocol):
    """Who does which block. A claim saves double work; it guards nothing, because everybody writes the same."""

    def take(self, last: int | None) -> int | None:
        """Claim a block; ``last`` is the one done before. None: there is nothing (more) to do here.

        Raises:
            JobCancelledError: the work was stopped while waiting for others.
        """
        ...

    def lost(self) -> bool:
        """Whether the block in hand has gone to somebody else."""
        ...

    def finish(self, number: int, windows: int) -> None:
        """The block's strips are on disk; ``windows`` went through the network for it."""
        ...

    def release(self, number: int) -> None:
        """Give the block back unfinished."""
        ...


def cut(plan: Plan, pixels: int = BLOCK_PIXELS) -> tuple[SceneBlock, ...]:
    """Blocks of about ``pixels``, panel by panel from top to bottom; at least one strip each."""
    strips = len(plan.rows)
    blocks: list[SceneBlock] = []
    for panel in plan.panels:
        share = (panel.right - panel.left) * plan.height
        count = min(strips, max(1, round(share / pixels)))
        edges = [strips * k // count for k in range(count + 1)]
        for first, last in itertools.pairwise(edges):
            blocks.append(SceneBlock(len(blocks), panel, first, last))
    return tuple(blocks)


def preference(
    blocks: Sequence[SceneBlock], free: Collection[int], done: Collection[int], last: int | None
) -> Iterator[int]:
    """Free blocks in the order to try them.

    First the one below the block just done, whose sums need not be computed again; then, in the longest run of free
    blocks, its first where nothing above it is under way, else its middle, so that each worker has the way below it to
    itself for as long as possible; then the others.
    """
    order = sorted(free)
    if last is not None and last + 1 in free and blocks[last + 1].panel == blocks[last].panel:
        yield last + 1
    runs: list[list[int]] = []
    for number in order:
        if runs and runs[-1][-1] == number - 1 and blocks[number].first:
            runs[-1].append(number)
        else:
            runs.append([number])
    if runs:
        longest = max(runs, key=len)
        at_rest = blocks[longest[0]].first == 0 or longest[0] - 1 in done
        yield longest[0] if at_rest else longest[len(longest) // 2]
    yield from order


def share_key(engine: Engine, inputs: dict[str, Any], block_pixels: int) -> str:
    """What two workers must agree in to write the same bits of the same blocks, as 16 hexadecimal digits.

    Beside scene, model and engine that is how the machine computes: the processor's vector instructions, and for torch
    on a CPU the number of threads, which decides how it adds up. Converted models were seen to be independent of it.
    """
    facts = [inputs, block_pixels, _flags(), version("numba")]
    if engine.kind == "eager" and ", cpu," in engine.name:
        facts.append(sys.modules["torch"].get_num_threads())
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        return []
    return [flag for flag in _KERNEL_FLAGS if flag in words]
