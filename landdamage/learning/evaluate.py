"""Judge a model on districts it never saw: ``python -m landdamage.learning.evaluate se-cot-dl-mnv2-2m``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from landdamage.learning import sentinel, simulated
from landdamage.learning.calibration import quality
from landdamage.learning.judge import judge
from landdamage.learning.metrics import SCORES, Matrix, ScoreName, bootstrap_interval
from landdamage.learning.predict import predict_scene
from landdamage.learning.recipes import RECIPES, Folders
from landdamage.learning.run import ROOT, WEIGHTS, load_validation
from landdamage.learning.sampled import scenes_of
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally
from landdamage.learning.terminal import add_language, reporting
from landdamage.learning.train import default_data
from landdamage.networks import build
from landdamage.taxonomy import BY_CODE, CLASSES, DAMAGE_KINDS, IGNORE, damage_kind
from minegis.errors import TrainingError
from minegis.training import checkpoint
from minegis.training.memory import keep_freed_memory
from minegis.windows import OVERLAP


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
    """Scores and quality of the confidences over all scenes together, area errors over all and per scene, intervals.

    The intervals come of drawing whole regions (groups) anew.
    """
    per_scene = {}

    def each(scene: Scene, prediction: NDArray[np.uint8], tally: Tally) -> None:
        per_scene[scene.name] = area_errors(tally.matrix)

    found = judge(network, scenes, **reading(card), sampled=True, each=each)
    matrices = [tally.matrix for tally in found.regions.values()]
    assert found.sample is not None
    total = found.total.matrix
    return {
        **found.metrics(),
        **{f"m{score}_foreground_95": _interval(matrices, score) for score in SCORES},
        "confidence": quality(found.sample.probabilities(card["temperature"]), found.sample.labels, found.names),
        "area_error": area_errors(total),
        "area_error_per_scene": per_scene,
        "area_error_per_class": {
            c.code: round(float(total[:, c.id].sum()) / int(total[c.id].sum()) - 1, 4)
            for c in CLASSES
            if total[c.id].sum()
        },
    }


def tailings_on_masks(network: nn.Module, card: dict[str, Any], scenes: Sequence[Scene]) -> dict[str, float]:
    """Scores of tailings ponds against everything else, where the labels tell no more: IoU, recall, precision.

    Args:
        network: of classes as the taxonomy numbers them.
        card: of the network.
        scenes: labelled 1 for tailings, 0 for the rest.
    """
    ponds = BY_CODE["tailings_pond"].id
    how = reading(card)
    counts = np.zeros((2, 2), np.int64)
    for scene in scenes:
        found = predict_scene(network, scene, how["tile"], min(OVERLAP, how["tile"] // 4), mirrored=how["mirrored"])
        seen = np.asarray(scene.valid) & (scene.labels != IGNORE)
        counts += np.bincount(scene.labels[seen] * 2 + (found[seen] == ponds), minlength=4).reshape(2, 2)
    (_, false), (missed, right) = counts.tolist()
    return {
        "iou": round(right / max(right + missed + false, 1), 4),
        "recall": round(right / max(right + missed, 1), 4),
        "precision": round(right / max(right + false, 1), 4),
    }


def _interval(matrices: Sequence[Matrix], score: ScoreName) -> list[float]:
    return [round(bound, 4) for bound in bootstrap_interval(matrices, score)]


def reading(card: dict[str, Any]) -> dict[str, Any]:
    """How a card's scenes are read: windows, mirror images, classes."""
    return {
        "tile": card.get("window", card["tile"]),
        "mirrored": card.get("mirrored", False),
        "names": [c.code for c in CLASSES],
    }


def table(result: dict[str, Any]) -> str:
    """The result as a Markdown table, one row per class, with the means and the area errors below."""
    lines = [
        "| class | IoU | recall | precision | boundary F1 | polygons right | area error | truth pixels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for code, row in result["per_class"].items():
        error = result["area_error_per_class"][code]
        lines.append(
            f"| {code} | {row['iou']:.3f} | {row['recall']:.3f} | {row['precision']:.3f} "
            f"| {_figure(row['boundary_f1'])} | {_figure(row['polygon_accuracy'])} of {row['polygons']} "
            f"| {error:+.1%} | {row['truth_pixels']} |"
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
        f"Over the foreground: recall {result['mrecall_foreground']:.3f}, precision "
        f"{result['mprecision_foreground']:.3f}, Dice {result['mdice_foreground']:.3f}, boundary F1 (3 px) "
        f"{_figure(result['boundary_f1'])}, polygons right {_figure(result['polygon_accuracy'])}.",
        f"Confidence: ECE {result['confidence']['ece']:.3f}, of the foreground "
        f"{_figure(result['confidence']['ece_foreground'])}, NLL {result['confidence']['nll']:.3f}, "
        f"Brier {result['confidence']['brier']:.3f}.",
        f"Area found against true: {kinds}. Largest error in one scene: {worst}.",
    ]
    if masks := result.get("tailings_on_masks"):
        scores = ", ".join(f"{name} {value:.3f}" for name, value in masks.items())
        lines.append(f"Tailings against everything else, by masks of tailings alone: {scores}.")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def recalibrate(weights: Path, card: dict[str, Any], network: nn.Module, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Fit the temperature anew on scenes the network was not trained on; writes and returns the card."""
    found = judge(network, scenes, **reading(card), sampled=True).calibration()
    written = {**card, "temperature": found["temperature"], "calibration": found}
    checkpoint.write_card(weights, written)
    return written


def keep(weights: Path, card: dict[str, Any], name: str, result: dict[str, Any]) -> None:
    """Write the figures (without those per scene) into the card of a checkpoint as ``metrics[name]``."""
    figures = {key: value for key, value in result.items() if key != "area_error_per_scene"}
    checkpoint.write_card(weights, {**card, "metrics": {**card["metrics"], name: figures}})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 after a coded error."""
    parser = argparse.ArgumentParser(prog="python -m landdamage.learning.evaluate", description=__doc__)
    parser.add_argument("model", help="name of a shipped model, or the path of a .safetensors file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[9000, 9001, 9002], help="districts to simulate")
    parser.add_argument("--samples", type=Path, metavar="FOLDER", help="judge on a sample set instead")
    parser.add_argument("--set", default="test", help="of the sample set (test)")
    parser.add_argument("--sentinel", action="store_true", help="judge on the validation scenes of tailings_s2 instead")
    parser.add_argument("--cache", type=Path, default=ROOT / "var" / "cache", help="rendered scenes")
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the public land material")
    parser.add_argument(
        "--calibrate", action="store_true", help="first fit the card's temperature on the model's validation scenes"
    )
    parser.add_argument("--into-card", metavar="NAME", help="keep the figures in the model's card as metrics NAME")
    add_language(parser)
    options = parser.parse_args(arguments)
    keep_freed_memory()
    with reporting(options.lang) as outcome:
        _run(options)
    return outcome.status


def _run(options: argparse.Namespace) -> None:
    path = Path(options.model) if options.model.endswith(".safetensors") else WEIGHTS / options.model
    network, card = load_network(path)
    if options.calibrate:
        card = recalibrate(path, card, network, _validation(options, card))
    if options.samples:
        scenes = scenes_of(options.samples, options.set, card["bands"])
    elif options.sentinel:
        scenes = sentinel.load_scenes(options.data / "tailings_s2")["val"]
    else:
        scenes = simulated.load_scenes(options.seeds, options.cache)
    result = evaluate(network, card, scenes)
    if options.sentinel:
        masks = sentinel.load_scenes(options.data / "tailings_s2", "masks_union")["val"]
        result["tailings_on_masks"] = tailings_on_masks(network, card, masks)
    if options.into_card:
        keep(path, card, options.into_card, {"on": _source(options), **result})
    sys.stdout.write(table(result) + "\n")


def _validation(options: argparse.Namespace, card: dict[str, Any]) -> list[Scene]:
    """What the model was validated on: of the sample set, else of the recipe of its name."""
    if options.samples:
        return scenes_of(options.samples, "val", card["bands"])
    return validation_scenes(card["name"], options.cache, options.data)


def validation_scenes(model: str, cache: Path, data: Path) -> list[Scene]:
    """What a shipped model is validated on.

    Raises:
        TrainingError: E-TRN-09 no recipe has this name, or its data is absent.
    """
    recipe = next((recipe for recipe in RECIPES.values() if recipe.model == model), None)
    if recipe is None:
        raise TrainingError("E-TRN-09", value=model)
    return load_validation(recipe, Folders(cache, data))


def _source(options: argparse.Namespace) -> str:
    if options.samples:
        return f"{options.set} of sample set {options.samples.name}"
    return "tailings_s2 val" if options.sentinel else f"districts {', '.join(map(str, options.seeds))}"


if __name__ == "__main__":
    sys.exit(main())
