"""Tiles epoch by epoch: every piece of the training ground in its turn, and a share of each batch by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from landdamage.learning.augment import Image, Labels
from landdamage.learning.order import CLASS_SHARE, MOST_REPEATS, BalancedOrder
from landdamage.learning.scenes import Place, Sampling, Scene, TileSource

CELL = 256  # pixels; larger scenes are cut into cells of about a tile


class EpochSource(TileSource):
    """Draws augmented tiles in the order of :class:`~landdamage.learning.order.BalancedOrder`.

    The units of the order are the scenes, large ones cut into cells; cells without an observed pixel are left out.

    Args:
        scenes: to draw from.
        sampling: resolution and augmentation; where its tiles lie is not its say.
        seed: of the order and of the tiles.
        share: of each batch drawn by class.
        most_repeats: of one unit in one epoch.
        cell: side of the cells.
        threads: that draw the tiles of a batch.

    Raises:
        ValueError: no scenes, or none with an observed pixel.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        sampling: Sampling,
        seed: int,
        *,
        share: float = CLASS_SHARE,
        most_repeats: int = MOST_REPEATS,
        cell: int = CELL,
        threads: int = 1,
    ) -> None:
        super().__init__(scenes, sampling, threads)
        self.seed, self.cell = seed, cell
        self._of_class: dict[tuple[int, int, int], dict[int, NDArray[np.int32]]] = {}
        for class_id, places in self._places.items():
            for index, where in places:
                cells, number = np.unique(where // cell, axis=0, return_inverse=True)
                for k, (down, across) in enumerate(cells.tolist()):
                    unit = self._of_class.setdefault((index, down, across), {})
                    unit[class_id] = where[number.ravel() == k]
        self.units = sorted(self._of_class)
        self.order = BalancedOrder([self._of_class[unit].keys() for unit in self.units], share, most_repeats, seed)

    def batch_at(self, step: int, size: int, side: int, items: Sequence[int] | None = None) -> tuple[Tensor, Tensor]:
        """The batch of a step: (N,C,side,side) float32 and (N,side,side) int64.

        Args:
            step: number of the step.
            size: of the whole batch.
            side: of the tiles.
            items: numbers of the tiles wanted; None wants all.
        """
        drawn = self.order.batch(step, size)

        def draw(k: int) -> tuple[Image, Labels]:
            rng = np.random.default_rng((self.seed, step, k))
            return self.draw(rng, side, self._place(rng, *drawn[k]))

        return self._stacked(draw, size, items)

    def _place(self, rng: np.random.Generator, unit: int, class_id: int | None) -> Place:
        index, down, across = self.units[unit]
        scene = self.scenes[index]
        if class_id is not None:
            where = self._of_class[self.units[unit]][class_id]
            row, column = where[rng.integers(len(where))]
            return scene, int(row), int(column)
        height, width = scene.labels.shape
        top, left = down * self.cell, across * self.cell
        return (
            scene,
            int(rng.integers(top, min(top + self.cell, height))),
            int(rng.integers(left, min(left + self.cell, width))),
        )
