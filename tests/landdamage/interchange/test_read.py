"""Opening books from other people's files: encodings, classes, coordinate systems, and everything that can be wrong."""

from __future__ import annotations

import json
import random
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely
from pyproj import CRS

from landdamage.accounting.states import State
from landdamage.interchange import dbf
from landdamage.interchange.codes import AMBIGUOUS, READ_AS, STATE_NAMES, Field
from landdamage.interchange.read import Choices, Opening, read_opening
from minegis import units

REGION = (86.0, 42.5, 89.0, 45.0)
A, B, C = (shapely.box(x, 43.5, x + 0.01, 43.51) for x in (87.0, 87.02, 87.04))
CROSSED = shapely.Polygon([(87.1, 43.5), (87.11, 43.51), (87.11, 43.5), (87.1, 43.51)])


def codes(report: Opening) -> list[str]:
    return [finding.code for finding in report.findings]


@pytest.fixture
def make_shp(tmp_path: Path) -> Callable[..., Path]:
    """A zipped shapefile whose table is written byte by byte."""

    def make(
        shapes: list[Any],
        values: list[str],
        *,
        encoding: str = "utf-8",
        cpg: str | None = None,
        ldid: int = 0,
        column: bytes = b"DWMC",
        crs: Any = 4490,
        without: tuple[str, ...] = (),
        member: str = "损毁2022",
    ) -> Path:
        base = tmp_path / "x.shp"
        frame = gpd.GeoDataFrame({"a": [1] * len(shapes)}, geometry=shapes, crs=crs)
        pyogrio.write_dataframe(frame, base, driver="ESRI Shapefile", geometry_type=None if len(shapes) else "Polygon")
        table = gpd.pd.DataFrame({"DWMC": values})
        dbf.write_dbf(base.with_suffix(".dbf"), table, [Field("DWMC", "C", 30, 0, "", "")], "utf-8")
        raw = bytearray(base.with_suffix(".dbf").read_bytes())
        width = raw[32 + 16]
        raw[29] = ldid
        raw[32 : 32 + 11] = column.ljust(11, b"\0")
        start = 32 + 33
        for number, value in enumerate(values):
            at = start + number * (width + 1) + 1
            raw[at : at + width] = value.encode(encoding).ljust(width)
        base.with_suffix(".dbf").write_bytes(bytes(raw))
        base.with_suffix(".cpg").unlink()
        if cpg is not None:
            base.with_suffix(".cpg").write_text(cpg)
        target = tmp_path / f"{random.random()}.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for suffix in (".shp", ".shx", ".dbf", ".prj", ".cpg"):
                file = base.with_suffix(suffix)
                if file.exists() and suffix not in without:
                    archive.write(file, f"资料/{member}{suffix}")
                file.unlink(missing_ok=True)
        return target

    return make


@pytest.fixture
def make_json(tmp_path: Path) -> Callable[..., Path]:
    def make(rows: list[tuple[Any, Any]], **extra: Any) -> Path:
        features = [
            {
                "type": "Feature",
                "properties": {"DWMC": value},
                "geometry": None if shape is None else json.loads(shapely.to_geojson(shape)),
            }
            for shape, value in rows
        ]
        path = tmp_path / f"{random.random()}.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **extra}), "utf-8")
        return path

    return make


@pytest.mark.parametrize(
    ("encoding", "cpg", "ldid"),
    [
        ("utf-8", "UTF-8", 0),
        ("utf-8", None, 0),
        ("gbk", "GBK", 0),
        ("gbk", "936", 0),
        ("gbk", None, 0x4D),
        ("gbk", None, 0),
        ("gb18030", None, 0),
    ],
)
def test_chinese_tables_of_every_kind(make_shp: Any, encoding: str, cpg: str | None, ldid: int) -> None:
    path = make_shp([A, B, C], ["露天采场", "尾矿库", "排土场"], encoding=encoding, cpg=cpg, ldid=ldid)
    report = read_opening(path, monitored=REGION)
    assert report.findings == []
    assert report.frame is not None
    assert report.frame["state"].tolist() == [State.OPEN_PIT, State.TAILINGS_POND, State.STOCKPILE]
    assert report.frame.crs.to_epsg() == 4490
    expected = [units.area_cm2(shape) for shape in (A, B, C)]
    assert [units.area_cm2(shape) for shape in report.frame.geometry] == expected
    assert report.facts["classes"][0]["value"] == "露天采场"
    assert report.facts["area_m2"] == round(sum(expected) / 10_000, 2)


def test_undecodable_table_asks_with_a_preview(make_shp: Any) -> None:
    path = make_shp([A, B], ["caf\xe9 \xff", "\xe9\xff\xff"], encoding="latin-1")
    report = read_opening(path)
    assert codes(report) == ["E-VEC-02"]
    assert len(report.findings[0].values["preview"]) == 2
    assert codes(read_opening(path, choices=Choices(encoding="gbk")))[0] != "E-VEC-02"


def test_column_name_cut_in_mid_character(make_shp: Any) -> None:
    cut = "图斑类型名称".encode()[:10]
    assert codes(read_opening(make_shp([A], ["露天采场"], column=cut))) == ["E-VEC-09"]
    whole = "图斑类型".encode("gbk")
    report = read_opening(make_shp([A], ["露天采场"], encoding="gbk", column=whole), monitored=REGION)
    assert report.frame is not None
    assert report.facts["column"] == "图斑类型"


def test_every_written_class_is_known_or_asked() -> None:
    assert not set(READ_AS) & set(AMBIGUOUS) - {"02", "2", "水域", "water"}
    for state in (State.OPEN_PIT, State.TAILINGS_POND, State.LIVING_AREA, State.SUBSIDENCE, State.PIT_WATER):
        for name in (*STATE_NAMES[state], state.code):
            assert READ_AS[name.lower()] is state


def test_national_classes_are_asked_not_guessed(make_json: Any) -> None:
    path = make_json([(A, "采场"), (B, "固体废弃物"), (C, "矿山建筑")])
    report = read_opening(path, monitored=REGION)
    assert codes(report) == ["E-VEC-11", "E-VEC-11"]
    assert report.findings[0].values["known"] == "stockpile, tailings_pond"
    chosen = Choices(mapping={"固体废弃物": "tailings_pond", "矿山建筑": "skip"})
    report = read_opening(path, choices=chosen, monitored=REGION)
    assert report.frame is not None
    assert report.frame["state"].tolist() == [State.OPEN_PIT, State.TAILINGS_POND]
    wrong = read_opening(path, choices=Choices(mapping={"固体废弃物": "nonsense", "矿山建筑": "skip"}))
    assert codes(wrong) == ["E-VEC-10"]


def test_all_faults_at_once(make_json: Any) -> None:
    path = make_json([(A, "露天采场"), (CROSSED, "怪物"), (None, "矿山建筑"), (shapely.Point(87, 43.5), "堆放场")])
    report = read_opening(path, monitored=REGION)
    assert report.frame is None
    assert sorted(codes(report)) == ["E-VEC-03", "E-VEC-04", "E-VEC-07", "E-VEC-10", "E-VEC-11"]
    crossed = next(f for f in report.findings if f.code == "E-VEC-03")
    assert crossed.values["value"] == 2
    assert "Self-intersection" in crossed.values["where"]
    body = report.as_dict()
    assert json.loads(json.dumps(body, default=str))["usable"] is False
    assert all(entry["message_zh"] and entry["message_en"] for entry in body["findings"])


def test_self_intersections_are_repaired_only_when_chosen(make_json: Any) -> None:
    path = make_json([(A, "露天采场"), (CROSSED, "堆放场")])
    refused = read_opening(path, monitored=REGION)
    assert codes(refused) == ["E-VEC-03"]
    difference = float(refused.findings[0].values["difference_m2"])
    before = float(refused.findings[0].values["before_m2"])
    report = read_opening(path, choices=Choices(repair=True), monitored=REGION)
    assert report.frame is not None
    assert [f.severity for f in report.findings] == ["warn"]
    assert shapely.is_valid(report.frame.geometry.values).all()
    assert units.area_m2(report.frame.geometry[1]) == pytest.approx(before + difference, abs=0.02)


def test_overlaps_are_measured_and_clipped_by_precedence(make_json: Any) -> None:
    east = shapely.box(87.005, 43.5, 87.015, 43.51)
    tiny = shapely.box(87.006, 43.501, 87.007, 43.502)
    path = make_json([(A, "堆放场"), (east, "露天采场"), (tiny, "生活区")])
    report = read_opening(path, monitored=REGION)
    assert codes(report) == ["E-VEC-06"]
    shared = units.area_m2(shapely.intersection(A, east))
    assert float(report.findings[0].values["value"]) == pytest.approx(shared, abs=0.01)
    report = read_opening(path, choices=Choices(clip=True), monitored=REGION)
    assert report.frame is not None
    pit, dump = (
        report.frame.loc[report.frame["state"] == s].geometry.iloc[0] for s in (State.OPEN_PIT, State.STOCKPILE)
    )
    assert pit.equals(east)
    assert dump.equals(shapely.difference(A, east))
    assert len(report.frame) == 2
    touching = make_json([(A, "堆放场"), (shapely.box(87.01, 43.5, 87.02, 43.51), "露天采场")])
    assert read_opening(touching, monitored=REGION).findings == []


GK = shapely.Polygon(units.reproject(A, 4490, 4538).exterior.coords)
PREFIXED = shapely.Polygon(units.reproject(A, 4490, 4517).exterior.coords)
SWAPPED = shapely.transform(A, lambda xy: xy[:, ::-1])


@pytest.mark.parametrize(
    ("shape", "crs", "expected"),
    [
        (GK, 4538, []),
        (PREFIXED, 4517, []),
        (A, 4326, []),
        (PREFIXED, 4538, ["E-CRS-01"]),
        (GK, 4517, ["E-CRS-01"]),
        (GK, 4540, ["E-VEC-18"]),
        (GK, 2437, ["E-CRS-04"]),
        (GK, 2383, ["E-CRS-04"]),
        (A, 4214, ["E-CRS-04"]),
        (A, 4610, ["E-CRS-04"]),
        (SWAPPED, 4490, ["E-CRS-02"]),
        (shapely.transform(GK, lambda xy: xy[:, ::-1]), 4538, ["E-CRS-02"]),
        (GK, 4490, ["E-CRS-06"]),
        (GK, None, ["E-CRS-03"]),
        (PREFIXED, None, ["E-VEC-15"]),
        (A, None, ["E-VEC-15"]),
        (A, 'LOCAL_CS["town grid",UNIT["metre",1]]', ["E-CRS-05"]),
        (shapely.box(0.0, 0.0, 0.01, 0.01), 4490, ["E-GEO-08"]),
    ],
)
def test_coordinate_systems(make_shp: Any, shape: Any, crs: Any, expected: list[str]) -> None:
    crs = CRS.from_user_input(crs) if isinstance(crs, str) else crs
    report = read_opening(make_shp([shape], ["露天采场"], crs=crs), monitored=REGION)
    assert codes(report) == expected
    if not expected:
        assert report.frame is not None
        assert units.area_m2(report.frame.geometry[0]) == pytest.approx(units.area_m2(A), rel=2e-6)


def test_missing_crs_can_be_chosen(make_shp: Any) -> None:
    path = make_shp([GK], ["露天采场"], crs=None)
    report = read_opening(path, choices=Choices(crs="EPSG:4538"), monitored=REGION)
    assert report.frame is not None
    assert shapely.hausdorff_distance(report.frame.geometry[0], A) < 1e-8
    assert codes(read_opening(path, choices=Choices(crs="/etc/passwd"), monitored=REGION)) == ["E-CRS-05"]


@pytest.mark.parametrize(
    ("without", "code"), [((".shx",), "E-VEC-01"), ((".dbf",), "E-VEC-01"), ((".shp",), "E-VEC-01")]
)
def test_missing_parts(make_shp: Any, without: tuple[str, ...], code: str) -> None:
    assert codes(read_opening(make_shp([A], ["露天采场"], without=without))) == [code]


def test_empty_tables_and_missing_columns(make_shp: Any, make_json: Any) -> None:
    assert codes(read_opening(make_shp([], []))) == ["E-VEC-08"]
    report = read_opening(make_shp([A], ["露天采场"], column=b"NAME"), monitored=REGION)
    assert codes(report) == ["E-VEC-05"]
    assert report.findings[0].values["known"] == "NAME"
    chosen = read_opening(make_shp([A], ["露天采场"], column=b"NAME"), choices=Choices(column="name"), monitored=REGION)
    assert chosen.frame is not None


@pytest.mark.parametrize(
    ("form", "encoding"),
    [("gpkg", "utf-8"), ("gdb", "utf-8"), ("shp", "utf-8"), ("shp", "gbk"), ("geojson", "utf-8")],
)
def test_own_exports_come_back(make_books: Any, tmp_path: Path, form: Any, encoding: Any) -> None:
    from landdamage.interchange.write import write_vectors
    from landdamage.selectors.editions import edition_data

    books = make_books()
    data = edition_data(books.draft, books.reviewer)
    report = read_opening(write_vectors(data, tmp_path, form, encoding), monitored=REGION)
    assert report.findings == []
    assert report.frame is not None
    found = {row["state"]: row["area_cm2"] for row in report.facts["states"]}
    cells = data.cells[data.cells["new_state"].isin(found)]
    expected = cells.groupby("new_state")["area_cm2"].sum().to_dict()
    assert found == pytest.approx(expected, rel=1e-4 if form == "geojson" else 1e-8)


def _zip(path: Path, members: dict[str, bytes], **attributes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = attributes.get("mode", 0o644) << 16
            archive.writestr(info, content)
    return path


def _sqlite(path: Path, *statements: str) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA application_id = 1196444487")  # GPKG
        for statement in statements:
            database.execute(statement)
    database.close()
    return path


BAD: list[tuple[str, Callable[[Path], Path], str]] = [
    ("empty", lambda p: _bytes(p / "a.zip", b""), "E-UPL-02"),
    ("text", lambda p: _bytes(p / "a.geojson", b"hello"), "E-VEC-13"),
    ("vrt", lambda p: _bytes(p / "a.geojson", b"<OGRVRTDataSource/>"), "E-VEC-13"),
    ("other json", lambda p: _bytes(p / "a.json", b'{"type": "Topology"}'), "E-VEC-13"),
    ("cut json", lambda p: _bytes(p / "a.json", b'{"type": "FeatureCollection", "features": ['), "E-VEC-17"),
    ("lone shp", lambda p: _bytes(p / "a.shp", b"\0\0\x27\x0a" + b"\0" * 96), "E-VEC-01"),
    ("broken zip", lambda p: _bytes(p / "a.zip", b"PK\3\4" + b"\0" * 200), "E-ARC-01"),
    ("no vectors", lambda p: _zip(p / "a.zip", {"a.txt": b"x"}), "E-VEC-13"),
    ("zip slip", lambda p: _zip(p / "a.zip", {"../a.shp": b"x"}), "E-ARC-02"),
    ("absolute", lambda p: _zip(p / "a.zip", {"/etc/a.shp": b"x"}), "E-ARC-02"),
    ("drive", lambda p: _zip(p / "a.zip", {"C:\\a.shp": b"x"}), "E-ARC-02"),
    ("link", lambda p: _zip(p / "a.zip", {"a.geojson": b"/etc/passwd"}, mode=0o120777), "E-ARC-02"),
    ("bomb", lambda p: _zip(p / "a.zip", {"a.geojson": b"\0" * (70 << 20)}), "E-ARC-03"),
    ("vrt in zip", lambda p: _zip(p / "a.zip", {"a.geojson": b"<OGRVRTDataSource/>"}), "E-VEC-13"),
    ("shp junk", lambda p: _zip(p / "a.zip", {f"a.{s}": b"junk" * 99 for s in ("shp", "shx", "dbf")}), "E-VEC-17"),
    ("gdb junk", lambda p: _zip(p / "a.zip", {"a.gdb/a00000001.gdbtable": b"junk" * 99}), "E-VEC-17"),
    ("gdb without tables", lambda p: _zip(p / "a.zip", {"a.gdb/readme": b"x"}), "E-VEC-17"),
    ("plain sqlite", lambda p: _plain_sqlite(p / "a.gpkg"), "E-VEC-13"),
    ("view", lambda p: _sqlite(p / "a.gpkg", "CREATE VIEW v AS SELECT 1"), "E-FMT-08"),
    ("virtual", lambda p: _sqlite(p / "a.gpkg", "CREATE VIRTUAL TABLE v USING fts3(a)"), "E-FMT-08"),
    ("hollow gpkg", lambda p: _sqlite(p / "a.gpkg", "CREATE TABLE t (a)"), "E-VEC-17"),
    (
        "damaged gpkg",
        lambda p: _bytes(p / "a.gpkg", b"SQLite format 3\0" + b"\1" * 52 + b"GPKG" + b"\1" * 90),
        "E-VEC-17",
    ),
]


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _plain_sqlite(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a)")
    database.close()
    return path


@pytest.mark.parametrize(("make", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_files(tmp_path: Path, make: Callable[[Path], Path], code: str) -> None:
    report = read_opening(make(tmp_path))
    assert report.frame is None
    assert codes(report) == [code]


def test_damaged_bytes_never_escape_as_anything_but_findings(make_shp: Any, tmp_path: Path) -> None:
    whole = make_shp([A, B, C], ["露天采场", "尾矿库", "排土场"])
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    rng = random.Random(5)
    outcomes = set()
    for _ in range(60):
        name = rng.choice([n for n in parts if not n.endswith(".prj")])
        broken = bytearray(parts[name])
        for _ in range(rng.choice((1, 3, 20))):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        broken = broken[: rng.choice((len(broken), rng.randrange(len(broken))))]
        path = tmp_path / "fuzz.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in parts.items():
                archive.writestr(member, bytes(broken) if member == name else content)
        report = read_opening(path, monitored=REGION)
        assert report.frame is not None or report.findings
        outcomes |= set(codes(report))
    assert {"E-VEC-17"} <= outcomes


def test_several_layers_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for layer in ("旧图斑", "新图斑"):
        frame = gpd.GeoDataFrame({"class_code": ["open_pit"]}, geometry=[A], crs=4490)
        pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG", append=path.exists())
    report = read_opening(path, monitored=REGION)
    assert codes(report) == ["E-VEC-12"]
    assert "旧图斑" in report.findings[0].values["value"]
    assert read_opening(path, choices=Choices(layer="新图斑"), monitored=REGION).frame is not None


def test_a_report_about_rows_with_missing_values_is_plain_json(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(
        {"DWMC": ["露天采场"] * 2, "note": [None, "x"], "n": [1.5, None]}, geometry=[A, B], crs=4490
    )
    pyogrio.write_dataframe(frame, tmp_path / "a.gpkg", driver="GPKG")
    report = read_opening(tmp_path / "a.gpkg")
    assert report.facts["preview"][0] == {"DWMC": "露天采场", "note": "", "n": "1.5"}
    json.dumps(report.as_dict(), allow_nan=False)
