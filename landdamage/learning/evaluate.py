"""Judge a model on districts it never saw: ``python -m landdamage.learning.evaluate se-cot-dl-mnv2-2m``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from landdamage.learning import sentinel, simulated
from landdamage.learning.cards import metrics_of
from landdamage.learning.metrics import Matrix, bootstrap_interval
from landdamage.learning.predict import confusion_of
from landdamage.learning.scenes import Scene
from landdamage.learning.train import OVERLAP, ROOT, WEIGHTS, default_data
from landdamage.networks import build
from landdamage.taxonomy import CLASSES, DAMAGE_KINDS, damage_kind
from minegis.training import checkpoint
from minegis.training.memory import keep_freed_memory


def load_network(weights: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a checkpoint in eval mode, and its card.

    Raises:
        ModelError: E-MOD-03, E-MOD-07, E-MOD-08, see :mod:`minegis.training.checkpoint`.
    """
    state, card = checkpoint.load(weights)
    about = card["network"]
    network = build(about["name"], about["backbone"], about["in_channels"], about["classes"], **about["switches"])
    checkpoint.fit(network, state, weights.name)
    return network.eval().to(memory_format=torch.channels_last), card  # type: ignore[call-overload]


def area_errors(matrix: Matrix) -> dict[str, float | None]:
    """Found / true area - 1 per damage kind over the observed pixels; None where the truth has none.

    Water counts as no damage here: whether it is mine water is not the network's to say.
    """
    truth, found = matrix.sum(axis=1), matrix.sum(axis=0)
    errors: dict[str, float | None] = {}
    for kind in DAMAGE_KINDS:
        ids = [c.id for c in CLASSES if damage_kind(c.code) == kind.code]
        true_area = int(truth[ids].sum())
        errors[kind.code] = round(float(found[ids].sum()) / true_area - 1, 4) if true_area else None
    return errors


def evaluate(network: nn.Module, card: dict[str, Any], scenes: Sequence[Scene]) -> dict[str, Any]:
    """Scores over all scenes together, area errors over all and per scene, interval over regions (groups)."""
    tile = card["tile"]
    by_group: dict[str, Matrix] = {}
    per_scene = {}
    for scene in scenes:
        matrix = confusion_of(network, scene, tile, round(tile * OVERLAP))
        by_group[scene.group] = by_group.get(scene.group, 0) + matrix
        per_scene[scene.name] = area_errors(matrix)
    total = sum(by_group.values(), start=0 * next(iter(by_group.values())))
    low, high = bootstrap_interval(list(by_group.values()))
    return {
        **metrics_of(total, len(by_group)),
        "miou_foreground_95": [round(low, 4), round(high, 4)],
        "area_error": area_errors(total),
        "area_error_per_scene": per_scene,
        "area_error_per_class": {
            c.code: round(float(total[:, c.id].sum()) / int(total[c.id].sum()) - 1, 4)
            for c in CLASSES
            if total[c.id].sum()
        },
    }


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table, one row per class, with the means and the area errors below."""
    lines = ["| class | IoU | recall | precision | area error | truth pixels |", "|---|---|---|---|---|---|"]
    for code, row in result["per_class"].items():
        error = result["area_error_per_class"][code]
        lines.append(
            f"| {code} | {row['iou']:.3f} | {row['recall']:.3f} | {row['precision']:.3f} | {error:+.1%} "
            f"| {row['truth_pixels']} |"
        )
    low, high = result["miou_foreground_95"]
    kinds = ", ".join(f"{kind} {error:+.1%}" for kind, error in result["area_error"].items() if error is not None)
    worst = ", ".join(
        f"{kind} {max((e[kind] for e in result['area_error_per_scene'].values() if e[kind] is not None), key=abs):+.1%}"
        for kind, error in result["area_error"].items()
        if error is not None
    )
    lines += [
        "",
        f"Foreground mIoU {result['miou_foreground']:.3f} "
        f"(95 % over {result['regions']} regions: {low:.3f}-{high:.3f}), "
        f"with background {result['miou_with_background']:.3f}, overall accuracy {result['overall_accuracy']:.3f}, "
        f"kappa {result['kappa']:.3f}.",
        f"Area found against true: {kinds}. Largest error in one scene: {worst}.",
    ]
    return "\n".join(lines)


def keep(weights: Path, card: dict[str, Any], name: str, result: dict[str, Any]) -> None:
    """Write the figures (without those per scene) into the card of a checkpoint as ``metrics[name]``."""
    figures = {key: value for key, value in result.items() if key != "area_error_per_scene"}
    checkpoint.write_card(weights, {**card, "metrics": {**card["metrics"], name: figures}})


def main(arguments: Sequence[str] | None = None) -> int:
    """Command-line door; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m landdamage.learning.evaluate", description=__doc__)
    parser.add_argument("model", help="name of a shipped model, or the path of a .safetensors file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[9000, 9001, 9002], help="districts to simulate")
    parser.add_argument("--sentinel", action="store_true", help="judge on the validation scenes of tailings_s2 instead")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "cache", help="rendered scenes")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    parser.add_argument("--into-card", metavar="NAME", help="keep the figures in the model's card as metrics NAME")
    options = parser.parse_args(arguments)
    keep_freed_memory()
    path = Path(options.model) if options.model.endswith(".safetensors") else WEIGHTS / options.model
    network, card = load_network(path)
    if options.sentinel:
        scenes = sentinel.load_scenes(options.data / "tailings_s2")["val"]
    else:
        scenes = simulated.load_scenes(options.seeds, options.cache)
    result = evaluate(network, card, scenes)
    if options.into_card:
        source = "tailings_s2 val" if options.sentinel else f"districts {', '.join(map(str, options.seeds))}"
        keep(path, card, options.into_card, {"on": source, **result})
    sys.stdout.write(table(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
