import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from landdamage.imagery.open import open_raster
from landdamage.imagery.pixels import block_windows, decimated_shape, read_pixels, valid_mask


def test_all_zero_is_collar_but_one_dark_band_is_dark() -> None:
    pixels = np.array([[[0, 0, 5]], [[0, 7, 5]]], "uint16")
    assert valid_mask(pixels).tolist() == [[False, True, True]]


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [("int16", -9999), ("int16", -32768), ("uint16", 65535), ("uint16", 256), ("float32", -9999), ("float64", -3.4e38)],
)
def test_fill_without_a_tag_is_invalid_only_when_every_band_has_it(dtype: str, fill: float) -> None:
    pixels = np.array([[[fill, 9]], [[fill, fill if abs(fill) < 1e30 else 9]]], dtype)
    assert valid_mask(pixels).tolist() == [[False, True]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_number_in_any_band_is_invalid(bad: float) -> None:
    assert valid_mask(np.array([[[1.0, 2.0]], [[bad, 2.0]]])).tolist() == [[False, True]]


def test_white_byte_is_a_measurement() -> None:
    assert valid_mask(np.full((3, 1, 2), 255, "uint8")).all()


@pytest.mark.parametrize(("nodata", "expected"), [(7, [False, True, True]), ([7, 8], [True, False, True])])
def test_nodata_counts_when_every_band_has_its_value(nodata: object, expected: list[bool]) -> None:
    pixels = np.array([[[7, 7, 7]], [[7, 8, 9]]], "uint16")
    assert valid_mask(pixels, nodata)[0].tolist() == expected  # type: ignore[arg-type]


def test_nan_as_nodata_and_a_mask() -> None:
    pixels = np.array([[[np.nan, 1, 2]]], "float32")
    assert valid_mask(pixels, float("nan"), np.array([[255, 255, 0]])).tolist() == [[False, True, False]]


def test_internal_mask_and_alpha_are_honoured(make_raster) -> None:
    mask = np.full((64, 80), 255, "uint8")
    mask[:10] = 0
    with open_raster(make_raster("m.tif", mask=mask)) as dataset:
        _, valid = read_pixels(dataset, [1, 2, 3, 4])
    assert (valid == (mask > 0)).all()
    rgba = np.concatenate([np.full((3, 64, 80), 9, "uint8"), mask[None]])
    with open_raster(make_raster("a.tif", pixels=rgba, bands=None, photometric="RGB", alpha="YES")) as dataset:
        _, valid = read_pixels(dataset, [1, 2, 3])
        _, unmasked = read_pixels(dataset, [1, 2, 3], mask=False)
    assert (valid == (mask > 0)).all()
    assert unmasked.all()


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    tile=st.sampled_from([None, 16, 32]),
    pixels=st.integers(1, 20_000),
)
def test_windows_cover_every_pixel_once(height: int, width: int, tile: int | None, pixels: int) -> None:
    layout = {"tiled": True, "blockxsize": tile, "blockysize": tile} if tile else {"blockysize": 7}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", width=width, height=height, count=1, dtype="uint8", **layout) as out:
            out.write(np.ones((1, height, width), "uint8"))
        with memory.open() as dataset:
            seen = np.zeros((height, width), int)
            for window in block_windows(dataset, pixels):
                seen[window.toslices()] += 1
    assert (seen == 1).all()


def test_decimation_never_enlarges(make_raster) -> None:
    with open_raster(make_raster()) as dataset:
        assert decimated_shape(dataset, 1000) == (64, 80)
        assert decimated_shape(dataset, 40) == (32, 40)
