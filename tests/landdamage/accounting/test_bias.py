from __future__ import annotations

from datetime import date

import geopandas as gpd
import numpy as np
import pytest
import shapely

from landdamage.accounting.bias import confirmed_on_coarse_grid, mixed_sensor, pseudo_change
from landdamage.accounting.observation import SceneView
from landdamage.accounting.planar import ALBERS
from landdamage.accounting.states import State
from minegis.units import reproject

X, Y = -1_440_000, 4_560_000  # near 43N 87E in Albers


def view(day: str, gsd: float = 2.0, satellite: str = "GF1") -> SceneView:
    return SceneView("s", date.fromisoformat(day), gsd, shapely.Polygon(), satellite)


@pytest.mark.parametrize(
    ("before", "now", "reasons"),
    [
        ([view("2021-07-01")], [view("2022-09-30")], []),
        ([view("2021-07-01")], [view("2022-07-01", 4.0)], []),
        ([view("2021-07-01")], [view("2022-07-01", 4.1)], ["gsd"]),
        ([view("2021-06-01")], [view("2022-09-01")], ["season"]),
        ([view("2021-12-01")], [view("2022-02-01")], []),
        ([view("2021-07-01")], [view("2022-07-01", 2.0, "GF2")], ["satellite"]),
        ([view("2021-07-01")], [view("2022-07-01", 2.0, "")], []),
        ([view("2021-07-01")], [view("2022-07-01"), view("2022-10-01", 8.0, "GF6")], ["gsd", "satellite", "season"]),
        ([], [view("2022-07-01")], []),
    ],
)
def test_mixed_pairs_are_recognised(before: list[SceneView], now: list[SceneView], reasons: list[str]):
    assert mixed_sensor(before, now) == reasons


def test_what_the_coarse_image_cannot_show_is_no_change():
    wide = shapely.box(X, Y, X + 80, Y + 80)
    strip = shapely.box(X + 2, Y, X + 5, Y + 2000)  # 3 m wide, 6 000 m2
    dots = shapely.MultiPolygon([shapely.box(X + i * 8, Y, X + i * 8 + 5, Y + 5) for i in range(400)])
    small = shapely.box(X, Y, X + 32, Y + 32)
    assert confirmed_on_coarse_grid([wide, strip, dots, small, shapely.Polygon()], 8.0, 1600.0).tolist() == [
        True, False, False, False, False,
    ]  # fmt: skip
    assert confirmed_on_coarse_grid([wide, strip], 1.0, 400.0).all()


def cells(rng: np.random.Generator, rate: float, size: int = 60) -> gpd.GeoDataFrame:
    """A chessboard of 10 m cells: sound on the left half, a pit on the right, a known share of each flipped."""
    rows = []
    for i in range(size):
        for j in range(size):
            was = State.OPEN_PIT if j >= size // 2 else State.OTHER
            flip = rng.random() < rate
            seen = (State.OTHER if was is State.OPEN_PIT else State.STOCKPILE) if flip else was
            rows.append((was, seen, False, shapely.box(X + 10 * j, Y + 10 * i, X + 10 * j + 10, Y + 10 * i + 10)))
    return gpd.GeoDataFrame(rows, columns=["prev_state", "obs_state", "filtered", "geometry"], crs=ALBERS)


def squares(count: int, rng: np.random.Generator) -> list[shapely.Geometry]:
    places = rng.choice(36, count, replace=False)
    boxes = [
        shapely.box(X + 100 * (p % 6), Y + 100 * (p // 6), X + 100 * (p % 6) + 100, Y + 100 * (p // 6) + 100)
        for p in places
    ]
    return [reproject(box, ALBERS) for box in boxes]


def test_interval_covers_the_true_pseudo_change():
    covered = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        account = cells(rng, 0.05)
        bias = pseudo_change(account, squares(24, rng), reported_new_m2=90_000)
        truth = 100.0 * ((account["prev_state"] == State.OTHER) & (account["obs_state"] == State.STOCKPILE)).sum()
        covered += abs(bias.false_new_m2 - truth) <= bias.false_new_half_m2
        assert bias.controls == 24
        assert bias.enough_controls
        assert bias.control_m2 == pytest.approx(240_000, rel=1e-4)
        assert not bias.exceeds_limit
        assert bias.false_released_m2 > 0
    assert covered >= 17


def test_limit_and_few_controls():
    rng = np.random.default_rng(1)
    account = cells(rng, 0.05)
    bias = pseudo_change(account, squares(10, rng), reported_new_m2=20_000)
    assert not bias.enough_controls
    assert bias.exceeds_limit
    assert bias.as_dict()["share"] == pytest.approx(bias.false_new_m2 / 20_000)

    account["filtered"] = True
    calm = pseudo_change(account, squares(20, rng), reported_new_m2=0)
    assert (calm.false_new_m2, calm.false_released_m2, calm.exceeds_limit) == (0, 0, False)

    account["obs_state"] = State.NOOBS
    assert pseudo_change(account, squares(20, rng), reported_new_m2=1).controls == 0
    elsewhere = [reproject(shapely.box(X - 900, Y, X - 800, Y + 100), ALBERS)]
    assert pseudo_change(cells(rng, 0.0), elsewhere, reported_new_m2=1e9).exceeds_limit
