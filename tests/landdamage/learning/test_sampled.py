"""Training on a sample set: from the folder to weights that read its test set, alone and by two processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from landdamage.interpretation import ModelCard, load_engine
from landdamage.learning import evaluate, train
from landdamage.learning.choices import Choices
from landdamage.learning.recipes import Folders
from landdamage.learning.sampled import recipe_for, scenes_of
from landdamage.learning.samples.load import load_scenes
from landdamage.learning.samples.sampleset import SampleSet
from minegis.errors import SampleSetError, TrainingError
from minegis.training import checkpoint
from minegis.training.journal import curves

ROOT = Path(__file__).resolve().parents[3]
SHORT = ("--network", "dl", "--steps", "2", "--batch", "2", "--device", "cpu")


def command(samples: Path, folder: Path, *more: str) -> list[str]:
    return [
        "--samples",
        str(samples),
        *SHORT,
        "-o",
        str(folder),
        "--cache",
        str(folder / "cache"),
        "--lang",
        "en",
        *more,
    ]


def test_a_recipe_takes_what_the_set_says(mines_set: SampleSet) -> None:
    recipe = recipe_for(mines_set.folder, Choices(network="unet", seed=7, tile=32, encoder_weights="imagenet"))
    assert recipe.model == "unet-mobilenetv2-第一批"
    assert recipe.bands == ("B", "G", "R", "N")
    assert recipe.optional_bands == ("N",)
    assert recipe.sampling.droppable == (3,)
    assert not recipe.sampling.turn  # at 2 m shadows tell pits from dumps
    assert recipe.sampling.copy_paste is not None  # the set has ponds
    assert (recipe.tile, recipe.seed, recipe.data_sha256) == (32, 7, mines_set.sha256)
    assert recipe.learning_rate < recipe_for(mines_set.folder, Choices()).learning_rate
    json.dumps(recipe.as_dict())
    train_scenes, validation = recipe.load(Folders(Path(), Path()))
    assert not {s.group for s in train_scenes} & {s.group for s in validation}


def test_some_bands_in_another_order(mines_set: SampleSet) -> None:
    recipe = recipe_for(mines_set.folder, Choices(bands=("R", "G", "B")))
    assert (recipe.bands, recipe.optional_bands, recipe.sampling.droppable) == (("R", "G", "B"), (), ())
    all_bands = load_scenes(mines_set.folder, "train")[0]
    three = scenes_of(mines_set.folder, "train", ("R", "G", "B"))[0]
    assert three.pixels.shape == (3, 48, 48)
    assert np.array_equal(np.asarray(three.pixels), np.asarray(all_bands.pixels)[[2, 1, 0]])
    assert np.array_equal(three.pixels[:, 3:9, 5], np.asarray(three.pixels)[:, 3:9, 5])
    assert np.allclose(three.network_input(), all_bands.network_input()[[2, 1, 0]])


@pytest.mark.parametrize(
    "choices",
    [Choices(bands=("B", "X")), Choices(bands=("B", "B", "G")), Choices(fold="fold1")],
    ids=["X", "B", "fold"],
)
def test_what_the_set_does_not_have_is_named(mines_set: SampleSet, choices: Choices) -> None:
    with pytest.raises(SampleSetError, match="E-SET-24"):
        recipe_for(mines_set.folder, choices)


def test_a_folder_that_is_no_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(command(tmp_path, tmp_path)) == 2
    assert "E-SET-16" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--batch", "1"), "E-TRN-12"),
        (("--network", "unet-64", "--backbone", "resnet50"), "E-TRN-11"),
        (("--bands", "b,g"), "E-TRN-11"),
    ],
)
def test_impossible_choices_end_in_a_code(
    mines_set: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: str
) -> None:
    assert train.main(command(mines_set.folder, tmp_path, *more)) == 2
    assert code in capsys.readouterr().err


def test_a_recipe_takes_no_choices_of_a_sample_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--recipe", "10m", "--network", "dl", "--tile", "64", "--lang", "en"]) == 2
    shown = capsys.readouterr().err
    assert "E-TRN-13" in shown
    assert "--network, --tile" in shown


def test_from_the_folder_to_scores_on_its_test_set(
    mines_set: SampleSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main(command(mines_set.folder, tmp_path)) == 0
    weights = Path(capsys.readouterr().out.strip())
    assert weights == tmp_path / "dl-mobilenetv2-第一批.safetensors"
    load_engine(ModelCard.read(weights.with_suffix(".json")), "cpu")
    card = checkpoint.load_card(weights)
    assert card["data"]["train"]["sha256"] == mines_set.sha256
    assert card["recipe"]["sampling"]["warp"]["degrees"] == 45
    assert (tmp_path / "cache" / weights.stem / "tensorboard").is_dir()
    options = [str(weights), "--samples", str(mines_set.folder), "--set", "test", "--into-card", "test", "--calibrate"]
    assert evaluate.main([*options, "--lang", "en"]) == 0
    assert "Foreground mIoU" in capsys.readouterr().out
    judged = checkpoint.load_card(weights)
    assert judged["metrics"]["test"]["on"] == f"test of sample set {mines_set.folder.name}"
    assert judged["metrics"]["test"]["confidence"]["nll"] > 0
    assert judged["weights_sha256"] == card["weights_sha256"]


def test_two_processes_train_on_a_sample_set(mines_set: SampleSet, tmp_path: Path) -> None:
    starter = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = ["-m", "landdamage.learning.train", *command(mines_set.folder, tmp_path)]
    done = subprocess.run([*starter, *arguments], cwd=ROOT, check=False, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    (weights,) = done.stdout.split()  # one process tells
    assert checkpoint.load_card(Path(weights))["training"]["processes"] == 2
    assert [step for step, _ in curves(tmp_path / "cache" / Path(weights).stem)["loss"]] == [1, 2]


def test_empty_sets_are_named(mines_set: SampleSet, tmp_path: Path) -> None:
    body = json.loads((mines_set.folder / "index.json").read_text("utf-8"))
    body["tiles"] = [tile for tile in body["tiles"] if tile["set"] != "val"]
    (tmp_path / "index.json").write_text(json.dumps(body), "utf-8")
    with pytest.raises(SampleSetError, match="E-SET-16"):  # the hash in the index tells
        recipe_for(tmp_path, Choices())
    empty = SampleSet(
        tmp_path,
        "empty",
        "labels",
        mines_set.params,
        mines_set.images,
        tuple(t for t in mines_set.tiles if t.set != "val"),
    )
    empty.save()
    with pytest.raises(TrainingError, match="E-TRN-10"):
        recipe_for(tmp_path, Choices()).load(Folders(tmp_path, tmp_path))
