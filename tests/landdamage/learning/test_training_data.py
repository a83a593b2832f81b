"""Scenes and tiles: windows at every place, reproducible batches, splits that leak nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from landdamage.imagery.radiometry import Stretch
from landdamage.learning import sentinel, simulated
from landdamage.learning.recipes import RECIPES
from landdamage.learning.scenes import CLOUD, Sampling, Scene, TileSource, crop
from landdamage.taxonomy import IGNORE


@pytest.fixture
def scene() -> Scene:
    rng = np.random.default_rng(0)
    labels = np.zeros((64, 80), np.uint8)
    labels[8:24, 8:24] = 7
    pixels = rng.integers(100, 200, (3, 64, 80), dtype=np.uint16)
    pixels[:, labels == 7] += 500
    valid = np.ones((64, 80), bool)
    valid[:, 76:] = False
    return Scene("a", "a", pixels, labels, valid, Stretch.from_pixels(pixels, valid), 2.0)


def test_crop_beyond_the_edge_is_unobserved(scene: Scene) -> None:
    image, labels, valid = crop(scene, -4, 60, 24)
    assert image.shape == (3, 24, 24)
    assert (labels[:4] == IGNORE).all()
    assert (labels[:, 16:] == IGNORE).all()
    assert (image[:, ~valid] == 0).all()
    assert np.array_equal(image[:, 4:, :16], scene.network_input()[:, :20, 60:76])
    assert np.array_equal(labels[4:, :16], scene.labels[:20, 60:76])


def test_batches_depend_on_the_seed_alone(scene: Scene) -> None:
    source = TileSource([scene], Sampling(gsd_range_m=(1.0, 4.0)))
    a, b, c = source.batch((1, 2), 3, 32), source.batch((1, 2), 3, 32), source.batch((1, 3), 3, 32)
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1], b[1])
    assert not torch.equal(a[0], c[0])
    assert a[0].shape == (3, 3, 32, 32)
    assert a[1].dtype == torch.int64


def test_rare_class_is_met_in_every_other_tile(scene: Scene) -> None:
    source = TileSource([scene], Sampling(gsd_range_m=(1.0, 4.0), class_share=1.0))
    rng = np.random.default_rng(0)
    met = sum((source.draw(rng, 16)[1] == 7).any() for _ in range(100))
    assert met >= 40


def test_labels_follow_the_image_through_all_of_it(scene: Scene) -> None:
    source = TileSource([scene], Sampling(gsd_range_m=(1.0, 4.0), class_share=1.0))
    rng = np.random.default_rng(1)
    for _ in range(20):
        image, labels = source.draw(rng, 64)
        if (labels == 7).sum() > 50 and (labels == 0).sum() > 50:
            assert image[:, labels == 7].mean() > image[:, labels == 0].mean() + 1


def test_no_scenes_are_refused() -> None:
    with pytest.raises(ValueError, match="no scenes"):
        TileSource([], Sampling(gsd_range_m=(1.0, 4.0)))


def test_simulated_scenes_come_back_from_the_cache(tmp_path: Path) -> None:
    scenes = simulated.load_scenes([1000], tmp_path, years=(2021, 2023), size=256)
    again = simulated.load_scenes([1000], tmp_path, years=(2021, 2023), size=256)
    assert [s.name for s in scenes] == ["1000-2021", "1000-2023"]
    assert {s.group for s in scenes} == {"1000"}
    assert np.array_equal(scenes[0].pixels, again[0].pixels)
    assert scenes[0].pixels.shape == (4, 256, 256)
    assert scenes[0].labels.shape == scenes[0].valid.shape == (256, 256)


def test_seeds_of_training_validation_and_test_are_apart() -> None:
    ranges = (simulated.TRAIN_SEEDS, simulated.VALIDATION_SEEDS, simulated.TEST_SEEDS)
    assert sum(map(len, ranges)) == len(set().union(*ranges))
    assert not {7, 2023} & set().union(*ranges)  # the demonstration's own districts


def test_stage_by_progress() -> None:
    recipe = RECIPES["2m"]
    assert recipe.stage(0.0) is recipe.stages[0]
    assert recipe.stage(1.0) is recipe.stages[-1]
    assert recipe.tile == recipe.stages[-1].tile


@pytest.mark.data
def test_sentinel_split_leaks_nothing(shared_data: Path) -> None:
    splits = sentinel.load_scenes(shared_data / "land" / "tailings_s2")
    train, val = splits["train"], splits["val"]
    assert (len(train), len(val)) == (73, 17)
    assert not {s.group for s in train} & {s.group for s in val}
    seen = {s.pixels.tobytes() for s in train}
    assert not any(s.pixels.tobytes() in seen for s in val)
    assert set(np.unique(np.concatenate([s.labels.ravel() for s in val]))) <= {*range(8), IGNORE}


def test_group_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = "scene,group,split\n000,1,train\n001,1,val\n"
    (tmp_path / "scenes.csv").write_text(rows, "utf-8")
    with pytest.raises(ValueError, match="two splits"):
        sentinel.load_scenes(tmp_path)


def test_clouds_are_drawn_like_a_class_and_taught_as_background() -> None:
    pixels = np.full((4, 96, 96), 100, np.uint16)
    pixels[:, ::2, ::3] = 300
    pixels[:, :48, :48] = 900  # a cloud
    pixels[:, 60:, 60:] = 1  # a shadow
    labels = np.full((96, 96), 7, np.uint8)
    labels[:48, :48] = labels[60:, 60:] = 255
    valid = np.ones((96, 96), bool)
    scene = Scene("s", "g", pixels, labels, valid, Stretch(np.full(4, 90.0), np.full(4, 800.0)), 2.0)
    marked = simulated.mark_clouds(scene)
    assert set(np.unique(marked.labels[:48, :48])) == {CLOUD}
    assert set(np.unique(marked.labels[60:, 60:])) == {255}
    source = TileSource([marked], Sampling(gsd_range_m=(2.0, 2.0), class_share=1.0, turn=False))
    seen = {int(v) for seed in range(6) for v in np.unique(source.batch((seed,), 1, 32)[1])}
    assert CLOUD not in seen
    assert 0 in seen
