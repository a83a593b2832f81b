"""Units as files: what is read is what was written; several processes give the same as one; a dead one is noticed."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import geopandas as gpd
import numpy as np
import pytest
import shapely
from celery import current_app

from landdamage.accounting.carry import matches
from landdamage.accounting.content import RestorationRecord, content_sha256, place_keys
from landdamage.accounting.observation import SceneView
from landdamage.accounting.overlay import ALBERS, from_albers
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import State
from landdamage.accounting.territories import Territory
from landdamage.accounting.worker import compute, compute_all, input_path, lend_a_hand, result_path
from landdamage.accounting.workfiles import UnitInput, archive, load_input, load_result, save_input
from minegis.errors import MineGISError
from minegis.jobs.services import workdir
from minegis.units import areas_cm2

X, Y = -1_450_000.0, 4_600_000.0  # Albers, in the middle Tianshan
UNITS = 16  # enough for two processes


def block(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    return shapely.box(X + west, Y + south, X + east, Y + north)


def degrees(shape: shapely.Geometry) -> shapely.Geometry:
    return from_albers(np.array([shape], object))[0]


def unit(number: int) -> UnitInput:
    """A square of 400 m with a pit in the book that has grown to the east, an author behind the growth."""
    east = 1000.0 * number
    ground, pit = block(east, 0, east + 400, 400), block(east + 100, 100, east + 200, 300)
    opening = gpd.GeoDataFrame(
        {"state": np.array([int(State.OPEN_PIT), int(State.VEGETATION)], np.int16), "observed_year": [2022, 2022]},
        geometry=[pit, ground - pit],
        crs=ALBERS,
    )
    opening["area_cm2"] = areas_cm2(opening.geometry.to_numpy(), ALBERS)
    opening["vegetated_years"] = 0
    patches = gpd.GeoDataFrame(
        {
            "patch_id": [7], "class_code": ["open_pit"], "water_origin": [""], "confidence": [0.8],
            "source": ["manual"], "author": ["42"], "water_by": [""], "scene": [0],
        },
        geometry=[degrees(block(east + 100, 100, east + 260 + number, 300))],
        crs=4490,
    )  # fmt: skip
    return UnitInput(
        territory=Territory(f"mine-{number}", None, shapely.MultiPolygon([ground]), shapely.MultiPolygon([ground])),
        opening=opening,
        scenes=[SceneView("scene", dt.date(2023, 7, 1), 2.0, degrees(ground.buffer(50)), "GF2")],
        patches=patches,
        subsidence=[],
        surveyors=[],
        book_pits=[],
        regions=gpd.GeoDataFrame({"code": ["650100"]}, geometry=[degrees(ground.buffer(50))], crs=4490),
        rules=Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=1.0),
        year=2023,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("units")
    for number in range(UNITS):
        save_input(input_path(place, number), unit(number))
    return place


def sums(result: Any) -> tuple[Any, ...]:
    cells = result.cells.sort_values(["prev_state", "obs_state", "area_cm2"])
    return (
        tuple(cells["area_cm2"]),
        tuple(cells["scene_id"]),
        tuple(cells["region_code"]),
        tuple(result.pieces["authors"]),
    )


def test_a_unit_read_back_gives_the_same_account(folder: Path) -> None:
    again = load_input(input_path(folder, 3))
    given = unit(3)
    assert again.rules == given.rules
    assert again.territory.geometry.equals(given.territory.geometry)
    assert again.patches.drop(columns="geometry").to_dict() == given.patches.drop(columns="geometry").to_dict()
    one, other = compute(given), compute(again)
    assert sums(one) == sums(other)
    assert tuple(one.pieces["authors"]) == ("42",)
    grown = one.cells["area_cm2"][(one.cells["piece"] >= 0)].sum()
    assert grown == pytest.approx(63 * 200 * 10_000, rel=1e-4)


def test_processes_compute_what_one_does_and_only_the_rest(folder: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    assert compute_all(folder, UNITS, processes=2, progress=shares.append) == UNITS
    assert shares == sorted(shares)
    for number in (0, UNITS - 1):
        assert sums(load_result(result_path(folder, number))) == sums(compute(unit(number)))
    result_path(folder, 5).unlink()
    assert compute_all(folder, UNITS, processes=2) == 1


def test_helpers_share_the_units_and_a_dead_one_holds_nothing_up(folder: Path, tmp_path: Path) -> None:
    for result in folder.glob("*.out.npz"):
        result.unlink()
    helper = threading.Thread(target=lend_a_hand, args=(folder, UNITS))
    (folder / "unit-00003.claim").touch()  # of an attempt that died
    helper.start()
    assert compute_all(folder, UNITS, processes=2) == UNITS
    helper.join()
    assert len(list(folder.glob("*.out.npz"))) == UNITS
    assert not list(folder.glob("*.part"))
    assert sums(load_result(result_path(folder, 3))) == sums(compute(unit(3)))
    assert lend_a_hand(folder, UNITS) == 0
    assert lend_a_hand(tmp_path / "gone", UNITS) == 0


@pytest.mark.django_db(transaction=True)
def test_an_idle_worker_takes_units_up(settings: Any, celery_worker: Any, wait_until: Any) -> None:
    job = uuid4()
    folder = workdir(job)
    folder.mkdir(parents=True)
    for number in range(3):
        save_input(input_path(folder, number), unit(number))
    celery_worker("cpu")
    current_app.send_task("landdamage.tasks.account_units", [str(job), 3], queue="cpu")
    wait_until(lambda: len(list(folder.glob("*.out.npz"))) == 3, 60)
    assert sums(load_result(result_path(folder, 1))) == sums(compute(unit(1)))


def test_a_fault_in_a_process_ends_the_work_with_its_code(tmp_path: Path) -> None:
    for number in range(UNITS):
        save_input(input_path(tmp_path, number), unit(number))
    input_path(tmp_path, 2).write_bytes(b"not a unit")
    with pytest.raises(MineGISError, match="E-JOB-05"):
        compute_all(tmp_path, UNITS, processes=2)


def test_an_archive_depends_on_its_contents_only(folder: Path, tmp_path: Path) -> None:
    paths = [input_path(folder, number) for number in range(3)]
    archive(paths, tmp_path / "one.zip")
    save_input(input_path(folder, 1), unit(1))  # written again, later
    archive(reversed(paths), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def cells(*shapes: shapely.Geometry, **changes: Any) -> gpd.GeoDataFrame:
    columns: dict[str, Any] = {
        "area_cm2": 10, "prev_state": "vegetation", "obs_state": "open_pit", "new_state": "open_pit", "flow": "new",
        "mine_id": "m", "region_code": "650100", "since_year": None, "observed_year": 2023, "redamaged": False,
        "outside_licence": False, "scene_id": None, "confidence": 0.9, "vegetated_years": 0,
    }  # fmt: skip
    return gpd.GeoDataFrame([columns | changes] * len(shapes), geometry=list(shapes), crs=ALBERS)


def test_the_hash_sees_every_change_and_no_order() -> None:
    one, two = block(0, 0, 10, 10), block(10, 0, 20, 10)
    known = content_sha256(cells(one, two))
    turned = shapely.Polygon([(x, y) for x, y in reversed(one.exterior.coords)])
    assert content_sha256(cells(two, turned)) == known
    stored = cells(one, two).to_crs(4490)
    assert content_sha256(stored) == known  # a round trip through degrees
    assert content_sha256(cells(one)) != known
    assert content_sha256(cells(one, block(10, 0, 20, 10.01))) != known
    for change in (
        {"area_cm2": 11},
        {"flow": "omission"},
        {"since_year": 2021},
        {"confidence": 0.91},
        {"mine_id": None},
    ):
        assert content_sha256(cells(one, two, **change)) != known


def test_the_hash_covers_restorations_from_its_second_format_on() -> None:
    ground = cells(block(0, 0, 10, 10))
    record = RestorationRecord(
        "p", "restored_open_pit", "engineered", "0404", dt.date(2023, 9, 1), ("b" * 64, "a" * 64)
    )
    known = content_sha256(ground, [record])
    assert known != content_sha256(ground)
    assert known == content_sha256(ground, [replace(record, evidence=("a" * 64, "b" * 64))])
    more = replace(record, piece="q")
    assert content_sha256(ground, [record, more]) == content_sha256(ground, [more, record]) != known
    for change in (
        {"piece": "q"},
        {"restored_kind": "restored_other"},
        {"mode": "natural"},
        {"post_use": ""},
        {"accepted_on": None},
        {"evidence": ("a" * 64,)},
    ):
        assert content_sha256(ground, [replace(record, **change)]) != known
    # Editions sealed in the first format still verify: this is the hash that version made of these cells.
    first = "1a0b1973ce2692f3a3a3025887c3c5176dd2c6615d38f7a1610ca071564b645d"
    assert content_sha256(ground, [record], version=1) == content_sha256(ground, version=1) == first
    with pytest.raises(ValueError, match="format 3"):
        content_sha256(ground, version=3)


def pieces(*shapes: shapely.Geometry, kind: str = "new") -> gpd.GeoDataFrame:
    frame = gpd.GeoDataFrame(
        {"kind": kind, "prev_kind": "", "obs_kind": "excavation"},
        index=range(len(shapes)),
        geometry=list(shapes),
        crs=ALBERS,
    )
    return frame.assign(geometry_sha256=[wkb.hex() + kind for wkb in place_keys(frame.geometry)])


def test_a_decision_finds_its_change_again() -> None:
    old = pieces(block(0, 0, 100, 100), block(200, 0, 300, 100), block(400, 0, 500, 100))
    new = pieces(block(400, 0, 500, 100), block(200, 0, 300, 99.5), block(0, 0, 100, 97))
    assert matches(new, old) == {0: 2, 1: 1}  # the same, 99.5 %, and 97 %: decide again
    assert matches(pieces(block(200, 0, 300, 99.5), kind="released"), old) == {}
    assert matches(new, pieces()) == {}
