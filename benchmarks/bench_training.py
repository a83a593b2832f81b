"""Seconds per training step of every network the comparison knows, tiles and all, by the trainer that trains them.

    OMP_NUM_THREADS=1 python benchmarks/bench_training.py [--tiles 128 256] [--batch 8] [--steps 4] [--networks ...]

Tiles are drawn from a noise scene with the augmentation of the comparison, networks have the MobileNetV2 encoder, four
bands and eight classes. The first step, which warms caches up, is left out. CPU seconds are those of the process, all
threads together; on a machine with free cores two threads need about 0.6 of the wall time of one. The last columns
judge a scene: seconds per window of the tile's size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.ablation.cli import COMPARED
from landdamage.learning.ablation.experiments import EXPERIMENTS, Sets
from landdamage.learning.ablation.runs import Budget, Setting, machine, recipe_of
from landdamage.learning.judge import OVERLAP
from landdamage.learning.predict import predict_scene
from landdamage.learning.run import make_batches, make_loss, make_network
from landdamage.learning.scenes import Scene
from landdamage.networks import NETWORKS
from minegis.training.ranks import Ranks
from minegis.training.trainer import Plan, Progress, Trainer
from minegis.windows import Plan as Windows

SIDE = 512


def noise() -> Scene:
    """A scene whose labels are patches and whose pixels follow them."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 8, (16, 16)), np.ones((32, 32))).astype(np.uint8)
    pixels = (300.0 + 100.0 * labels + rng.normal(0, 20, (4, SIDE, SIDE))).astype(np.uint16)
    return Scene("noise", "noise", pixels, labels, np.ones(labels.shape, bool), Stretch.from_pixels(pixels), 2.0)


def measure(network: str, tile: int, batch: int, steps: int) -> tuple[float, float, float, float]:
    """CPU and wall seconds per training step, CPU and wall seconds per judged window."""
    sets = Sets([noise()], [noise()])
    recipe = recipe_of(EXPERIMENTS["S"], Setting("S", network, 1, Budget(steps + 1, tile, batch), "noise"))
    model, _ = make_network(recipe, torch.device("cpu"))
    clocks: list[tuple[float, float]] = []

    def watch(progress: Progress) -> None:
        clocks.append((time.process_time(), time.perf_counter()))

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            make_loss(recipe, sets.train, torch.device("cpu"), lambda: 0.0),
            make_batches(recipe, sets.train, Ranks()),
            Plan(steps + 1, events=False),
            Path(folder),
            watch=watch,
        )
        trainer.run()
    windows = len(Windows(SIDE, SIDE, tile, round(tile * OVERLAP)).rows) ** 2
    began = (time.process_time(), time.perf_counter())
    predict_scene(trainer.ema, sets.test[0], tile, round(tile * OVERLAP))
    ended = (time.process_time(), time.perf_counter())
    step = [(last - first) / steps for first, last in zip(clocks[0], clocks[-1], strict=True)]
    window = [(last - first) / windows for first, last in zip(began, ended, strict=True)]
    return step[0], step[1], window[0], window[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(COMPARED))
    options = parser.parse_args()
    print(f"{machine(torch.device('cpu'))}, torch {torch.__version__}, batch {options.batch}")
    print("| network | tile | CPU s per step | wall s per step | CPU s per window | wall s per window |")
    print("|---|---|---|---|---|---|")
    for tile in options.tiles:
        for network in options.networks:
            figures = measure(network, tile, options.batch, options.steps)
            print(f"| {network} | {tile} | {' | '.join(f'{figure:.2f}' for figure in figures)} |", flush=True)


if __name__ == "__main__":
    main()
