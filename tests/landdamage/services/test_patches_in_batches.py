"""Patches reach the database in portions; what becomes of them does not depend on how they are portioned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.interpretation.patch_file import patch_count, read_patches, write_patches
from landdamage.services import waters
from landdamage.services.patch_loading import patches_replace

SIDE = 1e-3  # degrees
FIELDS = ("class_code", "damage_kind", "water_origin", "area_cm2", "mine", "region", "geom")


def lakes(count: int) -> gpd.GeoDataFrame:
    """Per lake a pit around it, a pond beside it or only vegetation, in turn; each lake before its neighbour."""
    rows: list[dict[str, Any]] = []
    for k in range(count):
        ground = shapely.box(87 + 2 * k * SIDE, 43, 87 + (2 * k + 1) * SIDE, 43 + SIDE)
        lake = shapely.box(87 + (2 * k + 0.4) * SIDE, 43 + 0.4 * SIDE, 87 + (2 * k + 0.6) * SIDE, 43 + 0.6 * SIDE)
        neighbour = [(7, "open_pit"), (6, "tailings_pond"), (1, "vegetation")][k % 3]
        for (class_id, code), shape in (((2, "water"), lake), (neighbour, ground - lake)):
            rows.append({"class_id": class_id, "class_code": code, "geometry": shape, "area_cm2": 1000 * k + class_id})
    frame = gpd.GeoDataFrame(rows, crs=4490).assign(confidence=0.9, confidence_p5=0.5, margin=0.4)
    return frame.astype({"class_id": np.uint8})


def portions(frame: gpd.GeoDataFrame, size: int) -> Iterator[gpd.GeoDataFrame]:
    for first in range(0, len(frame), size):
        yield frame[first : first + size]


@pytest.mark.parametrize("at_once", [1, 4, 500])
def test_waters_find_neighbours_that_came_in_another_portion(
    interpreted: Any, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(waters, "_AT_ONCE", at_once)
    frame = lakes(9)
    patches_replace(run=interpreted, batches=[frame])
    whole = list(interpreted.patches.values_list(*FIELDS))
    patches_replace(run=interpreted, batches=portions(frame, 1))
    assert list(interpreted.patches.values_list(*FIELDS)) == whole
    found = interpreted.patches.filter(class_code="water").values_list("water_origin", "damage_kind")
    expected = [("pit_water", "excavation"), ("tailings_water", "occupation"), ("natural", "none")]
    assert list(found) == expected * 3


def test_a_run_without_patches_is_empty(interpreted: Any) -> None:
    patches_replace(run=interpreted, batches=[lakes(1)[:0]])
    assert not interpreted.patches.exists()


def test_a_file_of_patches_gives_back_what_was_written(tmp_path: Any) -> None:
    frame = lakes(7)
    areas = write_patches(tmp_path / "patches.gpkg", [frame[:0], *portions(frame, 4)], {"MODEL": "m"})
    assert areas == {c: int(frame["area_cm2"][frame["class_id"] == c].sum()) for c in range(1, 8)}
    assert patch_count(tmp_path / "patches.gpkg") == 14
    batches = list(read_patches(tmp_path / "patches.gpkg", 5))
    assert [len(batch) for batch in batches] == [5, 5, 4]
    first = 0
    for batch in batches:
        part = frame[first : first + len(batch)]
        assert list(batch.geometry) == list(part.geometry)
        for column in part.columns.drop("geometry"):
            assert list(batch[column]) == list(part[column])
        first += len(batch)
    assert not list(tmp_path.glob("*partial*"))
