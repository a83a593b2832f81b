"""A year's account of many mines beside geopandas.overlay on the same input, and the noding alone as the floor.

Each mine has 4 km² of ground: last year's book, this year's labels with ragged outlines (a metre of noise on every
vertex, so each outline leaves splinters along the old one), clouds, a licence boundary, two regions. Ours goes from
these to settled cells in integer cm² and a checked statement; the peer only cuts the same layers, the floor only nodes
their lines.

    python benchmarks/bench_accounting.py --mines 1500 --workers 2
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from landdamage.accounting import overlay
from landdamage.accounting.identities import check
from landdamage.accounting.ledger import settle
from landdamage.accounting.observation import Observation
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import Flow, PieceKind, State
from landdamage.accounting.territories import Territory
from landdamage.accounting.unit import open_unit

SIDE = 2000.0  # metres
STEP = 6.0  # between vertices of an outline
NOISE = 1.0  # of each vertex, metres
RULES = Rules(gsd_before=2.0, gsd_now=2.0, rmse_m=2.0)
CLASSES = (State.OPEN_PIT, State.STOCKPILE, State.INDUSTRIAL_SQUARE, State.LIVING_AREA, State.VEGETATION)
Mine = tuple[Territory, gpd.GeoDataFrame, Observation, gpd.GeoDataFrame]


def outlines(rng: np.random.Generator, blobs: list[tuple]) -> list[tuple[State, shapely.Geometry]]:
    """Blobs as a classifier would outline them this year, without overlaps."""
    labels, taken = [], shapely.Polygon()
    for state, middle, radius, wave, phase in blobs:
        angle = np.arange(0, 2 * np.pi, STEP / radius)
        reach = radius * (1 + 0.3 * np.sin(wave * angle + phase)) + rng.normal(0, NOISE, len(angle))
        ring = middle + reach[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        shape = shapely.difference(shapely.buffer(shapely.Polygon(ring), 0), taken)
        taken = shapely.union(taken, shape)
        labels.append((state, shape))
    return labels


def make_mine(number: int) -> Mine:
    """A mine's input: the book after a first year, and the second year."""
    rng = np.random.default_rng(number)
    corner = np.array([-1_600_000.0 + 3000 * (number % 40), 4_700_000.0 + 3000 * (number // 40)])
    square = shapely.box(*corner, *(corner + SIDE))
    blobs = [
        (CLASSES[rng.integers(len(CLASSES))], corner + rng.uniform(100, SIDE - 100, 2), rng.uniform(30, 220),
         rng.integers(2, 6), rng.uniform(0, 6))
        for _ in range(12)
    ]  # fmt: skip
    later = [blob if rng.random() > 0.3 else (*blob[:2], blob[2] * rng.uniform(0.7, 1.4), *blob[3:]) for blob in blobs]
    x, y = corner
    halves = [shapely.box(x - 50, y - 50, x + 900, y + 2050), shapely.box(x + 900, y - 50, x + 2050, y + 2050)]
    regions = gpd.GeoDataFrame(geometry=halves, crs=overlay.ALBERS)
    territory = Territory(str(number), None, square, shapely.box(*(corner + 300), *(corner + 1600)))
    empty = gpd.GeoDataFrame({"state": [], "area_cm2": [], "observed_year": []}, geometry=[], crs=overlay.ALBERS)
    first = open_unit(territory, empty, seen(rng, blobs, square), regions, RULES, year=2021)
    book = settle(first.cells, {})[["new_state", "area_cm2", "observed_year", "geometry"]]
    return territory, book.rename(columns={"new_state": "state"}), seen(rng, later, square), regions


def seen(rng: np.random.Generator, blobs: list[tuple], square: shapely.Geometry) -> Observation:
    """What a year shows of them, with two clouds."""
    west, south, east, north = square.bounds
    clouds = shapely.points(rng.uniform([west, south], [east, north], (2, 2)))
    observed = shapely.difference(square, shapely.union_all(shapely.buffer(clouds, rng.uniform(50, 250, 2))))
    labels = [
        (s, p) for s, shape in outlines(rng, blobs) for p in overlay.polygons(shapely.intersection(shape, observed))
    ]
    columns = {"state": [int(state) for state, _ in labels], "scene": 0, "source": 0, "patch": range(len(labels))}
    frame = gpd.GeoDataFrame(columns | {"confidence": 0.8}, geometry=[shape for _, shape in labels], crs=overlay.ALBERS)
    return Observation(frame, observed, (0,), 2.0)


def ours(mine: Mine) -> pd.DataFrame:
    """Settled cells of a mine; every new piece is accepted."""
    made = open_unit(*mine, RULES, year=2022)
    new = made.pieces[made.pieces["kind"] == PieceKind.NEW]["piece"]
    return pd.DataFrame(settle(made.cells, dict.fromkeys(new, Flow.NEW)).drop(columns="geometry")).assign(
        mine=mine[0].mine
    )


def peer(mine: Mine) -> int:
    """The same layers cut by geopandas."""
    territory, book, observation, regions = mine
    layers = [
        observation.labels[["state", "confidence", "geometry"]].rename(columns={"state": "label"}),
        gpd.GeoDataFrame({"seen": [1]}, geometry=[observation.observed], crs=overlay.ALBERS),
        regions.assign(region=range(len(regions))),
        gpd.GeoDataFrame({"inside": [1]}, geometry=[territory.licence], crs=overlay.ALBERS),
    ]
    for layer in layers:
        book = gpd.overlay(book, layer, how="identity", keep_geom_type=True)
    return len(book.explode())


def floor(mine: Mine) -> int:
    """The lines of the same layers noded on the grid and polygonised by GEOS."""
    territory, book, observation, regions = mine
    shapes = [*book.geometry, *observation.labels.geometry, observation.observed, *regions.geometry, territory.licence]
    noded = shapely.union_all(shapely.boundary(shapes), grid_size=overlay.GRID)
    return len(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))))


def timed(pool: ProcessPoolExecutor, step: Callable, mines: Iterable) -> tuple[list, float, float]:
    """Results, wall seconds and processor seconds of one step over all mines."""
    start = time.perf_counter()
    done = list(pool.map(partial(measured, step), mines, chunksize=8))
    wall = time.perf_counter() - start
    return [result for result, _ in done], wall, sum(cpu for _, cpu in done)


def measured(step: Callable, mine: object) -> tuple[object, float]:
    """A result and the processor seconds it took."""
    start = time.process_time()
    return step(mine), time.process_time() - start


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mines", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        mines, preparing, _ = timed(pool, make_mine, range(options.mines))
        print(f"{options.mines} mines, {options.workers} workers; input made in {preparing:.0f} s")
        tables, wall, cpu = timed(pool, ours, mines)
        start = time.perf_counter()
        cells = pd.concat(tables, ignore_index=True)
        year = check(cells, by=["mine"]).total.loc["total"]
        checking = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        memory += options.workers * max(pool.map(peak, range(options.workers * 4)))
        faces, floor_wall, floor_cpu = timed(pool, floor, mines)
        pieces, peer_wall, peer_cpu = timed(pool, peer, mines)
    hectares = {name: year[name] / 1e8 for name in ("opening", "new", "pending", "closing")}
    print("account, hm²: " + ", ".join(f"{name} {area:.2f}" for name, area in hectares.items()))
    print(f"{'':24}{'wall s':>9}{'cpu s':>9}{'pieces':>9}")
    wall, cpu = wall + checking, cpu + checking
    print(f"{'ours: settled, checked':24}{wall:9.1f}{cpu:9.1f}{len(cells):9d}")
    print(f"{'peer: geopandas.overlay':24}{peer_wall:9.1f}{peer_cpu:9.1f}{sum(pieces):9d}")
    print(f"{'floor: noding alone':24}{floor_wall:9.1f}{floor_cpu:9.1f}{sum(faces):9d}")
    print(f"cpu: ours/peer {cpu / peer_cpu:.2f}, ours/floor {cpu / floor_cpu:.2f}")
    print(f"peak memory of all processes {memory / 1e6:.2f} GB")


def peak(_: int) -> int:
    """Peak memory of a worker so far, kB; slow enough that every worker answers."""
    time.sleep(0.05)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
