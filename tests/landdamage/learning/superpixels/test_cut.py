"""Superpixels: whole, bounded, off the empty ground, the same every time; their outlines; where a model is unsure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from scipy import ndimage

from landdamage.learning.superpixels import cut, doubt
from landdamage.learning.superpixels.outlines import outlines
from minegis.errors import MineGISError
from minegis.units import areas_m2
from tests.fixtures.labelled import EPSG, GSD, origin

SIDE_PX = 12


def picture(side: int = 96, seed: int = 1) -> np.ndarray:
    """Four bands of smooth noise with a bright square whose edges pieces should follow."""
    rng = np.random.default_rng(seed)
    coarse = ndimage.gaussian_filter(rng.normal(size=(4, side, side)), (0, 4, 4)) * 400 + 100
    coarse[:, 24:60, 30:66] += 90
    return coarse.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("holes", [False, True])
def test_pieces_cover_what_the_image_shows_and_stay_small(holes: bool) -> None:
    valid = np.ones((96, 96), bool)
    if holes:
        valid[:, :20] = False
        valid[40:50, 40:50] = False
    found = cut.segment(picture(), valid, SIDE_PX)
    assert np.array_equal(found > 0, valid)
    sizes = np.bincount(found.ravel())[1:]
    assert sizes.min() > 0
    assert sizes.max() <= cut.LARGEST * SIDE_PX**2
    assert 0.5 <= len(sizes) * SIDE_PX**2 / valid.sum() <= 2
    for number in range(1, len(sizes) + 1):
        assert ndimage.label(found == number)[1] == 1, number
    first = np.unique(found[found > 0], return_index=True)[1]
    assert np.array_equal(first, np.sort(first))  # numbered as they lie
    assert np.array_equal(found, cut.segment(picture(), valid, SIDE_PX))


def test_pieces_follow_the_edges_of_the_image() -> None:
    found = cut.segment(picture(), np.ones((96, 96), bool), SIDE_PX)
    square = np.zeros((96, 96), bool)
    square[24:60, 30:66] = True
    inside = np.bincount(found.ravel(), square.ravel(), found.max() + 1)[1:] / np.bincount(found.ravel())[1:]
    mixed = np.bincount(found.ravel())[1:][(inside > 0.1) & (inside < 0.9)].sum()
    assert mixed < 0.05 * square.size


def test_an_oversized_piece_is_halved_until_it_fits() -> None:
    one = np.ones((40, 90), np.int32)
    out = cut.in_order(cut._bounded(one, 300))
    assert np.bincount(out.ravel())[1:].max() <= 300
    assert (out > 0).all()


def test_sizes_that_are_not_allowed() -> None:
    valid = np.ones((96, 96), bool)
    for side, window in ((cut.LEAST_SIDE - 1, 96**2), (cut.MOST_SIDE + 1, 96**2), (12, 1024**2)):
        with pytest.raises(MineGISError, match="E-LAB-01"):
            cut.check_side(side, window)
    with pytest.raises(MineGISError, match="E-LAB-02"):
        cut.segment(picture(), ~valid, SIDE_PX)
    with pytest.raises(MineGISError, match="E-LAB-01"):
        cut.Place(0, 0, 60, 60).within(500, 500)
    assert cut.Place(450, -20, 100, 100).within(500, 500) == cut.Place(400, 0, 100, 100)


def test_outlines_cover_the_window_without_gaps_and_overlaps() -> None:
    found = cut.segment(picture(), np.ones((96, 96), bool), SIDE_PX)
    shapes = outlines(found, from_origin(*origin(0), GSD, GSD), EPSG)
    assert [feature["id"] for feature in shapes["features"]] == list(range(1, found.max() + 1))
    polygons = shapely.from_geojson([str(f["geometry"]).replace("'", '"') for f in shapes["features"]])
    assert shapely.is_valid(polygons).all()
    whole = (96 * GSD) ** 2
    assert areas_m2(polygons).sum() == pytest.approx(whole, rel=0.002)
    assert areas_m2(np.array([shapely.union_all(polygons)])).sum() == pytest.approx(whole, rel=0.002)


def test_doubt_is_the_least_margin_times_the_area(tmp_path: Path) -> None:
    steps = np.full((128, 128), 200, np.uint8)  # p = 1
    steps[70:, 70:] = 120  # p = 0.6: the margin is at least 0.2
    steps[:10] = 255
    path = tmp_path / "confidence.tif"
    layout = {"driver": "GTiff", "crs": f"EPSG:{EPSG}", "transform": from_origin(*origin(0), GSD, GSD), "nodata": 255}
    with rasterio.open(path, "w", count=1, dtype="uint8", height=128, width=128, **layout) as target:
        target.write(steps, 1)
        target.scales = (1 / 200,)
    assert doubt.pixel_doubt(np.array([200, 120, 80, 255]), 1 / 200) == pytest.approx([0, 0.8, 1, 0])
    segments = np.repeat(np.arange(1, 5, dtype=np.int32), 16 * 64).reshape(64, 64)
    sums = doubt.doubt_of(segments, path, cut.Place(64, 64, 64, 64))
    assert sums == pytest.approx([(16 - 6) * 58 * 0.8, *[16 * 58 * 0.8] * 3], rel=1e-5)
    assert doubt.least_sure(path, 64) == cut.Place(64, 64, 64, 64)
    assert doubt.middle(path, 64) == cut.Place(32, 32, 64, 64)
