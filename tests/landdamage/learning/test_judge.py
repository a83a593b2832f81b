"""Judging whole scenes: counts add up over scenes and regions, and the calibration sees what interpretation blends."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landdamage.imagery.radiometry import Stretch
from landdamage.learning.judge import judge
from landdamage.learning.predict import MOST_SAMPLES, Picker, forward, predict_scene
from landdamage.learning.scenes import Scene
from landdamage.learning.tally import Tally, means
from minegis.windows import Plan

LABELS = arrays(np.uint8, (12, 12), elements=st.sampled_from([0, 1, 2, 255]))
NAMES = ["rest", "pit", "dump"]


class Colour(torch.nn.Module):
    """Says class k where band k is the brightest, less surely on the left of its window."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.linspace(0.5, 4, x.shape[-1])


class Leaning(Colour):
    """Takes more for class 0 the further right it lies in the window."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lean = torch.zeros(3, 1, 1)
        lean[0] = 1
        return x + 4 * lean * torch.linspace(-1, 1, x.shape[-1])


def scene(name: str, group: str, seed: int, *, height: int = 70, width: int = 90) -> Scene:
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 3, (7, 9)), np.ones((10, 10))).astype(np.uint8)[:height, :width]
    pixels = np.stack([(labels == k) * 100.0 + rng.normal(0, 10, labels.shape) for k in range(3)])
    valid = np.ones(labels.shape, bool)
    valid[:5] = False
    return Scene(name, group, pixels, labels, valid, Stretch.from_pixels(pixels), 2.0)


@given(LABELS, LABELS, LABELS, LABELS)
def test_tallies_add_up(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> None:
    b[b == 255], d[d == 255] = 0, 0
    one, two = Tally.of(a, b, 3), Tally.of(c, d, 3)
    both = Tally.total([one, two], 3)
    assert (both.matrix == one.matrix + two.matrix).all()
    assert (both.boundary == one.boundary + two.boundary).all()
    assert (both.objects == one.objects + two.objects).all()
    again = Tally.from_dict(json.loads(json.dumps(both.as_dict())))
    assert means(again) == means(both)
    for name, value in means(both).items():
        assert value is None or (-1 if name == "kappa" else 0) <= value <= 1


def test_regions_are_counted_apart_and_labels_of_invalid_pixels_not_at_all() -> None:
    scenes = [scene("a", "north", 0), scene("b", "north", 1), scene("c", "south", 2)]
    seen = []
    found = judge(Colour(), scenes, 32, NAMES, each=lambda one, _, tally: seen.append((one.name, tally.matrix.sum())))
    assert list(found.regions) == ["north", "south"]
    assert seen == [(name, 65 * 90) for name in "abc"]
    metrics = found.metrics()
    assert metrics["regions"] == 2
    assert metrics["pixels"] == 3 * 65 * 90
    assert metrics["miou_foreground"] > 0.9
    assert set(metrics["per_class"]) == set(NAMES)
    assert metrics["per_class"]["pit"]["polygons"] > 0
    with pytest.raises(ValueError, match="without a sample"):
        found.calibration()


@pytest.mark.parametrize("mirrored", [False, True])
def test_sampled_pixels_carry_the_blended_probabilities(mirrored: bool) -> None:
    """What the sample says at T = 1 is what the class raster was decided by."""
    one = scene("a", "a", 3)
    picker = Picker(one, 32, np.random.default_rng(0))
    classes = predict_scene(Colour(), one, 32, 8, picker, mirrored=mirrored)
    sample = picker.sample()
    blended = sample.probabilities()
    assert torch.allclose(blended.sum(dim=1), torch.ones(len(blended)), atol=1e-5)
    where = classes[picker._rows, picker._columns]
    assert ((where == blended.argmax(dim=1).numpy()) | (where == 255)).all()
    assert len(sample.pixels) > len(sample.labels)  # some pixels lie in several windows
    assert (sample.labels.numpy() == one.labels[picker._rows, picker._columns]).all()


def test_a_scene_and_its_mirror_image_are_read_alike_only_with_mirrored_windows() -> None:
    one = scene("a", "a", 3, width=88)
    turned = Scene(
        "b", "b", *(np.asarray(a)[..., ::-1].copy() for a in (one.pixels, one.labels, one.valid)), one.stretch, 2.0
    )
    for mirrored in (False, True):
        a, b = (predict_scene(Leaning(), each, 32, 8, mirrored=mirrored) for each in (one, turned))
        assert (a != b[:, ::-1]).any() != mirrored


def test_no_tile_gives_more_than_its_share_of_pixels() -> None:
    one = scene("a", "a", 3)
    picker = Picker(one, 32, np.random.default_rng(0))
    tiles = np.unique(np.stack([picker._rows // 32, picker._columns // 32]), axis=1, return_counts=True)
    assert tiles[0].shape[1] == 9
    assert tiles[1].max() <= MOST_SAMPLES
    places = set(zip(picker._rows, picker._columns, strict=True))
    assert len(places) == len(picker._rows)


def test_calibration_tells_before_and_after() -> None:
    found = judge(Colour(), [scene("a", "a", 0), scene("b", "b", 1)], 32, NAMES, sampled=True).calibration()
    assert found["regions"] == 2
    assert found["after"]["nll"] <= found["before"]["nll"]
    assert found["temperature"] > 0


def test_windows_are_seen_as_the_engine_sees_them() -> None:
    one = scene("a", "a", 4, height=32, width=32)
    picker = Picker(one, 32, np.random.default_rng(0))
    predict_scene(Colour(), one, 32, 8, picker)
    alone = forward(Colour(), torch.from_numpy(one.network_input())[None])[0].softmax(dim=0)
    expected = alone[:, picker._rows, picker._columns].T
    assert torch.allclose(picker.sample().probabilities(), expected, atol=1e-5)
    assert Plan(32, 32, 32, 8).rows == (0,)
