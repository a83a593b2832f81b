"""Patches made band by band: as if made at once, whatever the raster and wherever the bands' edges fall."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from landdamage.interpretation.bands import bands
from landdamage.interpretation.pieces import OpenPatches, Pieces, band_pieces
from landdamage.taxonomy import IGNORE

Raster = NDArray[np.uint8]
SHAPES = st.tuples(st.integers(1, 30), st.integers(1, 20))
RASTERS = hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([0, 1, 2, IGNORE]))
FULL = hnp.arrays(np.uint8, SHAPES, elements=st.sampled_from([1, 2, 3, IGNORE]))


def grow(raster: Raster, band_height: int, block_height: int, simplify: float) -> list[Pieces]:
    """The patches that end in each band; confidence is the row, margin the column."""
    rows, columns = (
        np.broadcast_to(index, raster.shape).astype(np.uint8)
        for index in np.ogrid[: raster.shape[0], : raster.shape[1]]
    )
    blocks = [
        (raster[k : k + block_height], rows[k : k + block_height], columns[k : k + block_height])
        for k in range(0, len(raster), block_height)
    ]
    patches = OpenPatches()
    return [patches.add(band_pieces(band, simplify)) for band in bands(blocks, band_height)]


def together(parts: list[Pieces]) -> Pieces:
    """All patches in the order of their first pixels."""
    whole = Pieces.concatenate(parts)
    corners = [min((y, x) for x, y in polygon.exterior.coords) for polygon in whole.polygons]
    return whole[np.array(sorted(range(len(corners)), key=corners.__getitem__), int)]


@given(RASTERS, st.integers(1, 31), st.integers(1, 31))
@settings(max_examples=150)
def test_joined_pieces_are_the_patches_of_the_whole_raster(raster: Raster, band: int, block: int) -> None:
    whole, cut = (together(grow(raster, height, block, 0)) for height in (len(raster), band))
    np.testing.assert_array_equal(cut.class_ids, whole.class_ids)
    np.testing.assert_array_equal(cut.steps, whole.steps)
    np.testing.assert_array_equal(cut.margins, whole.margins)
    assert set(shapely.get_type_id(cut.polygons)) <= {shapely.GeometryType.POLYGON}
    assert shapely.is_valid(cut.polygons).all()
    assert shapely.equals(cut.polygons, whole.polygons).all()
    np.testing.assert_array_equal(shapely.area(cut.polygons), cut.columns()["pixels"])


@given(RASTERS, st.integers(1, 31))
@settings(max_examples=150)
def test_simplified_patches_are_a_valid_coverage(raster: Raster, band: int) -> None:
    patches = together(grow(raster, band, 7, 1.0))
    assert set(shapely.get_type_id(patches.polygons)) <= {shapely.GeometryType.POLYGON}
    assert shapely.is_valid(patches.polygons).all()
    assert len(patches.polygons) == 0 or shapely.coverage_is_valid(patches.polygons)


@given(FULL, st.integers(1, 31))
@settings(max_examples=150)
def test_simplified_patches_leave_no_gap_and_do_not_overlap(raster: Raster, band: int) -> None:
    exact, patches = (together(grow(raster, band, 7, tolerance)) for tolerance in (0.0, 1.0))
    observed = np.count_nonzero(raster != IGNORE)
    assert shapely.area(patches.polygons).sum() == pytest.approx(observed)
    assert shapely.union_all(patches.polygons).area == pytest.approx(observed)
    assert shapely.union_all(patches.polygons).symmetric_difference(shapely.union_all(exact.polygons)).area == 0.0


def test_patches_leave_in_the_band_they_end_in() -> None:
    raster = np.zeros((12, 9), np.uint8)
    raster[0:2, 0:2] = 1  # inside the first band
    raster[1:10, 4] = raster[9, 4:9] = raster[1:10, 8] = 2  # a U over three bands
    raster[4:8, 0:2] = 3  # fills the second band from edge to edge
    ended = [[p.area for p in part.polygons] for part in grow(raster, 4, 5, 0)]
    assert ended == [[4.0], [8.0], [21.0]]


@pytest.mark.parametrize("band", [1, 2, 3, 4])
def test_a_patch_that_meets_itself_diagonally_on_an_edge_of_a_band_stays_one_valid_polygon(band: int) -> None:
    raster = np.ones((4, 4), np.uint8)
    raster[1, 1] = raster[2, 2] = 2
    for tolerance in (0.0, 1.0):
        patches = together(grow(raster, band, 4, tolerance))
        ring = patches.polygons[np.argmax(shapely.area(patches.polygons))]
        assert (len(ring.interiors), ring.is_valid) == (2, True)
        assert tolerance > 0 or ring.area == 14.0
        assert shapely.coverage_is_valid(patches.polygons)


@pytest.mark.parametrize(("upper", "lower"), [([1, 2, 2], [3, 3, 3]), ([3, 3, 3], [1, 2, 2]), ([1, 1, 2], [3, 1, 2])])
def test_three_way_corners_on_an_edge_of_a_band_are_vertices_of_all_neighbours(
    upper: list[int], lower: list[int]
) -> None:
    raster = np.repeat(np.array([upper, lower], np.uint8), 5, axis=0).repeat(5, axis=1)
    patches = together(grow(raster, 5, 3, 1.0))
    assert shapely.coverage_is_valid(patches.polygons)
    assert shapely.area(patches.polygons).sum() == raster.size
