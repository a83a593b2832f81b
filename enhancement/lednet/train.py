"""Train LEDNet: ``python -m enhancement.lednet.train --recipe t``, under ``torchrun`` on several devices.

    python -m enhancement.lednet.train --recipe t --data FOLDER -o models
    python -m enhancement.lednet.train --recipe t --data FOLDER -o models --resume
    torchrun --nproc-per-node 4 -m enhancement.lednet.train --recipe s --data FOLDER -o models

Writes NAME.safetensors and its card NAME.json whenever validation was better than ever; the state, log.jsonl and
TensorBoard events lie in CACHE/NAME.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from enhancement.lednet import sets
from enhancement.lednet.degradation.pipeline import KINDS, Pair, degrade
from enhancement.lednet.losses import LEDNetLoss, perceptual
from enhancement.lednet.network import MULTIPLE, SIZES, LEDNet
from enhancement.lednet.pairs import PairSource, to_tensor
from enhancement.lednet.recipes import RECIPES, Recipe
from enhancement.lednet.sets import Split
from minegis.errors import MineGISError, TrainingError
from minegis.terminal import default_language, finding_line
from minegis.training import checkpoint
from minegis.training.journal import EVENTS, LOG
from minegis.training.ranks import Ranks, joined
from minegis.training.state import STATE
from minegis.training.trainer import Plan, Progress, Trainer
from minegis.version import __version__

ROOT = Path(__file__).resolve().parents[2]
FAILED = 2
VALIDATION_SIDE = 256
# Switches of the network that one question each is asked with.
VARIANTS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "convolution": {"mixer": "convolution"},
        "sum": {"fusion": "sum"},
        "no-side-head": {"side_head": False},
        "length-scaling": {"length_scaling": True},
    }
)
SQUEEZENET = Path("weights_squeezenet11", "squeezenet1_1_half.pth")


@dataclass(slots=True)
class Run:
    """One training: recipe, data folder, where weights and state go, and what differs from the recipe.

    ``perceptual_weights``: the file of the perceptual network; None looks for SqueezeNet in the data folder.
    ``watch`` and ``should_stop``: see :class:`minegis.training.trainer.Trainer`.
    """

    recipe: Recipe
    data: Path
    output: Path
    cache: Path
    perceptual_weights: Path | None = None
    time_limit: float | None = None
    resume: bool = False
    anew: bool = False
    ranks: Ranks | None = None
    watch: Callable[[Progress], None] | None = None
    should_stop: Callable[[], bool] = lambda: False

    @property
    def weights(self) -> Path:
        """The file of the result."""
        return self.output / f"{self.recipe.model}.safetensors"

    @property
    def folder(self) -> Path:
        """Where state and log lie."""
        return self.cache / self.recipe.model

    def train(self) -> Path:
        """Train to the end of the schedule; returns the weights' file.

        Raises:
            TrainingError: E-TRN-08 an earlier run is there; E-TRN-09 no data; what the trainer raises.
            EnhancementError: the perceptual network's file cannot be used.
        """
        recipe, ranks = self.recipe, self.ranks or Ranks()
        self._make_room()
        parts = sets.split(self.data)
        distance, about = perceptual(recipe.perceptual, self._perceptual_file())
        torch.manual_seed(recipe.seed)
        network = LEDNet(recipe.size, **recipe.switches).to(ranks.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        source = PairSource.of(parts["train"], recipe.mixture)
        examples = validation_pairs(parts["validation"])
        hashes = {name: part.sha256() for name, part in parts.items()}

        def batch_at(step: int, progress: float) -> tuple[Tensor, Tensor]:
            stage = recipe.stage(progress)
            seed = (sets.TRAINING, recipe.seed, step)
            return source.batch(seed, stage.batch, stage.side, ranks.share(stage.batch))

        def publish(averaged: nn.Module, figures: Mapping[str, Any]) -> None:
            card = {
                "name": recipe.model,
                "version": __version__,
                "network": {"name": "lednet", "size": recipe.size, "switches": recipe.switches},
                "input": "R, G, B in [0, 1]",
                "loss": {"pixels": "L1", "small": 0.8, "full": 1.0, **about},
                "trained_on": recipe.trained_on,
                "limits": recipe.limits,
                "held_back": {name: parts[name].names() for name in ("validation", "test")},
                "degradation_seeds": {"training": sets.TRAINING, "validation": sets.VALIDATION, "test": sets.TEST},
                "data": {name: {"sha256": digest} for name, digest in hashes.items()},
                "recipe": recipe.as_dict(),
                "training": {
                    "steps": trainer.step, "planned_steps": recipe.steps, "minutes": round(trainer.elapsed / 60, 1),
                    "processes": ranks.count, "device": ranks.device.type,
                },
                "metrics": {"validation": dict(figures)},
            }  # fmt: skip
            checkpoint.save(self.weights, averaged.state_dict(), card, dtype=torch.float16)

        trainer = Trainer(
            network,
            LEDNetLoss(distance),
            batch_at,
            Plan(
                steps=recipe.steps, learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay,
                warmup=recipe.warmup, bf16=recipe.bf16 and ranks.device.type == "cuda", seed=recipe.seed,
                time_limit_s=self.time_limit and self.time_limit * 60, report_every=recipe.report_every, score="psnr",
            ),
            self.folder,
            report=lambda step, averaged: judge(averaged, examples),
            identity=identity(recipe, hashes["train"]),
            ranks=ranks,
            watch=self.watch,
            should_stop=self.should_stop,
            on_best=publish,
        )  # fmt: skip
        if self.resume:
            trainer.resume()
        trainer.run()
        return self.weights

    def _perceptual_file(self) -> Path | None:
        if self.perceptual_weights is None and self.recipe.perceptual == "squeezenet":
            return self.data / SQUEEZENET
        return self.perceptual_weights

    def _make_room(self) -> None:
        left = [path for path in (self.weights, self.folder / STATE) if path.exists()]
        if self.resume or not left:
            return
        if not self.anew:
            raise TrainingError("E-TRN-08", value=left[0])
        for path in (self.weights, checkpoint.card_path(self.weights), self.folder / STATE, self.folder / LOG):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder / EVENTS, ignore_errors=True)


def identity(recipe: Recipe, data: str) -> str:
    """What a state must agree in to be gone on from: the schedule may be changed on the way, these may not."""
    switches = "".join(f" {name}={value}" for name, value in sorted(recipe.switches.items()))
    return f"lednet {recipe.size} {recipe.perceptual}{switches}, seed {recipe.seed}, data {data[:12]}"


def validation_pairs(part: Split, side: int = VALIDATION_SIDE) -> dict[str, list[Pair]]:
    """Fixed pairs of each kind and real ones, from the middle of the pictures."""
    pictures = [_middle(sets.read(path), side) for paths in part.sharp.values() for path in paths[:4]]
    found: dict[str, list[Pair]]
    found = {kind: [degrade(x, [sets.VALIDATION, k], kind) for k, x in enumerate(pictures)] for kind in KINDS}
    real = [(sets.read(dark), sets.read(clear)) for dark, clear in part.real]
    cut = [(_middle(dark, side), _middle(clear, side)) for dark, clear in real]
    found["real"] = [Pair(dark, clear, np.ones(clear.shape[:2], bool)) for dark, clear in cut]
    return {kind: pairs for kind, pairs in found.items() if pairs}


def _middle(picture: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    """The middle square of a picture, or what there is of it in multiples of 8 pixels."""
    height, width = (min(length, side) // MULTIPLE * MULTIPLE for length in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


@torch.inference_mode()
def judge(network: nn.Module, examples: Mapping[str, Sequence[Pair]]) -> dict[str, float]:
    """Mean PSNR of each kind, of what can be seen, after clipping; ``psnr`` is the mean of night, dark, blur, real."""
    device = next(network.parameters()).device
    figures: dict[str, float] = {}
    for kind, pairs in examples.items():
        values = []
        for pair in pairs:
            dark = to_tensor(pair.dark[None]).to(device, memory_format=torch.channels_last)
            out = network(dark)[0].float().clamp(0, 1).cpu()
            error = (out - to_tensor(pair.clear[None])[0]) ** 2
            values.append(-10 * float(torch.log10(error[:, torch.from_numpy(pair.seen.copy())].mean() + 1e-8)))
        figures[f"psnr_{kind}"] = round(float(np.mean(values)), 3)
    counted = [value for name, value in figures.items() if name != "psnr_clean"]
    return {"psnr": round(float(np.mean(counted)), 3), **figures}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="t")
    parser.add_argument("--size", choices=list(SIZES), help="of the network (default: the recipe's)")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the enhancement material")
    parser.add_argument("--perceptual", choices=("vgg19", "squeezenet", "fft-gradient"))
    parser.add_argument("--perceptual-weights", type=Path, metavar="FILE", help="torchvision's state dict of it")
    parser.add_argument(
        "--variant", choices=sorted(VARIANTS), help="train a stand-in for comparisons; its name is added to the model's"
    )
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--time-limit", type=float, metavar="MINUTES", help="end the schedule by the clock if sooner")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--resume", action="store_true", help="go on from the last saved state")
    parser.add_argument("--anew", action="store_true", help="throw an earlier run of the same name away")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "var" / "models", help="folder of weights and card")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "cache", help="folder of states and logs")
    parser.add_argument("--lang", choices=["zh", "en"], default=default_language(), help="language of the output")


def default_data() -> Path:
    """``enhancement`` in ``$MINEGIS_DATA``, else in ``var/data``."""
    return Path(os.environ.get("MINEGIS_DATA", ROOT / "var" / "data")) / "enhancement"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="python -m enhancement.lednet.train", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add_arguments(parser)
    options = parser.parse_args(arguments)
    recipe = RECIPES[options.recipe]
    given = {name: getattr(options, name) for name in ("size", "perceptual", "steps", "seed")}
    recipe = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    if options.variant:
        recipe = replace(recipe, model=f"{recipe.model}-{options.variant}", switches=VARIANTS[options.variant])
    try:
        with joined(options.device) as ranks:
            weights = Run(
                recipe, options.data, options.output, options.cache, options.perceptual_weights, options.time_limit,
                options.resume, options.anew, ranks,
            ).train()  # fmt: skip
            if ranks.main:
                sys.stdout.write(f"{weights}\n")
    except MineGISError as error:
        sys.stderr.write(f"{finding_line(error.finding(), options.lang)}\n")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
