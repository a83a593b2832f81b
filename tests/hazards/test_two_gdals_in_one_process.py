"""Hazard: GeoDjango, rasterio and pyproj load different GDAL or PROJ builds and disagree about coordinates."""

from __future__ import annotations

import geopandas
import pytest
import rasterio
import rasterio.warp
import shapely
from django.contrib.gis.gdal import gdal_version
from django.contrib.gis.geos import Point
from django.db import connection

from minegis import checks, units


def test_one_version_everywhere() -> None:
    assert gdal_version().decode() == rasterio.__gdal_version__
    assert checks.one_libgdal(None) == []
    assert checks.true_areas(None) == []


def test_a_second_version_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasterio, "__gdal_version__", "1.2.3")
    (error,) = checks.one_libgdal(None)
    assert error.id == "minegis.E001"


@pytest.mark.django_db
def test_one_point_transforms_alike_in_every_library() -> None:
    lon, lat, zone = 87.6, 43.0, 4538
    expected = units.transformer(4490, zone).transform(lon, lat)
    point = Point(lon, lat, srid=4490)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_Transform(ST_SetSRID(ST_MakePoint(%s, %s), 4490), %s) p) t",
            [lon, lat, zone],
        )
        postgis = cursor.fetchone()
    xs, ys = rasterio.warp.transform("EPSG:4490", f"EPSG:{zone}", [lon], [lat])
    series = geopandas.GeoSeries([shapely.Point(lon, lat)], crs=4490).to_crs(zone)
    point.transform(zone)
    for found in ((point.x, point.y), (xs[0], ys[0]), (series.x[0], series.y[0]), postgis):
        assert found == pytest.approx(expected, abs=0.001)


@pytest.mark.django_db
def test_postgis_and_we_measure_the_same_area() -> None:
    square = units.reference_square()
    with connection.cursor() as cursor:
        cursor.execute("SELECT ST_Area(ST_GeomFromText(%s, 4490)::geography)", [square.wkt])
        (area,) = cursor.fetchone()
    assert area == pytest.approx(units.area_m2(square), abs=0.5)
