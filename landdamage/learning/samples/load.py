"""A sample-set folder as scenes for the trainer: tiles are read when a batch asks for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from landdamage.learning.samples.look import EVAL, TRAIN
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import Tile, read_labels, read_pixels
from landdamage.learning.scenes import Scene
from minegis.errors import SampleSetError

KEPT_BYTES: Final = 512 << 20  # of decoded tiles


class _Kept:
    """The most recently used arrays, up to a number of bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._arrays: OrderedDict[tuple[Path, str, str], NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[Path, str, str], read: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = read()
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self._bytes += array.nbytes
            while self._bytes > self._most and len(self._arrays) > 1:
                _, dropped = self._arrays.popitem(last=False)
                self._bytes -= dropped.nbytes
        return array


class TileArray:
    """Stands for an array of a tile that is still on disk; slicing or ``numpy.asarray`` reads it."""

    def __init__(self, kept: _Kept, folder: Path, tile_id: str, part: str, shape: tuple[int, ...]) -> None:
        self._kept, self._folder, self._id, self._part = kept, folder, tile_id, part
        self.shape = shape

    def _read(self) -> NDArray[Any]:
        def load() -> NDArray[Any]:
            if self._part == "labels":
                return read_labels(self._folder, self._id)
            pixels, valid = read_pixels(self._folder, self._id)
            return pixels if self._part == "pixels" else valid

        return self._kept.get((self._folder, self._id, self._part), load)

    def __getitem__(self, index: Any) -> Any:
        return self._read()[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self._read(), dtype) if not copy else np.array(self._read(), dtype)


def load_scenes(folder: Path, name: str, *, kept_bytes: int = KEPT_BYTES) -> list[Scene]:
    """The tiles of one set as scenes.

    Args:
        folder: of a sample set.
        name: ``train``, ``val``, ``test``; of a cross-validation ``foldN`` to validate, ``not-foldN`` to train.
        kept_bytes: of decoded arrays kept in memory.

    Raises:
        SampleSetError: E-SET-16 no sample set; E-SET-24 no set of that name.
    """
    sample_set = SampleSet.open(folder)
    tiles = _wanted(sample_set, name)
    kept = _Kept(kept_bytes)
    side, bands = sample_set.params.tile, len(sample_set.params.bands)
    scenes = []
    for tile in tiles:
        facts = sample_set.images[tile.image]

        def part(what: str, *shape: int, of: Tile = tile) -> NDArray[Any]:
            return cast(NDArray[Any], TileArray(kept, folder, of.id, what, shape))

        scenes.append(
            Scene(
                tile.id,
                tile.region,
                part("pixels", bands, side, side),
                part("labels", side, side),
                part("valid", side, side),
                facts.stretch,
                facts.gsd_m,
                tile.sensor,
            )
        )
    return scenes


def _wanted(sample_set: SampleSet, name: str) -> list[Tile]:
    sets = sample_set.params.sets
    if not sample_set.params.folds and name in sets:
        return sample_set.of(name)
    if name in sets:
        return [tile for tile in sample_set.of(name) if tile.grid == EVAL]
    if sample_set.params.folds and name.removeprefix("not-") in sets:
        out = name.removeprefix("not-")
        return [tile for tile in sample_set.tiles if tile.set != out and tile.grid == TRAIN]
    known = [*sets, *(f"not-{one}" for one in sets if sample_set.params.folds)]
    raise SampleSetError("E-SET-24", value=name, known=", ".join(known))
