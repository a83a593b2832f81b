"""Areas and units."""

from __future__ import annotations

from decimal import Decimal

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from minegis import units

PARTS = st.lists(st.integers(0, 10**15), min_size=1, max_size=12)


def test_reference_square_is_ten_square_kilometres() -> None:
    assert units.self_test() is None
    assert units.area_cm2(units.reference_square()) == pytest.approx(10_000_000.31 * 10_000, abs=5_000)


@pytest.mark.parametrize(
    ("lon", "lat", "epsg", "east", "north"),
    [
        (80.5, 43.0, 4536, 459229.48, 4762841.21),
        (84.2, 43.0, 4537, 516308.20, 4762739.30),
        (87.6, 43.0, 4538, 548924.64, 4762894.59),
        (89.2, 43.0, 4539, 434767.07, 4763030.48),
    ],
)
def test_gauss_kruger_zone_of_middle_tianshan(lon: float, lat: float, epsg: int, east: float, north: float) -> None:
    assert units.gauss_kruger_epsg(lon) == epsg
    assert units.transformer(4490, epsg).transform(lon, lat) == pytest.approx((east, north), abs=0.01)


def test_longitude_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        units.gauss_kruger_epsg(10.0)


def test_area_does_not_depend_on_the_map_projection() -> None:
    square = units.reference_square()
    for crs in (4538, 4539, 32645, 3857):
        there = units.reproject(square, 4490, crs)
        assert units.area_m2(there, crs) == pytest.approx(10_000_000.31, abs=30)


def test_a_hole_is_not_counted() -> None:
    outer = shapely.box(87.0, 43.0, 87.01, 43.01)
    hole = shapely.box(87.002, 43.002, 87.004, 43.004)
    assert units.area_m2(outer - hole) == pytest.approx(units.area_m2(outer) - units.area_m2(hole), rel=1e-9)


def test_ring_direction_is_irrelevant() -> None:
    box = shapely.box(87.0, 43.0, 87.01, 43.01)
    assert units.area_m2(box) == units.area_m2(shapely.reverse(box))
    assert units.area_m2(shapely.Polygon()) == 0.0


def test_published_totals_of_the_middle_tianshan() -> None:
    excavation, occupation = 4909 * 10**8, 6626 * 10**8  # hm² in cm²
    assert units.to_km2(excavation + occupation) == Decimal("115.35")
    assert units.to_hm2(excavation) == Decimal("4909.00")
    assert units.to_mu(excavation + occupation) == Decimal("173025.0")


@given(PARTS, st.sampled_from([1, 10**6, 10**8]))
def test_rounded_parts_add_up_to_the_rounded_total(parts: list[int], unit: int) -> None:
    rounded = units.close_table(parts, unit)
    whole, rest = divmod(sum(parts), unit)
    assert sum(rounded) in {whole, whole + 1}
    assert abs(sum(rounded) * unit - sum(parts)) * 2 <= unit
    for part, shown in zip(parts, rounded, strict=True):
        assert part // unit <= shown <= part // unit + 1
    assert rest or sum(rounded) == whole


@given(st.integers(0, 10**18))
def test_mu_is_exact_to_half_a_unit(cm2: int) -> None:
    assert abs(int(units.to_mu(cm2) * 10) * 20_000_000 - cm2 * 30) * 2 <= 20_000_000
