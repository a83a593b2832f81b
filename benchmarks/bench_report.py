"""Time and memory of the whole delivery of a large edition: tables, workbook, CSV, vectors, maps, PDF and Word.

The edition is made up: mines of 67 four-sided cells each with jittered corners in twelve counties of the middle
Tianshan, one cell in twelve newly damaged or restored. Evidence sheets are left out (they read images). Usage:

    python benchmarks/bench_report.py [--mines 1500] [--maps 30] [--lang zh]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landdamage.accounting.states import KIND_OF, RESTORED_OF, Flow, State  # noqa: E402
from landdamage.reports.bundle import Options, write_bundle  # noqa: E402
from landdamage.reports.data import EditionData, EditionFacts, MineFacts, RegionFacts, SceneFacts  # noqa: E402
from minegis import units  # noqa: E402

ACROSS, CELLS = 8, 67
PITCH = 0.0011  # degrees between the corners of cells, about 90 m x 120 m
DAMAGE = (State.OPEN_PIT, State.STOCKPILE, State.INDUSTRIAL_SQUARE, State.LIVING_AREA, State.TAILINGS_POND)
GROUND = (State.VEGETATION, State.OTHER)
BEFORE, NOW = date(2022, 7, 14), date(2023, 7, 21)
KINDS = (("coal", "open_pit"), ("metal", "underground"), ("non_metal", "open_pit"), ("coal", "combined"))


def made_up(count: int, seed: int = 1) -> EditionData:
    """An edition of so many mines."""
    random = np.random.default_rng(seed)
    counties = [f"6523{n:02d}" for n in range(1, 13)]
    rows, pieces, outlines = [], [], []
    boxes = {}
    for number in range(count):
        west, south = 83 + 0.15 * (number % 44), 42 + 0.06 * (number // 44)
        nodes = np.stack(np.meshgrid(np.arange(ACROSS + 1), np.arange(ACROSS + 3), indexing="ij"), axis=-1) * PITCH
        nodes = nodes + random.uniform(-0.3, 0.3, nodes.shape) * PITCH + (west, south)
        mine, county = f"m{number:05d}", counties[number % 44 * 12 // 44]
        ring = shapely.box(west - 0.002, south - 0.002, west + 0.012, south + 0.014)
        boxes.setdefault(county, []).append(ring)
        outlines += [("mine", f"K{number:05d}", ring), ("licence", f"K{number:05d}", ring.buffer(-0.001))]
        for k in range(CELLS):
            i, j = k % ACROSS, k // ACROSS
            corners = [nodes[i, j], nodes[i + 1, j], nodes[i + 1, j + 1], nodes[i, j + 1]]
            shape = shapely.MultiPolygon([shapely.Polygon(corners)])
            prev, flow, now = _history(random)
            piece = len(pieces) + 1 if flow in (Flow.NEW, Flow.RESTORED, Flow.PENDING) else None
            seen = State.NOOBS if flow is Flow.CARRIED else now if flow is Flow.NEW else State.VEGETATION
            rows.append((shape, len(rows) + 1, prev.code, seen.code, now.code, flow.value, mine, county, piece))
            if piece:
                pieces.append((shape, piece, prev, seen, flow, mine))
    areas = units.areas_cm2(np.array([row[0] for row in rows], object))
    names = [
        "geometry",
        "cell_id",
        "prev_state",
        "obs_state",
        "new_state",
        "flow",
        "mine_id",
        "region_code",
        "piece_id",
    ]
    cells = gpd.GeoDataFrame(rows, columns=names, crs=4490).astype({"piece_id": "Int64"})
    cells = cells.assign(area_cm2=areas, since_year=2022, observed_year=2023, redamaged=False, outside_licence=False)
    cells = cells.assign(scene_id="s2", confidence=0.9)
    by_piece = cells.dropna(subset="piece_id").set_index("piece_id")["area_cm2"]
    outlines += [("region", code, shapely.union_all(parts).convex_hull) for code, parts in boxes.items()]
    return EditionData(
        edition=_edition(),
        cells=cells,
        pieces=gpd.GeoDataFrame([_piece(*row, int(by_piece[row[1]])) for row in pieces], crs=4490),
        mines=_mines(cells, count, counties),
        regions=[RegionFacts(c, f"县{c[-2:]}", f"County {c[-2:]}", *_ground(cells, c)) for c in counties],
        scenes=[SceneFacts(f"s{n}", f"GF2_PMS1_{day:%Y%m%d}.tif", str(n) * 64, "GF2", "PMS1", day, 2.0, 0.03,
                           "se-cot-dl-mnv2-2m", "d" * 64, day.year) for n, day in ((1, BEFORE), (2, NOW))],
        outlines=gpd.GeoDataFrame(outlines, columns=["what", "code", "geometry"], geometry="geometry", crs=4490),
    )  # fmt: skip


def _history(random: np.random.Generator) -> tuple[State, Flow, State]:
    damage, ground = DAMAGE[random.integers(len(DAMAGE))], GROUND[random.integers(2)]
    draw = random.random()
    if draw < 0.06:
        return ground, Flow.NEW, damage
    if draw < 0.08:
        return damage, Flow.RESTORED, RESTORED_OF[KIND_OF[damage]]
    if draw < 0.09:
        return damage, Flow.PENDING, damage
    if draw < 0.12:
        return damage, Flow.CARRIED, damage
    return (damage, Flow.PERSIST, damage) if draw < 0.45 else (ground, Flow.PLAIN, ground)


def _piece(
    shape: shapely.Geometry, piece: int, prev: State, seen: State, flow: Flow, mine: str, cm2: int
) -> dict[str, object]:
    back = flow is Flow.RESTORED
    return {
        "geometry": shape, "piece_id": piece, "kind": "new" if flow is Flow.NEW else "released",
        "prev_kind": KIND_OF.get(prev, ""), "obs_kind": KIND_OF.get(seen, ""), "prev_state": prev.code,
        "obs_state": seen.code, "area_cm2": cm2, "mine_id": mine, "confidence": 0.9, "prev_on": BEFORE, "obs_on": NOW,
        "decision": "" if flow is Flow.PENDING else flow.value, "reason": "", "author": "", "decided_by": "李审核",
        "decided_on": date(2023, 11, 2), "outside_licence": False, "restored_kind": "",
        "mode": "engineered" if back else "", "post_use": "0404" if back else "", "accepted_on": None, "evidence": [],
    }  # fmt: skip


def _ground(cells: gpd.GeoDataFrame, county: str) -> tuple[int, int]:
    own = cells[cells["region_code"] == county]
    return int(own["area_cm2"].sum()), int(own["area_cm2"][own["obs_state"] != "noobs"].sum())


def _mines(cells: gpd.GeoDataFrame, count: int, counties: list[str]) -> list[MineFacts]:
    whole = cells.groupby("mine_id")["area_cm2"].sum()
    seen = cells[cells["obs_state"] != "noobs"].groupby("mine_id")["area_cm2"].sum()
    return [
        MineFacts(key, f"K{n:05d}", f"天山{n}号矿", f"Tianshan {n}", "", *KINDS[n % 4], "active",
                  counties[n % 44 * 12 // 44], int(whole[key]), int(seen[key]), BEFORE, NOW)
        for n, key in ((n, f"m{n:05d}") for n in range(count))
    ]  # fmt: skip


def _edition() -> EditionFacts:
    return EditionFacts(
        "00000000-0000-4000-8000-000000000001", 2023, 1, "published", "650000", "天山中段", "Middle Tianshan",
        "ab" * 32, "2022 v1", False, 2022, date(2024, 3, 1), "", "",
        {"gsd_before": 2.0, "gsd_now": 2.0, "rmse_m": 1.0}, {}, "0.1.0",
    )  # fmt: skip


def main() -> None:
    """Print wall and processor seconds of every stage and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mines", type=int, default=1500)
    parser.add_argument("--maps", type=int, default=30)
    parser.add_argument("--lang", choices=["zh", "en"], default="zh")
    wanted = parser.parse_args()
    data = made_up(wanted.mines)
    print(f"{len(data.mines)} mines, {len(data.cells)} cells, {len(data.pieces)} pieces; {wanted.maps} map sheets")
    began = time.monotonic()
    stage: list[tuple[str, float, float]] = []

    def told(name: str, share: float) -> None:
        if not stage or stage[-1][0] != name:
            stage.append((name, time.monotonic() - began, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        options = Options(language=wanted.lang, map_sheets=wanted.maps, evidence_sheets=0)
        path = write_bundle(data, Path(folder), options, progress=told)
        took = time.monotonic() - began
        size = path.stat().st_size
    last = ("", took, time.process_time())
    for (name, start, cpu), (_, end, cpu_end) in zip(stage, [*stage[1:], last], strict=True):
        print(f"{name:10s} {end - start:7.1f} s   cpu {cpu_end - cpu:6.1f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cpu = last[2] - stage[0][2]
    print(f"{'all':10s} {took:7.1f} s   cpu {cpu:6.1f} s   zip {size / 2**20:.1f} MiB   peak {peak:.2f} GiB")


if __name__ == "__main__":
    main()
