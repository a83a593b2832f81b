"""Finished strips on disk: the intermediate result of the network and, by their mere existence, its journal.

A strip is written to a temporary name and renamed, so it is there whole or not at all; a process killed at any moment
leaves a folder that the next one goes on from, with equal pixels in the end.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from minegis.windows import Panel, Plan

BLOCK_PIXELS = 1 << 22  # rows are handed on in blocks of about this many pixels
LAYERS = 3  # class, confidence, margin


LEFT_OVER_S = 3600.0  # a file that nobody has finished for so long is that of a dead worker


def _write_whole(path: Path, array: NDArray[Any]) -> None:
    # A name of its own: a worker that lost its claim may still be writing the same strip.
    partial = path.with_name(f"{path.stem}.{uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            header = BytesIO()
            np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(array))
            file.write(header.getvalue())
            file.write(np.ascontiguousarray(array).data)  # np.save would not say why a file could not be written
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)  # on a full disk every byte counts
        raise


def recorded_engine(folder: Path, *, with_strips: bool = True) -> str | None:
    """The kind of engine that computes the strips of a folder; None where nothing says so.

    Args:
        folder: of a ``StripStore``.
        with_strips: a folder in which no strip lies yet counts as nothing.
    """
    try:
        engine = json.loads((folder / "inputs.json").read_text("utf-8"))["engine"][0]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    known = isinstance(engine, str) and (not with_strips or any(folder.glob("strip-*.npy")))
    return engine if known else None


class StripStore:
    """Strips of one interpretation: (3, rows, panel width) uint8, layers class, confidence and margin.

    Args:
        folder: where they lie; created if missing.
        plan: the windows.
        inputs: everything the pixels depend on, as JSON; strips left by a run with other inputs are removed.
    """

    def __init__(self, folder: Path, plan: Plan, inputs: dict[str, Any]) -> None:
        self._bind(folder, plan, inputs)
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / "inputs.json"
        if not record.is_file() or record.read_text("utf-8") != self._wanted:
            partial = record.with_suffix(".partial")
            partial.write_text(self._wanted, "utf-8")
            partial.replace(record)
        for old in folder.glob("*.npy"):
            if f"-{self._key}-" not in old.name:
                old.unlink(missing_ok=True)
        for old in folder.glob("*.partial"):
            if time.time() - old.stat().st_mtime > LEFT_OVER_S:
                old.unlink(missing_ok=True)

    def _bind(self, folder: Path, plan: Plan, inputs: dict[str, Any]) -> None:
        self.folder, self.plan = folder, plan
        self._wanted = json.dumps(inputs, sort_keys=True)
        # In every name: what a worker with other inputs still writes can never be taken for a strip of these.
        self._key = hashlib.sha256(self._wanted.encode()).hexdigest()[:8]

    @classmethod
    def joined(cls, folder: Path, plan: Plan, inputs: dict[str, Any]) -> StripStore | None:
        """The store that somebody else keeps in a folder; None unless it is for exactly these inputs."""
        store = cls.__new__(cls)
        store._bind(folder, plan, inputs)
        try:
            same = (folder / "inputs.json").read_text("utf-8") == store._wanted
        except OSError:
            return None
        return store if same else None

    def _strip(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"strip-{self._key}-{panel.index:03d}-{strip:05d}.npy"

    def _carry(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"carry-{self._key}-{panel.index:03d}-{strip:05d}.npy"

    def present(self) -> set[tuple[int, int]]:
        """Index of the panel and number of every strip that is there, from one look into the folder."""
        begins = f"strip-{self._key}-"
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(begins) and entry.name.endswith(".npy")]
        return {(int(panel), int(strip)) for panel, strip in (name[len(begins) : -4].split("-") for name in names)}

    def share(self) -> float:
        """Share 0-1 of the scene's windows whose strips are there."""
        columns = [len(panel.columns) for panel in self.plan.panels]
        return sum(columns[panel] for panel, _ in self.present()) / (sum(columns) * len(self.plan.rows))

    def save(self, panel: Panel, strip: int, layers: NDArray[np.uint8], carry: NDArray[np.float32]) -> None:
        """Commit a strip: from now on it counts as finished.

        Args:
            panel: its panel.
            strip: its number.
            layers: (3, rows, panel width).
            carry: what the next strip still adds to; kept until that one is finished.
        """
        if strip + 1 < len(self.plan.rows) and not self._strip(panel, strip + 1).is_file():
            _write_whole(self._carry(panel, strip), carry)
        _write_whole(self._strip(panel, strip), layers)
        if strip:
            self._carry(panel, strip - 1).unlink(missing_ok=True)

    def carry(self, panel: Panel, strip: int) -> NDArray[np.float32] | None:
        """The sums saved with a finished strip; None where they are not, or no longer, there."""
        try:
            return np.load(self._carry(panel, strip))
        except FileNotFoundError:
            return None

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All rows from top to bottom: first row and (3, rows, width), the panels side by side again."""
        height = max(1, BLOCK_PIXELS // self.plan.width)
        for strip, row in enumerate(self.plan.rows):
            parts = [np.load(self._strip(panel, strip), mmap_mode="r") for panel in self.plan.panels]
            for first in range(0, parts[0].shape[1], height):
                yield row + first, np.concatenate([part[:, first : first + height] for part in parts], axis=2)
