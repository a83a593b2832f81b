from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from landdamage.imagery import write_thumbnail
from landdamage.imagery.thumbnail import display_indexes


@pytest.mark.parametrize("name", ["t.webp", "t.png"])
def test_thumbnail_shows_true_colour_and_clear_nodata(make_raster, tmp_path: Path, name: str) -> None:
    ramp = np.linspace(0.2, 1, 600) * np.ones((300, 1))
    pixels = np.stack([ramp * 100, ramp * 500, ramp * 2000, ramp * 3000]).astype("uint16")
    pixels[:, :, :200] = 0
    write_thumbnail(make_raster(pixels=pixels), tmp_path / name, size=120)
    with Image.open(tmp_path / name) as image:
        picture = np.asarray(image.convert("RGBA"))
    assert picture.shape == (60, 120, 4)
    assert (picture[:, :38, 3] == 0).all()
    assert (picture[:, 42:, 3] == 255).all()
    right = picture[30, 50:, :3].astype(int)
    assert (np.abs(right[:, 0] - right[:, 2]) < 12).all()  # one stretch per band: a grey ramp
    assert right[-1].min() > 240


def test_eight_bits_are_shown_as_their_maker_left_them(make_raster, tmp_path: Path) -> None:
    pixels = np.full((3, 20, 30), 100, "uint8")
    pixels[0] = 120
    write_thumbnail(make_raster(pixels=pixels, bands=("R", "G", "B")), tmp_path / "t.png")
    with Image.open(tmp_path / "t.png") as image:
        assert image.size == (30, 20)
        assert np.asarray(image)[5, 5].tolist() == [120, 100, 100, 255]


def test_other_extensions_are_refused(make_raster, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="webp"):
        write_thumbnail(make_raster(), tmp_path / "t.gif")


@pytest.mark.parametrize(
    ("bands", "expected"),
    [("BGRN", (3, 2, 1)), ("RGB", (1, 2, 3)), (("SWIR1", "N", "R", "G"), (2, 3, 4)), (("PAN",), (1, 1, 1))],
)
def test_bands_to_show(bands: tuple[str, ...], expected: tuple[int, int, int]) -> None:
    assert display_indexes(bands, range(1, len(bands) + 1)) == expected
