"""Where a place belongs, and how far two tiles lie apart on the ground."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from landdamage.learning.samples.regions import Regions, cell_keys, degree_m, joined, near_pairs
from minegis.units import GEOD


@given(st.floats(-70, 70), st.floats(-179, 179))
def test_cells_are_about_as_wide_as_asked(lat: float, lon: float) -> None:
    across, up = degree_m(np.array([lat]))
    lons, lats = lon + np.arange(41) * 500 / across[0], lat + np.arange(41) * 500 / up[0]
    here = np.full(41, lat)
    assert 4 <= len(set(cell_keys(lons, here, 5000))) <= 6  # 20 km
    assert 4 <= len(set(cell_keys(np.full(41, lon), lats, 5000))) <= 6


@given(st.floats(-70, 70))
def test_a_degree_has_the_length_of_the_geodesic(lat: float) -> None:
    across, up = degree_m(np.array([lat]))
    assert across[0] == pytest.approx(GEOD.inv(87, lat, 87.01, lat)[2] * 100, rel=1e-4)
    assert up[0] == pytest.approx(GEOD.inv(87, lat - 0.005, 87, lat + 0.005)[2] * 100, rel=1e-4)


def test_the_smallest_polygon_names_a_place() -> None:
    big, small = shapely.box(87.0, 43.0, 87.2, 43.2), shapely.box(87.1, 43.1, 87.12, 43.12)
    regions = Regions(5000, [("small", small), ("big", big)])
    keys = regions.keys_of(np.array([87.11, 87.05, 88.0]), np.array([43.11, 43.05, 43.0]))
    assert keys.tolist()[:2] == ["small", "big"]
    assert keys[2] == cell_keys(np.array([88.0]), np.array([43.0]), 5000)[0]


def square(lon: float, lat: float, side_m: float = 1000) -> shapely.Polygon:
    across, up = degree_m(np.array([lat]))
    return shapely.box(lon, lat, lon + side_m / across[0], lat + side_m / up[0])


@pytest.mark.parametrize("lat", [-21.0, 0.0, 43.5])
def test_distances_are_metres_on_the_ground(lat: float) -> None:
    across, _ = degree_m(np.array([lat + 0.0045]))
    shapes = np.array([square(87.0, lat), square(87.0 + 2500 / across[0], lat)], object)
    keys = np.array(["a", "b"])
    left, right, metres = near_pairs(shapes, keys, 1600)
    assert (left.tolist(), right.tolist()) == ([0], [1])
    assert metres[0] == pytest.approx(1500, rel=2e-3)
    assert not near_pairs(shapes, keys, 1400)[0].size
    assert not near_pairs(shapes, np.array(["a", "a"]), 1600)[0].size


def test_neighbours_share_no_ground() -> None:
    one = square(87.0, 43.0)
    edge = one.bounds[2]
    shapes = np.array([one, square(edge, 43.0), square(edge - 0.001, 43.0)], object)
    left, right, metres = near_pairs(shapes, np.array(["a", "b", "c"]), 0.0)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [(0, 2), (1, 2)]
    assert (metres == 0).all()


def test_regions_near_each_other_become_one() -> None:
    shapes = np.array([square(87.0, 43.0), square(87.02, 43.0), square(87.04, 43.0), square(88.0, 43.0)], object)
    keys = np.array(["c", "b", "a", "d"])
    assert joined(keys, shapes, 1000) == {"a": "a", "b": "a", "c": "a", "d": "d"}
    assert joined(keys, shapes, 100) == {key: key for key in "abcd"}
    assert near_pairs(shapes[:1], keys[:1], 100)[0].size == 0
