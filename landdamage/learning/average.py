"""Average the weights of trainings that started from one another: ``python -m landdamage.learning.average A B -o OUT``.

A network fine-tuned from another lies in the same basin of the loss; the mean of their weights is often better than
either and costs nothing to use (Wortsman et al. 2022, "Model soups", ICML; Izmailov et al. 2018 for one run's path).
Whether it is better is for the validation scenes to say: they are judged here, and the card tells the result.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from landdamage.learning.evaluate import WEIGHTS, load_network, reading, validation_scenes
from landdamage.learning.judge import judge
from landdamage.learning.run import ROOT
from landdamage.learning.scenes import Scene
from landdamage.learning.terminal import add_language, reporting
from landdamage.learning.train import default_data
from minegis.errors import ModelError
from minegis.training import checkpoint
from minegis.training.memory import keep_freed_memory

TOLD = ("version", "weights_sha256", "trained_on", "data", "training")


def mean_of(states: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Mean of state dicts by file name: floating tensors averaged in float32, counters taken from the first.

    Raises:
        ModelError: E-MOD-07 a tensor is missing, superfluous or of another shape than the first one's.
    """
    first = next(iter(states.values()))
    for name, state in states.items():
        for tensor in sorted(first.keys() ^ state.keys()):
            raise ModelError("E-MOD-07", value=name, tensor=tensor)
        for tensor, value in state.items():
            if value.shape != first[tensor].shape:
                shapes = f"{tensor} {tuple(value.shape)}, {tuple(first[tensor].shape)}"
                raise ModelError("E-MOD-07", value=name, tensor=shapes)
    return {
        tensor: torch.stack([state[tensor].float() for state in states.values()]).mean(dim=0)
        if value.is_floating_point()
        else value
        for tensor, value in first.items()
    }


def average(paths: Sequence[Path], output: Path, scenes: Sequence[Scene], version: str | None = None) -> dict[str, Any]:
    """Write the mean of checkpoints, judged and calibrated on scenes none of them was trained on; returns its card.

    Args:
        paths: of two or more checkpoints of one network; the last one's card is carried on.
        output: the new weights' file.
        scenes: for validation and calibration.
        version: of the result; None keeps the last one's.

    Raises:
        ModelError: E-MOD-03, E-MOD-08 a checkpoint is damaged; E-MOD-07 they are not of one network.
    """
    read = {
        path.name if len({p.name for p in paths}) == len(paths) else str(path): checkpoint.load(path) for path in paths
    }
    parts = [{key: card[key] for key in TOLD if key in card} for _, card in read.values()]
    card = {**list(read.values())[-1][1], "training": {"mean_of": parts}}
    if version:
        card["version"] = version
    # Half precision halves the file, as in every training.
    checkpoint.save(output, mean_of({name: state for name, (state, _) in read.items()}), card, dtype=torch.float16)
    network, card = load_network(output)
    found = judge(network, scenes, **reading(card), sampled=True)
    calibration = found.calibration()
    card |= {
        "temperature": calibration["temperature"],
        "calibration": calibration,
        "metrics": {"validation": found.metrics()},
    }
    checkpoint.write_card(output, card)
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(
        prog="python -m landdamage.learning.average",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", help="names of shipped models, or paths of .safetensors files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the new .safetensors file")
    parser.add_argument("--version", help="of the result (default: the last one's)")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "cache", help="rendered scenes")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    add_language(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()
    with reporting(options.lang) as outcome:
        paths = [Path(m) if m.endswith(".safetensors") else WEIGHTS / f"{m}.safetensors" for m in options.models]
        scenes = validation_scenes(checkpoint.load_card(paths[-1])["name"], options.cache, options.data)
        card = average(paths, options.output, scenes, options.version)
        sys.stdout.write(
            f"{options.output}: validation foreground mIoU {card['metrics']['validation']['miou_foreground']:.4f}\n"
        )
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
