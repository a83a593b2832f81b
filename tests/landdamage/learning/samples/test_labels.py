"""Polygons and label rasters on the grid of an image: pixel centres, precedence, surveyed ground, unsure borders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from rasterio.transform import from_origin

from landdamage.imagery.open import open_raster
from landdamage.learning.samples.grid import Grid
from landdamage.learning.samples.images import ImageSource, open_image
from landdamage.learning.samples.labels import RasterLabels, VectorLabels, count_pixels, ring
from landdamage.learning.samples.material import OWN_VALUES, RasterMaterial
from landdamage.learning.samples.params import Params
from landdamage.taxonomy import BY_CODE, CLASSES, IGNORE, LABEL_PRECEDENCE, SUBSIDENCE
from minegis.errors import SampleSetError
from tests.fixtures.labelled import EPSG, GSD, NORTH, SIDE, box, origin

GRID = Grid(CRS.from_epsg(EPSG), from_origin(*origin(0), GSD, GSD), SIDE, SIDE, GSD, from_origin(*origin(0), GSD, GSD))
ID = {one.code: one.id for one in CLASSES}


def burnt(*polygons: tuple[str, Any], side: int = SIDE, **options: Any) -> np.ndarray:
    shapes = np.array([shape for _, shape in polygons], object)
    class_ids = np.array([BY_CODE[code].id for code, _ in polygons], np.int64)
    return VectorLabels(GRID, shapes, class_ids, **options).window(0, 0, side)


def test_a_pixel_belongs_to_the_polygon_that_holds_its_centre() -> None:
    labels = burnt(("open_pit", box(0, 10.4, 20.6, 5.2, 3.0)))  # rows 10.4-15.6, columns 20.6-23.6
    rows, columns = np.nonzero(labels == ID["open_pit"])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 15, 21, 23)
    triangle = shapely.Polygon([(GRID.transform @ p) for p in ((3, 3), (40, 7), (11, 35))])
    labels = burnt(("water", triangle))
    centres = shapely.points(
        *np.meshgrid(origin(0)[0] + GSD * (np.arange(SIDE) + 0.5), NORTH - GSD * (np.arange(SIDE) + 0.5))
    )
    assert np.array_equal(labels == ID["water"], shapely.contains_properly(triangle, centres))


@pytest.mark.parametrize(("above", "below"), itertools.combinations(LABEL_PRECEDENCE, 2))
def test_what_lies_on_top_is_labelled(above: str, below: str) -> None:
    square = box(0, 4, 4, 8, 8)
    for order in ((above, below), (below, above)):
        labels = burnt(*((code, square) for code in order))
        expected = IGNORE if above == SUBSIDENCE.code else ID[above]
        assert (labels[4:12, 4:12] == expected).all()


def test_precedence_holds_every_class_once() -> None:
    assert sorted(LABEL_PRECEDENCE) == sorted(BY_CODE)


def test_unlabelled_is_background_where_somebody_looked_and_unknown_elsewhere() -> None:
    surveyed = np.array([box(0, 0, 0, SIDE, 40)], object)
    labels = burnt(("open_pit", box(0, 10, 30, 20, 20)), surveyed=surveyed)
    assert (labels[:, :30] == ID["background"]).all()
    assert (labels[10:30, 30:50] == ID["open_pit"]).all()
    assert (labels[:, 50:] == IGNORE).all()
    assert (labels[:10, 40:] == IGNORE).all()


def test_ground_the_image_does_not_show_is_unknown() -> None:
    labels = burnt(
        ("open_pit", box(0, 10, 10, 20, 20)),
        surveyed=np.array([box(0, 0, 0, SIDE, SIDE)], object),
        observed=box(0, 0, 0, SIDE, 20),
    )
    assert (labels[:, 20:] == IGNORE).all()
    assert (labels[10:30, 10:20] == ID["open_pit"]).all()
    assert (labels[40:, :20] == ID["background"]).all()


def test_what_nobody_settled_is_unknown_unless_a_settled_polygon_lies_there() -> None:
    labels = burnt(
        ("open_pit", box(0, 0, 0, 10, 10)),
        surveyed=np.array([box(0, 0, 0, SIDE, SIDE)], object),
        undecided=np.array([box(0, 0, 5, 10, 10)], object),
    )
    assert (labels[:10, :10] == ID["open_pit"]).all()
    assert (labels[:10, 10:15] == IGNORE).all()
    assert (labels[:10, 15:] == ID["background"]).all()


def test_a_ring_of_two_pixels_lies_one_on_either_side() -> None:
    labels = burnt(
        ("open_pit", box(0, 20, 20, 30, 30)), surveyed=np.array([box(0, 0, 0, SIDE, SIDE)], object), ring_px=2
    )
    assert labels[35, 18:23].tolist() == [0, IGNORE, IGNORE, 7, 7]
    assert (labels == IGNORE).sum() == 120 + 116
    lone = burnt(("open_pit", box(0, 20, 20, 30, 30)), ring_px=2)
    assert (lone[20:50, 20:50] == 7).all()  # nobody drew a border against unlabelled ground


@settings(max_examples=40)
@given(st.integers(0, SIDE), st.integers(0, SIDE), st.integers(0, 4), st.integers(0, 2**31))
def test_windows_are_parts_of_one_picture(row: int, column: int, ring_px: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = [c.code for c in CLASSES if c.id]
    places = [shapely.Point(*(GRID.transform @ tuple(rng.uniform(0, SIDE, 2)))) for _ in range(6)]
    polygons = [(codes[rng.integers(7)], place.buffer(rng.uniform(4, 60))) for place in places]
    whole = burnt(*polygons, ring_px=ring_px)
    shapes = np.array([shape for _, shape in polygons], object)
    labels = VectorLabels(GRID, shapes, np.array([ID[code] for code, _ in polygons]), ring_px=ring_px)
    part = labels.window(row, column, 24)
    inside = whole[row : row + 24, column : column + 24]
    assert np.array_equal(part[: inside.shape[0], : inside.shape[1]], inside)
    part[: inside.shape[0], : inside.shape[1]] = IGNORE
    assert (part == IGNORE).all()


def test_pixels_are_counted_with_the_unlabelled_last() -> None:
    labels = np.array([[0, 7, 7], [255, 255, 1]], np.uint8)
    assert count_pixels(labels).tolist() == [1, 1, 0, 0, 0, 0, 0, 2, 2]
    assert not ring(np.full((5, 5), 3, np.uint8), 2).any()


def test_things_are_the_polygons_on_the_image() -> None:
    shapes = np.array([box(0, 4, 4, 10, 10), box(0, 90, 90, 20, 20), box(1, 4, 4, 10, 10)], object)
    things = VectorLabels(GRID, shapes, np.array([7, 6, 5])).things()
    assert things.class_id.tolist() == [7, 6]
    assert things.pixels.tolist() == pytest.approx([100, 36])
    assert ((things.row >= 0) & (things.row < SIDE)).all()


def write_labels(path: Path, labels: np.ndarray, **changes: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    options = {
        "driver": "GTiff", "crs": f"EPSG:{EPSG}", "transform": from_origin(*origin(0), GSD, GSD), "count": 1,
        "height": labels.shape[0], "width": labels.shape[1], "dtype": labels.dtype, "nodata": IGNORE,
    } | changes  # fmt: skip
    with rasterio.open(path, "w", **options) as target:
        target.write(labels, 1)
    return path


@pytest.fixture
def drawn() -> np.ndarray:
    labels = np.full((SIDE, SIDE), IGNORE, np.uint8)
    labels[10:30, 10:30] = 7
    labels[30:40, 30:40] = 7  # touches the first one at a corner
    labels[50:60, 50:70] = 6
    labels[80:, 80:] = 0
    return labels


def test_a_label_raster_is_read_as_it_is(drawn: np.ndarray, tmp_path: Path) -> None:
    with open_raster(write_labels(tmp_path / "a.tif", drawn)) as dataset:
        labels = RasterLabels(GRID, dataset, OWN_VALUES)
        assert np.array_equal(labels.window(0, 0, SIDE), drawn)
        part = labels.window(80, 80, 32)
        assert np.array_equal(part[:16, :16], drawn[80:, 80:])
        assert (part[16:] == IGNORE).all()
        things = labels.things()
    assert sorted(zip(things.class_id.tolist(), things.pixels.tolist(), strict=True)) == [(6, 200.0), (7, 500.0)]
    assert all(drawn[int(r), int(c)] == k for r, c, k in zip(things.row, things.column, things.class_id, strict=True))


def test_a_label_raster_keeps_its_classes_at_another_resolution(drawn: np.ndarray, tmp_path: Path) -> None:
    half = Grid(GRID.crs, from_origin(*origin(0), 4, 4), SIDE // 2, SIDE // 2, 4.0, GRID.native)
    with open_raster(write_labels(tmp_path / "a.tif", drawn)) as dataset:
        labels = RasterLabels(half, dataset, OWN_VALUES)
        found = labels.window(0, 0, SIDE // 2)
        things = labels.things()
    assert np.array_equal(found, drawn[1::2, 1::2])
    assert things.pixels.sum() == pytest.approx(700 / 4)
    assert things.row.max() < SIDE // 2


def test_values_of_a_raster_may_mean_other_classes(drawn: np.ndarray, tmp_path: Path) -> None:
    with open_raster(write_labels(tmp_path / "a.tif", (drawn == 6).astype(np.int16), nodata=None)) as dataset:
        found = RasterLabels(GRID, dataset, {1: 6, 0: IGNORE}).window(0, 0, SIDE)
    assert np.array_equal(found == 6, drawn == 6)
    assert (found[drawn != 6] == IGNORE).all()


def opened(material: RasterMaterial) -> None:
    for source in material.images:
        with open_image(source, GSD, source.bands) as image, material.labels(image, Params()):
            pass


@pytest.mark.parametrize(
    ("code", "changes", "says"),
    [
        ("E-SET-05", {"crs": "EPSG:4539"}, "CGCS2000"),
        ("E-SET-05", {"crs": None}, "—"),
        ("E-SET-23", {"transform": from_origin(origin(0)[0] + 1, origin(0)[1], GSD, GSD)}, "96 × 96"),
        ("E-SET-23", {"size": 90}, "90 × 96"),
    ],
)
def test_labels_lie_on_the_pixels_of_their_image(
    code: str,
    changes: dict[str, Any],
    says: str,
    drawn: np.ndarray,
    write_image: Callable[..., ImageSource],
    tmp_path: Path,
) -> None:
    size = changes.pop("size", SIDE)
    path = write_labels(tmp_path / "labels" / "a.tif", drawn[:, :size], **changes)
    with pytest.raises(SampleSetError) as caught:
        opened(RasterMaterial([write_image(0)], {"scene0": path}))
    assert caught.value.code == code
    assert says in caught.value.message("zh")
    assert "scene0" in caught.value.message("en")


def test_unknown_values_are_listed(drawn: np.ndarray, write_image: Callable[..., ImageSource], tmp_path: Path) -> None:
    drawn[0, :3] = [9, 77, 9]
    path = write_labels(tmp_path / "labels" / "a.tif", drawn)
    with pytest.raises(SampleSetError) as caught:
        opened(RasterMaterial([write_image(0)], {"scene0": path}))
    assert caught.value.code == "E-SET-08"
    assert "9, 77" in caught.value.message("zh")
    assert "--map" in caught.value.hint("en")
    opened(RasterMaterial([write_image(0)], {"scene0": path}, {**OWN_VALUES, 9: 5, 77: IGNORE}))


def test_an_image_without_labels_is_named(write_image: Callable[..., ImageSource]) -> None:
    with pytest.raises(SampleSetError, match=r"E-SET-22.*scene0"):
        opened(RasterMaterial([write_image(0)], {}))
