"""Teach an encoder the look of the ground on images without labels: ``manage.py pretrain``.

    manage.py pretrain FOLDER [IMAGE ...] --backbone mobilenetv2 --steps 4000 -o encoder.safetensors
    manage.py train --samples SET --encoder-weights encoder.safetensors

Squares of every tile are covered and the network paints them from what surrounds them (masked image modelling, after
Xie et al. 2022, "SimMIM", with a convolutional network); only its encoder is kept. The state lies in the cache folder.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor, nn

from landdamage.imagery.bands import found_order
from landdamage.imagery.names import parse_name
from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import read_pixels
from landdamage.imagery.radiometry import dataset_stretch
from landdamage.learning.augment import Photometry
from landdamage.learning.run import ROOT, make_room
from landdamage.learning.scenes import Sampling, Scene, TileSource, fingerprint
from landdamage.learning.terminal import add_language, reporting
from landdamage.networks import build
from landdamage.networks.backbones import BODIES
from landdamage.taxonomy import IGNORE
from minegis.errors import SceneError, TrainingError
from minegis.training import checkpoint
from minegis.training.ranks import CPU, Ranks, joined
from minegis.training.trainer import Plan, Trainer

BANDS = ("R", "G", "B")  # the order of photographs, in which encoder weights are kept
COVERED = 0.6  # of a tile
SQUARE = 16  # pixels: the size of one cell of the encoder's last layer
CELL, MOST_CELLS = 2048, 4  # of a large image that are read
HELD_BACK = 10  # every tenth cell is judged on
IMAGES = frozenset({".tif", ".tiff", ".jp2", ".img", ".png", ".jpg"})
JUDGED = 16  # tiles


def load_cells(paths: Iterable[Path]) -> tuple[list[Scene], list[Path]]:
    """Cells of images that hold red, green and blue, as scenes without labels (0, and 255 where nothing was observed).

    Args:
        paths: image files, or folders that are searched for them.

    Returns:
        The cells, and the files left out because they lack a colour or an observed pixel, or cannot be read.

    Raises:
        TrainingError: E-TRN-15 there is none.
    """
    given = [Path(path) for path in paths]
    files = [f for p in given for f in (sorted(p.rglob("*")) if p.is_dir() else [p]) if f.suffix.lower() in IMAGES]
    of_file = {file: _cells_of(file) for file in files}
    if not any(of_file.values()):
        raise TrainingError("E-TRN-15", value=", ".join(map(str, given)))
    return [cell for cells in of_file.values() for cell in cells], [
        file for file, cells in of_file.items() if not cells
    ]


def _cells_of(file: Path) -> list[Scene]:
    """At most ``MOST_CELLS`` cells of one image, spread over it."""
    try:
        with open_raster(file) as dataset:
            order = found_order(dataset, parse_name(file.name))
            if not set(BANDS) <= set(order.names):
                return []
            indexes = [order.indexes[order.names.index(band)] for band in BANDS]
            stretch = dataset_stretch(dataset, indexes)
            corners = [(r, c) for r in range(0, dataset.height, CELL) for c in range(0, dataset.width, CELL)]
            chosen = corners[:: -(-len(corners) // MOST_CELLS)]
            cells = []
            for row, column in chosen:
                window = Window(column, row, min(CELL, dataset.width - column), min(CELL, dataset.height - row))
                pixels, valid = read_pixels(dataset, indexes, window=window)
                labels = np.where(valid, np.uint8(0), np.uint8(IGNORE))
                if valid.any():
                    name = f"{file.name} {row} {column}"
                    cells.append(Scene(name, file.name, pixels, labels, valid, stretch, abs(dataset.transform.a)))
            return cells
    except SceneError:
        return []


def cover(rng: np.random.Generator, images: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Cover random squares of tiles.

    Args:
        rng: source of chance.
        images: (N,3,H,W) network input.
        observed: (N,H,W) bool.

    Returns:
        The tiles with 0 in the covered squares, and what is to be painted: (N,4,H,W), the whole tiles with a last
        channel that is 1 where a pixel was covered and had been observed.
    """
    count, _, height, width = images.shape
    rows, columns = -(-height // SQUARE), -(-width // SQUARE)
    ranks = rng.random((count, rows * columns)).argsort(axis=1).argsort(axis=1)
    squares = (ranks < round(COVERED * rows * columns)).reshape(count, rows, columns)
    covered = torch.from_numpy(squares.repeat(SQUARE, 1).repeat(SQUARE, 2)[:, :height, :width])
    target = torch.cat([images, (covered & observed).unsqueeze(1).to(images.dtype)], dim=1)
    return images * ~covered.unsqueeze(1), target


def painting_loss(painted: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference over the covered pixels, in units of the network input (a quarter of p2-p98); scalar."""
    hidden = target[:, -1:]
    return ((painted - target[:, :-1]).abs() * hidden).sum() / (hidden.sum() * painted.shape[1]).clamp(min=1)


@dataclass(slots=True)
class Pretraining:
    """One training of an encoder.

    Attributes:
        cells: what it looks at.
        output: the encoder's file.
        folder: of state and log.
        backbone: name in ``networks.backbones.BODIES``.
        steps: optimiser steps.
        tile: side in pixels.
        batch: tiles a step.
        seed: of weights, tiles and squares.
        resume: go on from the saved state.
        anew: throw away what an earlier one of the same name has left.
        ranks: this process among those that train together.
    """

    cells: Sequence[Scene]
    output: Path
    folder: Path
    backbone: str = "mobilenetv2"
    steps: int = 4000
    tile: int = 128
    batch: int = 16
    seed: int = 1
    resume: bool = False
    anew: bool = False
    ranks: Ranks = field(default_factory=Ranks)

    def train(self) -> dict[str, Any]:
        """Train, write the encoder and its card; returns the card.

        Raises:
            TrainingError: E-TRN-01 to E-TRN-06 as for every training, E-TRN-08 an earlier run's results are in the way,
                E-TRN-11 there is no such backbone.
        """
        with self.ranks.main_first():
            if self.ranks.main:
                make_room(self.output, self.folder, resume=self.resume, anew=self.anew)
        judged = self.cells[::HELD_BACK]
        learned = [cell for k, cell in enumerate(self.cells) if k % HELD_BACK] or self.cells
        torch.manual_seed(self.seed)
        try:
            network = build("se-cot-dl", self.backbone, len(BANDS), len(BANDS))
        except (TypeError, ValueError) as error:
            raise TrainingError("E-TRN-11", value=self.backbone, reason=str(error)) from error
        network = network.to(self.ranks.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = TileSource(learned, Sampling((0.01, 100.0), native_share=1.0, class_share=0.0))
        share = self.ranks.share(self.batch)

        def batch_at(step: int, progress: float) -> tuple[Tensor, Tensor]:
            return self._covered(source, (self.seed, step), self.batch, share)

        still = TileSource(
            judged, Sampling((0.01, 100.0), native_share=1.0, class_share=0.0, photometry=Photometry(0, 0, 1, 0, 0, 0))
        )

        def report(step: int, averaged: nn.Module) -> Mapping[str, float]:
            return self._judge(averaged, still)

        seen = fingerprint(self.cells)
        trainer = Trainer(
            network,
            painting_loss,
            batch_at,
            Plan(self.steps, seed=self.seed, report_every=max(self.steps // 10, 1)),
            self.folder,
            report=report,
            identity=f"pretrain {self.backbone} seed {self.seed} tile {self.tile} data {seen[:12]}",
            ranks=self.ranks,
        )
        if self.resume:
            trainer.resume()
        trainer.run()
        card = {
            "encoder": self.backbone,
            "bands": list(BANDS),
            "method": f"squares of {SQUARE} pixels over {COVERED:.0%} of a tile, painted by SE-COT-DL; its encoder",
            "training": {"steps": trainer.step, "tile": self.tile, "batch": self.batch, "seed": self.seed},
            "data": {"images": len({cell.group for cell in self.cells}), "cells": len(self.cells), "sha256": seen},
            "metrics": dict(report(trainer.step, trainer.ema)),
        }
        if self.ranks.main:
            body = trainer.ema.get_submodule("backbone.body").state_dict()
            card = checkpoint.save(self.output, body, card, dtype=torch.float16)
        return card

    def _covered(
        self, source: TileSource, seed: tuple[int, ...], size: int, items: Sequence[int] | None = None
    ) -> tuple[Tensor, Tensor]:
        images, labels = source.batch(seed, size, self.tile, items)
        return cover(np.random.default_rng((*seed, len(seed))), images, labels != IGNORE)

    def _judge(self, network: nn.Module, source: TileSource) -> dict[str, float]:
        """Loss over tiles held back, and that of painting each in the mean colour of what is left to see."""
        covered, target = self._covered(source, (0, 0), JUDGED)
        device = next(network.parameters()).device
        with torch.inference_mode():
            painted = network(covered.to(device)).float().to(CPU)
        left = (covered != 0).any(dim=1, keepdim=True)
        mean = (covered * left).sum(dim=(2, 3), keepdim=True) / left.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        grey = painting_loss(mean.expand_as(covered), target)
        return {"painted": round(float(painting_loss(painted, target)), 4), "mean_colour": round(float(grey), 4)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments, shared with Django's wrapper of it."""
    parser.add_argument("images", nargs="+", type=Path, help="image files, or folders of them; no labels are needed")
    parser.add_argument("--backbone", choices=list(BODIES), default="mobilenetv2", help="encoder (mobilenetv2)")
    parser.add_argument("--steps", type=int, default=4000, help="optimiser steps (4000)")
    parser.add_argument("--tile", type=int, default=128, help="side in pixels (128)")
    parser.add_argument("--batch", type=int, default=16, help="tiles per step, over all devices (16)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, tiles and squares (1)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--anew", action="store_true", help="throw an earlier run of the same name away")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the encoder's file, .safetensors")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "cache", help="folder of state and log")
    add_language(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="python -m landdamage.learning.pretrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Do what parsed arguments ask for; the file's path goes to standard output, progress to standard error."""
    with reporting(options.lang) as outcome, joined(options.device) as ranks:
        output = options.output.with_suffix(".safetensors")
        cells, left_out = load_cells(options.images)
        if left_out and ranks.main:
            sys.stderr.write("".join(f"- {file}\n" for file in left_out))
        name = hashlib.sha256(str(output.resolve()).encode()).hexdigest()[:8]
        Pretraining(
            cells,
            output,
            options.cache / f"{output.stem}-{name}",
            options.backbone,
            options.steps,
            options.tile,
            options.batch,
            options.seed,
            options.resume,
            options.anew,
            ranks,
        ).train()
        if ranks.main:
            sys.stdout.write(f"{output}\n")
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
