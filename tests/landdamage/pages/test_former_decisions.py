"""Decisions that a computation has not taken over: listed with what lies there now, decided the same again."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from landdamage.models import ChangePiece, PieceAuthor, Restoration
from landdamage.selectors.former import former_decisions
from landdamage.services.booking import carry, decisions_before
from landdamage.services.editions import edition_freeze, edition_publish

pytestmark = pytest.mark.django_db
EN = {"Accept-Language": "en"}
FRAGMENT = EN | {"HX-Request": "true"}


@pytest.fixture
def books(small_books: SimpleNamespace) -> SimpleNamespace:
    """The draft after a computation that took none of its decisions over."""
    old = decisions_before(small_books.draft)
    nothing = old.iloc[:0].assign(author_ids=[])
    found, lost = carry(nothing, old)
    assert not found
    small_books.draft.results = {**small_books.draft.results, "former_decisions": lost}
    small_books.draft.save(update_fields=["results"])
    Restoration.objects.all().delete()
    small_books.draft.pieces.update(decision="", reason="", decided_by=None, decided_at=None)
    return small_books


def _of(books: SimpleNamespace, decision: str) -> ChangePiece:
    place = next(one for one in books.draft.results["former_decisions"] if one["decision"] == decision)
    found = next(one for one in former_decisions(books.draft) if list(one.place) == place["place"])
    assert found.piece is not None
    return found.piece


def test_each_is_found_at_its_place(books: Any) -> None:
    found = former_decisions(books.draft)
    assert len(found) == len(books.draft.results["former_decisions"]) > 10
    assert {one.state for one in found} == {"waiting"}
    assert all(one.area_cm2 == one.piece.area_cm2 and one.kind == one.piece.kind for one in found if one.piece)
    assert {one.mine_code for one in found} >= {"KS001", "KS002"}
    assert found[0].decided_by == books.reviewer
    piece = _of(books, "corrected")
    piece.cells.update(piece=None)
    piece.delete()
    assert [one.state for one in former_decisions(books.draft)].count("gone") == 1
    assert former_decisions(books.published) == []


def test_the_same_is_decided_again_by_other_eyes(books: Any, client_for: Any) -> None:
    reviewer = client_for(books.reviewer)
    url = reverse("decisions", args=[books.draft.pk])
    total = len(books.draft.results["former_decisions"])
    assert f"{total} / {total}" in reviewer.get(url, headers=FRAGMENT).content.decode()
    own = _of(books, "omission")
    PieceAuthor.objects.create(piece=own, person=books.reviewer)
    response = reviewer.get(f"{url}?tab=former", headers=FRAGMENT)
    page = response.content.decode()
    assert "another reviewer must decide" in page
    assert "Reviewer 王" in page
    rejected = _of(books, "rejected")
    assert f'data-decision="rejected" data-reason="按影像判定" data-pieces="{rejected.pk}:{rejected.lock}"' in page
    restored = _of(books, "restored")
    assert f"?pieces={restored.pk}&amp;decision=restored" in page  # its evidence is asked again

    decide = reverse("decisions-decide", args=[books.draft.pk])
    post = {"pieces": f"{rejected.pk}:{rejected.lock}", "decision": "rejected", "reason": "按影像判定"}
    assert reviewer.post(decide, post, headers=FRAGMENT).status_code == 204
    new = _of(books, "new")
    post = {"pieces": f"{new.pk}:{new.lock}", "decision": "rejected", "reason": "x"}
    assert reviewer.post(decide, post, headers=FRAGMENT).status_code == 204
    post = {"pieces": f"{own.pk}:{own.lock}", "decision": "omission", "reason": "按影像判定"}
    assert json.loads(reviewer.post(decide, post, headers=FRAGMENT).content)["code"] == "E-EDI-05"
    states = [one.state for one in former_decisions(books.draft)]
    assert (states.count("same"), states.count("otherwise")) == (1, 1)
    page = reviewer.get(f"{url}?tab=former", headers=FRAGMENT).content.decode()
    assert "decided the same" in page
    assert "decided otherwise" in page
    assert f"{total - 2} / {total}" in page


def test_readers_of_published_figures_see_no_names(make_books: Any, client_for: Any) -> None:
    books = make_books(decided=True)
    old = decisions_before(books.draft)
    _, lost = carry(old.iloc[:0].assign(author_ids=[]), old)
    books.draft.results = {**books.draft.results, "former_decisions": lost}
    books.draft.save(update_fields=["results"])
    edition = edition_freeze(edition=books.draft, user=books.analyst, lock=books.draft.lock)
    edition_publish(edition=edition, user=books.manager, lock=edition.lock)
    url = reverse("decisions", args=[edition.pk])
    assert "Former decisions" in client_for(books.analyst).get(url, headers=EN).content.decode()
    assert "Former decisions" not in client_for(books.viewer).get(url, headers=EN).content.decode()
