"""The comparison at toy size: equal terms for every network, finished runs kept, stopped ones resumed, tables exact."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.ablation import cli, tables
from landdamage.learning.ablation.experiments import EXPERIMENTS, NATIVE, Experiment, Sets, in_folds
from landdamage.learning.ablation.panels import SIDE, choose_windows
from landdamage.learning.ablation.runs import Budget, Result, Setting, pooled, recipe_of, run_once, settings
from landdamage.learning.recipes import Folders
from landdamage.learning.run import make_batches
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally
from minegis.errors import JobCancelledError, TrainingError
from minegis.training.ranks import Ranks

BUDGET = Budget(steps=3, tile=32, batch=2)
CLASSES = ("rest", "pit", "dump")


def scene(name: str, seed: int) -> Scene:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 3, (4, 4)), np.ones((16, 16))).astype(np.uint8)
    labels[:4] = 255
    pixels = np.stack([(labels == k) * 100 + rng.integers(50, 80, labels.shape) for k in range(3)]).astype(np.uint8)
    return Scene(name, name, pixels, labels, np.ones(labels.shape, bool), Stretch.from_pixels(pixels), 2.0)


SETS = Sets([scene(f"train {k}", k) for k in range(3)], [scene(f"test {k}", 10 + k) for k in range(2)])


def toy(**changes: Any) -> Experiment:
    colours = ("#8C8C8C", "#D55E00", "#E69F00")
    toy = Experiment("T", "Toy squares", CLASSES, colours, ("B", "G", "R"), 2.0, lambda *_: SETS, NATIVE, "Squares.")
    return dataclasses.replace(toy, **changes)


def test_a_comparison_writes_its_tables_and_keeps_its_runs(tmp_path: Path) -> None:
    experiment, runs, work = toy(), tmp_path / "runs", tmp_path / "work"
    wanted = settings(experiment, SETS, ["dl", "se-dl"], 2, BUDGET)
    assert [(s.seed, s.network) for s in wanted] == [(1, "dl"), (1, "se-dl"), (2, "dl"), (2, "se-dl")]
    comparison = cli.compare(experiment, [(SETS, wanted)], runs, work, Ranks())
    paths = cli.write(comparison, tmp_path, {"command": "`x`", "machine": "m", "time": "1 h"})
    assert [p.name for p in paths] == [f"ablation-T.{suffix}" for suffix in ("md", "csv", "json", "png")]
    text = paths[0].read_text("utf-8")
    for part in ("## Table 4", "## Table 5", "| SE-DL - DL |", "3 steps of 2 tiles of 32", "* command: `x`", " ± "):
        assert part in text
    rows = list(csv.DictReader(paths[1].read_text("utf-8").splitlines()))
    assert [(row["network"], row["seed"]) for row in rows] == [("dl", "1"), ("dl", "2"), ("se-dl", "1"), ("se-dl", "2")]
    body = json.loads(paths[2].read_text("utf-8"))
    assert body["networks"]["dl"]["seeds"] == [1, 2]
    assert body["test"] == {"scenes": 2, "regions": 2}
    assert body["networks"]["se-dl"]["parameters"] > body["networks"]["dl"]["parameters"]
    with Image.open(paths[3]) as picture:
        assert picture.width > 4 * SIDE  # image, label, two networks
        assert picture.height > 2 * SIDE
    assert not any(work.iterdir())
    stamps = {file: file.stat().st_mtime_ns for file in runs.iterdir()}
    assert len(stamps) == 2 * 4
    again = cli.compare(experiment, [(SETS, wanted)], runs, work, Ranks())
    assert {file: file.stat().st_mtime_ns for file in runs.iterdir()} == stamps
    assert tables.markdown(again, {}) == tables.markdown(comparison, {})


def test_a_stopped_run_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    (setting,) = settings(toy(), SETS, ["dl"], 1, BUDGET)
    whole = run_once(toy(), SETS, setting, tmp_path / "a", tmp_path / "work a", Ranks())
    arguments = (toy(), SETS, setting, tmp_path / "b", tmp_path / "work b", Ranks())
    with pytest.raises(JobCancelledError):
        run_once(*arguments, should_stop=lambda: True)
    assert Result.load(tmp_path / "b", setting) is None
    parts = run_once(*arguments)
    assert {k: t.as_dict() for k, t in parts.regions.items()} == {k: t.as_dict() for k, t in whole.regions.items()}
    assert all((a == b).all() for a, b in zip(parts.panels, whole.panels, strict=True))
    kept = Result.load(tmp_path / "b", setting)
    assert kept is not None
    assert (kept.facts, kept.setting) == (parts.facts, setting)


def test_folds_judge_every_scene_once_and_divide_no_group(tmp_path: Path) -> None:
    scenes = [dataclasses.replace(scene(f"s{k}", k), group=f"g{k // 2}") for k in range(6)]
    folds = in_folds(Sets(scenes[:4], scenes[4:]), 3, len(CLASSES))
    assert sorted(s.name for fold in folds for s in fold.test) == [s.name for s in scenes]
    for fold in folds:
        assert not {s.group for s in fold.train} & {s.group for s in fold.test}
        assert len(fold.train) + len(fold.test) == 6
    wanted = [(fold, settings(toy(), fold, ["dl"], 1, BUDGET)) for fold in folds]
    comparison = cli.compare(toy(), wanted, tmp_path / "runs", tmp_path / "work", Ranks())
    (only,) = comparison.results["dl"]
    assert sorted(only.regions) == ["g0", "g1", "g2"]
    labelled = sum(int((np.asarray(s.labels) != 255).sum()) for s in scenes)
    assert sum(int(tally.matrix.sum()) for tally in only.regions.values()) == labelled
    paths = cli.write(comparison, tmp_path, {})
    assert paths[0].name == "ablation-T-folds3.md"
    assert "Cross-validation in 3 folds: 6 scenes of 3 regions" in paths[0].read_text("utf-8")
    with pytest.raises(ValueError, match="two folds"):
        pooled([only, only])


def test_first_weights_are_those_asked_for(tmp_path: Path) -> None:
    shipped = recipe_of(toy(), Setting("T", "se-cot-dl", 1, BUDGET, "data", "mobilenetv2", "se-cot-dl-mnv2-2m"))
    assert (shipped.start_from, shipped.encoder_weights) == ("se-cot-dl-mnv2-2m", None)
    file = recipe_of(toy(), Setting("T", "se-cot-dl", 1, BUDGET, "data", "squeezenet", str(tmp_path / "x.pth")))
    assert (file.start_from, file.encoder_weights) == (None, str(tmp_path / "x.pth"))


def test_whatever_changes_a_result_changes_its_name() -> None:
    base = Setting("T", "dl", 1, BUDGET, "data")
    others = [
        dataclasses.replace(base, **change)
        for change in (
            {"experiment": "U"},
            {"network": "se-dl"},
            {"seed": 2},
            {"budget": Budget(4, 32, 2)},
            {"budget": Budget(3, 64, 2)},
            {"budget": Budget(3, 32, 4)},
            {"data": "other"},
            {"backbone": "resnet50"},
            {"start": "se-cot-dl-mnv2-2m"},
        )
    ]
    assert len({base.name, *(other.name for other in others)}) == 10
    assert base.name == Setting("T", "dl", 1, Budget(3, 32, 2), "data").name


def test_every_network_of_a_seed_sees_the_same_tiles() -> None:
    def batch(network: str, seed: int, step: int) -> torch.Tensor:
        recipe = recipe_of(toy(), Setting("T", network, seed, BUDGET, "data"))
        return make_batches(recipe, SETS.train, Ranks())(step, 0.0)[0]

    assert torch.equal(batch("dl", 1, 2), batch("unet", 1, 2))
    assert not torch.equal(batch("dl", 1, 2), batch("dl", 2, 2))


def result(network: str, seed: int, *matrices: list[list[int]]) -> Result:
    regions = {
        f"region {k}": Tally(np.array(m), np.zeros((3, 4), np.int64), np.zeros((3, 2), np.int64))
        for k, m in enumerate(matrices)
    }
    facts = {"parameters": 2_500_000, "training_s": 60.0, "judging_s": 6.0, "seconds_per_step": 0.5}
    code = {"minegis": "1", "torch": "2"}
    return Result(Setting("T", network, seed, BUDGET, "data"), regions, {**facts, "machine": "m", "code": code}, [])


def comparison() -> tables.Comparison:
    """DL: IoU of the pit 50 % and 60 %; SE-COT-DL: 70 % and 80 %; the dump has no truth, background is all right."""

    def run(network: str, seed: int, right: int) -> Result:
        return result(
            network, seed, [[100, 0, 0], [100 - right, right, 0], [0, 0, 0]], [[50, 0, 0], [0, 0, 0], [0, 0, 0]]
        )

    results = {
        "se-cot-dl": [run("se-cot-dl", 1, 70), run("se-cot-dl", 2, 80)],
        "dl": [run("dl", 1, 50), run("dl", 2, 60)],
        "fcn": [run("fcn", 1, 10)],
    }
    return tables.Comparison(toy(), [SETS], results)


def test_figures_of_the_tables_are_exact() -> None:
    text = tables.markdown(comparison(), {})
    fourth = text[text.index("## Table 4") : text.index("## Table 5")].splitlines()
    assert fourth[2].startswith("| network | mIoU | mRecall | mPrecision | mDice |")
    assert fourth[4].startswith("| DL | 55.00 ± 7.07 | 55.00 ± 7.07 | 100.00 ± 0.00 | 70.83 ± 5.89 |")
    assert fourth[5].startswith("| SE-COT-DL | 75.00 ± 7.07 |")
    fifth = text[text.index("## Table 5") : text.index("## Paired")].splitlines()
    assert [row.split(" | ")[0] for row in fifth[4:7]] == ["| FCN", "| DL", "| SE-COT-DL"]
    assert fifth[4].startswith("| FCN | 10.00 |")  # one seed has no spread
    assert "| SE-COT-DL - DL | +20.00 (" in text
    assert "| SE-COT-DL - FCN | +60.00 (" in text  # over the one seed both have
    assert "Without test pixels, and in no mean: dump." in text
    assert "| FCN | 2.50 | 0.50 | 1.0 | 1 |" in text


def test_a_region_without_foreground_does_not_break_the_intervals() -> None:
    difference = comparison().difference("se-cot-dl", "dl", "iou")
    assert difference is not None
    found, low, high = difference
    assert found == pytest.approx(0.2)
    assert low <= found <= high


def test_windows_shown_are_those_with_most_classes_of_other_regions() -> None:
    windows = choose_windows(SETS.test, 32)
    assert windows == choose_windows(SETS.test, 32)
    assert len(windows) == 4
    assert {window.scene for window in windows[:2]} == {"test 0", "test 1"}
    for window in windows:
        one = next(s for s in SETS.test if s.name == window.scene)
        assert one.labels[window.where].shape == (32, 32)
    (large,) = choose_windows(SETS.test[:1], 500)
    assert large.side == 64


def test_ground_in_both_sets_is_refused(tmp_path: Path) -> None:
    leaky = toy(load=lambda *_: Sets(SETS.train, SETS.train[:1]))
    with pytest.raises(ValueError, match="both sets"):
        leaky.sets(Folders(tmp_path, tmp_path))


@pytest.mark.parametrize("key", ["A", "A7", "B"])
def test_absent_material_is_named(tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingError, match="E-TRN-09"):
        EXPERIMENTS[key].sets(Folders(tmp_path, tmp_path))
    places = ["--data", str(tmp_path), "-o", str(tmp_path), "--cache", str(tmp_path)]
    assert cli.main(["--experiments", key, "--lang", "en", *places]) == 2
    assert "E-TRN-09" in capsys.readouterr().err


@pytest.mark.data
def test_tailings_are_set_against_the_rest(shared_data: Path, tmp_path: Path) -> None:
    experiment = EXPERIMENTS["A"]
    sets = experiment.sets(Folders(tmp_path, shared_data / "land"))
    for scenes in (sets.train, sets.test):
        seen = set(np.unique(np.concatenate([np.asarray(s.labels)[::3, ::3].ravel() for s in scenes])))
        assert seen == {0, 1}
        assert all(s.pixels.shape[0] == len(experiment.bands) for s in scenes)


def test_the_command_lists_what_it_compares(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    for experiment in EXPERIMENTS.values():
        assert experiment.title in shown
