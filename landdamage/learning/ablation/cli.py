"""Compare networks on equal terms: ``manage.py ablation``.

    manage.py ablation --quick                         # minutes: small simulated districts, one seed
    manage.py ablation --experiments S A A7 B --seeds 3 --steps 1000 --tile 256 --batch 8 -o docs/results

    manage.py ablation --experiments A7 --folds 5 --networks se-cot-dl --seeds 1 --start se-cot-dl-mnv2-2m

Every finished run is kept in OUTPUT/runs and never computed again; a run that was stopped goes on where it was. Per
experiment it writes ablation-KEY.md, .csv, .json and .png; folds, encoder and first weights are added to the name.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from landdamage.learning.ablation import tables
from landdamage.learning.ablation.experiments import EXPERIMENTS, Experiment, Sets, in_folds
from landdamage.learning.ablation.panels import choose_windows, sheet
from landdamage.learning.ablation.runs import Budget, Result, Setting, pooled, run_once, settings
from landdamage.learning.recipes import Folders
from landdamage.learning.run import ROOT
from landdamage.learning.terminal import add_language, reporting
from landdamage.learning.train import default_data
from landdamage.networks import NETWORKS
from minegis.training.ranks import Ranks, find_device

COMPARED = ("dl", "cot-dl", "se-dl", "se-cot-dl", "fcn", "unet", "pspnet")
FULL, QUICK = Budget(steps=1000, tile=256, batch=8), Budget(steps=100, tile=128, batch=8)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument("--quick", action="store_true", help="small districts, few steps, one seed: under ten minutes")
    parser.add_argument(
        "--experiments",
        nargs="+",
        choices=list(EXPERIMENTS),
        default=["S"],
        help="; ".join(f"{key}: {experiment.title}" for key, experiment in EXPERIMENTS.items()),
    )
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(COMPARED))
    parser.add_argument("--seeds", type=int, help="runs per network (default: 3, with --quick 1)")
    parser.add_argument("--steps", type=int, help=f"of every run (default: {FULL.steps}, with --quick {QUICK.steps})")
    parser.add_argument("--tile", type=int, help=f"side in pixels (default: {FULL.tile}, with --quick {QUICK.tile})")
    parser.add_argument("--batch", type=int, help=f"tiles a step (default: {FULL.batch}, with --quick {QUICK.batch})")
    parser.add_argument(
        "--folds", type=int, default=1, help="cross-validation by overlap group instead of the set's own split"
    )
    parser.add_argument("--backbone", help="encoder of every network (default: each network's own)")
    parser.add_argument(
        "--start", help="first weights: the name of a shipped model, or a file of encoder weights (default: random)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "results", help="folder of the tables")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "var" / "cache", help="folder of rendered scenes and unfinished runs"
    )
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    add_language(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="manage.py ablation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for: tables go to standard output too, progress to standard error."""
    base = QUICK if options.quick else FULL
    budget = Budget(options.steps or base.steps, options.tile or base.tile, options.batch or base.batch)
    seeds = options.seeds or (1 if options.quick else 3)
    folders = Folders(options.cache, options.data)
    with reporting(options.lang) as outcome:
        ranks = Ranks(device=find_device(options.device))
        for key in options.experiments:
            experiment = EXPERIMENTS[key]
            sets = experiment.sets(folders, quick=options.quick)
            folds = in_folds(sets, options.folds, len(experiment.classes)) if options.folds > 1 else [sets]
            choices = (options.networks, seeds, budget, options.backbone, options.start)
            wanted = [(fold, settings(experiment, fold, *choices)) for fold in folds]
            comparison = compare(experiment, wanted, options.output / "runs", options.cache / "ablation", ranks)
            how = _how(comparison, _command(key, options))
            for path in write(comparison, options.output, how):
                sys.stderr.write(f"{path}\n")
            sys.stdout.write(tables.markdown(comparison, how) + "\n")
    return outcome.status


def compare(
    experiment: Experiment, wanted: Sequence[tuple[Sets, Sequence[Setting]]], folder: Path, work: Path, ranks: Ranks
) -> tables.Comparison:
    """The results of all settings of every fold; those finished in ``folder`` are read, the others trained in ``work``.

    Args:
        experiment: which.
        wanted: per fold its scenes and its runs, which are the same but for the data.
        folder: of finished runs.
        work: of unfinished ones.
        ranks: device and processes.

    Raises:
        TrainingError: a run ran out of memory or diverged; those before it are kept.
    """
    folds = [sets for sets, _ in wanted]
    runs = list(zip(*(settings for _, settings in wanted), strict=True))  # every network and seed: its run in each fold
    results: dict[str, list[Result]] = {}
    with tqdm(total=len(runs) * len(folds), unit="run", disable=None) as bar:
        for of_folds in runs:
            network, seed = of_folds[0].network, of_folds[0].seed
            found = []
            for sets, setting in zip(folds, of_folds, strict=True):
                bar.set_description(f"{experiment.key} {network} seed {seed}")
                found.append(run_once(experiment, sets, setting, folder, work, ranks))
                bar.update()
            results.setdefault(network, []).append(pooled(found))
    return tables.Comparison(experiment, folds, results)


def write(comparison: tables.Comparison, folder: Path, how: Mapping[str, str]) -> list[Path]:
    """Write the tables and the picture of the first seed; returns their paths."""
    paths = tables.write(comparison, folder, how)
    experiment, scenes = comparison.experiment, comparison.folds[0].test
    first = {name: own[0] for name, own in comparison.results.items()}
    windows = choose_windows(scenes, next(iter(first.values())).setting.budget.tile)
    columns = {tables.TITLES[name]: first[name].panels for name in tables.TITLES if name in first}
    picture = folder / f"ablation-{comparison.name}.png"
    sheet(picture, scenes, windows, columns, experiment.classes, experiment.colours)
    return [*paths, picture]


def _how(comparison: tables.Comparison, command: str) -> dict[str, str]:
    """How the figures came about; every machine and version that took part is named."""
    results = [result for own in comparison.results.values() for result in own]
    hours = sum(result.facts["training_s"] + result.facts["judging_s"] for result in results) / 3600
    codes = sorted({f"MineGIS {r.facts['code']['minegis']}, torch {r.facts['code']['torch']}" for r in results})
    return {
        "command": f"`{command}`",
        "machine": "; ".join(sorted({result.facts["machine"] for result in results})),
        "time": f"{hours:.2f} hours of training and judging in {len(results)} runs",
        "code": "; ".join(codes),
    }


def _command(key: str, options: argparse.Namespace) -> str:
    words = ["manage.py", "ablation", *(["--quick"] if options.quick else []), "--experiments", key]
    if options.networks != list(COMPARED):
        words += ["--networks", *options.networks]
    for name in ("seeds", "steps", "tile", "batch"):
        if (value := getattr(options, name)) is not None:
            words += [f"--{name}", str(value)]
    words += ["--folds", str(options.folds)] if options.folds > 1 else []
    words += ["--backbone", options.backbone] if options.backbone else []
    words += ["--start", Path(options.start).name] if options.start else []
    return shlex.join(words)
