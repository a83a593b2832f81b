"""The account of two years over simulated truth: from patches in the database to published editions and back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pytest
import shapely
from django.core.management import CommandError, call_command

from landdamage.accounting.states import State
from landdamage.models import Edition, Patch
from landdamage.selectors.editions import edition_data, edition_sums
from landdamage.selectors.reviews import reviews_since, tailings_open
from landdamage.services.account import edition_verify
from landdamage.services.decisions import accept_all
from landdamage.services.editions import (
    edition_draft,
    opening_import,
)
from landdamage.services.tailings import tailings_review
from landdamage.services.water import water_decide
from minegis import units
from minegis.errors import MineGISError
from minegis.registry.models import Mine
from tests.fixtures.accounted import computed, multi, published, ran

pytestmark = pytest.mark.django_db


def settle_water(edition: Edition, reviewer: Any) -> None:
    for patch in Patch.objects.filter(pk__in=edition.results["undecided_water"]):
        water_decide(patch=patch, origin="natural", user=reviewer, version=patch.version)


def test_two_years_from_patches_to_published_editions(district: SimpleNamespace) -> None:
    first_year, second_year = district.truth.years[:2]
    first = computed(edition_draft(region=district.region, year=first_year, user=district.analyst), district.analyst)
    if first.results["undecided_water"]:
        settle_water(first, district.reviewer)
        first = computed(first, district.analyst)
    first = published(first, district)
    truth = district.truth.flows_cm2(first_year)
    for kind, sums in edition_sums(first).items():
        assert sums["first_seen"] == sums["closing"]
        assert sums["closing"] == pytest.approx(truth[kind]["closing"], rel=0.05, abs=400e4)

    second = edition_draft(region=district.region, year=second_year, user=district.analyst)
    assert second.based_on == first
    Patch.objects.filter(run__year=second_year, class_code="open_pit").update(author=district.manager)
    second = computed(second, district.analyst)
    if second.results["undecided_water"]:
        settle_water(second, district.reviewer)
        second = computed(second, district.analyst)
    drawn = second.pieces.filter(kind="new", obs_state="open_pit")
    assert set(drawn.values_list("author", flat=True)) == {district.manager.pk}
    assert not second.pieces.filter(kind="released", author__isnull=False).exists()
    assert accept_all(edition=second, user=district.reviewer) > 0
    second.refresh_from_db()
    before = edition_sums(second)
    pond = tailings_open(second)[0]
    pond = tailings_review(patch=pond, shows="stockpile", user=district.reviewer, version=pond.version, reason="干滩")
    tailings_review(patch=pond, shows="", user=district.reviewer, version=pond.version)
    assert reviews_since(second) == 1  # whether it had been read as a stockpile, only a new account can tell
    again = computed(second, district.analyst)  # the same ground, the same changes: decisions survive
    assert edition_sums(again) == before
    assert again.pieces.filter(kind="new", decision="").count() == 0
    assert again.results["former_decisions"] == []
    assert reviews_since(again) == 0
    again = published(again, district)
    opening = {kind: sums["closing"] for kind, sums in edition_sums(first).items()}
    assert {kind: sums["opening"] for kind, sums in edition_sums(again).items()} == opening
    assert sum(sums["new"] for sums in edition_sums(again).values()) > 0
    data = edition_data(again, district.reviewer)
    assert {row["year"] for row in data.history} == {first_year}
    assert sum(region.observed_cm2 for region in data.regions) <= sum(region.monitored_cm2 for region in data.regions)

    another = computed(
        edition_draft(region=district.region, year=second_year, user=district.analyst, change_note="更正"),
        district.analyst,
    )
    assert another.job.result["carried_decisions"] == again.pieces.exclude(decision="").count()
    another = published(another, district)
    again.refresh_from_db()
    assert (another.version, another.supersedes, again.state) == (2, again, "superseded")
    assert another.content_sha256 == again.content_sha256

    Mine.objects.update(influence_zone=multi(shapely.box(80, 40, 81, 41)))  # the register moves on, the year does not
    Patch.objects.all().delete()
    for edition in (first, again):
        assert edition_verify(edition) == edition.content_sha256


def test_imported_polygons_open_the_books(district: SimpleNamespace) -> None:
    first, second = district.truth.years[:2]
    patches = district.truth.patches_by_year[first]
    pits = patches[patches["class_code"] == "open_pit"]
    restored = patches[patches["class_code"] == "stockpile"].head(1)
    frame = gpd.GeoDataFrame(
        {"state": [int(State.OPEN_PIT)] * len(pits) + [int(State.RESTORED_OCCUPATION)] * len(restored)},
        geometry=[*pits.geometry, *restored.geometry],
        crs=4490,
    )
    opening = ran(
        opening_import(region=district.region, year=first, frame=frame, extent="unknown", user=district.analyst)
    )
    sums = edition_sums(opening)
    inside = shapely.union_all([mine.zone for mine in district.truth.mines])
    expected = shapely.intersection(shapely.union_all(pits.geometry.to_numpy()), inside)
    assert sums["excavation"]["opening"] == sums["excavation"]["closing"] == sums["excavation"]["carried"]
    assert sums["excavation"]["closing"] == pytest.approx(units.area_cm2(expected), rel=1e-5)
    assert sums["occupation"]["restored_closing"] > 0
    assert sums["occupation"]["closing"] == 0
    with pytest.raises(MineGISError, match="E-EDI-20"):
        opening_import(region=district.region, year=first, frame=frame, extent="unknown", user=district.analyst)
    opening = published(opening, district)
    assert edition_verify(opening) == opening.content_sha256

    left = Mine.objects.get(code=district.truth.mines[0].code)
    Mine.objects.filter(pk=left.pk).update(influence_zone=None)  # a smaller mine takes its place
    Mine.objects.create(
        code="NEXT", name_zh="续矿", mineral_kind="metal", mining_method="open_pit", region=district.region,
        boundary=left.boundary, influence_zone=left.boundary,
    )  # fmt: skip
    following = computed(edition_draft(region=district.region, year=second, user=district.analyst), district.analyst)
    now = edition_sums(following)
    assert now["excavation"]["opening"] == sums["excavation"]["closing"]
    assert following.cells.filter(flow="exit", mine=left).exists()
    assert {mine["code"] for mine in following.results["mines"]} == {"NEXT", left.code}  # what left was somebody's


def test_command_accounts_decides_publishes_and_verifies(district: SimpleNamespace, capsys: Any) -> None:
    first = district.truth.years[0]
    Patch.objects.filter(water_origin="unknown").update(water_origin="natural")
    where = ["--year", str(first), "--region", district.region.code]
    people = ["--accept-all", district.reviewer.username, "--publish", district.manager.username]
    with pytest.raises(CommandError, match="E-EDI-30"):
        call_command("account", *where, *people)
    call_command("account", *where, "--confirm-tailings", district.reviewer.username, *people)
    edition = Edition.objects.get()
    assert edition.state == "published"
    shown = capsys.readouterr().out
    assert edition.content_sha256 in shown
    closing = sum(sums["closing"] for sums in edition_sums(edition).values())
    assert f"{units.to_hm2(closing)}" in shown
    call_command("account", *where, "--verify")
    assert edition.content_sha256 in capsys.readouterr().out
    with pytest.raises(CommandError, match="E-EDI-11"):
        call_command("account", *where)
    with pytest.raises(CommandError, match="no region"):
        call_command("account", "--year", str(first), "--region", "999999")
