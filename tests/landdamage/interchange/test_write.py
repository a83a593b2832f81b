"""Every format is read back with GDAL: names, Chinese text, nulls, areas."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from landdamage.interchange import attributes, dbf, write
from landdamage.interchange.codes import FIELD_NAMES, FIELDS
from landdamage.interchange.patches import connected_patches
from minegis import units
from minegis.errors import MineGISError


@pytest.fixture
def data(make_books: Any) -> Any:
    from landdamage.selectors.editions import edition_data

    books = make_books()
    books.draft.results["mines"][0]["name_zh"] = "天山一号露天煤矿"
    return edition_data(books.draft, books.reviewer)


def read(path: Path, layer: str, inner: str = "") -> gpd.GeoDataFrame:
    address = str(path) if path.suffix == ".gpkg" else f"/vsizip/{path}{inner}"
    return pyogrio.read_dataframe(address, layer=layer)


def test_layers_add_up_to_the_books(data: Any) -> None:
    layers = attributes.layers(data)
    cells = data.cells

    def total(mask: pd.Series) -> int:
        return int(cells.loc[mask, "area_cm2"].sum())

    damage = cells["new_state"].isin(attributes._DAMAGE_CODES)
    assert layers["SHTB_2023"]["MJCM"].sum() == total(damage)
    assert layers["ZLTB_2023"]["MJCM"].sum() == total(cells["flow"] == "restored")
    assert layers["WGC_2023"]["MJCM"].sum() == total(
        (cells["obs_state"] == "noobs") & (cells["new_state"] != "outside")
    )
    changes = layers["BHTB_2023"]
    for flow, code in (("new", "11"), ("first_seen", "12"), ("omission", "13"), ("restored", "21"), ("exit", "50")):
        assert changes.loc[changes["BHLX"] == code, "MJCM"].sum() == total(cells["flow"] == flow)
    for name, layer in layers.items():
        hundredths = (layer["TBMJ"] * 100).round().astype("int64")
        exact = int(layer["MJCM"].sum())
        assert int(hundredths.sum()) == round(exact / 100), name
        assert abs(hundredths * 100 - layer["MJCM"]).max() < 100
        assert list(layer.columns) == [*FIELD_NAMES, "geometry"]
        assert layer["BSM"].is_unique
        assert layer["TBBH"].is_unique
        assert layer["TBBH"].str.fullmatch(r"\d{16}").all()
        for row in layer.itertuples():
            assert float(units.to_mu(row.MJCM, 2)) == row.MJMU
            assert float(units.to_hm2(row.MJCM, 4)) == row.MJHM


def test_both_codings_and_notes(data: Any) -> None:
    patches = attributes.layers(data)["SHTB_2023"]
    pairs = {(row.DWMC, row.DWDM, row.GJMC, row.SHLX) for row in patches.itertuples()}
    assert {
        ("露天采场", "07", "采场", "01"),
        ("采坑积水", "02", "采场", "01"),
        ("堆放场", "05", "固体废弃物", "02"),
        ("尾矿库", "06", "固体废弃物", "02"),
        ("工业广场", "04", "矿山建筑", "02"),
        ("地面塌陷", "08", None, "03"),
    } <= pairs
    restored = attributes.layers(data)["ZLTB_2023"]
    assert set(restored["ZLLX"]) == {"01", "02", "04"}
    assert set(restored["GJMC"]) == {"恢复治理"}
    assert set(restored["SHR"]) == {"Reviewer 王"}


def test_numbers_of_patches_do_not_depend_on_the_reader(make_books: Any) -> None:
    from landdamage.selectors.editions import edition_data

    books = make_books()
    seen = attributes.layers(edition_data(books.draft, books.reviewer))["SHTB_2023"]
    masked = attributes.layers(edition_data(books.draft, books.analyst))["SHTB_2023"]
    assert set(seen["JW"]) == {"0", "1"}
    assert set(masked["JW"]) == {"0"}
    assert not masked["BZ"].fillna("").str.contains("界外").any()
    kept = ["TBBH", "MJCM", "DWDM"]
    pd.testing.assert_frame_equal(pd.DataFrame(seen[kept]), pd.DataFrame(masked[kept]))


@pytest.mark.parametrize(
    ("form", "encoding", "crs", "epsg"),
    [
        ("gpkg", "utf-8", "4490", 4490),
        ("gpkg", "utf-8", "gk-prefixed", 4517),
        ("gdb", "utf-8", "4490", 4490),
        ("shp", "utf-8", "4490", 4490),
        ("shp", "gbk", "gk", 4538),
        ("shp", "gbk", "gk-prefixed", 4517),
    ],
)
def test_read_back(data: Any, tmp_path: Path, form: Any, encoding: Any, crs: Any, epsg: int) -> None:
    path = write.write_vectors(data, tmp_path, form, encoding, crs)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    for name, layer in attributes.layers(data).items():
        found = read(path, name)
        assert found.crs.to_epsg() == epsg
        assert set(FIELD_NAMES) <= set(found.columns)
        assert len(found) == len(layer)
        for column in ("KSMC", "XZQMC", "DWMC", "GJMC", "SHR", "TBBH", "JW"):
            assert found[column].fillna("").tolist() == layer[column].fillna("").tolist(), column
        assert found["TBMJ"].tolist() == layer["TBMJ"].tolist()
        assert found["MJCM"].tolist() == layer["MJCM"].tolist()
        assert shapely.is_valid(found.geometry.values).all()
        measured = sum(units.area_m2(shape, epsg) for shape in found.geometry)
        assert measured == pytest.approx(layer["MJCM"].sum() / 10_000, rel=1e-7)
        assert set(found.geom_type) <= ({"MultiPolygon"} if form != "shp" else {"Polygon", "MultiPolygon"})
        if form == "shp":
            assert not found["ZXD"].isna().any()
        else:
            assert found["ZXD"].isna().tolist() == layer["ZXD"].isna().tolist()
    assert "天山一号露天煤矿" in set(read(path, "KQFW")["KSMC"])


def test_shapefile_declares_its_encoding_and_widths(data: Any, tmp_path: Path) -> None:
    for encoding, cpg, ldid in (("utf-8", b"UTF-8", 0), ("gbk", b"GBK", dbf.LDID_GBK)):
        path = write.write_vectors(data, tmp_path, "shp", encoding)  # type: ignore[arg-type]
        with zipfile.ZipFile(path) as archive:
            assert {Path(n).suffix for n in archive.namelist()} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}
            assert archive.read("SHTB_2023.cpg") == cpg
            archive.extract("SHTB_2023.dbf", tmp_path)
        header = dbf.read_header(tmp_path / "SHTB_2023.dbf")
        assert header is not None
        assert header.ldid == ldid
        assert tuple(name.decode("ascii") for name in header.names) == FIELD_NAMES
        assert max(header.widths) <= 254
        info = pyogrio.read_info(f"/vsizip/{path}/SHTB_2023.shp")
        assert info["fields"].tolist() == list(FIELD_NAMES)


def test_missing_numbers_are_zero_and_named(data: Any, tmp_path: Path) -> None:
    found = read(write.write_vectors(data, tmp_path, "shp"), "WGC_2023")
    assert (found["ZXD"] == 0).all()
    assert found["BZ"].str.startswith("缺值:FBL,ZXD;").all()


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_long_text_is_cut_between_characters(encoding: str) -> None:
    rng = random.Random(7)
    for _ in range(500):
        text = "".join(rng.choice("矿山𠮷é A1露") for _ in range(rng.randrange(200)))
        width = rng.randrange(1, 254)
        raw = dbf.cut(text, width, encoding)
        assert len(raw) <= width
        whole = text.encode(encoding, "replace").decode(encoding)
        assert whole.startswith(raw.decode(encoding))
        assert len(raw) > width - 4 or raw.decode(encoding) == whole


def test_large_layers_are_split_by_class(data: Any, tmp_path: Path) -> None:
    layer = attributes.layers(data)["SHTB_2023"]
    paths = write.write_shapefile(layer, tmp_path, "SHTB_2023", "utf-8", limit=8_000)
    assert len(paths) > 3
    frames = [pyogrio.read_dataframe(path) for path in paths]
    assert all(path.with_suffix(".dbf").stat().st_size <= 8_000 + 33 + 32 * len(FIELDS) + 1 for path in paths)
    assert sorted(pd.concat(frames)["TBBH"]) == sorted(layer["TBBH"])
    assert all(frame["DWDM"].nunique() == 1 for frame in frames)


def test_geojson_and_kml_are_wgs84(data: Any, tmp_path: Path) -> None:
    layer = attributes.layers(data)["SHTB_2023"]
    for form, inner in (("geojson", "/SHTB_2023.geojson"), ("kml", "/SHTB_2023.kml")):
        path = write.write_vectors(data, tmp_path, form)  # type: ignore[arg-type]
        found = read(path, "SHTB_2023", inner)
        assert found.crs.to_epsg() == 4326
        assert found["KSMC"].dropna().tolist() == layer["KSMC"].dropna().tolist()
        xy = shapely.get_coordinates(found.geometry.values)
        assert np.abs(xy * 1e7 - np.round(xy * 1e7)).max() < 1e-2
        assert all(part.exterior.is_ccw for part in shapely.get_parts(found.geometry.values))
        with zipfile.ZipFile(path) as archive:
            assert "CGCS2000" in archive.read("README.txt").decode("utf-8-sig")


def test_csv_opens_in_excel_and_keeps_wkt(data: Any, tmp_path: Path) -> None:
    layer = attributes.layers(data)["BHTB_2023"]
    path = write.write_vectors(data, tmp_path, "csv")
    with zipfile.ZipFile(path) as archive:
        raw = archive.read("BHTB_2023.csv")
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert [row["TBMJ"] for row in rows] == [f"{value:.2f}" for value in layer["TBMJ"]]
    shapes = shapely.from_wkt([row["WKT"] for row in rows])
    assert shapely.equals_exact(shapes, layer.geometry.values, tolerance=1e-8, normalize=True).all()


@pytest.mark.parametrize(
    ("form", "encoding", "crs"),
    [("dxf", "utf-8", "4490"), ("shp", "big5", "4490"), ("gpkg", "utf-8", "3857"), ("kml", "utf-8", "gk")],
)
def test_unknown_options_are_refused(data: Any, tmp_path: Path, form: Any, encoding: Any, crs: Any) -> None:
    with pytest.raises(MineGISError, match="E-VEC-14"):
        write.write_vectors(data, tmp_path, form, encoding, crs)


def test_patches_join_only_what_touches_and_never_split_a_cell() -> None:
    box = shapely.box
    two_places = shapely.multipolygons([box(0, 0, 1, 1), box(10, 0, 11, 1)])
    cells = np.array([two_places, box(1, 0, 2, 1), box(11, 0, 12, 1), box(20, 0, 21, 1), box(2, 0, 3, 1)], object)
    number, shapes = connected_patches(cells, np.array([0, 0, 0, 0, 1]))
    assert number[0] == number[1] == number[2]
    assert len({number[0], number[3], number[4]}) == 3
    assert shapely.area(shapes).tolist() == [4.0, 1.0, 1.0]
    corner = np.array([box(0, 0, 1, 1), box(1, 1, 2, 2)], object)
    assert len(set(connected_patches(corner, np.zeros(2, int))[0])) == 2
