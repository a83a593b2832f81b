"""Losses, batches that depend on their step alone, what is held back, and a short training that stops and goes on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from enhancement.haze_simulation import mining_scene
from enhancement.lednet import sets
from enhancement.lednet.apply import Enhancer
from enhancement.lednet.losses import SQUEEZE_STAGES, LEDNetLoss, Spectrum, perceptual
from enhancement.lednet.network import LEDNet
from enhancement.lednet.pairs import Mixture, PairSource
from enhancement.lednet.recipes import RECIPES, Stage
from enhancement.lednet.train import VARIANTS, Run, identity, judge, main, validation_pairs
from enhancement.lpips import BACKBONES
from minegis.errors import EnhancementError, JobCancelledError, TrainingError
from minegis.training import checkpoint


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The layout of the public material, with pictures of our own."""
    folder = tmp_path_factory.mktemp("material")

    def put(path, seed, darker=1.0):
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = mining_scene(seed, height=80, width=90) * darker
        Image.fromarray((picture[:, :, ::-1] * 255).astype(np.uint8)).save(path)

    for k in range(12):
        put(folder / "sharp" / "urban100" / f"img_{k:03d}.png", k)
    put(folder / "sharp" / "bsds500" / "train" / "a.png", 50)
    for name in ("16", "116", "160", "184", "187"):
        put(folder / "real_low_light_pairs" / "high" / f"{name}.png", int(name))
        put(folder / "real_low_light_pairs" / "low" / f"{name}.png", int(name), 0.1)
    return folder


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["t"], stages=(Stage(0.5, 24, 2), Stage(1.0, 32, 2)), steps=4, report_every=2, perceptual="fft-gradient"
    )


def test_parts_share_no_picture_and_no_scene(data):
    parts = sets.split(data)
    names = {part: {f"{c}/{n}" for c, found in s.names().items() for n in found} for part, s in parts.items()}
    assert not names["train"] & names["test"]
    assert not names["train"] & names["validation"]
    assert not names["validation"] & names["test"]
    assert names["test"] >= {"urban100/img_000", "real/184", "real/187"}
    assert "real/160" in names["validation"]
    assert "real/16" in names["train"]
    assert len({part.sha256() for part in parts.values()}) == 3
    with pytest.raises(TrainingError) as absent:
        sets.split(data / "nothing")
    assert absent.value.code == "E-TRN-09"


def test_a_batch_is_a_function_of_its_seed(data):
    source = PairSource.of(sets.split(data)["train"], Mixture(real=0.3))
    dark, label = source.batch((0, 1, 7), 4, 32)
    again, _ = source.batch((0, 1, 7), 4, 32)
    other, _ = source.batch((0, 1, 8), 4, 32)
    part, _ = source.batch((0, 1, 7), 4, 32, range(1, 4, 2))
    assert dark.shape == (4, 3, 32, 32)
    assert label.shape == (4, 4, 32, 32)
    assert torch.equal(dark, again)
    assert not torch.equal(dark, other)
    assert torch.equal(part, dark[1::2])
    assert float(dark.min()) >= 0
    assert float(dark.max()) <= 1


def test_the_loss_counts_what_can_be_seen_at_both_sizes():
    label, seen = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    target = torch.cat([label, seen], 1)
    reduced = torch.nn.functional.avg_pool2d(label, 8)
    loss = LEDNetLoss(None)
    assert float(loss((label, reduced), target)) < 1e-6
    assert float(loss((label + 0.1, reduced), target)) == pytest.approx(0.1, rel=1e-4)
    assert float(loss((label, reduced + 0.1), target)) == pytest.approx(0.08, rel=1e-4)
    hidden = target.clone()
    hidden[:, 3, :8, :8] = 0
    wrong = label.clone()
    wrong[..., :8, :8] += 0.5
    assert float(loss(wrong, hidden)) == 0
    assert float(loss(wrong, target)) > 0.1


def test_without_weights_the_loss_is_of_spectrum_and_gradients():
    found, about = perceptual("fft-gradient")
    x = torch.rand(2, 3, 16, 16)
    assert isinstance(found, Spectrum)
    assert about["perceptual"] == "fft-gradient"
    assert float(found(x, x)) == 0
    assert float(found(x + 0.2, x)) > 0  # the amplitude at frequency 0
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1
    assert float(found(edge, torch.full_like(edge, 0.5))) > float(found(torch.full_like(edge, 0.6), edge * 0 + 0.5))


def test_features_come_from_the_users_file_or_not_at_all(tmp_path):
    torch.manual_seed(0)
    layers = BACKBONES["squeeze"][0]()
    file = tmp_path / "squeeze.pth"
    torch.save({f"features.{name}": value for name, value in layers.state_dict().items()}, file)
    found, about = perceptual("squeezenet", file)
    a, b = torch.rand(1, 3, 48, 48, requires_grad=True), torch.rand(1, 3, 48, 48)
    assert about["file"] == "squeeze.pth"
    assert len(about["sha256"]) == 64
    expected, x = 0.0, torch.cat([a, b])
    x = (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        1, 3, 1, 1
    )
    for index, layer in enumerate(layers[: SQUEEZE_STAGES[-1] + 1]):
        x = layer(x)
        if index in SQUEEZE_STAGES and min(x.shape[2:]) >= 3:
            expected += float((x[0] - x[1]).detach().abs().mean())
    assert found(a, b).item() == pytest.approx(expected, rel=1e-4)
    found(a, b).backward()
    assert a.grad.abs().sum() > 0
    with pytest.raises(EnhancementError) as wrong:
        perceptual("vgg19", file)
    assert wrong.value.code == "E-ENH-06"
    with pytest.raises(EnhancementError) as missing:
        perceptual("vgg19")
    assert missing.value.code == "E-ENH-02"


def _trained(folder, data, recipe, stop_at=None):
    """The weights of a run; ``stop_at``: of one cancelled in the step after that many, and gone on with."""
    steps = []
    run = Run(recipe, data, folder / "models", folder / "cache", watch=lambda progress: steps.append(progress.step))
    if stop_at is not None:
        run.should_stop = lambda: len(steps) == stop_at
        with pytest.raises(JobCancelledError):
            run.train()
        run.should_stop = lambda: False
        run.resume = True
    return run.train()


def test_a_stopped_training_goes_on_to_the_same_bits_and_names_what_it_held_back(tmp_path, data, recipe):
    whole = _trained(tmp_path / "whole", data, recipe)
    parts = _trained(tmp_path / "parts", data, recipe, stop_at=2)
    (one, card), (two, _) = checkpoint.load(whole), checkpoint.load(parts)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert card["held_back"]["test"]["real"] == ["116", "184", "187"]
    assert card["loss"]["perceptual"] == "fft-gradient"
    assert card["degradation_seeds"]["test"] == 2
    assert set(card["metrics"]["validation"]) >= {
        "psnr",
        "psnr_night",
        "psnr_dark",
        "psnr_blur",
        "psnr_clean",
        "psnr_real",
    }
    assert Enhancer.load(whole)(np.zeros((20, 20, 3), np.uint8)).shape == (20, 20, 3)
    with pytest.raises(TrainingError) as earlier:
        Run(recipe, data, tmp_path / "whole" / "models", tmp_path / "whole" / "cache").train()
    assert earlier.value.code == "E-TRN-08"


def test_a_run_is_told_from_those_of_other_data_and_networks(recipe):
    names = [identity(recipe, "0" * 64), identity(recipe, "1" * 64), identity(replace(recipe, seed=2), "0" * 64)]
    names += [identity(replace(recipe, switches=switches), "0" * 64) for switches in VARIANTS.values()]
    assert len(set(names)) == 7
    for switches in VARIANTS.values():
        LEDNet("T", **switches)


def test_judging_a_network_that_does_nothing_gives_the_input(data):
    examples = validation_pairs(sets.split(data)["validation"], side=64)
    found = judge(torch.nn.Conv2d(3, 3, 1), examples)
    identity = torch.nn.Conv2d(3, 3, 1)
    identity.weight.data, identity.bias.data = torch.eye(3)[:, :, None, None], torch.zeros(3)
    unchanged = judge(identity, examples)
    assert unchanged["psnr_clean"] > 60 > unchanged["psnr_night"]
    assert found["psnr_clean"] < 60


def test_the_command_names_its_errors(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--cache", str(tmp_path), "-o", str(tmp_path), "--lang", "en"]) == 2
    assert "E-TRN-09" in capsys.readouterr().err
