"""What a network says about a whole scene, window by window, for validation and evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landdamage.learning.calibration import Sample
from landdamage.learning.scenes import Scene
from landdamage.taxonomy import IGNORE
from minegis.windows import Plan, StripBlender, pad_window

DEVICE_BATCH = 16  # windows at once; on a CPU more than one gains nothing
MOST_SAMPLES = 500  # pixels of one tile for the calibration; neighbours say the same


def predict_scene(
    model: nn.Module, scene: Scene, tile: int, overlap: int, picker: Picker | None = None, *, mirrored: bool = False
) -> NDArray[np.uint8]:
    """Class raster (H,W) uint8 from blended probabilities; 255 where the scene has no data.

    Args:
        model: network in eval mode.
        scene: to predict.
        tile: side of the windows in pixels.
        overlap: pixels that neighbouring windows share.
        picker: keeps what the windows say about some pixels, for the calibration.
        mirrored: whether every window is read once more as its mirror image, and both are averaged.
    """
    image = scene.network_input()
    height, width = image.shape[1:]
    plan = Plan(height, width, tile, overlap, panel_width=width)
    panel = plan.panels[0]
    blender = None
    out = np.empty((height, width), np.uint8)
    batch = 1 if next(model.parameters()).device.type == "cpu" else DEVICE_BATCH
    for strip, row in enumerate(plan.rows):
        for columns in batched(panel.columns, batch):
            windows = [pad_window(image[:, row : row + tile, column : column + tile], tile) for column in columns]
            inputs = torch.from_numpy(np.stack(windows))
            views = [forward(model, inputs)]
            if mirrored:
                views.append(forward(model, inputs.flip(-1)).flip(-1))
            for column, *said in zip(columns, *views, strict=True):
                blender = blender or StripBlender(plan, panel, said[0].shape[0])
                blender.add(column, torch.stack([logits.softmax(dim=0) for logits in said]).mean(dim=0).numpy())
                if picker is not None:
                    for logits in said:
                        picker.add(plan, row, column, logits, 1 / len(said))
        assert blender is not None
        first, last = plan.final_rows(strip)
        out[first:last] = blender.finished(strip).argmax(axis=0)
        blender.advance(strip)
    out[~np.asarray(scene.valid)] = IGNORE
    return out


def batched(columns: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Consecutive parts of at most ``size``."""
    return (columns[k : k + size] for k in range(0, len(columns), size))


@torch.inference_mode()
def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits in float32 of (N,C,H,W), computed in bfloat16 as in training."""
    device = next(model.parameters()).device
    inputs = inputs.to(device, memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        return model(inputs).float().cpu()


class Picker:
    """At most 500 observed pixels of every tile of a scene, and what each window that shows them says about them."""

    def __init__(self, scene: Scene, tile: int, rng: np.random.Generator) -> None:
        self._labels = np.asarray(scene.labels)
        height, width = self._labels.shape
        chosen = [
            self._choose(row, column, tile, rng) for row in range(0, height, tile) for column in range(0, width, tile)
        ]
        self._rows, self._columns = (np.concatenate([part[k] for part in chosen]) for k in (0, 1))
        self._said: list[tuple[Tensor, Tensor, Tensor]] = []

    def _choose(self, row: int, column: int, tile: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
        rows, columns = np.nonzero(self._labels[row : row + tile, column : column + tile] != IGNORE)
        taken = rng.choice(rows.size, min(MOST_SAMPLES, rows.size), replace=False)
        return rows[taken] + row, columns[taken] + column

    def add(self, plan: Plan, row: int, column: int, logits: Tensor, share: float = 1.0) -> None:
        """Keep what a window says: logits (classes, tile, tile), first pixel (row, column), and its share."""
        rows, columns = self._rows - row, self._columns - column
        inside = np.flatnonzero((rows >= 0) & (rows < plan.window) & (columns >= 0) & (columns < plan.window))
        rows, columns = rows[inside], columns[inside]
        share_down = plan.weights[rows] / plan.row_weight_sums[self._rows[inside]]
        share_across = plan.weights[columns] / plan.column_weight_sums[self._columns[inside]]
        self._said.append(
            (logits[:, rows, columns].T, torch.from_numpy(share_down * share_across) * share, torch.from_numpy(inside))
        )

    def sample(self) -> Sample:
        """What was kept, once every window has been added."""
        labels = torch.from_numpy(self._labels[self._rows, self._columns].astype(np.int64))
        logits, weights, pixels = (torch.cat(parts) for parts in zip(*self._said, strict=True))
        return Sample(logits, weights, pixels, labels)
