"""Polygons of several files and coordinate systems on images: what is repaired, dropped or outside is counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import CRS

from landdamage.learning.samples.build import build
from landdamage.learning.samples.images import ImageSource, open_image
from landdamage.learning.samples.material import Layer, PolygonMaterial, move
from landdamage.taxonomy import BY_CODE, IGNORE
from minegis.errors import SampleSetError
from minegis.units import area_m2
from tests.fixtures.labelled import EPSG, GSD, SIDE, SMALL, box, layer, mine, origin

Images = Callable[..., ImageSource]


def labelled(material: PolygonMaterial, source: ImageSource, **changes: Any) -> np.ndarray:
    params = dataclasses.replace(SMALL, **changes)
    with open_image(source, GSD, source.bands) as image, material.labels(image, params) as labels:
        return labels.window(0, 0, SIDE)


def said(material: PolygonMaterial) -> dict[str, dict[str, Any]]:
    return {finding.code: finding.as_dict() for finding in material.findings()}


@pytest.mark.parametrize("epsg", [4490, 4326, 4539, 3857])
def test_polygons_of_any_system_come_to_the_pixels_of_the_image(epsg: int, write_image: Images) -> None:
    source = write_image(0)
    own = labelled(PolygonMaterial([source], [layer(mine(0))]), source)
    there = labelled(PolygonMaterial([source], [layer(mine(0), epsg=epsg)]), source)
    assert (own != IGNORE).sum() > 2000
    assert (own != there).mean() < 0.002  # rounding at pixel centres


def test_several_systems_are_said(write_image: Images) -> None:
    images = [write_image(0), write_image(1)]
    material = PolygonMaterial(images, [layer(mine(0)), layer(mine(1), epsg=4326)])
    for place, source in enumerate(images):
        assert (labelled(material, source) == BY_CODE["open_pit"].id).sum() > 1000, place
    finding = said(material)["E-SET-04"]
    assert finding["severity"] == "warn"
    assert "WGS 84" in finding["message_zh"]
    assert "CGCS2000" in finding["message_en"]
    assert "E-SET-04" not in said(PolygonMaterial(images, [layer(mine(0))]))


def test_overlap_is_measured_once_in_square_metres(write_image: Images) -> None:
    source = write_image(0)
    polygons = [
        ("open_pit", box(0, 0, 0, 40, 40)),
        ("water", box(0, 10, 10, 10, 10)),
        ("stockpile", box(0, 5, 5, 20, 20)),
    ]
    material = PolygonMaterial([source, write_image(1)], [layer(polygons)])
    labelled(material, source)
    expected = area_m2(box(0, 5, 5, 20, 20), EPSG)
    finding = said(material)["E-SET-06"]
    assert float(finding["values"]["value"]) == pytest.approx(expected, rel=1e-4)
    assert "m²" in finding["message_zh"]
    assert "m²" in finding["message_en"]
    apart = PolygonMaterial([source], [layer([("open_pit", box(0, 0, 0, 9, 9)), ("water", box(0, 0, 9, 9, 9))])])
    labelled(apart, source)
    assert "E-SET-06" not in said(apart)


def test_polygons_beyond_every_image_are_counted(write_image: Images) -> None:
    source = write_image(0)
    material = PolygonMaterial([source], [layer([*mine(0), ("open_pit", box(3, 0, 0, 10, 20))])])
    labelled(material, source)
    finding = said(material)["E-SET-07"]
    assert (finding["severity"], finding["values"]["value"]) == ("warn", "1")
    assert float(finding["values"]["area"]) == pytest.approx(area_m2(box(3, 0, 0, 10, 20), EPSG), rel=1e-3)


def test_no_polygon_on_any_image_stops_the_set(write_image: Images, tmp_path: Path) -> None:
    images = [write_image(place) for place in range(3)]
    with pytest.raises(SampleSetError) as caught:
        build(PolygonMaterial(images, [layer(mine(7))]), SMALL, tmp_path / "set")
    assert caught.value.code == "E-SET-07"
    assert "影像" in caught.value.message("zh")


def test_slivers_fall_away(write_image: Images) -> None:
    source = write_image(0)
    polygons = [
        ("open_pit", box(0, 0, 0, 1, 3.9)),
        ("water", box(0, 10, 10, 2, 2.1)),
        ("stockpile", box(0, 20, 20, 0.1, 30)),
    ]
    material = PolygonMaterial([source], [layer(polygons)])
    found = labelled(material, source)
    assert set(np.unique(found)) == {BY_CODE["water"].id, IGNORE}
    assert said(material)["E-SET-09"]["values"] == {"value": "2", "limit": "4"}


def test_crossed_rings_are_made_valid(write_image: Images) -> None:
    source = write_image(0)
    x, y = origin(0)
    bow = shapely.Polygon([(x, y), (x + 80, y - 80), (x + 80, y), (x, y - 80)])
    material = PolygonMaterial([source], [layer([("open_pit", bow), *mine(0)[1:2]])])
    found = labelled(material, source)
    assert (found == BY_CODE["open_pit"].id).sum() == pytest.approx(2 * 40 * 20 / 2, abs=45)
    finding = said(material)["E-SET-10"]
    assert finding["values"]["value"] == "1"
    assert "m²" in finding["message_zh"]


def test_subsidence_is_unsure_and_said(write_image: Images) -> None:
    source = write_image(0)
    sunken = [("subsidence", box(0, 0, 0, 20, 20)), ("vegetation", box(0, 0, 0, 40, 40))]
    ground = gpd.GeoSeries([box(0, 0, 0, SIDE, SIDE)], crs=EPSG).to_crs(4490)
    material = PolygonMaterial([source], [layer(sunken)], surveyed=list(ground))
    found = labelled(material, source)
    assert (found[:20, :20] == IGNORE).all()
    assert (found[20:40, :40] == BY_CODE["vegetation"].id).all()
    assert (found[41:95, :95] == 0).all()
    assert said(material)["E-SET-25"]["values"]["value"] == "1"
    assert "E-SET-21" not in said(material)


def test_without_surveyed_ground_there_is_no_background(write_image: Images) -> None:
    source = write_image(0)
    material = PolygonMaterial([source], [layer(mine(0))])
    assert not (labelled(material, source) == 0).any()
    assert "背景" in said(material)["E-SET-21"]["message_zh"]


def test_patches_belong_to_their_own_image(write_image: Images) -> None:
    images = [write_image(0, "old"), write_image(0, "new", seed=5)]
    polygons = [("open_pit", box(0, 0, 0, 20, 20)), ("stockpile", box(0, 0, 0, 20, 20))]
    material = PolygonMaterial(images, [layer(polygons, images=["old", "new"])])
    old, new = (labelled(material, source)[5, 5] for source in images)
    assert (old, new) == (BY_CODE["open_pit"].id, BY_CODE["stockpile"].id)
    assert "E-SET-06" not in said(material)  # ground labelled on two dates is no overlap


def test_unsettled_patches_are_unsure(write_image: Images) -> None:
    source = write_image(0)
    settled = layer([("open_pit", box(0, 0, 0, 20, 20))])
    open_ones = Layer(np.array([box(0, 10, 10, 30, 30)], object), np.array([IGNORE]), CRS.from_epsg(EPSG))
    ground = gpd.GeoSeries([box(0, 0, 0, SIDE, SIDE)], crs=EPSG).to_crs(4490)
    found = labelled(PolygonMaterial([source], [settled, open_ones], surveyed=list(ground)), source)
    assert found[15, 15] == BY_CODE["open_pit"].id
    assert found[30, 30] == IGNORE
    assert found[60, 60] == 0


def test_ground_behind_clouds_is_not_labelled(write_image: Images) -> None:
    clear = gpd.GeoSeries([box(0, 0, 0, SIDE, 48)], crs=EPSG).to_crs(4490)[0]
    source = write_image(0, observed=clear)
    found = labelled(PolygonMaterial([source], [layer([("open_pit", box(0, 0, 0, SIDE, SIDE))])]), source)
    assert (found[:, :47] == BY_CODE["open_pit"].id).all()
    assert (found[:, 49:] == IGNORE).all()


def test_long_edges_stay_where_they_were_drawn() -> None:
    """A straight edge of 40 km in degrees is no straight line in Gauss-Kruger: its middle lies 30 m off."""
    edge = shapely.box(86.8, 43.0, 87.3, 43.01)
    moved = move(np.array([edge], object), CRS.from_epsg(4490), CRS.from_epsg(4538))[0]
    middle = gpd.GeoSeries([shapely.Point(87.05, 43.0)], crs=4490).to_crs(4538)[0]
    assert moved.exterior.distance(middle) < 0.1
    same: Sequence[Any] = move(np.array([edge], object), CRS.from_epsg(4490), CRS.from_epsg(4490))
    assert same[0] is edge
