"""Real scenes of three sensors are accepted, read right and converted.

Every ninth Sentinel-2 scene is taken by default; ``MINEGIS_ALL_SCENES=1`` takes all.
"""

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds
from shapely.geometry import box

from landdamage.imagery import inspect_scene, valid_footprint, write_cog
from landdamage.imagery.checks import SceneReport
from minegis.units import area_m2

pytestmark = pytest.mark.data


def checked_cog(path: Path, tmp_path: Path, **answers: object) -> SceneReport:
    """Inspect and convert a scene; its COG must hold the same pixels and lie in the same place."""
    report = inspect_scene(path, **answers)  # type: ignore[arg-type]
    assert report.state == "restricted"
    cog = tmp_path / "scene.cog.tif"
    write_cog(path, cog, report=report)
    with rasterio.open(path) as source, rasterio.open(cog) as dataset:
        if "E-GEO-05" not in report.codes:
            assert dataset.transform == source.transform
            assert (dataset.read() == source.read()).all()
        assert dataset.descriptions == report.usable().bands
        place = box(*transform_bounds(source.crs, "EPSG:4490", *source.bounds))
    footprint = valid_footprint(cog)
    assert area_m2(footprint.intersection(place)) == pytest.approx(area_m2(footprint), rel=5e-3)
    assert area_m2(footprint) == pytest.approx(area_m2(place), rel=0.03)
    return report


def test_sentinel2_mine_scenes(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "land" / "tailings_s2" / "images").glob("*.tif"))
    assert len(paths) == 90
    for path in paths if os.environ.get("MINEGIS_ALL_SCENES") else paths[::9]:
        report = checked_cog(path, tmp_path)
        assert set(report.codes) <= {"E-RAD-05", "E-QUA-03", "E-GEO-05", "E-RAD-03"}, path.name
        found = report.usable()
        assert found.bands == ("B", "G", "R"), path.name  # by haze alone: the files name no band
        assert found.gsd_m is not None
        assert 8 < found.gsd_m < 11, path.name


def test_aerial_photographs_of_four_years(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "land" / "naip_dates").glob("*.tif"))
    years = []
    for path in paths:
        report = checked_cog(path, tmp_path)
        found = report.usable()
        assert set(report.codes) <= {"E-RAD-05", "E-RAD-06"}
        assert found.bands == ("R", "G", "B", "N")
        assert found.gsd_m == pytest.approx(5.0, rel=1e-3)
        assert found.acquired_on is not None
        years.append(found.acquired_on.year)
    assert years == [2009, 2012, 2017, 2019]


def test_landsat_stacks_with_the_owners_answers(shared_data: Path, tmp_path: Path) -> None:
    paths = sorted((shared_data / "land" / "landsat_pucallpa").glob("*.tif"))
    assert len(paths) == 5
    for path in paths:
        date = dt.date(int(path.stem), 7, 1)
        report = checked_cog(path, tmp_path, bands=["SWIR1", "NIR", "R", "G"], acquired_on=date)
        assert report.codes == ["E-RAD-06"]
        found = report.usable()
        assert found.bands == ("SWIR1", "N", "R", "G")
        assert found.gsd_m == pytest.approx(89.2, abs=0.5)
        assert found.acquired_on == date


def test_thirteen_bands_of_sentinel2_are_known_by_name(shared_data: Path) -> None:
    path = shared_data / "land" / "sentinel2_slovenia" / "geotiff" / "ref_scene_0.tif"
    found = inspect_scene(path, bands=None).usable()
    assert np.array(found.bands)[[1, 2, 3, 7]].tolist() == ["B", "G", "R", "N"]
    assert len(set(found.bands)) == 13
