"""A sample-set folder feeds the trainer: tiles are read when they are needed, folds never meet."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from landdamage.learning.copy_paste import CopyPaste
from landdamage.learning.losses import class_weights, segmentation_loss
from landdamage.learning.predict import predict_scene
from landdamage.learning.samples import load as loading
from landdamage.learning.samples.build import build
from landdamage.learning.samples.load import load_scenes
from landdamage.learning.samples.material import PolygonMaterial
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import read_labels, read_pixels
from landdamage.learning.scenes import Sampling, TileSource, count_pixels
from landdamage.learning.warp import Warp
from landdamage.taxonomy import IGNORE
from minegis.errors import SampleSetError
from tests.fixtures.labelled import SMALL


def test_scenes_are_the_tiles(mines_set: SampleSet) -> None:
    scenes = load_scenes(mines_set.folder, "train")
    tiles = mines_set.of("train")
    assert [scene.name for scene in scenes] == [tile.id for tile in tiles]
    for scene, tile in zip(scenes, tiles, strict=True):
        pixels, valid = read_pixels(mines_set.folder, tile.id)
        assert np.array_equal(np.asarray(scene.pixels), pixels)
        assert np.array_equal(scene.pixels[:, 3:9, 5:], pixels[:, 3:9, 5:])
        assert np.array_equal(np.asarray(scene.valid), valid)
        assert np.array_equal(np.asarray(scene.labels), read_labels(mines_set.folder, tile.id))
        assert (scene.group, scene.sensor) == (tile.region, "GF2")
        assert scene.network_input().shape == (4, 48, 48)
    counted = count_pixels(scenes)
    assert counted.tolist() == [sum(tile.pixels[i] for tile in tiles) for i in range(8)]


def test_a_network_learns_from_a_folder(mines_set: SampleSet) -> None:
    """The loss falls on batches of a set with every augmentation, and the network judges the validation."""
    train, val = (load_scenes(mines_set.folder, name) for name in ("train", "val"))
    sampling = Sampling(gsd_range_m=(2.0, 3.0), droppable=(3,), warp=Warp(), copy_paste=CopyPaste())
    source = TileSource(train, sampling)
    again = TileSource(load_scenes(mines_set.folder, "train"), sampling)
    one, other = source.batch((1, 2), 3, 48), again.batch((1, 2), 3, 48)
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 8, 1))
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    losses = []
    weights = class_weights(count_pixels(train))
    for step in range(12):
        images, labels = source.batch((0, step % 2), 2, 48)
        loss = segmentation_loss(model(images), labels, weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-2:]) < np.mean(losses[:2])
    found = predict_scene(model.eval(), val[0], 48, 12)
    assert np.array_equal(found != IGNORE, np.asarray(val[0].valid))


def test_memory_for_tiles_is_bounded(mines_set: SampleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = loading.read_labels

    def counted(folder: Path, tile_id: str) -> np.ndarray:
        read.append(tile_id)
        return original(folder, tile_id)

    monkeypatch.setattr(loading, "read_labels", counted)
    scenes = load_scenes(mines_set.folder, "train", kept_bytes=3 * 48 * 48)[:5]
    assert read == []  # nothing before it is needed
    for scene in scenes[:3] * 2:
        assert scene.labels[0, 0] is not None
    assert len(read) == 3  # three fit
    for scene in scenes:
        assert scene.labels[0, 0] is not None
    assert len(read) == 5
    assert scenes[0].labels[0, 0] is not None
    assert len(read) == 6  # it had made room


def test_folds_train_on_the_others(mines: Callable[..., PolygonMaterial], tmp_path: Path) -> None:
    made = build(mines(3), dataclasses.replace(SMALL, folds=3), tmp_path / "set")
    for fold in ("fold1", "fold2", "fold3"):
        val, train = load_scenes(made.folder, fold), load_scenes(made.folder, f"not-{fold}")
        assert val
        assert not {scene.group for scene in val} & {scene.group for scene in train}
        assert {scene.group for scene in val} | {scene.group for scene in train} == {t.region for t in made.tiles}
        by_id = {tile.id: tile for tile in made.tiles}
        assert {by_id[scene.name].grid for scene in val} == {"eval"}
        assert {by_id[scene.name].grid for scene in train} == {"train"}
    with pytest.raises(SampleSetError, match="E-SET-24"):
        load_scenes(made.folder, "train")


def test_wrong_names_and_folders_are_told(mines_set: SampleSet, tmp_path: Path) -> None:
    with pytest.raises(SampleSetError, match="E-SET-24") as caught:
        load_scenes(mines_set.folder, "validation")
    assert "train, val, test" in caught.value.hint("zh")
    with pytest.raises(SampleSetError, match="E-SET-16"):
        load_scenes(tmp_path, "train")
