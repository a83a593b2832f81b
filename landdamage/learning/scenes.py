"""Labelled scenes in memory (or mapped from disk) and random training tiles drawn from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.augment import Image, Labels, Mask, Photometry, flip_and_turn, photometry, rescale
from landdamage.learning.copy_paste import CopyPaste, object_at, paste
from landdamage.learning.warp import Warp, random_matrix, warp
from landdamage.taxonomy import BY_CODE, IGNORE, NETWORK_CLASS_COUNT

BACKGROUND = BY_CODE["background"].id
CLOUD = 254  # a label of training scenes only: drawn like a class, taught as background
CENTRE_STRIDE = 8  # every eighth pixel is enough to find places of a class
Places = list[tuple[int, NDArray[np.int32]]]  # scene index, (n,2) rows and columns
NEAR_NATIVE = 0.15  # relative spread of the sampling distance of tiles drawn near the scene's own


@dataclass(frozen=True, slots=True)
class Scene:
    """One labelled image.

    Attributes:
        name: unique within a set.
        group: scenes of one group lie on the same ground and never part between training and validation.
        pixels: (C,H,W) digital numbers.
        labels: (H,W) uint8, 255 = not observed.
        valid: (H,W) bool.
        stretch: of the whole scene.
        gsd_m: ground sampling distance in metres.
        sensor: what took it, empty where unknown; objects are copied between scenes of one sensor only.
    """

    name: str
    group: str
    pixels: NDArray[Any]
    labels: Labels
    valid: Mask
    stretch: Stretch
    gsd_m: float
    sensor: str = ""

    def network_input(self) -> Image:
        """The whole scene, normalised: (C,H,W) float32."""
        return self.stretch.network_input(np.asarray(self.pixels), np.asarray(self.valid))


def crop(scene: Scene, row: int, column: int, side: int) -> tuple[Image, Labels, Mask]:
    """Normalised square window; whatever lies outside the scene is invalid and 255.

    Args:
        scene: source.
        row: top edge, may be negative.
        column: left edge, may be negative.
        side: height and width in pixels.
    """
    height, width = scene.labels.shape
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + side, height), min(column + side, width)
    inside = np.s_[top - row : bottom - row, left - column : right - column]
    image = np.zeros((scene.pixels.shape[0], side, side), np.float32)
    labels = np.full((side, side), IGNORE, np.uint8)
    valid = np.zeros((side, side), bool)
    valid[inside] = scene.valid[top:bottom, left:right]
    labels[inside] = scene.labels[top:bottom, left:right]
    image[(slice(None), *inside)] = scene.stretch.network_input(
        np.asarray(scene.pixels[:, top:bottom, left:right]), valid[inside]
    )
    labels[~valid] = IGNORE
    return image, labels, valid


def count_pixels(scenes: Sequence[Scene], classes: int = NETWORK_CLASS_COUNT) -> Tensor:
    """Observed pixels per class over all scenes, (classes,) int64."""
    counts = sum(np.bincount(np.ravel(scene.labels), minlength=IGNORE + 1) for scene in scenes)
    return torch.from_numpy(np.asarray(counts)[:classes])


def fingerprint(scenes: Sequence[Scene]) -> str:
    """SHA-256 of what is trained on: names, groups, stretches, all labels and every sixteenth row of the pixels.

    Hashing all pixels of a large set would take longer than a short training.
    """
    digest = hashlib.sha256()
    for scene in scenes:
        about = [scene.name, scene.group, scene.gsd_m, list(scene.pixels.shape), scene.stretch.as_lists()]
        digest.update(json.dumps(about).encode())
        digest.update(np.ascontiguousarray(scene.labels).tobytes())
        digest.update(np.ascontiguousarray(scene.pixels[:, ::16]).tobytes())
    return digest.hexdigest()


Place = tuple[Scene, int, int]  # scene, row and column of a pixel


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tiles are drawn.

    Attributes:
        gsd_range_m: sampling distances to be learned, metres.
        native_share: share of tiles near the scene's own sampling distance; the rest spread over the range.
        class_share: share of tiles centred on a class drawn uniformly; the rest lie anywhere.
        rim_of: class whose outline is hard to see and gets tiles of its own; None for no such class.
        rim_share: share of tiles centred where that class meets another.
        droppable: band indexes the network must do without at times.
        turn: whether tiles are turned and flipped upside down; False keeps shadows where the northern sun puts them.
        photometry: strengths.
        warp: free rotation, scale, shear and shift after the square's symmetries; None leaves them out.
        copy_paste: objects of rare classes copied from other scenes of the same sensor; None leaves them out.
    """

    gsd_range_m: tuple[float, float]
    native_share: float = 0.6
    class_share: float = 0.4
    rim_of: int | None = None
    rim_share: float = 0.0
    droppable: tuple[int, ...] = ()
    turn: bool = True
    photometry: Photometry = field(default_factory=Photometry)
    warp: Warp | None = None
    copy_paste: CopyPaste | None = None


class TileSource:
    """Draws augmented training tiles; a batch depends on nothing but its seed.

    Args:
        scenes: to draw from.
        sampling: where, at what resolution, and how augmented.
        threads: that draw the tiles of a batch; more than one where a fast device would wait for them.

    Raises:
        ValueError: no scenes, or the class whose rims are wanted has none.
    """

    def __init__(self, scenes: Sequence[Scene], sampling: Sampling, threads: int = 1) -> None:
        if not scenes:
            raise ValueError("no scenes to draw from")
        self.scenes, self.sampling = scenes, sampling
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._places: dict[int, Places] = {}
        self._rims: Places = []
        for index, scene in enumerate(scenes):
            coarse = np.asarray(scene.labels[::CENTRE_STRIDE, ::CENTRE_STRIDE])
            for class_id in np.unique(coarse[coarse != IGNORE]):
                where = np.argwhere(coarse == class_id).astype(np.int32) * CENTRE_STRIDE
                self._places.setdefault(int(class_id), []).append((index, where))
            if sampling.rim_of is not None and len(where := _rim(coarse, sampling.rim_of)):
                self._rims.append((index, where * CENTRE_STRIDE))
        if sampling.rim_share and not self._rims:
            raise ValueError(f"class {sampling.rim_of} meets no other class")

    def draw(self, rng: np.random.Generator, side: int, place: Place | None = None) -> tuple[Image, Labels]:
        """One tile: image (C,side,side) float32 and labels (side,side) uint8; round a place, if one is given."""
        scene, row, column = place or self._centre(rng)
        gsd_m = self._gsd(rng, scene)
        image, labels, valid = self._near(rng, scene, row, column, side, gsd_m)
        sampling = self.sampling
        image, labels, valid = flip_and_turn(rng, image, labels, valid, turn=sampling.turn)
        if sampling.warp is not None:
            matrix = random_matrix(rng, sampling.warp if sampling.turn else sampling.warp.north_up())
            if matrix is not None:
                image, labels, valid = warp(image, labels, valid, matrix)
        if sampling.copy_paste is not None and rng.random() < sampling.copy_paste.probability:
            self._paste(rng, (image, labels, valid), scene.sensor, side, gsd_m)
        return photometry(rng, image, valid, sampling.photometry, sampling.droppable), labels

    def _near(
        self, rng: np.random.Generator, scene: Scene, row: int, column: int, side: int, gsd_m: float
    ) -> tuple[Image, Labels, Mask]:
        """A tile round a place, a little beside it."""
        window = max(8, round(side * gsd_m / scene.gsd_m))
        half = window // 2
        row += int(rng.integers(-half // 2, half // 2 + 1))
        column += int(rng.integers(-half // 2, half // 2 + 1))
        height, width = scene.labels.shape
        row = int(np.clip(row - half, min(0, height - window), max(0, height - window)))
        column = int(np.clip(column - half, min(0, width - window), max(0, width - window)))
        image, labels, valid = rescale(*crop(scene, row, column, window), side)
        labels[labels == CLOUD] = BACKGROUND
        return image, labels, valid

    def _paste(
        self, rng: np.random.Generator, target: tuple[Image, Labels, Mask], sensor: str, side: int, gsd_m: float
    ) -> None:
        """Copy an object of a rare class onto a tile, where some scene of the sensor holds one that fits."""
        rule = self.sampling.copy_paste
        assert rule is not None
        donors = {
            class_id: own
            for class_id in rule.classes
            if (own := [p for p in self._places.get(class_id, ()) if self.scenes[p[0]].sensor == sensor])
        }
        if not donors:
            return
        class_id = list(donors)[rng.integers(len(donors))]
        index, where = donors[class_id][rng.integers(len(donors[class_id]))]
        row, column = where[rng.integers(len(where))]
        donor = self._near(rng, self.scenes[index], int(row), int(column), side, gsd_m)
        image, labels, valid = flip_and_turn(rng, *donor, turn=self.sampling.turn)
        shape = object_at(labels, side // 2, side // 2, class_id)
        if shape is not None:
            paste(rng, target, (image, labels, valid), shape, rule.onto)

    def batch(
        self, seed: tuple[int, ...], size: int, side: int, items: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Tiles: (N,C,side,side) float32 and (N,side,side) int64.

        Args:
            seed: of the batch. Every tile of it has its own, so several processes may share a batch out.
            size: of the whole batch.
            side: of the tiles.
            items: numbers of the tiles wanted; None wants all.
        """
        return self._stacked(lambda k: self.draw(np.random.default_rng((*seed, k)), side), size, items)

    def _stacked(
        self, draw: Callable[[int], tuple[Image, Labels]], size: int, items: Sequence[int] | None
    ) -> tuple[Tensor, Tensor]:
        """Draw the tiles of a batch by their numbers, in as many threads as there are."""
        numbers = range(size) if items is None else items
        images, labels = zip(*(self._pool.map if self._pool else map)(draw, numbers), strict=True)
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels)).long()

    def _centre(self, rng: np.random.Generator) -> Place:
        if self.sampling.rim_share and rng.random() < self.sampling.rim_share:
            return self._pick(rng, self._rims)
        if rng.random() < self.sampling.class_share:
            return self._pick(rng, self._places[list(self._places)[rng.integers(len(self._places))]])
        scene = self.scenes[int(rng.integers(len(self.scenes)))]
        height, width = scene.labels.shape
        return scene, int(rng.integers(height)), int(rng.integers(width))

    def _pick(self, rng: np.random.Generator, places: Places) -> Place:
        index, where = places[rng.integers(len(places))]
        row, column = where[rng.integers(len(where))]
        return self.scenes[index], int(row), int(column)

    def _gsd(self, rng: np.random.Generator, scene: Scene) -> float:
        low, high = self.sampling.gsd_range_m
        if rng.random() < self.sampling.native_share:
            return scene.gsd_m * float(np.exp(rng.uniform(-NEAR_NATIVE, NEAR_NATIVE)))
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _rim(labels: Labels, class_id: int) -> NDArray[np.int32]:
    """Pixels of a class with a neighbour of another, observed class: (n,2) rows and columns."""
    padded = np.pad(labels, 1, constant_values=IGNORE)
    inside = labels == class_id
    beside = np.zeros_like(inside)
    for rows, columns in ((0, 1), (2, 1), (1, 0), (1, 2)):
        neighbour = padded[rows : rows + labels.shape[0], columns : columns + labels.shape[1]]
        beside |= (neighbour != class_id) & (neighbour != IGNORE)
    return np.argwhere(inside & beside).astype(np.int32)
