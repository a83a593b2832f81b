"""A model's card: what the engine must know to use it, and what a reader must know to trust it."""

from __future__ import annotations

from typing import Any

import numpy as np

from landdamage.learning.encoders import NONE
from landdamage.learning.metrics import Matrix, Scores
from landdamage.learning.recipes import Recipe
from landdamage.taxonomy import CLASSES, NETWORK_CLASS_COUNT

VERSION = "0.3"


def metrics_of(matrix: Matrix, regions: int) -> dict[str, Any]:
    """Scores of a confusion matrix for a card: means, and per class those with truth pixels."""
    scores = Scores.of(matrix)
    return {
        "regions": regions,
        "pixels": int(matrix.sum()),
        "miou_foreground": round(scores.mean("iou"), 4),
        "miou_with_background": round(scores.mean("iou", foreground=False), 4),
        "overall_accuracy": round(scores.overall_accuracy, 4),
        "kappa": round(scores.kappa, 4),
        "per_class": {
            c.code: {
                "iou": round(float(scores.iou[c.id]), 4),
                "recall": round(float(scores.recall[c.id]), 4),
                "precision": round(float(scores.precision[c.id]), 4),
                "truth_pixels": int(matrix[c.id].sum()),
            }
            for c in CLASSES
            if scores.present[c.id]
        },
    }


def card(
    recipe: Recipe,
    *,
    steps: int,
    minutes: float,
    temperature: float,
    validation: dict[str, Any],
    train_scenes: int,
    train_groups: int,
    encoder_weights: dict[str, Any] = NONE,
) -> dict[str, Any]:
    """The JSON card without the weights' hash, which :func:`minegis.training.checkpoint.save` adds.

    ``encoder_weights`` is what :func:`landdamage.learning.encoders.start_encoder` said.
    """
    low, high = recipe.gsd_range_m
    return {
        "name": recipe.model,
        "version": VERSION,
        "network": {
            "name": recipe.network,
            "backbone": recipe.backbone,
            "in_channels": len(recipe.bands),
            "classes": NETWORK_CLASS_COUNT,
            "switches": recipe.switches,
        },
        "bands": list(recipe.bands),
        "optional_bands": list(recipe.optional_bands),
        "gsd_m": recipe.gsd_m,
        "gsd_range_m": [low, high],
        "tile": recipe.tile,
        "normalisation": "percentile-2-98",
        "encoder_weights": encoder_weights,
        "temperature": round(float(np.clip(temperature, 0.05, 20)), 4),
        "trained_on": recipe.trained_on,
        "training": {
            "seed": recipe.seed,
            "steps": steps,
            "minutes": round(minutes, 1),
            "scenes": train_scenes,
            "groups": train_groups,
        },
        "metrics": {"validation": validation},
        "limits": recipe.limits,
    }
