import math
from pathlib import Path

import pytest
from affine import Affine
from pyproj import CRS
from rasterio.errors import CRSError
from rasterio.transform import from_origin
from shapely.geometry import box

from landdamage.imagery.georeference import (
    crs_finding,
    ground_size,
    is_north_up_square,
    is_placed,
    parse_crs,
    place_findings,
)

XINJIANG = (73.4, 34.3, 96.4, 49.2)


def codes(epsg: int, x: float, y: float, size: float, monitored: object = None) -> list[str]:
    """Faults of a 100 x 100 image whose upper left corner is (x, y)."""
    found = place_findings(CRS.from_epsg(epsg), from_origin(x, y, size, size), 100, 100, monitored)  # type: ignore[arg-type]
    return [finding.code for finding in found]


@pytest.mark.parametrize(
    ("epsg", "x", "y", "size"),
    [
        (4538, 548_924.0, 4_762_894.0, 2),  # CGCS2000 GK 87°E, easting without zone
        (4517, 29_548_924.0, 4_762_894.0, 2),  # the same with the zone in the easting
        (4517, 29_300_000.0, 4_762_894.0, 2),  # reaches into the neighbouring zone
        (32645, 500_000.0, 4_760_000.0, 2),
        (4490, 87.6, 43.0, 2e-5),
        (4326, 87.6, 43.0, 2e-5),
        (3857, 9_750_000.0, 5_310_000.0, 2.7),
    ],
)
def test_right_positions_have_no_fault(epsg: int, x: float, y: float, size: float) -> None:
    assert codes(epsg, x, y, size, XINJIANG) == []


@pytest.mark.parametrize(
    ("epsg", "x", "y", "size", "expected"),
    [
        (4538, 29_548_924.0, 4_762_894.0, 2, ["E-CRS-01"]),  # zone in the easting, CRS without
        (4517, 548_924.0, 4_762_894.0, 2, ["E-CRS-01"]),  # CRS with zone, easting without
        (4518, 29_548_924.0, 4_762_894.0, 2, ["E-CRS-01"]),  # zone 29 under zone 30
        (4538, 4_762_894.0, 548_924.0, 2, ["E-CRS-02"]),
        (4490, 43.0, 97.6, 2e-5, ["E-CRS-02"]),
        (4490, 43.0, 87.6, 2e-5, ["E-CRS-02"]),  # in range, but only the swapped place is monitored
        (4490, 548_924.0, 4_762_894.0, 2, ["E-CRS-06"]),
        (3857, 9_750_000.0, 5e8, 2, ["E-CRS-06"]),
        (4490, 116.4, 39.9, 2e-5, ["E-GEO-03"]),
        (4490, 87.6, 43.0, 2e-3, ["E-GEO-04"]),
        (4490, 0.0, 0.0, 2e-5, ["E-GEO-08"]),
    ],
)
def test_wrong_positions_are_told_by_code(epsg: int, x: float, y: float, size: float, expected: list[str]) -> None:
    assert codes(epsg, x, y, size, XINJIANG) == expected


def test_monitored_region_may_be_a_polygon() -> None:
    assert codes(4490, 87.6, 43.0, 2e-5, box(87, 42, 88, 44)) == []
    assert codes(4490, 87.6, 43.0, 2e-5, box(80, 42, 81, 44)) == ["E-GEO-03"]


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ("EPSG:4538", None),
        ("EPSG:4490", None),
        ("EPSG:32645", None),
        ("EPSG:26914", None),
        ("EPSG:2410", "E-CRS-04"),  # Beijing 1954 / 3-degree Gauss-Kruger zone 34
        ("EPSG:4214", "E-CRS-04"),
        ("EPSG:2379", "E-CRS-04"),  # Xian 1980 / 3-degree Gauss-Kruger CM 102E
        ("EPSG:4610", "E-CRS-04"),
        ("+proj=eqc +a=3396190 +b=3376200 +units=m", "E-CRS-05"),  # Mars
        ("+proj=geocent +datum=WGS84", "E-CRS-05"),
        ('LOCAL_CS["mine grid",UNIT["metre",1]]', "E-CRS-05"),
    ],
)
def test_which_coordinate_systems_can_be_used(definition: str, code: str | None) -> None:
    finding = crs_finding(CRS.from_user_input(definition))
    assert (finding.code if finding else None) == code


def test_unnamed_datum_on_the_old_ellipsoid_is_an_old_datum_in_china_only() -> None:
    gk = "+proj=tmerc +lon_0=87 +x_0=500000 +ellps=krass +units=m"
    here = place_findings(CRS.from_user_input(gk), from_origin(548_924, 4_762_894, 2, 2), 100, 100, None)
    assert [finding.code for finding in here] == ["E-CRS-04"]
    there = CRS.from_user_input(gk.replace("lon_0=87", "lon_0=27"))
    assert place_findings(there, from_origin(548_924, 4_762_894, 2, 2), 100, 100, None) == []


@pytest.mark.parametrize(
    ("epsg", "x", "y", "size", "expected"),
    [(4538, 5e5, 4.76e6, 2, 2.0), (3857, 9_684_795.0, 5_311_971.8, 2.0, 2 * math.cos(math.radians(43.0)))],
)
def test_ground_size_is_measured_on_the_ellipsoid(epsg: int, x: float, y: float, size: float, expected: float) -> None:
    found = ground_size(CRS.from_epsg(epsg), from_origin(x, y, size, size), 10, 10)
    assert found == pytest.approx((expected, expected), rel=4e-3)


def test_ground_size_of_degrees_shrinks_with_latitude() -> None:
    across, down = ground_size(CRS.from_epsg(4490), from_origin(87, 60, 1e-4, 1e-4), 10, 10) or (0, 0)
    assert down == pytest.approx(11.14, abs=0.02)
    assert across == pytest.approx(5.58, abs=0.02)


def test_transforms() -> None:
    assert not is_placed(Affine.identity())
    assert is_placed(from_origin(0, 0, 2, 2))
    assert is_north_up_square(from_origin(5, 5, 2, 2.01))
    assert not is_north_up_square(from_origin(5, 5, 2, 2.1))
    assert not is_north_up_square(from_origin(5, 5, 2, -2))
    assert not is_north_up_square(Affine.rotation(10))


@pytest.mark.parametrize("text", ["4538", 4538, "EPSG:4538", "epsg:4538"])
def test_a_chosen_crs_is_an_epsg_code(text: str | int) -> None:
    assert parse_crs(text).to_epsg() == 4538


def test_a_chosen_crs_may_be_wkt_but_neither_address_nor_file(tmp_path: Path) -> None:
    wkt = CRS.from_epsg(4538).to_wkt("WKT1_GDAL")
    assert CRS.from_user_input(parse_crs(wkt)).name == "CGCS2000 / 3-degree Gauss-Kruger CM 87E"
    file = tmp_path / "a.prj"
    file.write_text(wkt)
    for text in (str(file), "http://127.0.0.1:9/crs", "EPSG:999999", "+proj=longlat", ""):
        with pytest.raises(CRSError):
            parse_crs(text)
