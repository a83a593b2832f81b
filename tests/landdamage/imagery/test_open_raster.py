import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from landdamage.imagery.open import open_raster
from landdamage.imagery.preflight import extension_fits
from minegis.errors import SceneError


def refused(path: Path, **options: int) -> str:
    with pytest.raises(SceneError) as caught, open_raster(path, **options):
        pass
    return caught.value.code


@pytest.mark.parametrize(
    ("driver", "name"),
    [("GTiff", "a.tif"), ("HFA", "a.img"), ("PCIDSK", "a.pix"), ("ENVI", "a.dat"), ("ENVI", "a.img")],
)
def test_every_delivered_format_opens(make_raster, driver: str, name: str) -> None:
    path = make_raster(name, driver=driver)
    with rasterio.open(path, driver=driver) as plain:
        expected = plain.read()
    with open_raster(path) as dataset:
        assert dataset.driver == driver
        assert (dataset.read() == expected).all()


def test_jpeg2000_opens_and_its_truncated_copy_fails_on_reading(make_raster, tmp_path: Path) -> None:
    whole = tmp_path / "a.jp2"
    rasterio.shutil.copy(make_raster(), whole, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    with open_raster(whole) as dataset:
        assert dataset.read().any()
    cut = tmp_path / "cut.jp2"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with open_raster(cut) as dataset, pytest.raises(rasterio.errors.RasterioIOError):
        dataset.read()


def test_tiled_pcidsk_keeps_its_pixels_inside_and_opens(make_raster) -> None:
    with open_raster(make_raster("t.pix", driver="PCIDSK", INTERLEAVING="TILED")) as dataset:
        assert dataset.read().any()


def test_spilled_erdas_needs_its_companion(make_raster) -> None:
    path = make_raster("s.img", driver="HFA", USE_SPILL="YES")
    with open_raster(path) as dataset:
        assert dataset.read().any()
    path.with_suffix(".ige").unlink()
    with pytest.raises(SceneError) as caught, open_raster(path):
        pass
    assert (caught.value.code, caught.value.values["value"]) == ("E-FMT-05", "s.ige")


def test_envi_without_header_or_cut_short_is_refused(make_raster) -> None:
    path = make_raster("e.bsq", driver="ENVI", interleave="bsq")
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(path) == "E-FMT-02"
    path.with_suffix(".hdr").unlink()
    assert refused(path) == "E-FMT-05"


def test_cut_pcidsk_is_refused_though_gdal_reads_it(make_raster, tmp_path: Path) -> None:
    path = make_raster("p.pix", driver="PCIDSK")
    cut = tmp_path / "cut.pix"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with rasterio.open(cut) as dataset:
        dataset.read()
    assert refused(cut) == "E-FMT-02"


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "empty.tif", "E-UPL-02"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "photo.jpg", "E-FMT-01"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "map.png", "E-FMT-01"),
        (b"some text", "notes.tif", "E-FMT-01"),
        (b"II*\0" + bytes(100), "head_only.tif", "E-FMT-02"),
        (b"msid" + bytes(100), "a.sid", "E-FMT-03"),
        (b"ecw" + bytes(100), "a.ecw", "E-FMT-03"),
        (b"ENVI\nsamples = 3\n", "a.hdr", "E-FMT-01"),
        (b"PCIDSK  " + bytes(1000), "a.pix", "E-FMT-02"),
    ],
)
def test_what_is_no_image_is_named_by_code(tmp_path: Path, content: bytes, name: str, code: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(path) == code


def test_directory_and_missing_file_are_refused(tmp_path: Path) -> None:
    assert refused(tmp_path) == "E-FMT-01"
    assert refused(tmp_path / "none.tif") == "E-FMT-01"


def test_pixel_cap_holds_before_reading(make_raster) -> None:
    path = make_raster()
    with open_raster(path, max_pixels=64 * 80) as dataset:
        assert dataset.width == 80
    assert refused(path, max_pixels=64 * 80 - 1) == "E-FMT-06"


def test_stored_name_without_extension_and_odd_names_open(make_raster, tmp_path: Path) -> None:
    path = make_raster()
    for name in ("0" * 62, "zip+x:?!&a.tif", "矿区 影像.tif", "GTIFF_DIR:1:x.tif"):
        copy = tmp_path / name
        shutil.copy(path, copy)
        with open_raster(copy) as dataset:
            assert np.any(dataset.read(1))


@pytest.mark.parametrize(
    ("name", "driver", "fits"),
    [
        ("a.TIF", "GTiff", True),
        ("a.tif", "HFA", False),
        ("a.img", "ENVI", True),
        ("a.img", "HFA", True),
        ("a.jpg", "GTiff", False),
        ("0a1b", "GTiff", True),
        ("scene.2021", "GTiff", True),
    ],
)
def test_extension_is_judged_only_where_it_is_known(name: str, driver: str, fits: bool) -> None:
    assert extension_fits(name, driver) is fits
