"""Blocks in any order, by any number of workers, give the bits of one process that does them from top to bottom."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landdamage.interpretation import Engine, Interpretation, interpret_scene
from landdamage.interpretation.blocks import Shared, cut, preference
from landdamage.interpretation.crew import FileClaims
from landdamage.interpretation.ground import Ground
from landdamage.interpretation.result import help_scene
from landdamage.interpretation.strips import StripStore
from minegis.errors import JobCancelledError
from minegis.windows import Plan, StripBlender
from tests.landdamage.interpretation.test_result import BANDS, landscape, read

BLOCK = 64 * 150  # pixels: one or two strips of the scenes below


class InOrder:
    """Claims of a worker that does the blocks in a given order."""

    def __init__(self, order: list[int]) -> None:
        self.left = list(order)

    def take(self, last: int | None) -> int | None:
        return self.left.pop(0) if self.left else None

    def lost(self) -> bool:
        return False

    def finish(self, number: int, windows: int) -> None:
        pass

    release = finish  # type: ignore[assignment]


def crew_of(claims: Callable[[Shared], Any]) -> Callable[[Shared], Any]:
    @contextmanager
    def crew(shared: Shared) -> Iterator[Any]:
        yield claims(shared)

    return crew


def pixels(result: Interpretation) -> list[str]:
    return [
        hashlib.sha256(read(path).tobytes()).hexdigest()
        for path in (result.class_raster, result.confidence_raster, result.margin_raster)
    ]


@pytest.fixture
def uneven(class_scene: Callable[..., Path]) -> Callable[..., Path]:
    """A scene of uneven brightness, so that every sum of probabilities has digits to lose."""

    def write(height: int, width: int) -> Path:
        path = class_scene(landscape(height, width))
        rng = np.random.default_rng(1)
        with rasterio.open(path, "r+") as dataset:
            bands = dataset.read()
            dataset.write(np.where(bands > 0, bands + rng.integers(0, 500, bands.shape), 0).astype(np.uint16))
        return path

    return write


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_any_order_gives_the_same_bits(
    data: st.DataObject, tmp_path_factory: Any, uneven: Callable[..., Path], class_engine: Callable[..., Engine]
) -> None:
    height, width = data.draw(st.integers(70, 250)), data.draw(st.integers(40, 160))
    window, block = data.draw(st.sampled_from([40, 64, 96])), data.draw(st.integers(1, 30_000))
    scene, engine = uneven(height, width), class_engine(sharpness=0.5, window=window)
    folder = tmp_path_factory.mktemp("any")
    alone = interpret_scene(scene, folder / "alone", engine=engine, bands=BANDS)
    orders: list[list[int]] = []

    def claims(shared: Shared) -> InOrder:
        orders.append(data.draw(st.permutations([block.number for block in shared.blocks])))
        return InOrder(orders[-1])

    shared = interpret_scene(
        scene, folder / "shared", engine=engine, bands=BANDS, crew=crew_of(claims), block_pixels=block
    )
    assert pixels(shared) == pixels(alone)
    assert shared.areas_cm2 == alone.areas_cm2
    if orders and orders[0] == sorted(orders[0]):
        assert shared.windows == alone.windows  # who goes on below computes nothing twice


def test_panels_and_last_windows_that_reach_far_up(
    uneven: Callable[..., Path],
    class_engine: Callable[..., Engine],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """113 rows: the last window begins one row below the one before, so three strips add to the same rows."""
    monkeypatch.setattr("landdamage.interpretation.result.PANEL_WIDTH", 90)
    scene, engine = uneven(64 + 48 + 1, 250), class_engine(sharpness=0.5)
    alone = interpret_scene(scene, tmp_path / "alone", engine=engine, bands=BANDS)
    backwards = interpret_scene(
        scene,
        tmp_path / "shared",
        engine=engine,
        bands=BANDS,
        crew=crew_of(lambda shared: InOrder([block.number for block in reversed(shared.blocks)])),
        block_pixels=1,
    )
    assert pixels(backwards) == pixels(alone)


def test_two_workers_of_one_folder_do_every_block_once(
    uneven: Callable[..., Path], class_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    scene, engine = uneven(500, 150), class_engine(sharpness=0.5)
    alone = interpret_scene(scene, tmp_path / "alone", engine=engine, bands=BANDS)
    begun, done = threading.Event(), []
    helped: list[int | None] = []

    class Noted(FileClaims):
        def finish(self, number: int, windows: int) -> None:
            done.append(number)
            super().finish(number, windows)

    def leader(shared: Shared) -> Noted:
        begun.set()
        return Noted(shared, leads=True)

    def help_out() -> None:
        begun.wait(60)
        helper = crew_of(lambda shared: Noted(shared, leads=False))
        helped.append(
            help_scene(
                scene, tmp_path / "two", engine=engine, bands=BANDS, crew=helper, should_stop=lambda: False,
                block_pixels=BLOCK,
            )
        )  # fmt: skip

    thread = threading.Thread(target=help_out)
    thread.start()
    result = interpret_scene(
        scene, tmp_path / "two", engine=engine, bands=BANDS, crew=crew_of(leader), block_pixels=BLOCK
    )
    thread.join()
    assert pixels(result) == pixels(alone)
    assert sorted(done) == list(range(len(done)))
    assert helped[0] is not None


def test_a_helper_of_other_inputs_leaves_the_work_alone(
    uneven: Callable[..., Path], class_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    scene = uneven(200, 100)
    interpret_scene(scene, tmp_path / "w", engine=class_engine(), bands=BANDS)
    before = sorted(path.name for path in (tmp_path / "w" / "strips").iterdir())
    other = class_engine(window=96)
    nobody = crew_of(lambda shared: InOrder([]))
    for folder in (tmp_path / "w", tmp_path / "nothing"):
        assert help_scene(
            scene, folder, engine=other, bands=BANDS, crew=nobody, should_stop=lambda: False
        ) is None  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "w" / "strips").iterdir()) == before


def test_cancel_gives_the_block_back_and_keeps_its_strips(
    uneven: Callable[..., Path], class_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    scene, engine = uneven(500, 150), class_engine(sharpness=0.5)
    asked = iter(range(1000))
    given_back: list[int] = []

    class Noted(InOrder):
        def release(self, number: int) -> None:  # type: ignore[override]
            given_back.append(number)

    arguments: dict[str, Any] = {"engine": engine, "bands": BANDS, "block_pixels": 3 * BLOCK}
    with pytest.raises(JobCancelledError):
        interpret_scene(
            scene, tmp_path / "w", crew=crew_of(lambda shared: Noted([1, 0])),
            should_stop=lambda: next(asked) == 9, **arguments,
        )  # fmt: skip
    assert given_back == [1]
    strips = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "w" / "strips").glob("strip-*.npy")}
    assert len(strips) == 2  # three windows in a strip, and the strip above the block once more
    alone = interpret_scene(scene, tmp_path / "alone", engine=engine, bands=BANDS)
    downwards = crew_of(lambda shared: InOrder([block.number for block in shared.blocks]))
    rest = interpret_scene(scene, tmp_path / "w", crew=downwards, **arguments)
    assert pixels(rest) == pixels(alone)
    assert all((tmp_path / "w" / "strips" / name).stat().st_mtime_ns == when for name, when in strips.items())


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(1, 1 << 26))
def test_blocks_tile_the_strips(height: int, width: int, size: int) -> None:
    plan = Plan(height, width, 1024, 128)
    blocks = cut(plan, size)
    assert [block.number for block in blocks] == list(range(len(blocks)))
    for panel in plan.panels:
        edges = [(block.first, block.last) for block in blocks if block.panel == panel]
        assert (edges[0][0], edges[-1][1]) == (0, len(plan.rows))
        assert all(first < last for first, last in edges)
        assert all(one[1] == two[0] for one, two in itertools.pairwise(edges))


def test_workers_keep_out_of_each_others_way() -> None:
    blocks = cut(Plan(9000, 800, 1024, 128), 1024 * 800)
    everything = set(range(len(blocks)))
    assert next(preference(blocks, everything, set(), None)) == 0
    assert next(preference(blocks, everything - {0}, set(), None)) == len(blocks) // 2 + 1
    assert next(preference(blocks, everything - {0, 1}, {0, 1}, 1)) == 2
    assert next(preference(blocks, everything - {0}, {0}, None)) == 1
    assert list(preference(blocks, set(), everything, 3)) == []


def test_a_strip_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = StripStore(tmp_path, Plan(150, 64, 64, 16), {"a": 1})
    panel = store.plan.panels[0]
    blender = StripBlender(store.plan, panel, 8)
    store.save(panel, 0, np.ones((3, 48, 64), np.uint8), blender.carry(0).copy())
    assert (store.present(), store.share()) == ({(0, 0)}, 1 / len(store.plan.rows))
    np.testing.assert_array_equal(store.carry(panel, 0), blender.carry(0))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.save(panel, 1, np.ones((3, 48, 64), np.uint8), blender.carry(0).copy())
    assert store.present() == {(0, 0)}
    assert not list(tmp_path.glob("*.partial"))


def test_only_windows_that_touch_the_area_are_computed(
    class_scene: Callable[..., Path], class_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    from minegis.units import reproject

    truth = landscape(400, 400)
    scene = class_scene(truth)
    x, y = 500_000, 4_780_000
    wanted = shapely.Polygon([(x + 100.3, y - 100.1), (x + 300.7, y - 120.3), (x + 239.9, y - 300.2)])
    ground = Ground(reproject(wanted, 4538))
    whole = interpret_scene(scene, tmp_path / "whole", engine=class_engine(), bands=BANDS, min_area_m2=0)
    part = interpret_scene(scene, tmp_path / "part", engine=class_engine(), bands=BANDS, min_area_m2=0, ground=ground)
    classes = read(part.class_raster)
    rows, columns = np.indices(truth.shape)
    inside = shapely.contains_xy(wanted, x + 2 * (columns + 0.5), y - 2 * (rows + 0.5))
    np.testing.assert_array_equal(classes == 255, ~inside)
    np.testing.assert_array_equal(classes[inside], read(whole.class_raster)[inside])
    assert 0 < part.windows < whole.windows / 4
