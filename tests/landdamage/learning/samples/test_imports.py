"""Labels from other people's files: GBK shapefiles, any wording of the classes, every fault with its code."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from landdamage.interchange import dbf
from landdamage.interchange.classes import Choices
from landdamage.interchange.codes import Field
from landdamage.learning.samples.imports import (
    label_rasters,
    raster_files,
    raster_values,
    read_ground,
    read_named,
    read_polygons,
)
from landdamage.taxonomy import ALL_CLASSES, IGNORE
from minegis.errors import MineGISError, SampleSetError
from minegis.units import area_m2

A, B = (shapely.box(x, 43.5, x + 0.01, 43.51) for x in (87.0, 87.02))


def vectors(path: Path, names: list[Any], *, column: str = "DWMC", crs: Any = 4490, shapes: Any = None) -> Path:
    if shapes is None:
        shapes = [shapely.box(87 + 0.02 * k, 43.5, 87.01 + 0.02 * k, 43.51) for k in range(len(names))]
    gpd.GeoDataFrame({column: names}, geometry=list(shapes), crs=crs).to_file(path)
    return path


def codes(found: Any) -> list[str]:
    return [finding.code for finding in found.findings]


@pytest.mark.parametrize("packed", [True, False])
def test_a_gbk_shapefile_reads_right(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "矿山图斑.shp"
    pyogrio.write_dataframe(gpd.GeoDataFrame({"a": [1, 2]}, geometry=[A, B], crs=4490), path)
    table = pd.DataFrame({"DWMC": ["尾矿库", "露天采场"]})
    dbf.write_dbf(path.with_suffix(".dbf"), table, [Field("DWMC", "C", 20, 0, "", "")], "gbk")
    path.with_suffix(".cpg").unlink()
    if packed:
        zipped = tmp_path / "labels.zip"
        with zipfile.ZipFile(zipped, "w") as archive:
            for part in path.parent.glob("矿山图斑.*"):
                archive.write(part, part.name)
        path = zipped
    found = read_polygons(path)
    assert codes(found) == []
    assert found.layer is not None
    assert found.layer.class_ids.tolist() == [6, 7]
    assert found.facts["encoding"] == "GB18030"


@pytest.mark.parametrize(
    ("texts", "class_id"),
    [
        (["水域", "water", "2", "02", "Water", "水体"], 2),
        (["露天采场", "采坑", "open_pit", "7", "07", "Open pit"], 7),
        (["尾矿库", "tailings", "tailings_pond", "6"], 6),
        (["排土场", "废石场", "stockpile", "5"], 5),
        (["背景/其他", "背景", "background", "0", "00", "other"], 0),
        (["地面塌陷", "8"], 8),
        (["恢复治理", "已治理(挖损)", "21"], IGNORE),
    ],
)
def test_classes_by_any_of_their_names(texts: list[str], class_id: int, tmp_path: Path) -> None:
    found = read_polygons(vectors(tmp_path / "x.gpkg", texts))
    assert found.layer is not None
    assert set(found.layer.class_ids.tolist()) == {class_id}


def test_numbers_are_classes_too(tmp_path: Path) -> None:
    found = read_polygons(vectors(tmp_path / "x.gpkg", [float(one.id) for one in ALL_CLASSES], column="class"))
    assert found.layer is not None
    assert found.layer.class_ids.tolist() == [one.id for one in ALL_CLASSES]


def test_unknown_classes_are_listed_in_both_languages(tmp_path: Path) -> None:
    path = vectors(tmp_path / "x.geojson", ["露天采场", "温室大棚", "99", "heap leach"], crs=4326)
    found = read_polygons(path)
    assert found.layer is None
    assert codes(found) == ["E-VEC-10"]
    told = found.findings[0].as_dict()
    for language in ("message_zh", "message_en"):
        assert "99, heap leach, 温室大棚" in told[language]
    mapped = read_polygons(
        path, choices=Choices(mapping={"温室大棚": "skip", "99": "ignore", "heap leach": "stockpile"})
    )
    assert mapped.layer is not None
    assert mapped.layer.class_ids.tolist() == [7, IGNORE, 5]
    assert len(mapped.layer.shapes) == 3


def test_what_may_be_two_classes_is_asked(tmp_path: Path) -> None:
    path = vectors(tmp_path / "x.gpkg", ["固体废弃物", "矿山建筑"])
    found = read_polygons(path)
    assert codes(found) == ["E-VEC-11", "E-VEC-11"]
    assert "stockpile, tailings_pond" in found.findings[0].as_dict()["message_en"]
    chosen = Choices(mapping={"固体废弃物": "tailings_pond", "矿山建筑": "living_area"})
    assert read_polygons(path, choices=chosen).layer is not None


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda p: vectors(p / "x.gpkg", ["采坑"], column="remark"), "E-VEC-05"),
        (lambda p: vectors(p / "x.gpkg", ["采坑"], crs=None), "E-VEC-15"),
        (lambda p: vectors(p / "x.gpkg", ["采坑"], crs=4214), "E-CRS-04"),
        (lambda p: vectors(p / "x.gpkg", ["采坑", "采坑"], shapes=[A, shapely.Polygon()]), "E-VEC-04"),
        (lambda p: vectors(p / "x.gpkg", ["采坑"], shapes=[A.boundary]), "E-VEC-07"),
    ],
)
def test_every_fault_has_its_code(make: Callable[[Path], Path], code: str, tmp_path: Path) -> None:
    found = read_polygons(make(tmp_path))
    assert found.layer is None
    assert code in codes(found)
    told = found.findings[0].as_dict()
    assert told["message_zh"] != told["message_en"]


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.gpkg").write_bytes(b"no geopackage at all")
    assert codes(read_polygons(tmp_path / "x.gpkg")) == ["E-VEC-13"]
    (tmp_path / "x.shp").write_bytes(b"\0\0\x27\x0a")
    assert codes(read_polygons(tmp_path / "x.shp")) == ["E-VEC-01"]


def test_crossed_rings_are_left_to_the_material(tmp_path: Path) -> None:
    bow = shapely.Polygon([(87, 43), (87.01, 43.01), (87.01, 43), (87, 43.01)])
    found = read_polygons(vectors(tmp_path / "x.gpkg", ["采坑"], shapes=[bow]))
    assert found.layer is not None
    assert codes(found) == []


def test_ground_and_names_come_in_degrees(tmp_path: Path) -> None:
    path = vectors(tmp_path / "x.gpkg", ["M1", "M2"], column="code", crs=4490)
    gpd.read_file(path).to_crs(4538).to_file(tmp_path / "gk.gpkg")
    named = read_named(tmp_path / "gk.gpkg", column="code")
    assert [key for key, _ in named] == ["M1", "M2"]
    assert area_m2(named[0][1]) == pytest.approx(area_m2(A), rel=1e-6)
    assert len(read_ground(path)) == 2
    with pytest.raises(MineGISError, match="E-VEC-05"):
        read_named(path, column="licence")
    with pytest.raises(MineGISError, match="E-VEC-15"):
        read_ground(vectors(tmp_path / "y.gpkg", ["a"], crs=None))


def test_label_rasters_carry_the_names_of_their_images(tmp_path: Path) -> None:
    folder = tmp_path / "labels"
    folder.mkdir()
    for name in ("img_1.tif", "img_2_label.tif", "notes.csv"):
        (folder / name).touch()
    assert [path.name for path in raster_files([folder])] == ["img_1.tif", "img_2_label.tif"]
    found = label_rasters(["img_1", "img_2"], [folder])
    assert found["img_2"].name == "img_2_label.tif"
    with pytest.raises(SampleSetError, match="E-SET-22") as caught:
        label_rasters(["img_1", "img_3"], [folder])
    assert "img_3" in caught.value.message("zh")


def test_values_of_rasters_can_be_given_a_class() -> None:
    values = raster_values({"1": "tailings_pond", "0": "ignore", "9": "subsidence"})
    assert (values[1], values[0], values[9], values[5], values[255]) == (6, IGNORE, IGNORE, 5, IGNORE)
    for wrong in ({"256": "water"}, {"a": "water"}, {"1": "lake"}):
        with pytest.raises(SampleSetError, match="E-SET-24"):
            raster_values(wrong)


@pytest.mark.data
def test_real_mine_sectors_can_be_read(shared_data: Path) -> None:
    """1204 sectors drawn by hand, with class numbers of their own and crossed rings."""
    path = shared_data / "land" / "chile_mine_polygons" / "Chile_LSM_sectors.geojson"
    columns = [c for c in gpd.read_file(path, rows=1).columns if c != "geometry"]
    column = next(c for c in columns if "class" in c.lower())
    values = {str(int(v)) for v in gpd.read_file(path)[column].dropna()}
    mapping = {"3": "stockpile", "4": "industrial_square", "5": "open_pit", "6": "industrial_square", "7": "stockpile"}
    mapping |= {"8": "tailings_pond", "9": "stockpile"} | dict.fromkeys(values - set("3456789"), "ignore")
    found = read_polygons(path, choices=Choices(column=column, mapping=mapping))
    assert [f.code for f in found.findings if f.severity == "error"] == []
    assert found.layer is not None
    assert len(found.layer.shapes) > 1000
