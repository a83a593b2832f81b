import numpy as np
import pytest
from rasterio.transform import from_origin

from landdamage.imagery import valid_footprint
from minegis.errors import SceneError
from minegis.units import area_m2


def test_footprint_is_the_valid_data_not_the_box(make_raster) -> None:
    pixels = np.full((4, 400, 500), 500, "uint16")
    pixels[:, :, :200] = 0
    pixels[:, 150:200, 300:400] = 0  # a hole of 50 x 100 pixels
    pixels[:, 10, 300] = 0  # a dark pixel is not a hole
    footprint = valid_footprint(make_raster(pixels=pixels))
    assert footprint.is_valid
    assert len(footprint.geoms) == 1
    assert len(footprint.geoms[0].interiors) == 1
    assert area_m2(footprint) == pytest.approx((400 * 300 - 50 * 100) * 4, rel=1e-3)
    west, south, east, north = footprint.bounds
    assert 87.5 < west < east < 87.7
    assert 42.9 < south < north < 43.1


def test_large_image_is_outlined_on_a_decimated_grid(make_raster) -> None:
    pixels = np.full((3, 300, 5000), 9, "uint8")
    pixels[:, :, 2500:] = 0
    footprint = valid_footprint(make_raster(pixels=pixels, bands=None))
    assert area_m2(footprint) == pytest.approx(300 * 2500 * 4, rel=5e-3)


def test_tiny_valid_part_is_kept_when_it_is_all_there_is(make_raster) -> None:
    pixels = np.zeros((3, 50, 60), "uint8")
    pixels[:, 20:23, 20:23] = 9
    assert area_m2(valid_footprint(make_raster(pixels=pixels))) == pytest.approx(9 * 4, rel=0.01)


def test_degrees_and_web_mercator_give_the_same_place(make_raster) -> None:
    degrees = valid_footprint(make_raster("d.tif", crs="EPSG:4490", transform=from_origin(87.6, 43.0, 1e-4, 1e-4)))
    assert degrees.bounds == pytest.approx((87.6, 42.9936, 87.608, 43.0))
    mercator = make_raster("m.tif", crs="EPSG:3857", transform=from_origin(9_751_587.4, 5_311_971.8, 10, 10))
    west, _, _, north = valid_footprint(mercator).bounds
    assert (west, north) == pytest.approx((87.6, 43.0), abs=1e-4)


@pytest.mark.parametrize(
    ("options", "code"), [({"crs": None}, "E-GEO-01"), ({"pixels": np.zeros((3, 8, 8), "uint8")}, "E-RAD-03")]
)
def test_no_footprint_without_place_or_data(make_raster, options: dict, code: str) -> None:
    with pytest.raises(SceneError, match=code):
        valid_footprint(make_raster(**options))
