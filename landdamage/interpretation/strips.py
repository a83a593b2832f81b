"""Finished strips on disk: the intermediate result of the network and, by their mere existence, its journal.

A strip is written to a temporary name and renamed, so it is there whole or not at all; a process killed at any moment
leaves a folder that the next one goes on from, with equal pixels in the end.

Workers that see one folder share it as it is. Where they do not, a ``Shelf`` is the journal: each worker keeps a folder
of its own, puts there what it has finished and fetches what it lacks.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from minegis.windows import Panel, Plan

BLOCK_PIXELS = 1 << 22  # rows are handed on in blocks of about this many pixels
LAYERS = 3  # class, confidence, margin


LEFT_OVER_S = 3600.0  # a file that nobody has finished for so long is that of a dead worker
RECORD = "inputs.json"


class Shelf(Protocol):
    """Named files that all workers of a scene see, each there whole or not at all; it raises coded errors."""

    def names(self) -> set[str]:
        """What is there."""
        ...

    def read(self, name: str) -> bytes | None:
        """A small file; None where it is not there."""
        ...

    def put(self, path: Path) -> None:
        """Let all workers see a file, under its name."""
        ...

    def fetch(self, path: Path) -> None:
        """Bring the file of this name to this place.

        Raises:
            FileNotFoundError: it is not there.
        """
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Take files away; those that are not there are no error."""
        ...


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


def recorded_engine(folder: Path, shelf: Shelf | None = None, *, with_strips: bool = True) -> str | None:
    """The kind of engine that computes the strips of a folder; None where nothing says so.

    Args:
        folder: of a ``StripStore``.
        shelf: its shelf.
        with_strips: a folder in which no strip lies yet counts as nothing.
    """
    try:
        engine = json.loads(_record(folder, shelf) or "")["engine"][0]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    names = (path.name for path in folder.glob("strip-*.npy")) if shelf is None else shelf.names()
    known = isinstance(engine, str) and (not with_strips or any(name.startswith("strip-") for name in names))
    return engine if known else None


def _record(folder: Path, shelf: Shelf | None) -> str | None:
    """What the strips of a folder or a shelf are computed from."""
    if shelf is not None:
        raw = shelf.read(RECORD)
        return None if raw is None else raw.decode("utf-8")
    try:
        return (folder / RECORD).read_text("utf-8")
    except OSError:
        return None


class StripStore:
    """Strips of one interpretation: (3, rows, panel width) uint8, layers class, confidence and margin.

    Args:
        folder: where they lie; created if missing.
        plan: the windows.
        inputs: everything the pixels depend on, as JSON; strips left by a run with other inputs are removed.
        shelf: what workers share that do not see one folder.
    """

    def __init__(self, folder: Path, plan: Plan, inputs: dict[str, Any], shelf: Shelf | None = None) -> None:
        self._bind(folder, plan, inputs, shelf)
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / RECORD
        if not record.is_file() or record.read_text("utf-8") != self._wanted:
            partial = record.with_suffix(".partial")
            partial.write_text(self._wanted, "utf-8")
            partial.replace(record)
        if shelf is not None and _record(folder, shelf) != self._wanted:
            shelf.put(record)
            shelf.remove(name for name in shelf.names() if name.endswith(".npy") and f"-{self._key}-" not in name)
        for old in folder.glob("*.npy"):
            if f"-{self._key}-" not in old.name:
                old.unlink(missing_ok=True)
        for old in folder.glob("*.partial"):
            if time.time() - old.stat().st_mtime > LEFT_OVER_S:
                old.unlink(missing_ok=True)
        self._put_left_overs()

    def _bind(self, folder: Path, plan: Plan, inputs: dict[str, Any], shelf: Shelf | None) -> None:
        self.folder, self.plan, self._shelf = folder, plan, shelf
        self._wanted = json.dumps(inputs, sort_keys=True)
        # In every name: what a worker with other inputs still writes can never be taken for a strip of these.
        self._key = hashlib.sha256(self._wanted.encode()).hexdigest()[:8]

    @classmethod
    def joined(cls, folder: Path, plan: Plan, inputs: dict[str, Any], shelf: Shelf | None = None) -> StripStore | None:
        """The store that somebody else keeps in a folder or on a shelf; None unless it is for exactly these inputs."""
        store = cls.__new__(cls)
        store._bind(folder, plan, inputs, shelf)
        if _record(folder, shelf) != store._wanted:
            return None
        if shelf is not None:
            folder.mkdir(parents=True, exist_ok=True)
            store._put_left_overs()
        return store

    def _put_left_overs(self) -> None:
        """What was finished here and did not reach the shelf, because it was away, reaches it now."""
        if self._shelf is None:
            return
        there = self._shelf.names()
        for strip in sorted(self.folder.glob(f"strip-{self._key}-*.npy")):
            if strip.name not in there:
                carry = strip.with_name(strip.name.replace("strip-", "carry-", 1))
                for path in (carry, strip):  # in the order of ``save``
                    if path.is_file():
                        self._shelf.put(path)

    def _strip(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"strip-{self._key}-{panel.index:03d}-{strip:05d}.npy"

    def _carry(self, panel: Panel, strip: int) -> Path:
        return self.folder / f"carry-{self._key}-{panel.index:03d}-{strip:05d}.npy"

    def present(self) -> set[tuple[int, int]]:
        """Index of the panel and number of every strip that is there, from one look into the folder."""
        begins = f"strip-{self._key}-"
        names = [name for name in self._names() if name.startswith(begins) and name.endswith(".npy")]
        return {(int(panel), int(strip)) for panel, strip in (name[len(begins) : -4].split("-") for name in names)}

    def _names(self) -> Iterable[str]:
        if self._shelf is not None:
            return self._shelf.names()
        with os.scandir(self.folder) as entries:
            return [entry.name for entry in entries]

    def _at_hand(self, path: Path) -> Path:
        """The file in the folder, brought there if need be.

        Raises:
            FileNotFoundError: it is neither here nor on the shelf.
        """
        if self._shelf is not None and not path.is_file():
            self._shelf.fetch(path)
        return path

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
        below, last = self._strip(panel, strip + 1), strip + 1 == len(self.plan.rows)
        if not last and (self._shelf is not None or not below.is_file()):
            _write_whole(self._carry(panel, strip), carry)
        _write_whole(self._strip(panel, strip), layers)
        former = [self._carry(panel, strip - 1)] if strip else []
        if self._shelf is not None:  # asked for nothing before the work is safe on this disk
            if not last and below.name not in self._shelf.names():
                self._shelf.put(self._carry(panel, strip))
            self._shelf.put(self._strip(panel, strip))
            self._shelf.remove(path.name for path in former)
        for path in former:
            path.unlink(missing_ok=True)

    def carry(self, panel: Panel, strip: int) -> NDArray[np.float32] | None:
        """The sums saved with a finished strip; None where they are not, or no longer, there."""
        try:
            return np.load(self._at_hand(self._carry(panel, strip)))
        except FileNotFoundError:
            return None

    def blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """All rows from top to bottom: first row and (3, rows, width), the panels side by side again."""
        height = max(1, BLOCK_PIXELS // self.plan.width)
        for strip, row in enumerate(self.plan.rows):
            files = [self._at_hand(self._strip(panel, strip)) for panel in self.plan.panels]
            parts = [np.load(file, mmap_mode="r") for file in files]
            for first in range(0, parts[0].shape[1], height):
                yield row + first, np.concatenate([part[:, first : first + height] for part in parts], axis=2)
