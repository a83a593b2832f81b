"""What a model is judged on must be ground it never saw: every kind of leak is planted, every one is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from landdamage.learning.samples import leaks
from landdamage.learning.samples.build import build
from landdamage.learning.samples.images import ImageSource
from landdamage.learning.samples.material import PolygonMaterial
from landdamage.learning.samples.sampleset import SampleSet
from landdamage.learning.samples.tiles import Tile
from minegis.errors import SampleSetError
from minegis.units import GEOD
from tests.fixtures.labelled import SMALL, layer, mine


def planted(sample_set: SampleSet, tile: Tile) -> SampleSet:
    """The set with one tile more; whatever else might give it away is made its own."""
    return dataclasses.replace(sample_set, tiles=(*sample_set.tiles, tile))


@pytest.fixture
def stranger(mines_set: SampleSet) -> Tile:
    """A tile of another region that nothing is wrong with, in validation."""
    far = tuple((x + 1.0, y) for x, y in mines_set.tiles[0].footprint)
    return dataclasses.replace(
        mines_set.tiles[0], id="x", set="val", region="elsewhere", footprint=far, origin="x", fingerprint="", sha256="0"
    )


def test_an_honest_set_passes(mines_set: SampleSet, stranger: Tile) -> None:
    leaks.check(mines_set)
    leaks.check(planted(mines_set, stranger))


def test_a_region_in_two_sets_is_found(mines_set: SampleSet, stranger: Tile) -> None:
    train = mines_set.of("train")[0]
    with pytest.raises(SampleSetError) as caught:
        leaks.check(planted(mines_set, dataclasses.replace(stranger, region=train.region)))
    assert caught.value.code == "E-SET-11"
    assert train.region in caught.value.message("zh")
    assert "train, val" in caught.value.message("en")


def test_a_copy_of_a_training_tile_is_found(mines_set: SampleSet, stranger: Tile) -> None:
    train = mines_set.of("train")[0]
    with pytest.raises(SampleSetError, match="E-SET-11"):
        leaks.check(planted(mines_set, dataclasses.replace(stranger, origin=train.origin)))


@pytest.mark.parametrize(("metres", "leak"), [(0.0, True), (150.0, True), (180.0, True), (250.0, False)])
def test_ground_too_near_is_found(metres: float, leak: bool, mines_set: SampleSet, stranger: Tile) -> None:
    """A tile is 96 m wide and sets keep 96 m apart, so a shift of less than 192 m to the east is too little."""
    train = max(mines_set.of("train"), key=lambda tile: max(x for x, _ in tile.footprint))
    moved = tuple(GEOD.fwd(x, y, 90, metres)[:2] for x, y in train.footprint) if metres else train.footprint
    found = planted(mines_set, dataclasses.replace(stranger, footprint=moved))
    if not leak:
        leaks.check(found)
        return
    with pytest.raises(SampleSetError) as caught:
        leaks.check(found)
    assert caught.value.code == "E-SET-12"
    assert "x" in caught.value.message("en")
    assert "96 m" in caught.value.message("zh")


def test_the_same_picture_under_another_name_is_found(mines_set: SampleSet, stranger: Tile) -> None:
    train = next(tile for tile in mines_set.of("train") if tile.fingerprint)
    for twin in ({"fingerprint": train.fingerprint}, {"sha256": train.sha256}):
        with pytest.raises(SampleSetError) as caught:
            leaks.check(planted(mines_set, dataclasses.replace(stranger, **twin)))
        assert caught.value.code == "E-SET-13"
        assert train.id in caught.value.message("zh")


def test_an_image_used_twice_under_another_place_never_reaches_two_sets(
    write_image: Callable[..., ImageSource], tmp_path: Path
) -> None:
    """A wrong coordinate system, another exposure and mirroring hide a copy from every map, not from its looks."""
    import rasterio

    images = [write_image(place) for place in range(4)]
    with rasterio.open(images[0].path) as source:
        pixels = source.read()
    images.append(write_image(4, pixels=np.ascontiguousarray((pixels * 0.8 + 150).astype(np.uint16)[:, :, ::-1])))
    images.append(write_image(5, pixels=(pixels * 1.1).astype(np.uint16)))
    polygons = [item for place in range(6) for item in mine(place)]
    made = build(PolygonMaterial(images, [layer(polygons)]), SMALL, tmp_path / "set")
    leaks.check(made)
    homes = {tile.image: tile.set for tile in made.tiles if tile.image in ("scene0", "scene4", "scene5")}
    said = [finding for finding in made.findings if finding["code"] == "E-SET-18"]
    assert made.report["left_out_alike"] > 0
    assert said
    assert len(set(homes.values())) == 1
