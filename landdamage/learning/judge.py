"""Judge a network on whole scenes: what it gets right per region, and how far its confidences can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from landdamage.learning.calibration import Sample, calibrate
from landdamage.learning.predict import Picker, predict_scene
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally, false_of_absent, means, per_class, rounded
from landdamage.taxonomy import IGNORE
from minegis.windows import OVERLAP

Each = Callable[[Scene, NDArray[np.uint8], Tally], None]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a network was found to do.

    Attributes:
        regions: counts per region (group of scenes on the same ground).
        names: of the classes, background first.
        sample: pixels for the calibration; None if they were not asked for.
    """

    regions: dict[str, Tally]
    names: list[str]
    sample: Sample | None = None

    @property
    def total(self) -> Tally:
        """All regions together."""
        return Tally.total(self.regions.values(), len(self.names))

    def metrics(self) -> dict[str, Any]:
        """Scores for a card: means, per class those with truth pixels, and what was predicted of absent classes."""
        total = self.total
        return {
            "regions": len(self.regions),
            "pixels": int(total.matrix.sum()),
            **rounded(means(total)),
            "per_class": per_class(total, self.names),
            "false_pixels_of_absent_classes": false_of_absent(total, self.names),
        }

    def calibration(self) -> dict[str, Any]:
        """Temperature and the quality of the confidences before and after it.

        Raises:
            ValueError: no pixels were sampled.
        """
        if self.sample is None:
            raise ValueError("judged without a sample of pixels")
        return {**calibrate(self.sample, self.names), "regions": len(self.regions)}


def judge(
    model: nn.Module,
    scenes: Sequence[Scene],
    tile: int,
    names: Sequence[str],
    *,
    sampled: bool = False,
    seed: int = 0,
    mirrored: bool = False,
    each: Each = lambda scene, prediction, tally: None,
) -> Judgement:
    """Predict scenes with overlapping, blended windows and count what is right.

    Args:
        model: network in eval mode.
        scenes: to judge on; their groups are the regions.
        tile: side of the windows in pixels.
        names: of the classes, background first.
        sampled: whether to keep pixels for the calibration, at most 500 per tile.
        seed: of the choice of pixels.
        mirrored: whether every window is read once more as its mirror image.
        each: told the predicted classes and the counts of every scene.
    """
    rng = np.random.default_rng(seed)
    regions: dict[str, Tally] = {}
    samples = []
    for scene in scenes:
        picker = Picker(scene, tile, rng) if sampled else None
        prediction = predict_scene(model, scene, tile, min(OVERLAP, tile // 4), picker, mirrored=mirrored)
        truth = np.where(np.asarray(scene.valid), np.asarray(scene.labels), np.uint8(IGNORE))
        tally = Tally.of(truth, prediction, len(names))
        regions[scene.group] = regions.get(scene.group, Tally.empty(len(names))) + tally
        each(scene, prediction, tally)
        if picker is not None:
            samples.append(picker.sample())
    return Judgement(regions, list(names), Sample.joined(samples) if samples else None)
