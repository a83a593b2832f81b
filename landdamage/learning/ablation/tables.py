"""The two tables of the source paper from finished runs, with spread over seeds and paired differences."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from types import MappingProxyType
from typing import Any

import numpy as np

from landdamage.learning.ablation.experiments import NOTHING_SELECTED, Experiment, Sets
from landdamage.learning.ablation.runs import Result
from landdamage.learning.metrics import SCORES, Matrix, ScoreName, paired_difference
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally, false_of_absent, means, per_class

TITLES = MappingProxyType(
    {
        "fcn": "FCN",
        "unet": "U-Net",
        "unet-64": "U-Net (64)",
        "pspnet": "PSPNet",
        "dl": "DL",
        "cot-dl": "COT-DL",
        "se-dl": "SE-DL",
        "se-cot-dl": "SE-COT-DL",
    }
)
ABLATION = ("dl", "cot-dl", "se-dl", "se-cot-dl")
HEADINGS = MappingProxyType({"iou": "mIoU", "recall": "mRecall", "precision": "mPrecision", "dice": "mDice"})
PLAIN, OURS = "dl", "se-cot-dl"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All finished runs of one experiment.

    Attributes:
        experiment: which.
        folds: its scenes: one split, or those of a cross-validation.
        results: per network, one per seed in ascending order (folds pooled).
    """

    experiment: Experiment
    folds: Sequence[Sets]
    results: Mapping[str, Sequence[Result]]

    @property
    def name(self) -> str:
        """Of the files: the experiment, the folds, what the networks started from."""
        setting = next(iter(self.results.values()))[0].setting
        parts = [self.experiment.key, *([f"folds{len(self.folds)}"] if len(self.folds) > 1 else [])]
        parts += [setting.backbone] if setting.backbone else []
        parts += [f"from-{Path(setting.start).stem}"] if setting.start else []
        return "-".join(parts)

    @property
    def judged(self) -> list[Scene]:
        """Every scene that was judged."""
        return [scene for sets in self.folds for scene in sets.test]

    def matrices(self, network: str) -> dict[int, list[Matrix]]:
        """Per seed the confusion matrix of every region, regions in one order."""
        return {
            result.setting.seed: [result.regions[region].matrix for region in sorted(result.regions)]
            for result in self.results[network]
        }

    def values(self, network: str, figure: str) -> list[float]:
        """A mean score (a key of :func:`landdamage.learning.tally.means`) of every seed, where it is defined."""
        found = [means(self._total(result))[figure] for result in self.results[network]]
        return [value for value in found if value is not None]

    def difference(self, ours: str, theirs: str, score: ScoreName) -> tuple[float, float, float] | None:
        """Paired difference and its interval over the seeds both have; None if they share none."""
        a, b = self.matrices(ours), self.matrices(theirs)
        seeds = sorted(a.keys() & b.keys())
        return paired_difference([a[s] for s in seeds], [b[s] for s in seeds], score) if seeds else None

    def classes(self, network: str) -> dict[str, dict[str, Any]]:
        """Scores per class over all seeds pooled."""
        pooled = Tally.total((self._total(result) for result in self.results[network]), len(self.experiment.classes))
        return per_class(pooled, list(self.experiment.classes))

    def _total(self, result: Result) -> Tally:
        return Tally.total(result.regions.values(), len(self.experiment.classes))

    def summary(self) -> dict[str, Any]:
        """Everything the tables show, for JSON."""
        figures = [f"m{score}_foreground" for score in SCORES] + [f"m{score}_with_background" for score in SCORES]
        figures += ["overall_accuracy", "kappa", "boundary_f1", "polygon_accuracy"]
        networks = {}
        for network, results in self.results.items():
            networks[network] = {
                "seeds": [result.setting.seed for result in results],
                "runs": [result.setting.name for result in results],
                "parameters": results[0].facts["parameters"],
                "seconds_per_step": fmean(result.facts["seconds_per_step"] for result in results),
                "figures": {figure: _spread(self.values(network, figure)) for figure in figures},
                "per_class": self.classes(network),
                "false_pixels_of_absent_classes": false_of_absent(
                    Tally.total((self._total(r) for r in results), len(self.experiment.classes)),
                    list(self.experiment.classes),
                ),
            }
        pairs = {
            f"{ours} - {theirs}": {score: self.difference(ours, theirs, score) for score in SCORES}
            for ours, theirs in self.pairs()
        }
        return {
            "experiment": self.experiment.key,
            "title": self.experiment.title,
            "folds": len(self.folds),
            "train": _about(self.folds[0].train),
            "test": _about(self.judged),
            "networks": networks,
            "paired_differences": pairs,
        }

    def pairs(self) -> list[tuple[str, str]]:
        """What is compared: each addition with the plain network, and the whole with everything else."""
        have = [network for network in TITLES if network in self.results]
        pairs = [(network, PLAIN) for network in ABLATION[1:] if network in have and PLAIN in have]
        if OURS in have:
            pairs += [(OURS, network) for network in have if network not in (OURS, PLAIN)]
        return pairs


def _about(scenes: Sequence[Any]) -> dict[str, int]:
    return {"scenes": len(scenes), "regions": len({scene.group for scene in scenes})}


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {
        "mean": round(fmean(values), 4) if values else None,
        "sd": round(stdev(values), 4) if len(values) > 1 else None,
        "values": list(values),
    }


def markdown(comparison: Comparison, how: Mapping[str, str]) -> str:
    """The page: what was done, Table 4, Table 5, paired differences, classes, cost.

    Args:
        comparison: the runs.
        how: ``command``, ``machine``, ``time`` and whatever else tells how the figures came about.
    """
    experiment = comparison.experiment
    have = [network for network in TITLES if network in comparison.results]
    first = comparison.results[have[0]][0]
    budget = first.setting.budget
    seeds = sorted({result.setting.seed for results in comparison.results.values() for result in results})
    lines = [
        f"# {experiment.title}",
        "",
        experiment.about,
        "",
        f"{_scenes(comparison)} Every network: {budget.steps} steps of {budget.batch} tiles of "
        f"{budget.tile} pixels, the same tiles in the same order per seed, {_start(first)}, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. "
        f"{NOTHING_SELECTED} Scores come from one confusion matrix over all test pixels and are means over "
        "the foreground classes that occur in the truth, in percent, mean ± standard deviation over seeds.",
        "",
        *(f"* {name}: {value}" for name, value in how.items()),
        "",
    ]
    lines += _table("Table 4: what the two modules add", [n for n in ABLATION if n in have], comparison)
    lines += _table("Table 5: against other networks", have, comparison)
    lines += _differences(comparison)
    lines += _classes(comparison, have)
    lines += _cost(comparison, have)
    return "\n".join(lines) + "\n"


def _scenes(comparison: Comparison) -> str:
    test, count = _about(comparison.judged), len(comparison.folds)
    if count > 1:
        return (
            f"Cross-validation in {count} folds: {test['scenes']} scenes of {test['regions']} regions, each judged "
            "once, by a network that was trained on the regions of the other folds."
        )
    train = _about(comparison.folds[0].train)
    return (
        f"Trained on {train['scenes']} scenes of {train['regions']} regions, judged on {test['scenes']} scenes of "
        f"{test['regions']} other regions."
    )


def _start(result: Result) -> str:
    start, backbone = result.setting.start, result.setting.backbone
    encoder = f"encoder {backbone}, " if backbone else ""
    return f"{encoder}first weights from `{Path(start).name}`" if start else f"{encoder}random first weights"


def _percent(values: Sequence[float]) -> str:
    if not values:
        return "-"
    spread = f" ± {100 * stdev(values):.2f}" if len(values) > 1 else ""
    return f"{100 * fmean(values):.2f}{spread}"


def _table(title: str, networks: Sequence[str], comparison: Comparison) -> list[str]:
    if not networks:
        return []
    head = ["network", *HEADINGS.values(), "mIoU with background", "overall accuracy", "boundary F1", "polygons right"]
    rows = []
    for network in networks:
        figures = [f"m{score}_foreground" for score in SCORES]
        figures += ["miou_with_background", "overall_accuracy", "boundary_f1", "polygon_accuracy"]
        rows.append([TITLES[network], *(_percent(comparison.values(network, figure)) for figure in figures)])
    return [f"## {title}", "", *_rows(head, rows), ""]


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _differences(comparison: Comparison) -> list[str]:
    rows = []
    for ours, theirs in comparison.pairs():
        cells = []
        for score in SCORES:
            found = comparison.difference(ours, theirs, score)
            if found is None:
                cells.append("-")
                continue
            difference, low, high = (100 * value for value in found)
            cells.append(f"{difference:+.2f} ({low:+.2f} to {high:+.2f})")
        rows.append([f"{TITLES[ours]} - {TITLES[theirs]}", *cells])
    if not rows:
        return []
    return [
        "## Paired differences",
        "",
        "Points of percent, with the 95 % interval of seeds and regions drawn anew together. An interval that holds 0 "
        "is no difference shown.",
        "",
        *_rows(["difference", *HEADINGS.values()], rows),
        "",
    ]


def _classes(comparison: Comparison, networks: Sequence[str]) -> list[str]:
    found = {network: comparison.classes(network) for network in networks}
    names = [name for name in comparison.experiment.classes if name in found[networks[0]]]
    seeds = len(comparison.results[networks[0]])
    rows = []
    for name in names:
        cells = ["-" if (one := found[n].get(name)) is None else f"{100 * one['iou']:.2f}" for n in networks]
        rows.append([name.replace("_", " "), str(found[networks[0]][name]["truth_pixels"] // seeds), *cells])
    head = ["class", "truth pixels", *(TITLES[network] for network in networks)]
    absent = [name.replace("_", " ") for name in comparison.experiment.classes if name not in names]
    note = [f"Without test pixels, and in no mean: {', '.join(absent)}.", ""] if absent else []
    return ["## IoU per class, seeds pooled, percent", "", *_rows(head, rows), "", *note]


def _cost(comparison: Comparison, networks: Sequence[str]) -> list[str]:
    rows = []
    for network in networks:
        results = comparison.results[network]
        pace = fmean(result.facts["seconds_per_step"] for result in results)
        parameters = results[0].facts["parameters"]
        minutes = sum(result.facts["training_s"] for result in results) / 60
        rows.append([TITLES[network], f"{parameters / 1e6:.2f}", f"{pace:.2f}", f"{minutes:.1f}", str(len(results))])
    head = ["network", "parameters, M", "seconds per step", "minutes of training in all", "seeds"]
    return ["## Cost", "", *_rows(head, rows), ""]


def table_csv(comparison: Comparison) -> str:
    """One row per run with all its means."""
    rows: list[dict[str, Any]] = []
    for network, results in comparison.results.items():
        for result in results:
            total = Tally.total(result.regions.values(), len(comparison.experiment.classes))
            row = {"experiment": comparison.experiment.key, "network": network, "seed": result.setting.seed}
            budget = result.setting.budget
            row |= {"steps": budget.steps, "tile": budget.tile, "batch": budget.batch, **means(total)}
            rows.append(row | {name: result.facts[name] for name in ("parameters", "training_s", "seconds_per_step")})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(comparison: Comparison, folder: Path, how: Mapping[str, str]) -> list[Path]:
    """Write ``ablation-NAME.md``, ``.csv`` and ``.json``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"ablation-{comparison.name}"
    body = {"how": dict(how), **comparison.summary()}
    texts = {
        ".md": markdown(comparison, how),
        ".csv": table_csv(comparison),
        ".json": json.dumps(body, ensure_ascii=False, indent=1, default=_plain) + "\n",
    }
    for suffix, text in texts.items():
        base.with_suffix(suffix).write_text(text, "utf-8")
    return [base.with_suffix(suffix) for suffix in texts]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)
