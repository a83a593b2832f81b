"""A model's card: what the engine must know to use it, and what a reader must know to trust it."""

from __future__ import annotations

from typing import Any

import torch

from landdamage.learning.recipes import Recipe
from minegis.version import code_version

VERSION = "0.4"


def card(
    recipe: Recipe,
    *,
    training: dict[str, Any],
    data: dict[str, Any],
    validation: dict[str, Any],
    calibration: dict[str, Any],
    encoder_weights: dict[str, Any],
) -> dict[str, Any]:
    """The JSON card without the weights' hash, which :func:`minegis.training.checkpoint.save` adds.

    Args:
        recipe: what was trained how.
        training: ``steps``, ``minutes``, ``processes``, ``device`` and whatever else the run tells.
        data: per set its scenes, groups and SHA-256.
        validation: scores of :meth:`landdamage.learning.judge.Judgement.metrics`.
        calibration: of :meth:`landdamage.learning.judge.Judgement.calibration`.
        encoder_weights: what :func:`landdamage.learning.encoders.start_encoder` said.
    """
    low, high = recipe.gsd_range_m
    return {
        "name": recipe.model,
        "version": VERSION,
        "network": {
            "name": recipe.network,
            "backbone": recipe.backbone,
            "in_channels": len(recipe.bands),
            "classes": len(recipe.classes),
            "switches": recipe.switches,
        },
        "bands": list(recipe.bands),
        "optional_bands": list(recipe.optional_bands),
        "gsd_m": recipe.gsd_m,
        "gsd_range_m": [low, high],
        "tile": recipe.tile,
        "window": recipe.window or recipe.tile,
        "mirrored": recipe.mirrored,
        "normalisation": "percentile-2-98",
        "encoder_weights": encoder_weights,
        "temperature": calibration["temperature"],
        "trained_on": recipe.trained_on,
        "data": data,
        "training": {"seed": recipe.seed, **training},
        "recipe": recipe.as_dict(),
        "code": {"minegis": code_version(), "torch": torch.__version__},
        "metrics": {"validation": validation},
        "calibration": calibration,
        "limits": recipe.limits,
    }
