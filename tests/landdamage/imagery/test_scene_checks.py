import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.transform import from_origin

from landdamage.imagery import inspect_scene, write_cog
from minegis.errors import JobCancelledError, SceneError

XINJIANG = (73.4, 34.3, 96.4, 49.2)


def test_faultless_scene_is_ready(make_raster) -> None:
    report = inspect_scene(make_raster("GF2_PMS2_E87.6_N43.0_20210715_L1A0005761234.tif"), monitored=XINJIANG)
    assert (report.state, report.findings) == ("ready", ())
    found = report.usable()
    assert (found.satellite, found.sensor, found.product_level) == ("GF2", "PMS2", "ORTHO")
    assert (found.acquired_on, found.date_source) == (dt.date(2021, 7, 15), "file name")
    assert (found.bands, found.band_indexes) == (("B", "G", "R", "N"), (1, 2, 3, 4))
    assert (found.width, found.height, found.dtype, found.epsg) == (80, 64, "uint16", 4538)
    assert found.valid_bits == 11
    assert found.gsd_m == pytest.approx(2.0, rel=1e-3)
    assert found.radiometry == "dn"
    assert report.valid_share == 1.0
    json.dumps(report.as_dict(), allow_nan=False)


def coded(report) -> dict[str, str]:
    return {finding.code: finding.severity for finding in report.findings}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"crs": None}, {"E-GEO-01": "error", "E-CRS-03": "error"}),
        ({"crs": None, "transform": from_origin(29_548_924, 4_762_894, 2, 2)}, {"E-GEO-01": "error"}),
        ({"crs": None, "transform": Affine.identity()}, {"E-GEO-01": "error"}),
        ({"transform": Affine.identity()}, {"E-GEO-08": "error"}),
        ({"crs": "EPSG:2410"}, {"E-CRS-04": "error"}),
        ({"transform": from_origin(548_924, 4_762_894, 2, 3)}, {"E-GEO-05": "warn"}),
        (
            {"transform": Affine.translation(548_924, 4_762_894) @ Affine.rotation(20) @ Affine.scale(2, -2)},
            {"E-GEO-05": "warn"},
        ),
        ({"shape": (1, 64, 80)}, {"E-RAD-01": "error"}),
        ({"shape": (2, 64, 80)}, {"E-RAD-01": "error"}),
        ({"dtype": "uint32"}, {"E-RAD-02": "error"}),
        ({"dtype": "int8"}, {"E-RAD-02": "error"}),
        ({"pixels": np.ones((4, 8, 8), "complex64")}, {"E-RAD-02": "error"}),
        ({"pixels": np.zeros((4, 8, 8), "uint16")}, {"E-RAD-03": "error"}),
        ({"pixels": np.full((4, 8, 8), 500, "uint16")}, {"E-RAD-03": "error"}),
        ({"pixels": np.full((4, 8, 8), np.nan, "float32")}, {"E-RAD-03": "error"}),
        ({"dtype": "uint8"}, {"E-RAD-06": "warn"}),
        ({"dtype": "int16"}, {}),
        ({"dtype": "float32"}, {}),
        ({"dtype": "float64"}, {}),
        ({"name": "scene.tif"}, {"E-QUA-03": "warn"}),
        ({"name": "scene_20991231.tif"}, {"E-QUA-03": "warn"}),
        ({"name": "scene_20210115.tif"}, {"E-QUA-04": "warn"}),
        ({"bands": None}, {"E-RAD-05": "warn"}),
    ],
)
def test_each_fault_has_its_code(make_raster, options: dict, expected: dict[str, str]) -> None:
    options = dict(options)
    report = inspect_scene(make_raster(options.pop("name", "scene_20210715.tif"), **options), monitored=XINJIANG)
    assert coded(report) == expected
    state = "rejected" if "error" in expected.values() else "restricted" if expected else "ready"
    assert report.state == state


def test_dead_band_is_a_warning_and_mostly_empty_too(make_raster) -> None:
    pixels = np.random.default_rng(0).integers(300, 900, (4, 64, 80)).astype("uint16")
    pixels[3] = 400
    pixels[:, :, 10:] = 0
    report = inspect_scene(make_raster(pixels=pixels))
    assert coded(report) == {"E-RAD-03": "warn", "E-RAD-04": "warn"}
    assert report.findings[0].field == "band 4"
    assert report.valid_share == pytest.approx(0.125)


def test_raw_scene_with_control_points_or_coefficients_is_not_interpretable(make_raster, tmp_path: Path) -> None:
    named = make_raster(
        "GF1_PMS1_E86.2_N43.1_20210715_L1A0005761234-MSS1.tiff", crs=None, transform=Affine.identity(), bands=None
    )
    assert coded(inspect_scene(named)) == {"E-GEO-02": "error"}
    points = [GroundControlPoint(r, c, 87 + c / 1e4, 43 - r / 1e4) for r, c in ((0, 0), (0, 80), (64, 0), (64, 80))]
    path = tmp_path / "gcp_20210715.tif"
    with rasterio.open(path, "w", driver="GTiff", width=80, height=64, count=3, dtype="uint16") as out:
        out.write(np.random.default_rng(0).integers(1, 900, (3, 64, 80)).astype("uint16"))
        out.descriptions = ("B", "G", "R")
        out.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    assert coded(inspect_scene(path)) == {"E-GEO-02": "error"}


def test_corruption_is_told_with_its_row(make_raster) -> None:
    path = make_raster(shape=(4, 64, 512), tiled=False, compress="deflate", blockysize=8)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    report = inspect_scene(path)
    found = {finding.code: finding.values for finding in report.findings}
    if "E-FMT-02" in found and report.metadata is not None:
        assert 0 < found["E-FMT-02"]["row"] < 64
    assert report.state == "rejected"
    assert "E-FMT-02" in found


def test_the_owners_answers_win(make_raster) -> None:
    path = make_raster("scene.tif", crs=None, bands=None)
    report = inspect_scene(
        path, bands=["SWIR1", "NIR", "R", "G"], crs="EPSG:4538", acquired_on=dt.date(2021, 7, 15), monitored=XINJIANG
    )
    assert (report.state, report.codes) == ("ready", [])
    found = report.usable()
    assert (found.bands, found.epsg, found.date_source) == (("SWIR1", "N", "R", "G"), 4538, "user")


@pytest.mark.parametrize("bands", [["B", "G", "R"], ["B", "B", "R", "N"], ["B", "", "R", "N"]])
def test_an_answer_that_does_not_fit_is_an_error(make_raster, bands: list[str]) -> None:
    assert coded(inspect_scene(make_raster(bands=None), bands=bands)) == {"E-RAD-08": "error"}


def test_an_unknown_chosen_crs_is_an_error(make_raster) -> None:
    assert coded(inspect_scene(make_raster(), crs="somewhere")) == {"E-CRS-05": "error"}


def test_near_infrared_tagged_alpha_becomes_a_band(make_raster) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(20, 250, (4, 64, 80)).astype("uint8")
    pixels[:, :3] = 0  # a collar; the first bands' noise must not be masked where near infrared is 0
    path = make_raster(pixels=pixels, bands=None, photometric="RGB", alpha="YES")
    guessed = inspect_scene(path)
    assert guessed.usable().bands == ("R", "G", "B", "N")
    assert not guessed.usable().has_mask
    told = inspect_scene(path, bands=["R", "G", "B", "N"])
    assert coded(told) == {"E-RAD-06": "warn"}
    assert told.valid_share == pytest.approx(61 / 64)


def test_date_of_name_and_tag_must_agree(make_raster) -> None:
    path = make_raster("scene_20210715.tif")
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ACQUISITION_DATE="2020-07-15")
    assert coded(inspect_scene(path)) == {"E-QUA-06": "warn"}
    assert inspect_scene(path, "scene.tif").usable().date_source == "tag"


def test_rejected_scene_cannot_be_used(make_raster) -> None:
    with pytest.raises(SceneError, match="E-GEO-01"):
        inspect_scene(make_raster(crs=None)).usable()


def test_no_message_shows_a_path_of_the_server(make_raster, tmp_path: Path) -> None:
    broken = tmp_path / "b.tif"
    broken.write_bytes(b"II*\0" + bytes(50))
    faulty = make_raster("a.img", crs=None, dtype="uint32")
    spilled = make_raster("s.img", driver="HFA", USE_SPILL="YES")
    spilled.with_suffix(".ige").unlink()
    for path in (broken, faulty, spilled, tmp_path / "none.tif"):
        text = json.dumps(inspect_scene(path).as_dict(), ensure_ascii=False)
        assert str(tmp_path) not in text
        assert str(tmp_path.parent) not in text
    assert inspect_scene(faulty, "C:\\Users\\li\\矿区.img").file_name == "矿区.img"


def test_checks_report_progress_and_can_be_ended(make_raster) -> None:
    path = make_raster(shape=(3, 1200, 2000), bands=("B", "G", "R"))
    seen: list[float] = []
    assert inspect_scene(path, progress=seen.append).state == "ready"
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(fraction: float) -> None:
        raise JobCancelledError

    with pytest.raises(JobCancelledError):
        inspect_scene(path, progress=stop)


def test_mask_band_is_believed_when_the_owner_names_the_bands(make_raster) -> None:
    mask = np.full((64, 80), 255, "uint8")
    mask[:, :20] = 0
    report = inspect_scene(make_raster(mask=mask, bands=None), bands=["B", "G", "R", "N"])
    assert report.usable().has_mask
    assert report.valid_share == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("tags", "found", "severity"),
    [
        ({}, None, None),
        ({"GEOREF_RMSE_M": "3.9"}, 3.9, None),
        ({"GEOREF_RMSE_M": "4.5"}, 4.5, "warn"),
        ({"GEOREF_RMSE_M": "6.5"}, 6.5, "error"),
        ({"GEOMETRIC_RMSE_MODEL": "1.5"}, 1.5, None),
        ({"GEOREF_RMSE_M": "good", "GEOMETRIC_RMSE_MODEL": "1.5"}, 1.5, None),
        ({"GEOREF_RMSE_M": "nan"}, None, None),
        ({"GEOREF_RMSE_M": "-1"}, None, None),
    ],
)
def test_a_stated_registration_error_is_judged_in_pixels(make_raster, tmp_path, tags, found, severity) -> None:
    path = make_raster()
    with rasterio.open(path, "r+") as out:
        out.update_tags(**tags)
    report = inspect_scene(path)
    assert report.metadata.georef_rmse_m == found
    assert coded(report) == ({"E-GEO-06": severity} if severity else {})
    measured = inspect_scene(path, georef_rmse_m=1.0)  # a person's word wins
    assert (measured.metadata.georef_rmse_m, measured.state) == (1.0, "ready")
    if report.state != "rejected":
        write_cog(path, tmp_path / "scene.cog.tif", report=report)
        assert inspect_scene(tmp_path / "scene.cog.tif").metadata.georef_rmse_m == found
