"""``manage.py dehaze`` on still images: kinds of files, and what a person reads when one cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image, ImageFile

from enhancement import images
from enhancement.cli import main
from enhancement.dehaze.fast import Dehazer
from enhancement.dehaze.settings import preset
from enhancement.haze_simulation import scene

FRAME = scene(2, "dense", height=61, width=83).hazy  # odd on both sides
DONE = Dehazer(preset("standard"))(FRAME).image


def save(path: Path, frame: np.ndarray = FRAME, **options: object) -> Path:
    Image.fromarray(np.ascontiguousarray(frame[:, :, ::-1])).save(path, **options)
    return path


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))[:, :, ::-1]


def save_deep(path: Path, frame: np.ndarray, **options: object) -> Path:
    bands = np.moveaxis(frame[:, :, ::-1] if frame.shape[2] == 3 else frame, 2, 0)
    driver = "PNG" if path.suffix == ".png" else "GTiff"
    with rasterio.open(
        path,
        "w",
        driver=driver,
        count=len(bands),
        height=frame.shape[0],
        width=frame.shape[1],
        dtype=frame.dtype,
        **options,
    ) as out:
        out.write(bands)
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_an_image_of_odd_size(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / f"in{suffix}")
    assert main([str(source), "-o", str(tmp_path / f"out{suffix}")]) == 0
    np.testing.assert_array_equal(load(tmp_path / f"out{suffix}"), DONE)
    assert not list(tmp_path.glob(".*")), "a partial file was left"


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen_bits(tmp_path: Path, suffix: str) -> None:
    deep = FRAME.astype(np.uint16) * 257
    source = save_deep(tmp_path / f"in{suffix}", deep)
    output = tmp_path / f"out{suffix}"
    assert main([str(source), "-o", str(output)]) == 0
    with rasterio.open(output) as result:
        pixels = np.moveaxis(result.read(), 0, 2)[:, :, ::-1]
    assert pixels.dtype == np.uint16
    assert np.abs(pixels / 65535 - DONE / 255).max() < 1 / 255


def test_ten_bits_in_a_tiff(tmp_path: Path) -> None:
    deep = ((FRAME.astype(np.uint32) * 1023 + 127) // 255).astype(np.uint16)
    source = save_deep(tmp_path / "in.tif", deep, nbits=10)
    assert images.read(source).bits == 10
    assert main([str(source), "-o", str(tmp_path / "out.tif")]) == 0
    written = images.read(tmp_path / "out.tif")
    assert written.bits == 10
    assert np.abs(written.pixels / 1023 - DONE / 255).max() < 3 / 255


def test_alpha_is_kept_and_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alpha = np.arange(61 * 83, dtype=np.uint32).reshape(61, 83).astype(np.uint8)
    rgba = np.dstack([FRAME[:, :, ::-1], alpha])
    Image.fromarray(rgba).save(tmp_path / "in.png")
    assert main([str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--lang", "en"]) == 0
    assert "warning E-ENH-11" in capsys.readouterr().err
    with Image.open(tmp_path / "out.png") as image:
        np.testing.assert_array_equal(np.asarray(image)[:, :, 3], alpha)
    assert main([str(tmp_path / "in.png"), "-o", str(tmp_path / "out.jpg"), "--lang", "en"]) == 2
    assert "E-ENH-12" in capsys.readouterr().err


def test_a_turned_photo_comes_out_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x0110] = "camera"
    source = save(tmp_path / "in.png", exif=exif)
    assert main([str(source), "-o", str(tmp_path / "out.png")]) == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (61, 83)
        assert image.getexif().get(0x0112, 1) == 1
        assert image.getexif()[0x0110] == "camera"


def test_grey_stays_grey(tmp_path: Path) -> None:
    Image.fromarray(FRAME[:, :, 1]).save(tmp_path / "in.png")
    assert main([str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png")]) == 0
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "L"


def test_a_renamed_file_is_read_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(tmp_path / "in.png").rename(tmp_path / "in.jpg")
    assert main([str(tmp_path / "in.jpg"), "-o", str(tmp_path / "out.png"), "--lang", "zh"]) == 0
    assert "警告 E-ENH-09" in capsys.readouterr().err
    np.testing.assert_array_equal(load(tmp_path / "out.png"), DONE)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("cut.png", "half", "E-ENH-07"),
        ("empty.png", b"", "E-ENH-08"),
        ("text.png", b"not an image at all", "E-ENH-08"),
        ("head.tif", b"II*\x00 and then nothing", "E-ENH-07"),
        ("head.jpg", b"\xff\xd8\xff\xe0 and then nothing", "E-ENH-07"),
    ],
)
def test_damaged_files_have_codes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | str,
    code: str,
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as the library of the report leaves it
    if isinstance(content, str):
        whole = save(tmp_path / "whole.png").read_bytes()
        content = whole[: len(whole) // 2]
    (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path / name), "-o", str(tmp_path / "out.png"), "--lang", "en"]) == 2
    assert f"error {code}" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_five_bands_are_no_photo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save_deep(tmp_path / "in.tif", np.zeros((8, 8, 5), np.uint8))
    assert main([str(source), "-o", str(tmp_path / "out.tif"), "--lang", "en"]) == 2
    assert "E-ENH-10" in capsys.readouterr().err


def test_a_folder_goes_on_after_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    save(source / "b.png")
    (source / "a.png").write_bytes(b"nothing")
    assert main([str(source), "-o", str(tmp_path / "out"), "--lang", "en"]) == 2
    assert "a.png: error E-ENH-08" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]


def test_wrong_places_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "in.png")
    before = source.read_bytes()
    cases = {
        "E-ENH-14": [str(source), "-o", str(source)],
        "E-OUT-01": [str(source), "-o", str(tmp_path / "missing" / "out.png")],
        "E-ENH-07": [str(tmp_path / "missing.png"), "-o", str(tmp_path / "out.png")],
    }
    (tmp_path / "nothing").mkdir()
    cases["E-ENH-13"] = [str(tmp_path / "nothing"), "-o", str(tmp_path / "out")]
    for code, arguments in cases.items():
        assert main([*arguments, "--lang", "en"]) == 2
        assert code in capsys.readouterr().err
    assert source.read_bytes() == before


def test_parameters_out_of_range_warn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(tmp_path / "in.png")
    arguments = [str(source), "-o", str(tmp_path / "out.png"), "--sky-trans", "1.5", "--window", "auto", "--lang", "en"]
    assert main(arguments) == 0
    assert "warning E-ENH-01: sky_trans = 1.5 is out of range; 0.98 is used" in capsys.readouterr().err
