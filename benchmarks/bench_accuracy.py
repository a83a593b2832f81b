"""Accuracy of the shipped 2 m model on simulated districts that it never saw, through the whole product path.

Each district's last year is written as an image, packed as a COG, interpreted to polygons, and compared with the truth:
intersection over union per class on the pixels, area of the polygons per damage kind, water counting as pit or tailings
water by the same rule on both sides. The areas are those the product reports, clouded ground included: the network has
no class for cloud, so what it makes of clouds counts as error; the last table tells the two apart. Usage:

    python benchmarks/bench_accuracy.py [--seeds 9000 9001 9002] [--size 2048] [--model NAME]

``--seeds`` are districts of the test range 9000-9999, which no training draws from.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landdamage.imagery import inspect_scene, valid_footprint, write_cog  # noqa: E402
from landdamage.interpretation import choose_model, interpret_scene, load_engine  # noqa: E402
from landdamage.interpretation.water import propose_water_origin  # noqa: E402
from landdamage.learning.metrics import Matrix, Scores, confusion_matrix  # noqa: E402
from landdamage.simulation import District  # noqa: E402
from landdamage.simulation.export import write_scene  # noqa: E402
from landdamage.taxonomy import CLASSES, damage_kind  # noqa: E402
from minegis import units  # noqa: E402

if TYPE_CHECKING:
    from landdamage.interpretation import Engine

YEARS = (2021, 2022, 2023)
IOU_TARGET, AREA_TARGET = 0.80, 0.05
KINDS = ("excavation", "occupation")
TOUCH_DEGREES = 1e-7  # about a centimetre: simplified borders agree to rounding only


@dataclass(frozen=True)
class Judgement:
    """One district: true and found area in cm² per damage kind, and confusion matrices of the pixels.

    ``matrix`` counts what the sensor saw, ``hidden`` what lay under cloud or cloud shadow.
    """

    matrix: Matrix
    hidden: Matrix
    true_cm2: dict[str, int]
    found_cm2: dict[str, int]


def kind_areas(patches: gpd.GeoDataFrame) -> dict[str, int]:
    """Area in cm² per damage kind of polygons in EPSG:4490 with ``class_code`` and ``area_cm2``; no mine is known."""
    code = patches["class_code"]
    waters = patches.geometry[code == "water"]
    pits, ponds = list(patches.geometry[code == "open_pit"]), list(patches.geometry[code == "tailings_pond"])
    origins = dict(
        zip(waters.index, propose_water_origin(list(waters), pits, ponds, None, touch=TOUCH_DEGREES), strict=True)
    )
    areas: dict[str, int] = defaultdict(int)
    for row in patches.itertuples():
        areas[damage_kind(row.class_code, origins.get(row.Index))] += int(row.area_cm2)
    return areas


def true_polygons(district: District, year: int, footprint: shapely.Geometry) -> gpd.GeoDataFrame:
    """The truth inside the valid footprint (EPSG:4490), with ellipsoidal areas."""
    truth = district.truth_polygons(year).to_crs(units.CGCS2000_EPSG)
    truth = truth[truth["class_id"] > 0].reset_index(drop=True)
    inside = [g if footprint.contains(g) else g & footprint for g in truth.geometry]
    truth = truth.set_geometry(gpd.GeoSeries(inside, crs=units.CGCS2000_EPSG))
    return truth.assign(area_cm2=[units.area_cm2(g, units.CGCS2000_EPSG) for g in inside])


def judge(engine: Engine, seed: int, size: int, folder: Path) -> Judgement:
    """Simulate, interpret and compare the last year of a district."""
    district = District(seed, size=size, years=YEARS)
    scene = district.render(YEARS[-1])
    image, cog = folder / "scene.tif", folder / "cog.tif"
    write_scene(image, scene)
    report = inspect_scene(image)
    write_cog(image, cog, report=report)
    result = interpret_scene(cog, folder, engine=engine, bands=report.usable().bands)
    with rasterio.open(result.class_raster) as raster:
        found = raster.read(1)
    unseen = found == 255  # the collar
    labels = np.where(unseen, 255, scene.labels)
    found = np.where(unseen, 0, found).astype(np.uint8)
    matrix = confusion_matrix(labels, found, len(CLASSES))
    clouded = np.where((scene.labels == 255) & ~unseen, district.truth(YEARS[-1]), 255).astype(np.uint8)
    hidden = confusion_matrix(clouded, found, len(CLASSES))
    truth = true_polygons(district, YEARS[-1], valid_footprint(cog))
    return Judgement(matrix, hidden, kind_areas(truth), kind_areas(result.patches))


def pixel_hm2(counts: NDArray[np.int64], kind: str) -> float:
    """Hectares of 4 m² pixels whose class alone makes them of a damage kind."""
    return float(sum(counts[c.id] for c in CLASSES if c.damage_kind == kind)) * 4 / 10_000


def difference(found: int, true: int) -> str:
    """(found - true) / true as text; a dash where nothing is true."""
    return f"{found / true - 1:+.1%}" if true else "-"


def main() -> int:
    """Print the tables; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[9000, 9001, 9002])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--model", help="default: the one chosen for 2 m")
    options = parser.parse_args()
    card, _ = choose_model(2.0, tuple("BGRN"), options.model)
    engine = load_engine(card)
    judged = []
    print(f"{card.name} {card.version}, {engine.name}, districts of {options.size} x {options.size} pixels at 2 m")
    for seed in options.seeds:
        with tempfile.TemporaryDirectory(prefix="minegis-bench-") as name:
            one = judge(engine, seed, options.size, Path(name))
        judged.append(one)
        errors = ", ".join(f"{kind} {difference(one.found_cm2[kind], one.true_cm2[kind])}" for kind in KINDS)
        print(f"district {seed}: foreground mIoU {Scores.of(one.matrix).mean('iou'):.3f}, area {errors}", flush=True)
    scores = Scores.of(sum((one.matrix for one in judged), start=np.zeros((len(CLASSES), len(CLASSES)), np.int64)))
    print(f"\n{'class':<20}{'IoU':>7}{'recall':>9}{'precision':>11}")
    for c in CLASSES:
        print(f"{c.code:<20}{scores.iou[c.id]:>7.3f}{scores.recall[c.id]:>9.3f}{scores.precision[c.id]:>11.3f}")
    miou = scores.mean("iou")
    print(f"{'foreground mIoU':<20}{miou:>7.3f}  target >= {IOU_TARGET:.2f}\n")
    print(f"{'damage kind':<20}{'true hm²':>10}{'found hm²':>11}{'error':>9}")
    met = miou >= IOU_TARGET
    for kind in KINDS:
        true, found = sum(one.true_cm2[kind] for one in judged), sum(one.found_cm2[kind] for one in judged)
        met &= bool(true) and abs(found / true - 1) <= AREA_TARGET
        print(f"{kind:<20}{units.to_hm2(true):>10}{units.to_hm2(found):>11}{difference(found, true):>9}")
    print(f"{'target':<20}{'':>21}  +-{AREA_TARGET:.0%}")
    print("\nby pixels of the classes, water aside, on ground that the sensor saw and on ground under cloud or shadow:")
    for title, matrices in (("seen", [one.matrix for one in judged]), ("clouded", [one.hidden for one in judged])):
        total = np.sum(matrices, axis=0)
        for kind in KINDS:
            true_hm2, found_hm2 = pixel_hm2(total.sum(axis=1), kind), pixel_hm2(total.sum(axis=0), kind)
            error = f"{found_hm2 / true_hm2 - 1:+.1%}" if true_hm2 else "-"
            print(f"{f'{kind}, {title}':<20}{true_hm2:>10.2f}{found_hm2:>11.2f}{error:>9}")
    print("targets met" if met else "targets missed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
