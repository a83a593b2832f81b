"""Train a network: ``manage.py train``, or ``torchrun -m landdamage.learning.train`` on several devices.

    manage.py train --recipe 2m
    manage.py train --samples FOLDER --network se-cot-dl --backbone resnet50 --steps 40000 -o models
    torchrun --nproc-per-node 4 -m landdamage.learning.train --samples FOLDER --batch 64

Writes NAME.safetensors and its card NAME.json; the state, log.jsonl and TensorBoard events lie in the cache folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from landdamage.learning.choices import Choices
from landdamage.learning.losses import LOSSES
from landdamage.learning.recipes import RECIPES, Folders, Recipe
from landdamage.learning.run import ROOT, Run
from landdamage.learning.sampled import recipe_for
from landdamage.learning.terminal import add_language, reporting
from landdamage.networks import NETWORKS
from landdamage.networks.backbones import BODIES
from minegis.errors import TrainingError
from minegis.training.ranks import joined

DEFAULTS = Choices()
OWN = (
    "network", "backbone", "bands", "encoder_weights", "loss", "batch", "tile", "learning_rate", "patience", "fold",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--recipe", choices=sorted(RECIPES), help="train a shipped model again")
    what.add_argument("--samples", type=Path, metavar="FOLDER", help="train on a sample set")
    own = parser.add_argument_group("with --samples")
    own.add_argument("--network", choices=list(NETWORKS), help=f"(default: {DEFAULTS.network})")
    own.add_argument("--backbone", choices=[*BODIES, "none"], help="encoder (default: the network's own)")
    own.add_argument("--bands", help="of the sample set's, in this order, e.g. B,G,R (default: all of them)")
    own.add_argument("--encoder-weights", metavar="FILE", help="weights learned on photographs, or 'imagenet'")
    own.add_argument("--loss", choices=list(LOSSES), help=f"(default: {DEFAULTS.loss})")
    own.add_argument("--batch", type=int, help=f"tiles per step, over all devices (default: {DEFAULTS.batch})")
    own.add_argument("--tile", type=int, help="side of the training windows in pixels (default: the set's)")
    own.add_argument("--learning-rate", type=float, help="peak (default: 1e-3, or 3e-4 with weights)")
    own.add_argument(
        "--patience", type=int, help="validations without a better score after which training ends; 0: never (5)"
    )
    own.add_argument("--fold", help="of a cross-validation: validate on this one, train on the others")
    parser.add_argument("--seed", type=int, help="of weights, tiles and dropout (default: the recipe's, or 1)")
    parser.add_argument("--steps", type=int, help=f"optimiser steps (default: the recipe's, or {DEFAULTS.steps})")
    parser.add_argument("--time-limit", type=float, metavar="MINUTES", help="end the schedule by the clock if sooner")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--anew", action="store_true", help="throw an earlier run of the same name away")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "var" / "models", help="folder of weights and card")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "var" / "cache", help="folder of rendered scenes, states and logs"
    )
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    add_language(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="python -m landdamage.learning.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for; the weights' path goes to standard output, progress to standard error."""
    with reporting(options.lang) as outcome, joined(options.device) as ranks:
        weights = Run(
            _recipe(options),
            Folders(options.cache, options.data),
            options.output,
            options.steps,
            options.time_limit,
            options.resume,
            options.anew,
            ranks,
        ).train()
        if ranks.main:
            sys.stdout.write(f"{weights}\n")
    return outcome.status


def _recipe(options: argparse.Namespace) -> Recipe:
    given = {name: value for name in OWN if (value := getattr(options, name)) is not None}
    if options.recipe:
        if given:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            raise TrainingError("E-TRN-13", value=names)
        recipe = RECIPES[options.recipe]
        return recipe if options.seed is None else replace(recipe, seed=options.seed)
    if "bands" in given:
        given["bands"] = tuple(given["bands"].upper().split(","))
    if "patience" in given:
        given["patience"] = given["patience"] or None
    given |= {name: value for name in ("seed", "steps") if (value := getattr(options, name)) is not None}
    return recipe_for(options.samples, Choices(**given))


def default_data() -> Path:
    """``land`` in ``$MINEGIS_DATA``, else in ``var/data``."""
    return Path(os.environ.get("MINEGIS_DATA", ROOT / "var" / "data")) / "land"


if __name__ == "__main__":
    sys.exit(main())
