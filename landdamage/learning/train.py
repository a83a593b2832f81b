"""Train a shipped model: ``python -m landdamage.learning.train 2m`` (or ``10m``)."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from landdamage.learning.calibration import expected_calibration_error, fit_temperature
from landdamage.learning.cards import card, metrics_of
from landdamage.learning.losses import class_weights, segmentation_loss
from landdamage.learning.predict import confusion_of, sample_logits
from landdamage.learning.recipes import RECIPES, Folders, Recipe
from landdamage.learning.scenes import Scene, TileSource, count_pixels
from landdamage.networks import build
from minegis.training import checkpoint
from minegis.training.trainer import Plan, Trainer

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "landdamage" / "weights"
OVERLAP = 0.25  # of the window: 128 of 512, as in interpretation


@dataclass(slots=True)
class Run:
    """One training of a recipe; its weights and card are rewritten at every report."""

    recipe: Recipe
    folders: Folders
    output: Path
    steps: int | None = None
    time_limit_minutes: float | None = None
    resume: bool = False
    device: str = "cpu"

    def train(self) -> Path:
        """Train, validate, write; returns the weights' file.

        Raises:
            FileNotFoundError: the recipe's data is absent.
        """
        recipe = self.recipe
        train, validation = recipe.load(self.folders)
        torch.manual_seed(recipe.seed)
        model = build(recipe.network, recipe.backbone, len(recipe.bands), **recipe.switches)
        if recipe.start_from:
            transfer(model, checkpoint.load(WEIGHTS / recipe.start_from)[0])
        model = model.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = TileSource(train, recipe.sampling)

        def batch_at(step: int, progress: float) -> tuple[Tensor, Tensor]:
            stage = recipe.stage(progress)
            return source.batch((recipe.seed, step), stage.batch, stage.tile)

        plan = Plan(
            steps=self.steps or recipe.steps,
            learning_rate=recipe.learning_rate,
            seed=recipe.seed,
            time_limit_s=self.time_limit_minutes * 60 if self.time_limit_minutes else None,
        )

        def report(step: int, averaged: nn.Module) -> dict[str, Any]:
            return self._publish(averaged, train, validation, step, trainer.elapsed / 60)

        weights = None
        if recipe.weighted_loss:
            weights = class_weights(count_pixels(train)).to(self.device)
        loss = partial(segmentation_loss, weights=weights)
        trainer = Trainer(model, loss, batch_at, plan, self.folders.cache / recipe.model, report=report)
        if self.resume:
            trainer.resume()
        trainer.run()
        return self.weights

    @property
    def weights(self) -> Path:
        """Where the weights go."""
        return self.output / f"{self.recipe.model}.safetensors"

    def _publish(
        self, averaged: nn.Module, train: Sequence[Scene], validation: Sequence[Scene], step: int, minutes: float
    ) -> dict[str, Any]:
        tile = self.recipe.tile
        matrices = [confusion_of(averaged, scene, tile, round(tile * OVERLAP)) for scene in validation]
        metrics = metrics_of(sum(matrices[1:], matrices[0]), len({scene.group for scene in validation}))
        logits, labels = sample_logits(averaged, validation, tile)
        temperature = fit_temperature(logits, labels)
        metrics["ece"] = round(expected_calibration_error(logits, labels, temperature), 4)
        written = card(
            self.recipe,
            steps=step,
            minutes=minutes,
            temperature=temperature,
            validation=metrics,
            train_scenes=len(train),
            train_groups=len({scene.group for scene in train}),
        )
        # Half precision halves the file; the engine computes in bfloat16 or float32 and loses nothing by it.
        checkpoint.save(self.weights, averaged.state_dict(), written, dtype=torch.float16)
        return metrics


def transfer(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Take over the weights of the same network with more bands: the stem keeps the first, scaled to the sum of all.

    Raises:
        RuntimeError: another tensor differs in shape or name.
    """
    own = model.state_dict()
    fitted = {
        name: tensor[:, : own[name].shape[1]] * (tensor.shape[1] / own[name].shape[1])
        if name in own and tensor.ndim == 4 and tensor.shape[1] > own[name].shape[1]
        else tensor
        for name, tensor in state.items()
    }
    model.load_state_dict(fitted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command-line door; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m landdamage.learning.train", description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the recipe's)")
    parser.add_argument("--time-limit-minutes", type=float, help="end the schedule by the clock if that comes first")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--output", type=Path, default=ROOT / "var" / "models", help="folder of weights and card")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "var" / "cache", help="folder of rendered scenes and states"
    )
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    run = Run(
        RECIPES[options.recipe],
        Folders(options.cache, options.data),
        options.output,
        options.steps,
        options.time_limit_minutes,
        options.resume,
        options.device,
    )
    try:
        weights = run.train()
    except FileNotFoundError as error:
        sys.stderr.write(f"{error.filename}: not found; set MINEGIS_DATA or --data to the public material\n")
        return 2
    sys.stdout.write(f"{weights}\n")
    return 0


def default_data() -> Path:
    """``land`` in ``$MINEGIS_DATA``, else in ``var/data``."""
    return Path(os.environ.get("MINEGIS_DATA", ROOT / "var" / "data")) / "land"


if __name__ == "__main__":
    sys.exit(main())
