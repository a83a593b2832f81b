"""Tiles by epochs: all ground gets its turn, a quarter is drawn by class, processes share a batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.epochs import EpochSource
from landdamage.learning.scenes import Sampling, Scene, fingerprint

SAMPLING = Sampling(gsd_range_m=(2.0, 2.0), native_share=1.0)


def scene(name: str = "a", *, pond: bool = True) -> Scene:
    labels = np.zeros((128, 200), np.uint8)
    labels[:64] = 1
    labels[64:, :64] = 255
    if pond:
        labels[100:116, 170:186] = 6
    pixels = np.random.default_rng(0).integers(100, 200, (3, 128, 200), dtype=np.uint16)
    return Scene(name, name, pixels, labels, np.ones(labels.shape, bool), Stretch.from_pixels(pixels), 2.0)


def test_units_are_cells_with_something_to_learn() -> None:
    source = EpochSource([scene()], SAMPLING, 0, cell=64)
    assert source.units == [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3), (0, 1, 1), (0, 1, 2), (0, 1, 3)]


def test_a_quarter_of_every_batch_is_centred_on_a_class_in_turn() -> None:
    source = EpochSource([scene(), scene("b", pond=False)], SAMPLING, 0, cell=64)
    ponds = 0
    for step in range(12):
        drawn = source.order.batch(step, 8)
        assert sum(class_id is not None for _, class_id in drawn) == 2
        for k, (unit, class_id) in enumerate(drawn):
            one, row, column = source._place(np.random.default_rng(k), unit, class_id)
            assert class_id is None or one.labels[row, column] == class_id
            assert (row // 64, column // 64) == source.units[unit][1:]
        ponds += sum(class_id == 6 for _, class_id in drawn)
    assert ponds >= 6  # once at least in each of six epochs; they are a sixteenth of the ground


def test_shares_of_processes_make_up_the_batch() -> None:
    source = EpochSource([scene()], SAMPLING, 3, cell=64)
    images, labels = source.batch_at(5, 4, 32)
    assert images.shape == (4, 3, 32, 32)
    for rank in range(2):
        own_images, own_labels = source.batch_at(5, 4, 32, range(rank, 4, 2))
        assert torch.equal(own_images, images[rank::2])
        assert torch.equal(own_labels, labels[rank::2])
    assert not torch.equal(source.batch_at(6, 4, 32)[0], images)
    threaded = EpochSource([scene()], SAMPLING, 3, cell=64, threads=3)
    assert torch.equal(threaded.batch_at(5, 4, 32)[0], images)


def test_unlabelled_ground_alone_is_refused() -> None:
    empty = scene()
    empty.labels[:] = 255
    with pytest.raises(ValueError, match="no units"):
        EpochSource([empty], SAMPLING, 0)


def test_fingerprints_tell_sets_apart() -> None:
    one, other = scene(), scene()
    assert fingerprint([one]) == fingerprint([other])
    other.labels[3, 5] = 7
    assert fingerprint([one]) != fingerprint([other])
    moved = scene()
    moved.pixels[0, 16, 7] += 1
    assert fingerprint([one]) != fingerprint([moved])
    assert fingerprint([one, scene("b")]) != fingerprint([scene("b"), one])
