"""Opening books: an exported year comes back to the cm², and what a delivery covers decides what is new after it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pyogrio
import pytest
import shapely

from landdamage.accounting.states import State
from landdamage.interchange.read import Choices
from landdamage.interchange.write import write_vectors
from landdamage.selectors.editions import edition_cells, edition_data, edition_sums
from landdamage.services.account import edition_verify
from landdamage.services.decisions import accept_all
from landdamage.services.editions import edition_draft, opening_import
from landdamage.services.openings import Survey, opening_book, opening_check
from minegis.errors import MineGISError
from tests.fixtures.accounted import computed, published, ran

pytestmark = pytest.mark.django_db


def polygons(path: Path, classes: list[str], shapes: list[Any], layer: str = "old", **options: Any) -> Path:
    frame = gpd.GeoDataFrame({"DWMC": classes}, geometry=shapes, crs=4490)
    pyogrio.write_dataframe(frame, path, layer=layer, driver="GPKG", **options)
    return path


def test_exported_year_opens_the_same_books(district: SimpleNamespace, tmp_path: Path) -> None:
    year, analyst = district.truth.years[0], district.analyst
    edition = computed(edition_draft(region=district.region, year=year, user=analyst), analyst)
    path = write_vectors(edition_data(edition, analyst), tmp_path, "shp", "gbk")
    checked = opening_check(
        path=path, name=path.name, region=district.region, choices=Choices(), survey=Survey("whole"), user=analyst
    )
    assert [finding.code for finding in checked.findings] == ["E-VEC-21"]
    other = ran(opening_book(checked=checked, region=district.region, year=year - 3, user=analyst))
    stocks = {kind: sums["closing"] for kind, sums in edition_sums(edition).items()}
    assert sum(stocks.values()) > 0
    assert {kind: sums["closing"] for kind, sums in edition_sums(other).items()} == stocks
    rest = edition_cells(other)
    assert rest["area_cm2"][rest["new_state"] == "other"].sum() == pytest.approx(checked.rest_cm2, rel=1e-6)


@pytest.mark.parametrize("extent", ["whole", "layer", "unknown"])
def test_what_the_delivery_covers_decides_what_is_new_after_it(
    district: SimpleNamespace, extent: str, tmp_path: Path
) -> None:
    first, second = district.truth.years[:2]
    patches = district.truth.patches_by_year[first]
    pits = list(patches.geometry[patches["class_code"] == "open_pit"])
    west, south, east, north = district.truth.outline().bounds
    half = shapely.box(west, south, (west + east) / 2, north)
    covered = half if extent == "layer" else None
    frame = gpd.GeoDataFrame({"state": [int(State.OPEN_PIT)] * len(pits)}, geometry=pits, crs=4490)
    opening = ran(
        opening_import(
            region=district.region, year=first, frame=frame, extent=extent, covered=covered, user=district.analyst
        )  # type: ignore[arg-type]
    )
    assert opening.inputs["coverage"] == extent
    opening = published(opening, district)
    assert edition_verify(opening) == opening.content_sha256
    following = computed(edition_draft(region=district.region, year=second, user=district.analyst), district.analyst)
    cells = edition_cells(following)
    damaged = cells[cells["flow"].isin(["first_seen", "undecided"])]
    known = damaged.geometry.representative_point().within(half)
    if extent == "whole":
        assert set(damaged["flow"]) == {"undecided"}  # nobody has decided yet that it is new
        assert set(damaged["since_year"]) == {first}
        assert accept_all(edition=following, user=district.reviewer) > 0
        sums = edition_sums(following)
        assert sum(one["new"] for one in sums.values()) == damaged["area_cm2"].sum() > 0
        assert sum(one["first_seen"] for one in sums.values()) == 0
    elif extent == "unknown":
        assert set(damaged["flow"]) == {"first_seen"}
    else:
        wide = damaged["area_cm2"] > damaged["area_cm2"].max() / 50  # cells on the border lie on both sides
        assert set(damaged["flow"][known & wide]) == {"undecided"}
        assert "first_seen" in set(damaged["flow"][~known])


def test_ground_left_out_by_a_mapping_stays_unknown(district: SimpleNamespace, tmp_path: Path) -> None:
    analyst, year = district.analyst, district.truth.years[0]
    place = district.truth.mines[0].licence.representative_point()
    left, right = (shapely.box(place.x + x, place.y, place.x + x + 0.0005, place.y + 0.0005) for x in (0, 0.0006))
    path = polygons(tmp_path / "old.gpkg", ["露天采场", "矿山建筑"], [left, right])
    choices = Choices(mapping={"矿山建筑": "skip"})
    given = {"path": path, "name": path.name, "region": district.region, "choices": choices, "user": analyst}
    unsaid = opening_check(**given, survey=Survey())
    assert ([f.code for f in unsaid.findings], unsaid.usable) == (["E-VEC-19"], False)
    with pytest.raises(MineGISError, match="E-VEC-19"):
        opening_book(checked=unsaid, region=district.region, year=year, user=analyst)
    opening = ran(
        opening_book(
            checked=opening_check(**given, survey=Survey("whole")), region=district.region, year=year, user=analyst
        )
    )
    cells = edition_cells(opening)
    [at_right] = cells["new_state"][cells.contains(right.representative_point())]
    assert at_right == "unknown"
    assert set(cells["new_state"]) == {"unknown", "other", "open_pit"}


def test_a_layer_of_the_covered_ground_is_read_and_checked(district: SimpleNamespace, tmp_path: Path) -> None:
    analyst = district.analyst
    pit = district.truth.mines[0].licence
    path = polygons(tmp_path / "old.gpkg", ["露天采场"], [pit])
    inside = pit.buffer(0.001)
    polygons(path, ["x"], [inside], layer="survey", append=True)
    given = {"path": path, "name": path.name, "region": district.region, "user": analyst}
    both = opening_check(**given, choices=Choices(layer="old"), survey=Survey("layer", layer="survey"))
    assert [f.code for f in both.findings] == ["E-VEC-21"]
    assert both.covered.equals(inside)
    assert (
        0 < both.rest_cm2 < 0.5 * opening_check(**given, choices=Choices(layer="old"), survey=Survey("whole")).rest_cm2
    )
    crossed = shapely.Polygon([(87.1, 43.5), (87.11, 43.51), (87.11, 43.5), (87.1, 43.51)])
    beside = polygons(tmp_path / "beside.gpkg", ["x"], [crossed])
    bad = opening_check(**given, choices=Choices(layer="old"), survey=Survey("layer", path=beside, name="beside.gpkg"))
    assert not bad.usable
    assert "coverage feature 1" in [f.field for f in bad.findings]
