"""Fingerprints know a picture again after what happens to copies, and no other ground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from landdamage.imagery.radiometry import Stretch
from landdamage.learning import simulated
from landdamage.learning.samples.likeness import TWIN, fingerprint, twins

FULL = np.ones((128, 128), bool)


def ground(seed: int) -> np.ndarray:
    """(3,128,128) of textures at several scales."""
    rng = np.random.default_rng(seed)
    layers = [ndimage.gaussian_filter(rng.normal(size=(128, 128)), s) * s * 60 for s in (1, 3, 9)]
    return np.clip(1000 + sum(layers) + rng.normal(0, 10, (3, 128, 128)), 1, 4000).astype(np.uint16)


def mark(pixels: np.ndarray, valid: np.ndarray = FULL) -> str:
    return fingerprint(pixels, valid, Stretch.from_pixels(pixels, valid))


@pytest.mark.parametrize(
    "change",
    [
        lambda p, rng: (p * 0.7 + 300).astype(np.uint16),  # exposure
        lambda p, rng: np.clip(p + rng.normal(0, 60, p.shape), 1, 4000).astype(np.uint16),  # noise
        lambda p, rng: (p.astype(float) ** 0.85).astype(np.uint16),  # gamma
        lambda p, rng: ndimage.gaussian_filter(p, (0, 1, 1)),  # resampled
        lambda p, rng: p[:, ::-1],
        lambda p, rng: p[:, :, ::-1],
        lambda p, rng: np.rot90(p, 1, (1, 2)),
        lambda p, rng: np.rot90(p[:, ::-1], 3, (1, 2)),
    ],
)
def test_copies_are_known_again(change: Callable[..., np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    originals = [ground(seed) for seed in range(12)]
    copies = [change(picture, rng) for picture in originals]
    found = twins([mark(p) for p in originals], [mark(p) for p in copies])
    assert found == [(i, i) for i in range(12)]


def test_other_ground_is_not_alike() -> None:
    one, other = [mark(ground(seed)) for seed in range(60)], [mark(ground(seed)) for seed in range(100, 150)]
    assert twins(one, other) == []
    assert twins(other, one) == []


def test_flat_and_empty_pictures_are_like_nothing() -> None:
    flat = np.full((3, 128, 128), 500, np.uint16)
    assert mark(flat) == ""
    assert mark(ground(0), FULL & (np.arange(128) < 40)) == ""
    assert twins(["", mark(ground(0))], ["", ""]) == []
    assert twins([], []) == []


def test_ground_of_a_simulated_district_is_not_alike(tmp_path: Path) -> None:
    """Tiles of one desert, the hardest case: no two places are taken for copies."""
    scene = simulated.load_scenes([1000], tmp_path, years=(2021,), size=512)[0]
    places = [(row, column) for row in range(0, 512, 128) for column in range(0, 512, 128)]
    marks = [
        fingerprint(
            np.asarray(scene.pixels[:, r : r + 128, c : c + 128]),
            np.asarray(scene.valid[r : r + 128, c : c + 128]),
            scene.stretch,
        )
        for r, c in places
    ]
    assert all(i == j for i, j in twins(marks, marks))
    assert TWIN < 143 // 8
