"""A person's word about patches: confirmed, something else, taken back; what keeps a year from being frozen."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from landdamage.models import Patch, PatchReview
from landdamage.selectors.reviews import (
    confirmed_before,
    places,
    reviews_since,
    tailings_open,
    tailings_reviewed,
    water_facts,
    waters,
    waters_open,
)
from landdamage.services.editions import edition_freeze
from landdamage.services.tailings import POND, tailings_review
from landdamage.services.water import water_decide
from minegis.errors import ConflictError, ForbiddenError, MineGISError
from tests.fixtures.books import add_patches

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(make_books: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return add_patches(make_books(decided=True))


def test_a_confirmed_pond_stays_the_networks(books: SimpleNamespace) -> None:
    pond = books.ponds[0]
    done = tailings_review(patch=pond, shows=POND, user=books.reviewer, version=1)
    assert (done.class_code, done.source, done.author, done.version) == (POND, "model", None, 2)
    assert (done.review.verdict, done.review.reviewer, done.review.changed_at) == ("confirmed", books.reviewer, None)
    assert reviews_since(books.draft) == 0
    assert list(tailings_open(books.draft)) == [books.ponds[1]]
    assert list(tailings_reviewed(books.draft)) == [pond]


def test_something_else_is_the_reviewers_word_and_goes_back(books: SimpleNamespace) -> None:
    pond = books.ponds[0]
    with pytest.raises(MineGISError, match="E-EDI-07"):
        tailings_review(patch=pond, shows="stockpile", user=books.reviewer, version=1, reason=" ")
    done = tailings_review(patch=pond, shows="natural", user=books.reviewer, version=1, reason="水库")
    assert (done.class_code, done.water_origin, done.damage_kind) == ("water", "natural", "none")
    assert (done.source, done.author, done.review.found_class) == ("edited", books.reviewer, POND)
    assert reviews_since(books.draft) == 1
    done = tailings_review(patch=done, shows="background", user=books.reviewer, version=2, reason="阴影")
    assert (done.class_code, done.water_origin, done.review.verdict) == ("background", "", "rejected")
    done = tailings_review(patch=done, shows="", user=books.reviewer, version=3)
    assert (done.class_code, done.source, done.author, done.damage_kind) == (POND, "model", None, "occupation")
    assert done.review.verdict == "undone"
    assert done in tailings_open(books.draft)
    assert reviews_since(books.draft) == 1  # the account may have read it as something else meanwhile


def test_a_pond_that_is_a_water_keeps_its_reason_and_goes_back_to_a_pond(books: SimpleNamespace) -> None:
    pond = tailings_review(patch=books.ponds[0], shows="natural", user=books.reviewer, version=1, reason="水库")
    pond = water_decide(patch=pond, origin="pit_water", user=books.reviewer, version=2)
    assert (pond.water_origin, pond.review.reason, pond.source) == ("pit_water", "水库", "edited")
    pond = tailings_review(patch=pond, shows="stockpile", user=books.reviewer, version=3, reason="干滩")
    assert (pond.class_code, pond.water_decided_by) == ("stockpile", None)
    pond = tailings_review(patch=pond, shows="natural", user=books.reviewer, version=4, reason="水库")
    pond = water_decide(patch=pond, origin="", user=books.reviewer, version=5)
    assert (pond.class_code, pond.water_origin, pond.source, pond.author) == (POND, "", "model", None)


def test_answers_are_refused(books: SimpleNamespace, make_user: Any) -> None:
    pond, lake = books.ponds[0], books.lakes["pit_water"]
    with pytest.raises(ForbiddenError):
        tailings_review(patch=pond, shows=POND, user=books.analyst, version=1)
    with pytest.raises(ForbiddenError):
        tailings_review(patch=pond, shows=POND, user=make_user("reviewer", books.regions.turpan), version=1)
    with pytest.raises(ConflictError):
        tailings_review(patch=pond, shows=POND, user=books.reviewer, version=2)
    for patch, shows in ((pond, "sea"), (lake, POND), (lake, "stockpile")):
        with pytest.raises(MineGISError, match="E-EDI-09"):
            tailings_review(patch=patch, shows=shows, user=books.reviewer, version=1, reason="x")
    with pytest.raises(MineGISError, match="E-EDI-09"):
        water_decide(patch=pond, origin="natural", user=books.reviewer, version=1)
    Patch.objects.filter(pk=lake.pk).update(author=books.reviewer, source="manual")
    with pytest.raises(MineGISError, match="E-EDI-05"):
        water_decide(patch=lake, origin="natural", user=books.reviewer, version=1)


def test_water_of_a_tailings_pond_is_reviewed_like_the_pond(books: SimpleNamespace) -> None:
    lake = books.lakes["natural"]
    Patch.objects.filter(pk=lake.pk).update(water_origin="tailings_water")
    assert lake not in tailings_open(books.draft)  # the book does not count it
    books.draft.cells.filter(geom__intersects=lake.geom.centroid).update(obs_state="tailings_pond")
    assert lake in tailings_open(books.draft)
    water_decide(patch=lake, origin="tailings_water", user=books.reviewer, version=1)
    assert lake not in tailings_open(books.draft)
    assert lake in tailings_reviewed(books.draft)


@pytest.mark.parametrize("flow", ["filtered", "rejected"])
def test_ground_that_is_not_booked_needs_no_review(books: SimpleNamespace, flow: str) -> None:
    books.draft.cells.filter(obs_state="tailings_pond").update(flow=flow)
    assert not tailings_open(books.draft).exists()


def test_a_pond_hidden_by_a_newer_image_needs_no_review(books: SimpleNamespace) -> None:
    books.draft.cells.filter(obs_state="tailings_pond").update(scene=books.scenes[0])
    assert not tailings_open(books.draft).exists()


def test_waters_are_listed_by_the_origin_that_counts(books: SimpleNamespace) -> None:
    counts = {water.pk: water.counts for water in waters(books.draft)}
    assert counts == {lake.pk: origin for origin, lake in books.lakes.items()}
    natural = books.lakes["natural"]  # the account saw that it lies on last year's pit
    books.draft.cells.filter(geom__intersects=natural.geom.centroid).update(obs_state="pit_water")
    assert waters(books.draft).get(pk=natural.pk).counts == "pit_water"
    unknown = books.lakes["unknown"]
    books.draft.results["undecided_water"] = []  # it does not show on the newest image
    assert not waters(books.draft).filter(pk=unknown.pk).exists()


def test_a_decided_water_waits_for_the_next_account(books: SimpleNamespace) -> None:
    unknown = books.lakes["unknown"]
    assert list(waters_open(books.draft)) == [unknown]
    done = water_decide(patch=unknown, origin="pit_water", user=books.reviewer, version=1)
    assert (done.damage_kind, done.review.verdict) == ("excavation", "changed")
    assert (done.source, done.water_decided_by) == ("model", books.reviewer)
    assert not waters_open(books.draft).exists()
    assert reviews_since(books.draft) == 1
    done = water_decide(patch=done, origin="", user=books.reviewer, version=2)
    assert (done.water_origin, done.water_decided_by, done.damage_kind) == ("unknown", None, "none")
    assert list(waters_open(books.draft)) == [unknown]


def test_nothing_is_frozen_before_ponds_and_waters_are_reviewed_and_booked(books: SimpleNamespace) -> None:
    draft = books.draft

    def freeze() -> Any:
        return edition_freeze(edition=draft, user=books.analyst, lock=draft.lock)

    with pytest.raises(MineGISError, match="E-EDI-04"):
        freeze()
    water_decide(patch=books.lakes["unknown"], origin="natural", user=books.reviewer, version=1)
    with pytest.raises(MineGISError, match="E-EDI-30") as refused:
        freeze()
    assert refused.value.message("zh").startswith("还有 2 处模型识别的尾矿库未经人工复核：KS00")
    for pond in books.ponds:
        tailings_review(patch=pond, shows=POND, user=books.reviewer, version=1)
    with pytest.raises(MineGISError, match="E-EDI-31"):
        freeze()
    draft.results = {**draft.results, "undecided_water": [], "gathered_at": timezone.now().isoformat()}
    draft.save(update_fields=["results"])
    assert freeze().state == "frozen"


def test_a_message_names_the_mines_with_most_of_them(books: SimpleNamespace) -> None:
    Patch.objects.filter(pk=books.ponds[0].pk).update(mine=None)
    Patch.objects.filter(pk=books.ponds[1].pk).update(mine=books.mines[1])
    assert places(tailings_open(books.draft)) == "KS002 (1), — (1)"


def test_the_facts_behind_a_proposal(books: SimpleNamespace) -> None:
    facts = water_facts(books.lakes["pit_water"], books.draft)  # a pit on all its ground in the book below
    assert facts.old_pit == pytest.approx(1.0)
    assert facts.ground == "old_pit"
    books.draft.cells.update(prev_state="other")
    facts = water_facts(books.lakes["pit_water"], books.draft)
    assert (facts.old_pit, facts.ground, facts.zones) == (0.0, "", ["KS002"])
    neighbour = books.ponds[0]  # squares 6 and 8 do not touch; 7 between them does both
    between = books.lakes["unknown"]
    shape = books.draft.cells.get(geom__intersects=_middle(books, 7)).geom
    Patch.objects.filter(pk=between.pk).update(geom=shape)
    between.refresh_from_db()
    facts = water_facts(between, books.draft)
    assert facts.pond_shore == pytest.approx(0.25, abs=0.06)
    Patch.objects.filter(pk=neighbour.pk).update(class_code="open_pit")
    assert water_facts(between, books.draft).pit_shore == pytest.approx(facts.pond_shore)


def _middle(books: SimpleNamespace, index: int) -> Any:
    west, _, east, _ = books.ponds[0].geom.extent
    step = (east - west) * (index - 8)
    middle = books.ponds[0].geom.centroid
    middle.x += step
    return middle


def test_an_earlier_confirmation_is_remembered(books: SimpleNamespace) -> None:
    tailings_review(patch=books.ponds[0], shows=POND, user=books.reviewer, version=1)
    later = Patch.objects.get(pk=books.ponds[0].pk)
    later.pk, later.run = None, books.run
    later.run.year = 2024
    assert confirmed_before(later) == PatchReview.objects.get()
    later.run.year = 2023
    assert confirmed_before(later) is None
