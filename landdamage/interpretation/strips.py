"""Finished strips on disk: the intermediate result of the network and, by their mere existence, its journal.

A strip is written to a temporary name and renamed, so it is there whole or not at all; a process killed at any moment
leaves a folder that the next one goes on from, with equal pixels in the end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from minegis.windows import Panel, Plan

BLOCK_PIXELS = 1 << 22  # rows are handed on in blocks of about this many pixels
LAYERS = 3  # class, confidence, margin


def _write_whole(path: Path, array: NDArray[Any]) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def recorded_engine(folder: Path) -> str | None:
    """The kind of engine that computed the strips lying in a folder; None where there are none."""
    try:
        engine = json.loads((folder / "inputs.json").read_text("utf-8"))["engine"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return engine if isinstance(engine, str) and any(folder.glob("strip-*.npy")) else None


class StripStore:
    """Strips of one interpretation: (3, rows, panel width) uint8, layers class, confidence and margin.

    Args:
        folder: where they lie; created if missing.
        plan: the windows.
        inputs: everything the pixels depend on, as JSON; strips left by a run with other inputs are removed.
    """

    def __init__(self, folder: Path, plan: Plan, inputs: dict[str, Any]) -> None:
        self.folder, self.plan = folder, plan
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / "inputs.json"
        wanted = json.dumps(inputs, sort_keys=True)
        if not record.is_file() or record.read_text("utf-8") != wanted:
            for old in folder.glob("*.npy"):
                old.unlink()
            partial = record.with_suffix(".partial")
            partial.write_text(wanted, "utf-8")
            partial.replace(record)

    def _strip(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"strip-{panel.index:03d}-{strip:05d}.npy"

    def _carry(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"carry-{panel.index:03d}-{strip:05d}.npy"

    def finished(self, panel: Panel) -> int:
        """How many strips of a panel, counted from the top, are there."""
        count = 0
        while count < len(self.plan.rows) and self._strip(panel, count).is_file():
            count += 1
        return count

    def save(self, panel: Panel, strip: int, layers: NDArray[np.uint8], carry: NDArray[np.float32]) -> None:
        """Commit a strip: from now on it counts as finished.

        Args:
            panel: its panel.
            strip: its number; all before it are saved.
            layers: (3, rows, panel width).
            carry: what the next strip still adds to.
        """
        if strip + 1 < len(self.plan.rows):
            _write_whole(self._carry(panel, strip), carry)
        _write_whole(self._strip(panel, strip), layers)
        if strip:
            self._carry(panel, strip - 1).unlink(missing_ok=True)

    def carry(self, panel: Panel, strip: int) -> NDArray[np.float32]:
        """The sums saved with the last finished strip."""
        return np.load(self._carry(panel, strip))

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All rows from top to bottom: first row and (3, rows, width), the panels side by side again."""
        height = max(1, BLOCK_PIXELS // self.plan.width)
        for strip, row in enumerate(self.plan.rows):
            parts = [np.load(self._strip(panel, strip), mmap_mode="r") for panel in self.plan.panels]
            for first in range(0, parts[0].shape[1], height):
                yield row + first, np.concatenate([part[:, first : first + height] for part in parts], axis=2)
