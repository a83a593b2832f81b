import numpy as np
import pytest
import rasterio

from landdamage.imagery import Stretch, inspect_scene, scene_stretch, write_cog
from landdamage.imagery.radiometry import display_stretch


def test_percentiles_are_of_valid_pixels_in_the_order_asked(make_raster) -> None:
    pixels = np.random.default_rng(2).integers(300, 2000, (4, 200, 300)).astype("uint16")
    pixels[2] //= 2
    pixels[:, :, :150] = 0
    stretch = scene_stretch(make_raster(pixels=pixels), [3, 1])
    kept = pixels[:, :, 150:].reshape(4, -1)
    assert stretch.low == pytest.approx(np.percentile(kept[[2, 0]], 2, axis=1))
    assert stretch.high == pytest.approx(np.percentile(kept[[2, 0]], 98, axis=1))


def test_cog_carries_the_numbers_of_its_original(make_raster) -> None:
    path = make_raster(shape=(4, 600, 700))
    cog = path.with_suffix(".cog.tif")
    write_cog(path, cog, report=inspect_scene(path))
    assert scene_stretch(cog, [1, 2, 3, 4]).as_lists() == scene_stretch(path, [1, 2, 3, 4]).as_lists()


def test_large_mostly_empty_image_is_sampled_finely_enough(make_raster) -> None:
    pixels = np.zeros((1, 3000, 3000), "uint16")
    pixels[0, 1000:1004, 1000:1004] = np.arange(1000, 1016).reshape(4, 4)  # lost in a coarse sample
    stretch = scene_stretch(make_raster(pixels=pixels, compress="deflate"), [1])
    assert 1000 <= stretch.low[0] < stretch.high[0] <= 1015


def test_no_valid_pixel_and_no_spread_give_a_usable_stretch(make_raster) -> None:
    assert (scene_stretch(make_raster(pixels=np.zeros((2, 5, 5), "uint8")), [1, 2]).high == 1).all()
    flat = Stretch.from_pixels(np.full((1, 9), 7))
    assert np.isfinite(flat.network_input(np.full((1, 3, 3), 7))).all()


def test_eight_bits_are_not_stretched_again_for_the_eye(make_raster) -> None:
    stretch = display_stretch(make_raster(dtype="uint8", shape=(3, 20, 20)), [1, 2, 3])
    assert stretch.as_lists() == {"low": [0.0] * 3, "high": [255.0] * 3}
    assert display_stretch(make_raster(), [1]).low[0] > 100


@pytest.mark.parametrize(
    "tags", [{"P2": "nan", "P98": "5"}, {"P2": "9", "P98": "5"}, {"P2": "x", "P98": "5"}, {"P2": "1"}]
)
def test_senseless_tags_of_a_foreign_file_are_not_believed(make_raster, tags: dict[str, str]) -> None:
    path = make_raster(shape=(1, 40, 40))
    expected = scene_stretch(path, [1]).as_lists()
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(1, **tags)
    assert scene_stretch(path, [1]).as_lists() == expected
