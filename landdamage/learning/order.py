"""Which unit of the training set comes next: every unit once per epoch, and a share of each batch by class.

A unit is whatever a tile is drawn from (a tile of a sample set, a cell of a scene). An epoch is as many tiles as there
are units. What step k draws depends on nothing but the seed and k, so a resumed run draws what an undisturbed one does.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CLASS_SHARE = 0.25
MOST_REPEATS = 8


class BalancedOrder:
    """Batches in which at least a share of the units is drawn by class, uniformly over the classes.

    Args:
        classes_of: for each unit the classes it holds; a unit without any is drawn in its turn only.
        share: of each batch that is drawn by class, rounded up.
        most_repeats: how often a unit is drawn in one epoch at most, its own turn included; a class whose units are all
            used up gives its draws to the others.
        seed: of the order.

    Raises:
        ValueError: no units, or a share or limit out of range.
    """

    def __init__(
        self,
        classes_of: Sequence[Collection[int]],
        share: float = CLASS_SHARE,
        most_repeats: int = MOST_REPEATS,
        seed: int = 0,
    ) -> None:
        if not classes_of:
            raise ValueError("no units to draw from")
        if not 0 <= share <= 1 or most_repeats < 1:
            raise ValueError(f"share {share}, at most {most_repeats} repeats")
        self.units, self.share, self.most_repeats, self.seed = len(classes_of), share, most_repeats, seed
        self._holders = {
            class_id: np.array([k for k, own in enumerate(classes_of) if class_id in own])
            for class_id in sorted({class_id for own in classes_of for class_id in own})
        }
        self._turns = lru_cache(2)(self._turns_of)
        self._by_class = lru_cache(2)(self._by_class_of)

    def balanced(self, size: int) -> int:
        """How many of a batch are drawn by class."""
        return math.ceil(self.share * size) if self._holders else 0

    def batch(self, step: int, size: int) -> list[tuple[int, int | None]]:
        """The units of a step's batch, each with the class it was drawn for; None for those in their turn."""
        by_class = self.balanced(size)
        drawn: list[tuple[int, int | None]] = []
        per_epoch = self._epoch_length(size)
        for number in range(step * by_class, (step + 1) * by_class):
            epoch, place = divmod(number, per_epoch)
            drawn.append(self._by_class(epoch, per_epoch)[place])
        plain = size - by_class
        for number in range(step * plain, (step + 1) * plain):
            epoch, place = divmod(number, self.units)
            drawn.append((int(self._turns(epoch)[place]), None))
        return drawn

    def _epoch_length(self, size: int) -> int:
        """Draws by class in the steps an epoch of ``units`` tiles takes."""
        return max(round(self.units * self.balanced(size) / size), 1)

    def _turns_of(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, epoch, 0)).permutation(self.units)

    def _by_class_of(self, epoch: int, length: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, epoch, 1))
        left = np.full(self.units, max(self.most_repeats - 1, 0))  # a turn of its own comes on top
        queues: dict[int, list[int]] = {class_id: [] for class_id in self._holders}
        drawn: list[tuple[int, int]] = []
        classes: list[int] = []
        while len(drawn) < length:
            if not classes:
                classes = [int(c) for c in rng.permutation(list(queues))]
                if not classes:
                    # Everything has been repeated as often as it may: the limit yields rather than the batch.
                    left[:] = 1
                    queues = {class_id: [] for class_id in self._holders}
                    continue
            class_id = classes.pop()
            unit = self._next(queues[class_id], self._holders[class_id], left, rng)
            if unit is None:
                del queues[class_id]
                continue
            left[unit] -= 1
            drawn.append((unit, class_id))
        return drawn

    @staticmethod
    def _next(
        queue: list[int], holders: NDArray[np.int64], left: NDArray[np.int64], rng: np.random.Generator
    ) -> int | None:
        """The class's next unit that may still be repeated: all of them in turn before any comes again."""
        for _ in range(2):
            while queue:
                unit = queue.pop()
                if left[unit] > 0:
                    return unit
            queue.extend(int(unit) for unit in rng.permutation(holders))
        return None
