"""How right the books are: new and restored areas of simulated districts through the whole product path.

Three years of each district are written as images, packed as COGs, searched for clouds, interpreted by the shipped
model and accounted for with the product's rules. Six figures stand side by side for every flow, hm²:

    true      what happened on the ground
    visible   what a perfect interpretation could book of it through the product's masks of clouds and shadows
    filtered  what the product's filter makes of that: books kept from the true classes
    imaged    and what the images' misregistration, the sieve and the simplified outlines make of it: books kept from
              the true classes in the geometry of the images, made into polygons as the model's are
    accepted  the books of the model's classes when every piece is accepted as it comes, the worst reviewer
    reviewed  the books of the model's classes when a reviewer decides each piece by what most of it really is

The difference of true and visible is the weather's (it moves to a later year), that of imaged and reviewed the
model's alone, that of reviewed and accepted what review is worth. Growth that the model missed for a year is an
omission (``adj_plus``) to the reviewer and new to who accepts all.

A second table says how often the 95 % intervals of check samples hold the truth: samples are drawn from the cells of
the reviewed books as the product draws them, every point is labelled with what really happened there, and the areas
adjusted for the map's errors are held against the true areas of the ground that the year's imagery shows. Usage:

    python benchmarks/bench_books_accuracy.py [--seeds 9000 9001 9002] [--size 2048] [--rmse METRES] [--registered]
        [--samples 100] [--points NUMBER]

``--seeds`` are districts of the test range 9000-9999, which no training draws from. The scenes lie up to 1.6 pixels off
each other, as delivered products do; ``--registered`` moves what was found back by the true amount, to show what
co-registration would be worth. ``--points`` is the size of a sample where it is not to be the product's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from landdamage.accounting.accuracy import measures, plan  # noqa: E402
from landdamage.accounting.planar import ALBERS, faces, multipolygon, to_albers  # noqa: E402
from landdamage.accounting.rules import Rules  # noqa: E402
from landdamage.accounting.states import KINDS, Flow, PieceKind  # noqa: E402
from landdamage.accounting.territories import Territory  # noqa: E402
from landdamage.accounting.unit import UnitCells  # noqa: E402
from landdamage.imagery import inspect_scene, write_cog  # noqa: E402
from landdamage.imagery.clouds import observed_ground  # noqa: E402
from landdamage.interpretation import choose_model, interpret_scene, load_engine  # noqa: E402
from landdamage.interpretation.polygons import Rasters, vectorise  # noqa: E402
from landdamage.interpretation.predict import PROBABILITY_STEPS  # noqa: E402
from landdamage.interpretation.source import SceneSource, open_scene  # noqa: E402
from landdamage.interpretation.strips import StripStore  # noqa: E402
from landdamage.interpretation.water import propose_water_origin  # noqa: E402
from landdamage.simulation import District  # noqa: E402
from landdamage.simulation.export import write_scene  # noqa: E402
from landdamage.taxonomy import IGNORE  # noqa: E402
from minegis.units import CGCS2000_EPSG, reproject  # noqa: E402
from minegis.windows import Plan  # noqa: E402
from tests.fixtures.checked_books import CheckedYear  # noqa: E402
from tests.fixtures.simulated_books import BookedYear, SimulatedTruth, accept_all, book_years  # noqa: E402

if TYPE_CHECKING:
    from landdamage.interpretation import Engine

TARGET = 0.10
TOUCH_DEGREES = 1e-7
CM2_PER_HM2 = 10**8
FLOWS = ("new", "adj_plus", "restored", "closing")
UNKNOWN, SOUND = -2, -1
Sums = dict[tuple[int, str, str], float]  # year, kind, flow -> hm²


@dataclass(frozen=True)
class Seen:
    """A year's scene as the product finds it.

    Attributes:
        patches: of the model's classes.
        imaged: of the true classes in the geometry of the image.
        ground: observed, EPSG:4490.
    """

    patches: gpd.GeoDataFrame
    imaged: gpd.GeoDataFrame
    ground: BaseGeometry


def see(engine: Engine, source: SimulatedTruth, year: int, zones: BaseGeometry, registered: bool) -> Seen:
    """Render and interpret a year's scene."""
    district = source.district
    with tempfile.TemporaryDirectory(prefix="minegis-bench-") as name:
        folder, scene = Path(name), district.render(year)
        image, cog = folder / "scene.tif", folder / "cog.tif"
        write_scene(image, scene)
        report = inspect_scene(image)
        write_cog(image, cog, report=report)
        bands = report.usable().bands
        patches = interpret_scene(cog, folder, engine=engine, bands=bands).patches
        ground = observed_ground(cog, acquired_on=scene.acquired.date()).geometry
        classes = np.where(scene.valid, in_image(source.rasters[year], scene.shift), IGNORE)
        with open_scene(cog, engine.card, bands) as grid:
            imaged = outlined(classes, grid, folder)
    patches, imaged = (with_origin(frame, zones) for frame in (patches, imaged))
    if registered:
        rows, columns = scene.shift
        moved = patches.to_crs(district.crs.to_wkt()).translate(-columns * district.gsd, rows * district.gsd)
        patches = patches.set_geometry(moved.to_crs(CGCS2000_EPSG))
    return Seen(patches, imaged, ground)


def in_image(classes: NDArray[np.uint8], shift: tuple[float, float]) -> NDArray[np.uint8]:
    """The classes of the ground at the nearest pixel of an image whose content is shifted by (rows, columns)."""
    size = len(classes)
    rows, columns = (np.clip(np.rint(np.arange(size) - by), 0, size - 1).astype(int) for by in shift)
    return classes[np.ix_(rows, columns)]


def outlined(classes: NDArray[np.uint8], grid: SceneSource, folder: Path) -> gpd.GeoDataFrame:
    """A class raster as the product's polygons, sieved and simplified, as if a network had been sure of it."""
    store = StripStore(folder / "true", Plan(grid.height, grid.width), {})
    sure = np.where(classes == IGNORE, IGNORE, PROBABILITY_STEPS).astype(np.uint8)
    for panel in store.plan.panels:
        for strip in range(len(store.plan.rows)):
            part = slice(*store.plan.final_rows(strip)), slice(panel.left, panel.right)
            layers = np.stack([classes[part], sure[part], sure[part]])
            store.save(panel, strip, layers, np.zeros(0, np.float32))
    rasters = Rasters(*(folder / f"true-{name}.tif" for name in ("classes", "confidence", "margin")))
    batches = vectorise(store, grid, rasters, {}, lambda share: None, lambda: False)
    return pd.concat(list(batches), ignore_index=True)


def with_origin(patches: gpd.GeoDataFrame, zones: BaseGeometry) -> gpd.GeoDataFrame:
    """The patches with the proposed origin of water and what else the account needs."""
    code = patches["class_code"]
    pits, ponds = list(patches.geometry[code == "open_pit"]), list(patches.geometry[code == "tailings_pond"])
    waters = list(patches.geometry[code == "water"])
    patches["water_origin"] = ""
    patches.loc[code == "water", "water_origin"] = propose_water_origin(waters, pits, ponds, zones, TOUCH_DEGREES)
    return patches.assign(source="model", scene=0)


def drawn(source: SimulatedTruth, shape: BaseGeometry) -> NDArray[np.bool_]:
    """Pixels of the district whose middle lies in a shape of the district's own system."""
    size = (source.district.size, source.district.size)
    if shape.is_empty:
        return np.zeros(size, bool)
    return rasterize([shape], out_shape=size, transform=source.district.transform, dtype="uint8").astype(bool)


class Reviewer:
    """Decides a piece by what most of its pixels really are, this year and in the books so far."""

    def __init__(self, source: SimulatedTruth) -> None:
        self.source = source

    def __call__(self, unit: UnitCells, year: int) -> dict[int, Flow]:
        """A decision for every piece of a unit."""
        here = self.source.district.crs.to_wkt()
        now = self.source.kinds(year) >= 0
        before = self.source.kinds(year - 1) >= 0 if year > self.source.years[0] else now
        decisions = {}
        for row in unit.pieces.itertuples():
            inside = drawn(self.source, reproject(row.geometry, ALBERS, here))
            is_damage = now[inside].mean() > 0.5 if inside.any() else False
            was_damage = before[inside].mean() > 0.5 if inside.any() else False
            if PieceKind(row.kind) is PieceKind.NEW:
                fresh = Flow.OMISSION if was_damage else Flow.NEW
                decisions[row.piece] = fresh if is_damage else Flow.REJECTED
            else:
                gone = Flow.RESTORED if was_damage else Flow.CORRECTED
                decisions[row.piece] = Flow.PENDING if is_damage else gone
        return decisions


def visible(source: SimulatedTruth, seen: dict[int, NDArray[np.bool_]]) -> Sums:
    """What the books would say of the true pixels under the masks."""
    size = source.district.size
    book = np.full((size, size), UNKNOWN, np.int8)
    area = source.pixel_area / 2 / CM2_PER_HM2
    sums: Sums = {}
    for year in source.years:
        now = source.kinds(year)
        for number, kind in enumerate(KINDS):
            sums[year, kind, "new"] = float(area[seen[year] & (book == SOUND) & (now == number)].sum())
            sums[year, kind, "restored"] = float(area[seen[year] & (book == number) & (now == SOUND)].sum())
            sums[year, kind, "adj_plus"] = 0.0  # nothing is missed, so nothing is late
        book[seen[year]] = now[seen[year]]
        for number, kind in enumerate(KINDS):
            sums[year, kind, "closing"] = float(area[book == number].sum())
    return sums


def booked(books: dict[int, BookedYear]) -> Sums:
    """New, late (omission), restored and closing areas of the statements."""
    return {
        (year, kind, flow): float(one.statement.kinds.at[kind, flow]) / CM2_PER_HM2
        for year, one in books.items()
        for kind in KINDS
        for flow in FLOWS
    }


def judge(
    engine: Engine, seed: int, size: int, rmse_m: float, registered: bool
) -> tuple[dict[str, Sums], list[CheckedYear]]:
    """The figures of one district, and its reviewed books beside the truth."""
    source = SimulatedTruth(District(seed, size=size))
    zones = shapely.union_all([mine.zone for mine in source.mines])
    seen = {year: see(engine, source, year, zones, registered) for year in source.years}
    ground = [Territory("all", None, multipolygon(faces(to_albers([source.outline()]))[0]), None)]
    rules = Rules(gsd_before=source.district.gsd, gsd_now=source.district.gsd, rmse_m=rmse_m)
    here = source.district.crs.to_wkt()
    masks = {year: drawn(source, reproject(one.ground, CGCS2000_EPSG, here)) for year, one in seen.items()}
    everything = {year: np.ones_like(mask) for year, mask in masks.items()}

    def books(
        patches: dict[int, gpd.GeoDataFrame], decide: Callable[[UnitCells, int], dict[int, Flow]]
    ) -> dict[int, BookedYear]:
        return book_years(source, ground, rules, {y: one.ground for y, one in seen.items()}, patches, decide=decide)

    reviewer = Reviewer(source)
    found = {year: one.patches for year, one in seen.items()}
    reviewed = books(found, reviewer)
    figures = {
        "true": visible(source, everything),
        "visible": visible(source, masks),
        "filtered": booked(books(source.patches_by_year, reviewer)),
        "imaged": booked(books({year: one.imaged for year, one in seen.items()}, reviewer)),
        "accepted": booked(books(found, lambda unit, year: accept_all(unit))),
        "reviewed": booked(reviewed),
    }
    return figures, [CheckedYear(source, year, reviewed[year], masks[year]) for year in source.years[1:]]


def show_samples(title: str, years: list[CheckedYear], samples: int, points: int | None) -> list[float]:
    """Print how often the intervals of check samples hold the truth; the share for every area that there is."""
    print(f"\n{title}, {samples} check samples of {sum(s.points for s in plan(years[0].areas_cm2, points))} points")
    heads = ("true", "mapped", "adjusted", "low", "high")
    print(f"{'year':<6}{'kind':<6}{'area':<10}" + "".join(f"{name:>10}" for name in heads) + f"{'holds':>9}")
    shares = []
    for one in years:
        for (kind, measure), found in one.coverage(range(samples), points).items():
            mapped = sum(one.areas_cm2.get(code, 0) for code in measures(kind)[measure])
            means = (found.true, mapped, found.adjusted.mean(), found.low.mean(), found.high.mean())
            columns = "".join(f"{value / CM2_PER_HM2:>10.2f}" for value in means)
            print(f"{one.year:<6}{kind:<6}{measure:<10}{columns}{found.held.mean():>9.1%}")
            if found.true:  # an area that is not there is below every limit
                shares.append(float(found.held.mean()))
    print(f"mean {np.mean(shares):.1%}, least {min(shares):.1%}")
    return shares


def show(title: str, figures: dict[str, Sums], years: tuple[int, ...]) -> bool:
    """Print a table, yearly and over all years; whether the reviewed sums of visible change meet the target."""
    print(
        f"\n{title}\n{'year':<6}{'kind':<12}{'flow':<10}" + "".join(f"{name:>10}" for name in figures) + f"{'error':>9}"
    )
    met = True
    for kind in KINDS[:2]:
        for flow in FLOWS:
            total: dict[str, float] = defaultdict(float)
            for year in years:
                row = {name: sums[year, kind, flow] for name, sums in figures.items()}
                for name, value in row.items():
                    total[name] += value
                line(str(year), kind, flow, row)
            if flow == "closing":
                continue
            line("all", kind, flow, total)
            if flow != "adj_plus":
                met &= abs(total["reviewed"] - total["visible"]) <= TARGET * total["visible"]
    return met


def line(year: str, kind: str, flow: str, row: dict[str, float]) -> None:
    """One row; the error is that of the reviewed books against visible change."""
    error = f"{row['reviewed'] / row['visible'] - 1:+.1%}" if row["visible"] else "-"
    print(f"{year:<6}{kind:<12}{flow:<10}" + "".join(f"{value:>10.2f}" for value in row.values()) + f"{error:>9}")


def main() -> int:
    """Print the tables, one per district and one over all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[9000, 9001, 9002])
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rmse", type=float, default=0.0, help="registration error between the years, metres")
    parser.add_argument("--registered", action="store_true", help="move the patches back by the true shift")
    parser.add_argument("--samples", type=int, default=100, help="check samples of every year, 0 for none")
    parser.add_argument("--points", type=int, help="points of each sample")
    options = parser.parse_args()
    card, _ = choose_model(2.0, tuple("BGRN"))
    engine = load_engine(card)
    print(f"{card.name} {card.version}, districts of {options.size} x {options.size} pixels at 2 m")
    whole: dict[str, Sums] = {}
    years: tuple[int, ...] = ()
    shares: list[float] = []
    for seed in options.seeds:
        figures, checked = judge(engine, seed, options.size, options.rmse, options.registered)
        years = tuple(sorted({year for year, _, _ in figures["true"]}))[1:]
        show(f"district {seed}", figures, years)
        if options.samples:
            shares += show_samples(f"district {seed}", checked, options.samples, options.points)
        for name, sums in figures.items():
            so_far = whole.setdefault(name, {})
            for key, value in sums.items():
                so_far[key] = so_far.get(key, 0.0) + value
        sys.stdout.flush()
    met = show("all districts", whole, years)
    print(f"\nreviewed within {TARGET:.0%} of visible change over all years: {'met' if met else 'missed'}")
    if shares:
        print(f"95 % intervals hold the truth in {np.mean(shares):.1%} of all samples, least {min(shares):.1%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
