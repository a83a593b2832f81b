"""What a network says about a whole scene, window by window, for validation and evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landdamage.learning.metrics import Matrix, confusion_matrix
from landdamage.learning.scenes import Scene
from landdamage.taxonomy import IGNORE, NETWORK_CLASS_COUNT
from minegis.windows import Plan, StripBlender, pad_window

MOST_SAMPLES = 500  # pixels of one tile for the calibration; neighbours say the same


def predict_scene(model: nn.Module, scene: Scene, tile: int, overlap: int) -> NDArray[np.uint8]:
    """Class raster (H,W) uint8 from blended probabilities; 255 where the scene has no data.

    Args:
        model: network in eval mode.
        scene: to predict.
        tile: window size in pixels, the one the network was trained on.
        overlap: pixels that neighbouring windows share.
    """
    image = scene.network_input()
    height, width = image.shape[1:]
    plan = Plan(height, width, tile, overlap, panel_width=width)
    panel = plan.panels[0]
    blender = StripBlender(plan, panel, NETWORK_CLASS_COUNT)
    out = np.empty((height, width), np.uint8)
    for strip, row in enumerate(plan.rows):
        for column in panel.columns:
            window = pad_window(image[:, row : row + tile, column : column + tile], tile)
            logits = forward(model, torch.from_numpy(np.ascontiguousarray(window))[None])
            blender.add(column, logits.softmax(dim=1)[0].numpy())
        first, last = plan.final_rows(strip)
        out[first:last] = blender.finished(strip).argmax(axis=0)
        blender.advance(strip)
    out[~np.asarray(scene.valid)] = IGNORE
    return out


@torch.inference_mode()
def forward(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits in float32 of (N,C,H,W), computed in bfloat16 as in training."""
    device = next(model.parameters()).device
    inputs = inputs.to(device, memory_format=torch.channels_last)
    with torch.autocast(device.type, torch.bfloat16):
        return model(inputs).float().cpu()


def confusion_of(model: nn.Module, scene: Scene, tile: int, overlap: int) -> Matrix:
    """Confusion matrix of one scene over its observed pixels."""
    return confusion_matrix(np.asarray(scene.labels), predict_scene(model, scene, tile, overlap), NETWORK_CLASS_COUNT)


def sample_logits(model: nn.Module, scenes: Sequence[Scene], tile: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits (P,classes) and labels (P,) of at most 500 observed pixels of every tile (no overlap)."""
    rng = np.random.default_rng(seed)
    pairs = list(_samples(model, scenes, tile, rng))
    return torch.cat([logits for logits, _ in pairs]), torch.cat([labels for _, labels in pairs])


def _samples(
    model: nn.Module, scenes: Sequence[Scene], tile: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    for scene in scenes:
        image, labels = scene.network_input(), np.asarray(scene.labels)
        plan = Plan(labels.shape[0], labels.shape[1], tile, 0)
        for row in plan.rows:
            for column in plan.columns:
                where = np.s_[row : row + tile, column : column + tile]
                rows, columns = np.nonzero(labels[where] != IGNORE)
                if not rows.size:
                    continue
                chosen = rng.choice(rows.size, min(MOST_SAMPLES, rows.size), replace=False)
                window = pad_window(image[(slice(None), *where)], tile)
                logits = forward(model, torch.from_numpy(np.ascontiguousarray(window))[None])[0]
                r, c = rows[chosen], columns[chosen]
                yield logits[:, r, c].T, torch.from_numpy(labels[where][r, c].astype(np.int64))
