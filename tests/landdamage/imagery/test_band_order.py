import numpy as np
import pytest

from landdamage.imagery.bands import alpha_is_mask, found_order, given_order, normalise_bands
from landdamage.imagery.names import SceneName
from landdamage.imagery.open import open_raster

UNKNOWN = SceneName()


def scene(contrasts: list[float]) -> np.ndarray:
    """Bands of one mean and the given coefficients of variation."""
    noise = np.random.default_rng(3).normal(size=(len(contrasts), 64, 80))
    return (1000 * (1 + np.array(contrasts)[:, None, None] * noise)).clip(1).astype("uint16")


@pytest.mark.parametrize(
    ("descriptions", "expected"),
    [
        (("B2", "B3", "B4"), ("B", "G", "R")),
        (("B02", "B03", "B04", "B08"), ("B", "G", "R", "N")),
        (("B1", "B2", "B3", "B4"), ("B", "G", "R", "N")),
        (("B2", "B3", "B4", "B5"), ("B", "G", "R", "N")),
        (("red", "green", "blue", "nir"), ("R", "G", "B", "N")),
        (("SWIR1", "NIR", "Red", "Green"), ("SWIR1", "N", "R", "G")),
        (("蓝", "绿", "红", "近红外"), ("B", "G", "R", "N")),
    ],
)
def test_descriptions_decide(make_raster, descriptions: tuple[str, ...], expected: tuple[str, ...]) -> None:
    path = make_raster(shape=(len(descriptions), 8, 8), bands=descriptions)
    with open_raster(path) as dataset:
        order = found_order(dataset, UNKNOWN)
    assert order.names == expected
    assert order.certain


def test_satellite_decides_for_four_bands(make_raster) -> None:
    with open_raster(make_raster(bands=None)) as dataset:
        assert found_order(dataset, SceneName("GF2")).certain
        assert not found_order(dataset, UNKNOWN).certain


def test_rgb_tag_decides_for_three_bands_and_proposes_for_four(make_raster) -> None:
    with open_raster(make_raster("3.tif", shape=(3, 8, 8), bands=None, photometric="RGB")) as dataset:
        order = found_order(dataset, UNKNOWN)
    assert (order.names, order.certain) == (("R", "G", "B"), True)
    with open_raster(make_raster("4.tif", shape=(4, 8, 8), bands=None, photometric="RGB", alpha="NO")) as dataset:
        order = found_order(dataset, UNKNOWN)
    assert (order.names, order.certain) == (("R", "G", "B", "N"), False)


@pytest.mark.parametrize(
    ("contrasts", "expected"),
    [
        ([0.1, 0.15, 0.3], "BGR"),
        ([0.3, 0.15, 0.1], "RGB"),
        ([0.1, 0.15, 0.3, 0.4], "BGRN"),
        ([0.3, 0.2, 0.1, 0.4], "RGBN"),
    ],
)
def test_haze_tells_blue_from_red_but_only_as_a_proposal(make_raster, contrasts: list[float], expected: str) -> None:
    with open_raster(make_raster(pixels=scene(contrasts), bands=None)) as dataset:
        order = found_order(dataset, UNKNOWN)
    assert "".join(order.names) == expected
    assert not order.certain


def test_true_alpha_is_no_band_and_false_alpha_is(make_raster) -> None:
    alpha = np.where(np.arange(80) < 10, 0, 255).astype("uint8") * np.ones((1, 64, 1), "uint8")
    pixels = np.concatenate([np.full((3, 64, 80), 90, "uint8"), alpha])
    with open_raster(make_raster("true.tif", pixels=pixels, bands=None, photometric="RGB", alpha="YES")) as dataset:
        assert found_order(dataset, UNKNOWN).indexes == (1, 2, 3)
        assert alpha_is_mask(dataset)
    pixels = scene([0.1, 0.1, 0.1, 0.4]).clip(0, 2000) // 8
    false = make_raster("false.tif", pixels=pixels.astype("uint8"), bands=None, photometric="RGB", alpha="YES")
    with open_raster(false) as dataset:
        order = found_order(dataset, UNKNOWN)
        assert (order.names, order.certain) == (("R", "G", "B", "N"), False)
        assert not alpha_is_mask(dataset)


def test_the_given_order_wins_or_is_refused(make_raster) -> None:
    with open_raster(make_raster()) as dataset:
        order = given_order(dataset, ["swir1", "nir", "r", "Green"])
        assert order is not None
        assert order.names == ("SWIR1", "N", "R", "G")
        assert given_order(dataset, ["B", "G", "R"]) is None
        assert given_order(dataset, ["B", "B", "R", "N"]) is None


def test_names_are_normalised() -> None:
    assert normalise_bands(["blue", " NIR ", "x9"]) == ("B", "N", "X9")
