import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st

from landdamage.imagery import inspect_scene
from landdamage.imagery.open import open_raster
from landdamage.imagery.preflight import extension_fits
from minegis.errors import SceneError


def refused(path: Path, **options: Any) -> str:
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


@pytest.mark.parametrize(("name", "code"), [("a.ecw", "E-FMT-03"), ("a.dat", "E-FMT-05"), ("a.tif", "E-FMT-01")])
def test_stored_file_is_told_by_the_name_its_owner_gave_it(tmp_path: Path, name: str, code: str) -> None:
    stored = tmp_path / ("0" * 62)
    stored.write_bytes(b"e\x02 unknown to us")
    assert refused(stored, name=name) == code


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


def test_text_in_gbk_does_not_stop_an_image(make_raster) -> None:
    path = make_raster("gbk.dat", driver="ENVI", bands=None)
    header = path.with_suffix(".hdr")
    text = header.read_bytes().replace(b"GDAL", "矿区影像".encode("gbk"))
    header.write_bytes(text + "band names = {蓝, 绿, 红, 近红外}\n".encode("gbk"))
    report = inspect_scene(path, "矿区_20210715.dat")
    assert report.codes == ["E-RAD-05"]  # names that cannot be read are no names
    tagged = make_raster("gbk.tif")
    with rasterio.open(tagged, "r+") as dataset:
        dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION="0123456789")
    tagged.write_bytes(tagged.read_bytes().replace(b"0123456789", "矿区影像图".encode("gbk")))
    assert inspect_scene(tagged, "矿区_20210715.tif").state == "ready"


# GDAL's message about a damaged file may quote its bytes, which rasterio's logger cannot decode; nothing is raised.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_random_damage_never_raises(make_raster, tmp_path: Path) -> None:
    made = [("GTiff", "d.tif"), ("HFA", "d.img"), ("PCIDSK", "d.pix")]
    originals = {name: make_raster(name, driver=driver, shape=(3, 16, 16), bands=None) for driver, name in made}
    contents = {name: path.read_bytes() for name, path in originals.items()}

    @settings(max_examples=30)
    @given(
        name=st.sampled_from(sorted(contents)),
        damage=st.lists(st.tuples(st.integers(0, 1999), st.integers(0, 255)), min_size=1, max_size=10),
    )
    def check(name: str, damage: list[tuple[int, int]]) -> None:
        content = bytearray(contents[name])
        for place, value in damage:
            content[place % len(content)] = value
        damaged = tmp_path / f"damaged_{name}"
        damaged.write_bytes(content)
        report = inspect_scene(damaged)
        assert report.metadata is not None or report.state == "rejected"

    check()
