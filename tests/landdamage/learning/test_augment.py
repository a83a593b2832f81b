"""Augmentation: image and mask move together, photometry leaves the labels' meaning alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from landdamage.learning.augment import Photometry, flip_and_turn, photometry, rescale

SEEDS = st.integers(0, 2**32 - 1)


def scene(seed: int, side: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, (side, side), dtype=np.uint8)
    return np.stack([labels, labels + 10]).astype(np.float32), labels, rng.random((side, side)) > 0.2


@given(SEEDS, st.booleans())
def test_image_and_mask_are_moved_alike(seed: int, turn: bool) -> None:
    image, labels, valid = scene(seed)
    moved, moved_labels, moved_valid = flip_and_turn(np.random.default_rng(seed), image, labels, valid, turn=turn)
    assert (moved[0] == moved_labels).all()
    assert (moved[1] == moved_labels + 10).all()
    assert np.bincount(moved_labels.ravel()).tolist() == np.bincount(labels.ravel()).tolist()
    assert moved_valid.sum() == valid.sum()
    if not turn:
        assert (np.sort(moved_labels, axis=1) == np.sort(labels, axis=1)).all()


def test_all_eight_symmetries_occur() -> None:
    labels = np.arange(9, dtype=np.uint8).reshape(3, 3)
    seen = {flip_and_turn(np.random.default_rng(seed), labels)[0].tobytes() for seed in range(200)}
    assert len(seen) == 8


@given(SEEDS, st.sampled_from([6, 12, 24]))
def test_rescaled_labels_lie_on_the_rescaled_image(seed: int, side: int) -> None:
    _, _, valid = scene(seed)
    labels = np.zeros((12, 12), np.uint8)
    labels[:, 6:] = 3
    image = np.stack([labels, labels]).astype(np.float32)
    image, labels, valid = rescale(image, labels, valid, side)
    assert image.shape == (2, side, side)
    assert labels.shape == valid.shape == (side, side)
    assert (labels == np.repeat([[0, 3]], side // 2, axis=1)).all()
    away = np.abs(np.arange(side) - (side - 1) / 2) > 2
    assert np.abs(image[0] - labels)[:, away].max() < 1e-5


@given(SEEDS)
def test_photometry_keeps_range_and_invalid_pixels(seed: int) -> None:
    image, _, valid = scene(seed, 16)
    image = image / 10 - 1
    rng = np.random.default_rng(seed)
    out = photometry(rng, image, valid, Photometry(haze=1.0, band_dropout=0.0), droppable=(1,))
    assert out.shape == image.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert out.min() >= -4
    assert out.max() <= 6
    assert (out[:, ~valid] == 0).all()
    assert not np.array_equal(out, image)


def test_lost_band_is_zero_and_others_stay() -> None:
    image, _, valid = scene(1)
    out = photometry(np.random.default_rng(0), image / 20, valid, Photometry(band_dropout=1.0), droppable=(1,))
    assert (out[1] == 0).all()
    assert out[0].any()


def test_without_strength_nothing_changes() -> None:
    image, _, _ = scene(2)
    image = image / 10 - 1
    still = Photometry(gain=0, offset=0, gamma=1, noise=0, haze=0, band_dropout=0)
    out = photometry(np.random.default_rng(0), image, np.ones((12, 12), bool), still)
    assert np.allclose(out, image, atol=1e-6)
