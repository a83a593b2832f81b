"""One network trained and judged once; a finished run lies in a folder as JSON and is never computed again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from landdamage.learning.ablation.experiments import Experiment, Sets
from landdamage.learning.ablation.panels import Window, choose_windows
from landdamage.learning.judge import judge
from landdamage.learning.recipes import Folders, Recipe, Stage
from landdamage.learning.run import WEIGHTS, make_batches, make_loss, make_network
from landdamage.learning.scenes import Scene, fingerprint
from landdamage.learning.tally import Tally
from minegis.training.ranks import Ranks
from minegis.training.trainer import Plan, Trainer
from minegis.version import code_version

LEARNING_RATE = 1e-3
CLASS_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Budget:
    """What every network gets: tiles of ``tile`` pixels, ``batch`` of them a step, ``steps`` steps."""

    steps: int
    tile: int
    batch: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One run.

    Attributes:
        experiment: key of the experiment.
        network: name in :data:`landdamage.networks.NETWORKS`.
        seed: of weights, tiles and dropout.
        budget: steps, tile, batch.
        data: SHA-256 of the scenes trained and judged on.
        backbone: encoder; None is the network's own default.
        start: name of a shipped model whose weights are the first ones, or path of encoder weights; None is random.
    """

    experiment: str
    network: str
    seed: int
    budget: Budget
    data: str
    backbone: str | None = None
    start: str | None = None

    @property
    def name(self) -> str:
        """Unique for everything that changes the result."""
        told = asdict(self)
        if self.start is None:
            del told["start"]  # runs from before there was a choice keep their names
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        return f"{self.experiment}-{self.network}-s{self.seed}-{digest[:8]}"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found.

    Attributes:
        setting: of the run.
        regions: counts per region of the test scenes.
        facts: parameters, seconds, machine, code.
        panels: predicted classes in the windows shown, (side, side) uint8.
    """

    setting: Setting
    regions: dict[str, Tally]
    facts: dict[str, Any]
    panels: list[NDArray[np.uint8]]

    def save(self, folder: Path) -> None:
        """Write ``NAME.npz`` (panels) and then ``NAME.json``, whose appearance makes the run finished."""
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / f"{self.setting.name}.npz", *self.panels)
        body = {
            "setting": asdict(self.setting),
            "facts": self.facts,
            "regions": {region: tally.as_dict() for region, tally in self.regions.items()},
        }
        file = folder / f"{self.setting.name}.json"
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(body, separators=(",", ":")) + "\n", "utf-8")
        partial.replace(file)

    @classmethod
    def load(cls, folder: Path, setting: Setting) -> Result | None:
        """A finished run; None if there is none."""
        file = folder / f"{setting.name}.json"
        if not file.exists():
            return None
        body = json.loads(file.read_text("utf-8"))
        with np.load(folder / f"{setting.name}.npz") as panels:
            shown = [panels[name] for name in panels.files]
        regions = {region: Tally.from_dict(tally) for region, tally in body["regions"].items()}
        return cls(setting, regions, body["facts"], shown)


def data_of(sets: Sets) -> str:
    """SHA-256 of all scenes of an experiment."""
    return hashlib.sha256(f"{fingerprint(sets.train)} {fingerprint(sets.test)}".encode()).hexdigest()


def run_once(
    experiment: Experiment,
    sets: Sets,
    setting: Setting,
    folder: Path,
    work: Path,
    ranks: Ranks,
    should_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """The result of a setting: read from ``folder`` if it is finished, else trained or resumed in ``work`` and judged.

    The weights are the averaged ones after the last step: no network gets the better of several states.

    Raises:
        TrainingError: out of memory, or diverged.
        JobCancelledError: ``should_stop`` said so; the same call goes on from there.
    """
    if (finished := Result.load(folder, setting)) is not None:
        return finished
    recipe = recipe_of(experiment, setting)
    own = work / setting.name
    model, _ = make_network(recipe, ranks.device)
    trainer = Trainer(
        model,
        make_loss(recipe, sets.train, ranks.device, lambda: trainer.progress),
        make_batches(recipe, sets.train, ranks),
        Plan(setting.budget.steps, recipe.learning_rate, seed=setting.seed, events=False),
        own,
        identity=setting.name,
        ranks=ranks,
        should_stop=should_stop,
    )
    trainer.resume()
    trainer.run()
    began = time.monotonic()
    windows = choose_windows(sets.test, setting.budget.tile)
    panels: dict[Window, NDArray[np.uint8]] = {}

    def each(scene: Scene, prediction: NDArray[np.uint8], tally: Tally) -> None:
        panels.update({window: prediction[window.where] for window in windows if window.scene == scene.name})

    found = judge(trainer.ema, sets.test, setting.budget.tile, experiment.classes, each=each)
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "training_s": round(trainer.elapsed, 1),
        "seconds_per_step": round(trainer.elapsed / max(trainer.step, 1), 4),
        "judging_s": round(time.monotonic() - began, 1),
        "machine": machine(ranks.device),
        "code": {"minegis": code_version(), "torch": torch.__version__},
    }
    result = Result(setting, found.regions, facts, [panels[window] for window in windows])
    result.save(folder)
    shutil.rmtree(own, ignore_errors=True)
    return result


def recipe_of(experiment: Experiment, setting: Setting) -> Recipe:
    """The recipe every network of an experiment is trained by."""

    def load(folders: Folders) -> tuple[list[Scene], list[Scene]]:
        sets = experiment.sets(folders)
        return sets.train, sets.test

    budget = setting.budget
    shipped = setting.start is not None and (WEIGHTS / f"{setting.start}.safetensors").exists()
    return Recipe(
        model=setting.name,
        bands=experiment.bands,
        gsd_m=experiment.gsd_m,
        gsd_range_m=(experiment.gsd_m, experiment.gsd_m),
        load=load,
        sampling=experiment.sampling,
        stages=(Stage(1.0, budget.tile, budget.batch),),
        steps=budget.steps,
        trained_on=experiment.title,
        limits=experiment.about,
        network=setting.network,
        backbone=setting.backbone,
        classes=experiment.classes,
        learning_rate=LEARNING_RATE,
        weighted_loss=True,
        by_class=CLASS_SHARE,
        start_from=setting.start if shipped else None,
        encoder_weights=None if shipped else setting.start,
        seed=setting.seed,
    )


def machine(device: torch.device) -> str:
    """What computed, in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"


def settings(
    experiment: Experiment,
    sets: Sets,
    networks: Sequence[str],
    seeds: int,
    budget: Budget,
    backbone: str | None = None,
    start: str | None = None,
) -> list[Setting]:
    """All runs of an experiment, seed by seed, so that a stopped comparison has whole seeds first."""
    data = data_of(sets)
    return [
        Setting(experiment.key, network, seed, budget, data, backbone, start)
        for seed in range(1, seeds + 1)
        for network in networks
    ]


def pooled(results: Sequence[Result]) -> Result:
    """One result of the folds of a cross-validation: every region as the fold that judged it found it.

    Raises:
        ValueError: a region was judged twice.
    """
    first = results[0]
    if len(results) == 1:
        return first
    regions = {region: tally for result in results for region, tally in result.regions.items()}
    if len(regions) != sum(len(result.regions) for result in results):
        raise ValueError("a region was judged in two folds")

    def together(words: Iterable[str]) -> str:
        return "; ".join(sorted(set(words)))

    facts = first.facts | {
        "training_s": sum(result.facts["training_s"] for result in results),
        "judging_s": sum(result.facts["judging_s"] for result in results),
        "seconds_per_step": fmean(result.facts["seconds_per_step"] for result in results),
        "machine": together(result.facts["machine"] for result in results),
        "code": {key: together(result.facts["code"][key] for result in results) for key in first.facts["code"]},
    }
    return Result(first.setting, regions, facts, first.panels)
