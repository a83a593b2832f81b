"""An encoder taught without labels: what is covered, what is learned, and that its file is taken as encoder weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.enums import ColorInterp

from landdamage.learning import pretrain
from landdamage.learning.encoders import start_encoder
from landdamage.learning.pretrain import BANDS, COVERED, cover, load_cells, painting_loss
from landdamage.networks import build
from minegis.errors import TrainingError


def write(path: Path, seed: int, bands: int = 3, side: int = 96) -> None:
    rng = np.random.default_rng(seed)
    smooth = np.kron(rng.integers(60, 200, (bands, side // 16, side // 16)), np.ones((16, 16)))
    pixels = (smooth + rng.integers(0, 10, (bands, side, side))).astype(np.uint8)
    pixels[:, :8, :8] = 0
    with rasterio.open(path, "w", driver="GTiff", width=side, height=side, count=bands, dtype="uint8", nodata=0) as out:
        out.write(pixels)
        if bands == 3:
            out.colorinterp = (ColorInterp.blue, ColorInterp.green, ColorInterp.red)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(3):
        write(folder / f"{seed}.tif", seed)
    write(folder / "grey.tif", 9, bands=1)
    (folder / "broken.tif").write_bytes(b"II*\x00 no picture")
    (folder / "notes.txt").write_text("no image")
    return folder


def test_images_give_cells_in_the_order_of_photographs_and_others_are_named(images: Path) -> None:
    cells, left_out = load_cells([images])
    assert [cell.group for cell in cells] == ["0.tif", "1.tif", "2.tif"]
    assert [path.name for path in left_out] == ["broken.tif", "grey.tif"]
    with rasterio.open(images / "0.tif") as source:
        assert (cells[0].pixels == source.read([3, 2, 1])).all()
    assert (cells[0].labels[:8, :8] == 255).all()
    assert (cells[0].labels[8:] == 0).all()


def test_no_image_with_the_colours_is_said(images: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        load_cells([images / "grey.tif"])
    assert caught.value.code == "E-TRN-15"


def test_covered_squares_are_blank_and_only_observed_ground_is_painted() -> None:
    images = torch.rand(2, 3, 80, 72) + 1
    observed = torch.ones(2, 80, 72, dtype=torch.bool)
    observed[:, :16] = False
    seen, target = cover(np.random.default_rng(0), images, observed)
    hidden = (seen == 0).all(dim=1)
    assert torch.equal(target[:, :3], images)
    assert torch.equal(target[:, 3].bool(), hidden & observed)
    assert torch.equal(seen[:, :, ~hidden[0]][0], images[:, :, ~hidden[0]][0])
    squares = hidden[:, ::16, ::16]
    assert squares.float().mean().item() == pytest.approx(COVERED, abs=0.02)
    assert torch.equal(squares.repeat_interleave(16, 1).repeat_interleave(16, 2)[:, :80, :72], hidden)


def test_only_covered_pixels_cost() -> None:
    target = torch.zeros(1, 4, 4, 4)
    target[:, 3, 0, 0] = 1
    painted = torch.full((1, 3, 4, 4), 5.0)
    painted[:, :, 0, 0] = torch.tensor([1.0, 2.0, 3.0])
    assert painting_loss(painted, target).item() == pytest.approx(2)
    assert painting_loss(painted, target * 0).item() == 0


def test_an_encoder_is_taught_resumed_and_taken_as_first_weights(images: Path, tmp_path: Path) -> None:
    output, cache = tmp_path / "encoder.safetensors", tmp_path / "cache"
    common = [str(images), "--tile", "32", "--batch", "4", "--backbone", "squeezenet", "--cache", str(cache)]
    assert pretrain.main([*common, "--steps", "4", "-o", str(output)]) == 0
    first = output.read_bytes()
    assert pretrain.main([*common, "--steps", "4", "-o", str(output)]) == 2  # E-TRN-08: nothing is overwritten
    assert output.read_bytes() == first
    assert pretrain.main([*common, "--steps", "12", "--resume", "-o", str(output)]) == 0
    card = json.loads(output.with_suffix(".json").read_text("utf-8"))
    assert card["training"]["steps"] == 12
    assert card["data"]["images"] == 3
    assert card["metrics"]["painted"] > 0
    network = build("se-cot-dl", "squeezenet", 4, 8)
    before = network.get_submodule("backbone.body").state_dict()
    before = {name: tensor.clone() for name, tensor in before.items()}
    facts = start_encoder(network, output, ("B", "G", "R", "N"))
    assert facts["tensors"] == len(before)
    after = network.get_submodule("backbone.body").state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert BANDS == ("R", "G", "B")
