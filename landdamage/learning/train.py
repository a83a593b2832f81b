"""Train a network: ``manage.py train``, or ``torchrun -m landdamage.learning.train`` on several devices.

    manage.py train --recipe 2m
    torchrun --nproc-per-node 4 -m landdamage.learning.train --recipe 2m

Writes NAME.safetensors and its card NAME.json; the state, log.jsonl and TensorBoard events lie in the cache folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from landdamage.learning.recipes import RECIPES, Folders, Recipe
from landdamage.learning.run import ROOT, Run
from landdamage.learning.terminal import add_language, reporting
from minegis.training.ranks import joined


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument("--recipe", choices=sorted(RECIPES), required=True, help="train a shipped model again")
    parser.add_argument("--seed", type=int, help="of weights, tiles and dropout (default: the recipe's)")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: the recipe's)")
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
    recipe = RECIPES[options.recipe]
    return recipe if options.seed is None else replace(recipe, seed=options.seed)


def default_data() -> Path:
    """``land`` in ``$MINEGIS_DATA``, else in ``var/data``."""
    return Path(os.environ.get("MINEGIS_DATA", ROOT / "var" / "data")) / "land"


if __name__ == "__main__":
    sys.exit(main())
