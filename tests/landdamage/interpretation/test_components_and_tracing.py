"""Components, sieve and borders against GDAL's, and whatever the raster: valid, complete, without gaps."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio.features
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from landdamage.interpretation import tracing
from landdamage.interpretation.components import Components, find_components, label_block, sieve
from landdamage.interpretation.tracing import trace
from landdamage.taxonomy import IGNORE

Raster = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))
RASTERS = hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, IGNORE]))


def blocks(raster: Raster, height: int) -> list[Raster]:
    return [raster[k : k + height] for k in range(0, raster.shape[0], height)]


def component_raster(raster: Raster, height: int, components: Components) -> NDArray[np.int32]:
    parts = zip(blocks(raster, height), components.of_block, strict=True)
    return np.concatenate([of_block[label_block(block)[0]] for block, of_block in parts])


def sieved_raster(raster: Raster, height: int, smallest: int) -> Raster:
    components = find_components(blocks(raster, height))
    return sieve(components, smallest)[component_raster(raster, height, components)]


def covers(polygon: shapely.Polygon, mask: NDArray[np.bool_]) -> bool:
    """Whether a polygon in lattice coordinates covers exactly the pixels of a mask."""
    return bool(np.array_equal(rasterio.features.geometry_mask([polygon], mask.shape, _LATTICE, invert=True), mask))


_LATTICE = rasterio.Affine.identity()


@given(RASTERS, st.integers(1, 25))
@settings(max_examples=120)
def test_polygons_are_those_of_gdal_and_a_valid_coverage(raster: Raster, height: int) -> None:
    components = find_components(blocks(raster, height))
    ids = component_raster(raster, height, components)
    polygons, owners = trace(ids, observed=components.classes != IGNORE)
    expected = [
        (shapely.geometry.shape(shape), int(value))
        for shape, value in rasterio.features.shapes(raster, mask=raster != IGNORE, connectivity=4)
    ]
    assert sorted((c, p.area, *p.bounds) for p, c in expected) == sorted(
        (int(components.classes[o]), p.area, *p.bounds) for p, o in zip(polygons, owners, strict=True)
    )
    assert shapely.is_valid(polygons).all()
    assert len(polygons) == 0 or shapely.coverage_is_valid(polygons)
    for polygon, owner in zip(polygons, owners, strict=True):
        assert polygon.area == components.pixels[owner]
        assert covers(polygon, ids == owner)


@given(RASTERS, st.sampled_from([0.3, 1.0]))
@settings(max_examples=150)
def test_smoothed_borders_keep_every_area_leave_no_gap_and_do_not_move_the_frame(raster: Raster, width: float) -> None:
    components = find_components([raster])
    labels, seen = component_raster(raster, len(raster), components), components.classes != IGNORE
    stairs, _ = trace(labels, observed=seen)
    smooth, owners = trace(labels, observed=seen, simplify_pixels=width)
    if len(smooth) == 0:
        return
    assert shapely.is_valid(smooth).all()
    assert shapely.coverage_is_valid(smooth)
    np.testing.assert_allclose(shapely.area(smooth), components.pixels[owners], rtol=1e-9)
    ground = shapely.union_all(stairs)
    assert shapely.union_all(smooth).symmetric_difference(ground).area == pytest.approx(0.0, abs=1e-9)
    moved = shapely.hausdorff_distance(shapely.boundary(smooth), shapely.boundary(stairs))
    assert moved.max() < width / 2


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.sampled_from([0, 1])))
@settings(max_examples=80)
def test_smoothed_borders_keep_their_distance(raster: Raster) -> None:
    """Places rounded to 0.1 mm must not cross over: no vertex comes near a border that it does not lie on."""
    smooth, _ = trace(label_block(raster)[0], simplify_pixels=1.0)
    points = shapely.points(np.unique(shapely.get_coordinates(smooth), axis=0))
    edges = []
    for ring in shapely.get_rings(smooth):
        corners = shapely.get_coordinates(ring)
        edges.extend(shapely.linestrings(np.stack([corners[:-1], corners[1:]], axis=1)))
    distance = shapely.distance(points[:, None], np.array(edges)[None, :])
    assert distance[distance > 0].min() > 1 / 33


@given(RASTERS, st.integers(1, 8), st.integers(1, 25))
@settings(max_examples=120)
def test_the_sieve_leaves_only_specks_without_a_large_neighbour(raster: Raster, smallest: int, height: int) -> None:
    found = find_components(blocks(raster, height))
    before = component_raster(raster, height, found)
    classes = sieve(found, smallest)[before]
    assert found.pixels.sum() == raster.size
    np.testing.assert_array_equal(np.bincount(before.ravel(), minlength=len(found.pixels)), found.pixels)
    np.testing.assert_array_equal(classes == IGNORE, raster == IGNORE)
    large = (found.pixels[before] >= smallest) & (raster != IGNORE)
    np.testing.assert_array_equal(classes[large], raster[large])
    # Where specks remain, the observed ground they are connected with holds nothing large at all.
    after, _ = label_block(classes)
    ground, _ = label_block((raster != IGNORE).astype(np.uint8))
    for owner in np.unique(after[raster != IGNORE]):
        speck = after == owner
        assert speck.sum() >= smallest or not large[ground == ground[speck][0]].any()


@given(RASTERS, st.integers(1, 8), st.integers(1, 25))
@settings(max_examples=60)
def test_nothing_depends_on_the_height_of_the_blocks(raster: Raster, smallest: int, height: int) -> None:
    np.testing.assert_array_equal(
        sieved_raster(raster, raster.shape[0], smallest), sieved_raster(raster, height, smallest)
    )


def test_a_speck_goes_to_the_neighbour_with_the_longest_border() -> None:
    raster = np.zeros((6, 9), np.uint8)
    raster[:, 5:] = 2
    raster[2:4, 3:5] = 1  # touches class 0 along 6 pixel edges, class 2 along 2
    expected = np.zeros((6, 9), np.uint8)
    expected[:, 5:] = 2
    np.testing.assert_array_equal(sieved_raster(raster, 6, 5), expected)


def test_a_ring_that_meets_itself_diagonally_becomes_a_hole() -> None:
    raster = np.ones((4, 4), np.uint8)
    raster[1, 1] = raster[2, 2] = 0
    components = find_components([raster])
    polygons, owners = trace(component_raster(raster, 4, components))
    ones = polygons[components.classes[owners] == 1][0]
    assert (ones.area, len(ones.interiors), ones.is_valid) == (14.0, 2, True)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_borders_that_come_too_close_get_their_stairs_back(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At less than half a pixel it hardly ever happens; with this reach these rasters would be torn without it."""
    monkeypatch.setattr(tracing, "NEARLY_HALF", 0.8)
    rng = np.random.default_rng(seed)
    raster = rng.integers(0, 2, (24, 24)).repeat(5, axis=0).repeat(5, axis=1).astype(np.uint8)
    raster ^= rng.random(raster.shape) < 0.05
    labels, _ = label_block(raster)
    smooth, _ = trace(labels, simplify_pixels=1.0)
    assert shapely.is_valid(smooth).all()
    assert shapely.coverage_is_valid(smooth)
    np.testing.assert_allclose(shapely.area(smooth), np.bincount(labels.ravel()), rtol=1e-9)
