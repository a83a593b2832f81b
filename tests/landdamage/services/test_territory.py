"""Ground that a decision gives to a mine: who may, what the books make of it, and that the word is kept."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import shapely
from django.db import IntegrityError, transaction

from landdamage.models import TerritoryOverride
from landdamage.services.account import edition_verify
from landdamage.services.editions import edition_draft
from landdamage.services.territory import override_add, override_withdraw
from minegis.errors import ForbiddenError, MineGISError
from minegis.registry.models import Mine
from tests.fixtures.accounted import computed, published
from tests.fixtures.plot import ground, multi

pytestmark = pytest.mark.django_db

URL = "/api/v1/territory-overrides/"


@pytest.fixture
def two_mines(plot: SimpleNamespace) -> SimpleNamespace:
    """The plot's mine and one without a zone of its own, whose dump lies on the other's ground."""
    plot.other = Mine.objects.create(
        code="OTHER", name_zh="邻矿", mineral_kind="metal", mining_method="open_pit", region=plot.regions.fukang,
        boundary=multi(ground(1200, 0, 1300, 100)),
    )  # fmt: skip
    plot.scene("2022-07-01", ("stockpile", (100, 100, 200, 200)))
    return plot


def given(plot: SimpleNamespace, *bounds: float, mine: Any = None, **fields: Any) -> TerritoryOverride:
    reason = fields.pop("reason", "邻矿的排土场")
    user = fields.pop("user", plot.reviewer)
    return override_add(mine=mine or plot.other, geom=multi(ground(*bounds)), reason=reason, user=user)


def year(plot: SimpleNamespace, edition: Any = None) -> Any:
    edition = edition or edition_draft(region=plot.region, year=2022, user=plot.analyst)
    return computed(edition, plot.analyst)


def test_the_books_follow_the_decision_and_remember_it(two_mines: SimpleNamespace) -> None:
    plot = two_mines
    edition = year(plot)
    assert plot.mine_at(edition, 150, 150) == plot.mine
    decision = given(plot, 50, 50, 250, 250)
    edition = year(plot, edition)
    assert plot.mine_at(edition, 150, 150) == plot.other
    assert plot.mine_at(edition, 500, 500) == plot.mine
    assert [row["code"] for row in edition.results["mines"]] == ["OTHER", "PLOT"]
    [told] = edition.inputs["overrides"]
    assert (told["override_id"], told["mine"], told["reason"]) == (str(decision.pk), "OTHER", "邻矿的排土场")
    edition = published(edition, plot)
    override_withdraw(override=decision, reason="重新核实", user=plot.manager)
    assert edition_verify(edition) == edition.content_sha256
    draft = edition_draft(region=plot.region, year=2022, user=plot.analyst, change_note="归属更正")
    assert plot.mine_at(year(plot, draft), 150, 150) == plot.mine


def test_the_newer_of_two_decisions_holds(two_mines: SimpleNamespace) -> None:
    plot = two_mines
    given(plot, 50, 50, 250, 250)
    given(plot, 150, 50, 250, 250, mine=plot.mine)
    edition = year(plot)
    assert plot.mine_at(edition, 120, 150) == plot.other
    assert plot.mine_at(edition, 180, 150) == plot.mine


def test_no_ground_of_a_region_where_one_has_no_say(two_mines: SimpleNamespace, make_user: Any) -> None:
    plot = two_mines
    local = make_user("reviewer", plot.regions.fukang)
    given(plot, 0, 0, 10, 10, user=local)
    with pytest.raises(ForbiddenError):  # 87.5°E is the border to Jimsar, some 40 km east
        given(plot, 0, 0, 60_000, 10, user=local)
    given(plot, 0, 0, 60_000, 10)
    for user in (plot.analyst, make_user("interpreter", plot.region), make_user("reviewer", plot.regions.turpan)):
        with pytest.raises(ForbiddenError):
            given(plot, 0, 0, 10, 10, user=user)
    with pytest.raises(MineGISError, match="E-EDI-21"):
        given(plot, 0, 0, 10, 10, reason=" ")
    with pytest.raises(MineGISError, match="E-GND-05"):
        override_add(mine=plot.other, geom=multi(ground(0, 2_000_000, 10, 2_000_010)), reason="x", user=plot.reviewer)
    decision = given(plot, 0, 0, 10, 10)
    override_withdraw(override=decision, reason="x", user=plot.reviewer)
    with pytest.raises(MineGISError, match="E-GND-04"):
        override_withdraw(override=decision, reason="x", user=plot.reviewer)


def test_the_database_keeps_the_word(two_mines: SimpleNamespace) -> None:
    decision = given(two_mines, 0, 0, 10, 10)
    rows = TerritoryOverride.objects.filter(pk=decision.pk)
    for change in ({"reason": "x"}, {"created_by": two_mines.manager}, {"geom": multi(ground(0, 0, 20, 20))}):
        with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        rows.delete()
    override_withdraw(override=decision, reason="x", user=two_mines.manager)
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
        rows.update(withdrawn_by=None, withdrawn_at=None, withdrawn_reason="")


def test_over_http(two_mines: SimpleNamespace, client_for: Any, make_user: Any) -> None:
    plot, sent = two_mines, {"content_type": "application/json"}
    outline = json.loads(shapely.to_geojson(ground(50, 50, 250, 250)))
    body = {"mine": str(plot.other.pk), "reason": "邻矿的排土场", "geometry": outline}
    assert client_for(plot.analyst).post(URL, body, **sent).status_code == 403
    assert client_for(None).post(URL, body, **sent).status_code == 401
    foreign = client_for(make_user("reviewer", plot.regions.turpan))
    assert foreign.post(URL, body, **sent).status_code == 400  # a mine that does not exist for them
    made = client_for(plot.reviewer).post(URL, body, **sent)
    assert made.status_code == 201, made.json()
    assert (made.json()["mine_code"], made.json()["created_by"]) == ("OTHER", plot.reviewer.username)
    where = f"{URL}{made.json()['override_id']}/"
    assert foreign.get(where).status_code == 404
    assert client_for(plot.reviewer).delete(where).status_code == 405
    gone = client_for(plot.manager).post(f"{where}withdraw/", {"reason": "重新核实"}, **sent)
    assert gone.json()["withdrawn_by"] == plot.manager.username
    assert client_for(plot.analyst).get(URL, {"holds": "true"}).json()["results"] == []
    assert len(client_for(plot.analyst).get(URL).json()["results"]) == 1
