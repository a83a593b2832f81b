"""Rare objects on other tiles: only whole ones, only of the same sensor, only onto ground they may cover."""

from __future__ import annotations

import numpy as np
import pytest

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.augment import Photometry
from landdamage.learning.copy_paste import CopyPaste, object_at, paste
from landdamage.learning.scenes import Sampling, Scene, TileSource
from landdamage.taxonomy import IGNORE

POND, DUMP, PIT = 6, 5, 7
STILL = Photometry(gain=0, offset=0, gamma=1, noise=0, haze=0, band_dropout=0)


def scene(name: str, labels: np.ndarray, value: int, sensor: str = "GF2") -> Scene:
    pixels = np.full((3, *labels.shape), value, np.uint16)
    pixels[:, labels == POND] = 900
    valid = np.ones(labels.shape, bool)
    return Scene(name, name, pixels, labels, valid, Stretch(np.zeros(3), np.full(3, 1000.0)), 2.0, sensor)


def with_pond() -> np.ndarray:
    labels = np.full((64, 64), PIT, np.uint8)
    labels[28:38, 26:36] = POND
    return labels


def test_an_object_is_taken_whole_or_not_at_all() -> None:
    found = object_at(with_pond(), 32, 32, POND)
    assert found is not None
    assert found.sum() == 100
    cut = with_pond()
    cut[28:38, :36] = POND
    assert object_at(cut, 32, 32, POND) is None
    assert object_at(np.full((64, 64), POND, np.uint8), 32, 32, POND) is None
    assert object_at(np.zeros((64, 64), np.uint8), 32, 32, POND) is None
    tiny = np.zeros((64, 64), np.uint8)
    tiny[30:33, 30:33] = POND
    assert object_at(tiny, 32, 32, POND) is None


def test_objects_cover_only_what_they_may() -> None:
    rng = np.random.default_rng(0)
    source = (np.full((3, 64, 64), 9, np.float32), with_pond(), np.ones((64, 64), bool))
    shape = object_at(source[1], 32, 32, POND)
    assert shape is not None
    pasted = 0
    for _ in range(60):
        labels = np.zeros((64, 64), np.uint8)
        labels[:, 40:] = PIT
        labels[:10] = IGNORE
        valid = np.ones((64, 64), bool)
        valid[:10] = False
        image = np.zeros((3, 64, 64), np.float32)
        done = paste(rng, (image, labels, valid), source, shape, (0, DUMP))
        pasted += done
        changed = labels == POND
        assert changed.any() == done
        assert (image[:, changed] == 9).all()
        assert (image[:, ~changed] == 0).all()
        assert not changed[:10].any()
        assert not changed[:, 40:].any()
        assert changed.sum() in (0, *range(70, 101))
    assert 5 < pasted < 60


def ponds_met(sensor: str, rule: CopyPaste | None) -> int:
    """In how many of 40 tiles of a scene without ponds a pond is met."""
    bare = scene("bare", np.zeros((64, 64), np.uint8), 200, sensor)
    source = TileSource(
        [bare, scene("ponds", with_pond(), 300)],
        Sampling(gsd_range_m=(2.0, 2.0), native_share=0.0, class_share=0.0, photometry=STILL, copy_paste=rule),
    )
    met = 0
    for seed in range(80):
        image, labels = source.draw(np.random.default_rng(seed), 64)
        if (labels == PIT).any():
            continue  # of the other scene
        pond = labels == POND
        met += bool(pond.any())
        if pond.any():
            assert image[:, pond].mean() == pytest.approx((0.9 - 0.5) * 4, abs=0.05)
            assert image[:, labels == 0].mean() == pytest.approx((0.2 - 0.5) * 4, abs=0.05)
    return met


def test_ponds_reach_other_scenes_of_their_sensor_alone() -> None:
    assert ponds_met("GF2", CopyPaste(probability=1.0)) > 10
    assert ponds_met("GF1", CopyPaste(probability=1.0)) == 0
    assert ponds_met("GF2", None) == 0
    assert ponds_met("GF2", CopyPaste(probability=1.0, classes=(DUMP,))) == 0
