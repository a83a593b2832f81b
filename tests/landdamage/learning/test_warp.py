"""Bent tiles: labels follow the picture and the polygons they were drawn from, ground beyond the tile is unsure."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize

from landdamage.learning.augment import flip_and_turn
from landdamage.learning.warp import NORTH_UP_DEGREES, STRONG, Warp, random_matrix, turned_copy, warp
from landdamage.taxonomy import IGNORE

SIDE = 128
SEEDS = st.integers(0, 2**32 - 1)
FULL = np.ones((SIDE, SIDE), bool)


def polygon(rng: np.random.Generator) -> shapely.Polygon:
    """A blob near the middle, in pixels."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
    reach = rng.uniform(18, 40, 9)
    return shapely.Polygon(np.column_stack([64 + reach * np.cos(angles), 64 + reach * np.sin(angles)])).buffer(0)


def burnt(shape: shapely.Polygon, class_id: int = 7) -> np.ndarray:
    return rasterize([(shape, class_id)], out_shape=(SIDE, SIDE), transform=Affine.identity(), dtype="uint8")


@settings(max_examples=60)
@given(SEEDS)
def test_a_bent_mask_is_the_mask_of_the_bent_polygon(seed: int) -> None:
    """Wherever the two differ, the bent polygon's border lies within a pixel."""
    rng = np.random.default_rng(seed)
    shape = polygon(rng)
    matrix = random_matrix(rng, STRONG)
    assert matrix is not None
    image = burnt(shape).astype(np.float32)[None]
    _, labels, _ = warp(image, burnt(shape), FULL, matrix)
    bent = shapely.transform(shape, lambda xy: ((xy / SIDE - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5) * SIDE)
    expected = burnt(bent)
    expected[labels == IGNORE] = IGNORE
    rows, columns = np.nonzero(labels != expected)
    assert all(
        bent.boundary.distance(shapely.Point(c + 0.5, r + 0.5)) <= 1.0 for r, c in zip(rows, columns, strict=True)
    )
    assert (labels == 7).any()


@settings(max_examples=40)
@given(SEEDS)
def test_the_picture_goes_with_its_labels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = burnt(polygon(rng))
    matrix = random_matrix(rng, STRONG)
    assert matrix is not None
    image, labels, valid = warp(np.stack([mask, mask + 10]).astype(np.float32), mask, FULL, matrix)
    assert image.dtype == np.float32
    assert valid.all()  # beyond the tile the picture is its mirror image
    assert image[0].min() >= 0
    assert image[0].max() <= 7.001
    assert np.allclose(image[1] - image[0], 10, atol=1e-3)
    sure = (labels != IGNORE) & ((image[0] < 0.01) | (image[0] > 6.99))
    assert np.array_equal(labels[sure], np.rint(image[0][sure]))


@given(SEEDS, st.booleans())
def test_flips_keep_the_histogram_of_the_labels(seed: int, turn: bool) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, (32, 32)).astype(np.uint8)
    labels[labels == 8] = IGNORE
    (moved,) = flip_and_turn(np.random.default_rng(seed), labels, turn=turn)
    assert np.array_equal(np.bincount(moved.ravel(), minlength=256), np.bincount(labels.ravel(), minlength=256))


def test_nothing_moves_under_the_identity() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(3, SIDE, SIDE)).astype(np.float32)
    labels = rng.integers(0, 8, (SIDE, SIDE)).astype(np.uint8)
    labels[:5] = IGNORE
    out, classes, valid = warp(image, labels, FULL, np.array([[1.0, 0, 0], [0, 1, 0]]))
    assert np.allclose(out, image, atol=1e-4)
    assert np.array_equal(classes, labels)
    assert valid.all()


def test_a_quarter_turn_is_exact() -> None:
    labels = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 8
    image = labels[None].astype(np.float32)
    out, classes, _ = warp(image, labels.astype(np.uint8), FULL, np.array([[0.0, -1, 0], [1, 0, 0]]))
    assert np.array_equal(classes, np.rot90(labels, -1))
    assert np.allclose(out[0], classes, atol=1e-3)


def test_shifted_out_labels_are_unsure_and_pixels_mirrored() -> None:
    labels = np.full((SIDE, SIDE), 3, np.uint8)
    image = np.tile(np.arange(SIDE, dtype=np.float32), (SIDE, 1))[None]
    out, classes, valid = warp(image, labels, FULL, np.array([[1.0, 0, 0.25], [0, 1, 0]]))
    assert (classes[:, :32] == IGNORE).all()
    assert (classes[:, 32:] == 3).all()
    assert np.allclose(out[0, 0, 32:], np.arange(96), atol=1e-3)
    assert np.allclose(out[0, 0, :32], np.arange(31, -1, -1), atol=1e-3)
    assert valid.all()


def test_invalid_ground_stays_invalid_and_unlabelled() -> None:
    valid = FULL.copy()
    valid[:, :64] = False
    labels = np.where(valid, 2, IGNORE).astype(np.uint8)
    matrix = random_matrix(np.random.default_rng(4), STRONG)
    assert matrix is not None
    _, classes, seen = warp(np.ones((1, SIDE, SIDE), np.float32), labels, valid, matrix)
    assert 0.3 < seen.mean() < 0.7
    assert (classes[~seen] == IGNORE).all()


@settings(max_examples=200)
@given(SEEDS)
def test_bends_keep_their_limits(seed: int) -> None:
    strength = Warp(rotate=1.0, affine=0.0).north_up()
    matrix = random_matrix(np.random.default_rng(seed), strength)
    assert matrix is not None
    turned = np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert abs(turned) <= NORTH_UP_DEGREES  # shadows stay where the northern sun puts them
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(1)
    bent = random_matrix(np.random.default_rng(seed), Warp(rotate=0.0, affine=1.0))
    assert bent is not None
    assert np.abs(bent[:, 2]).max() <= 0.10
    scale = np.hypot(*bent[:, :2])
    assert scale.min() >= 0.75
    assert scale.max() <= 1.33 / np.cos(np.radians(8))


def test_chance_leaves_most_tiles_unbent() -> None:
    rng = np.random.default_rng(0)
    left = sum(random_matrix(rng, Warp()) is None for _ in range(400)) / 400
    assert left == pytest.approx(0.7 * 0.7, abs=0.08)
    assert random_matrix(rng, Warp(rotate=0, affine=0)) is None


def test_copies_of_digital_numbers_keep_their_type() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(1, 65535, (4, SIDE, SIDE)).astype(np.uint16)
    out, labels, valid = turned_copy(rng, pixels, np.zeros((SIDE, SIDE), np.uint8), FULL, STRONG)
    assert out.dtype == np.uint16
    assert out.shape == pixels.shape
    assert valid.all()
    assert set(np.unique(labels)) <= {0, IGNORE}
    assert not np.array_equal(out, pixels)
