"""Queues of tailings ponds and waters: who may open them, what lies where, answers, undo, what blocks freezing."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from landdamage.models import Patch
from landdamage.services.tailings import POND
from tests.fixtures.books import add_patches

pytestmark = pytest.mark.django_db
EN = {"Accept-Language": "en"}
FRAGMENT = EN | {"HX-Request": "true"}


@pytest.fixture
def books(small_books: SimpleNamespace) -> SimpleNamespace:
    return add_patches(small_books)


@pytest.fixture
def url(books: SimpleNamespace) -> Callable[..., str]:
    return lambda name, *args: reverse(name, args=[books.draft.pk, *args])


@pytest.fixture
def reviewer(books: SimpleNamespace, client_for: Any) -> Any:
    return client_for(books.reviewer)


def _text(response: Any, status: int = 200) -> str:
    assert response.status_code == status, (response.status_code, response.content[:500])
    return response.content.decode()


def _counts(response: Any) -> dict[str, int]:
    return {tab.code: count for tab, count in response.context["tabs"]}


def test_only_those_who_read_statistics_here_see_them(books: Any, url: Any, client_for: Any, make_user: Any) -> None:
    pond = books.ponds[0]
    addresses = [url("tailings"), url("waters"), url("patch", "tailings", pond.pk), url("patch-ask", pond.pk),
                 url("patch-chip", pond.pk, "after")]  # fmt: skip
    stranger = client_for(make_user("reviewer", books.regions.turpan))
    assert {stranger.get(address).status_code for address in addresses} == {404}
    viewer = client_for(books.viewer)
    published = reverse("tailings", args=[books.published.pk])
    assert viewer.get(published).status_code == 403
    assert client_for(books.analyst).get(url("tailings")).status_code == 200


def test_ponds_wait_until_each_is_answered(books: Any, url: Any, reviewer: Any) -> None:
    response = reviewer.get(url("tailings"), headers=EN)
    doubtful, sure = books.ponds[1], books.ponds[0]
    assert [row.patch for row in response.context["rows"]] == [doubtful, sure]
    assert _counts(response) == {"open": 2, "confirmed": 0, "other": 0}
    assert "2 block freezing" in _text(response)
    panel = _text(reviewer.get(url("patch", "tailings", sure.pk), headers=FRAGMENT))
    assert "99 %" in panel
    assert 'data-key="c"' in panel
    confirmed = reviewer.post(url("patch-decide", "tailings", sure.pk), {"shows": POND, "version": 1}, headers=FRAGMENT)
    assert confirmed.status_code == 204
    told = json.loads(confirmed["HX-Trigger"])["patch-decided"]
    assert told["said"] == "Tailings pond"
    assert told["undo"] == {"patch": sure.pk, "version": 2, "shows": "", "reason": ""}

    dialog = _text(reviewer.get(url("patch-ask", doubtful.pk), headers=FRAGMENT))
    assert 'value="natural"' in dialog
    post = {"shows": "stockpile", "version": 1}
    refused = reviewer.post(url("patch-decide", "tailings", doubtful.pk), post, headers=FRAGMENT)
    assert json.loads(_text(refused, 422))["code"] == "E-EDI-07"
    done = reviewer.post(url("patch-decide", "tailings", doubtful.pk), post | {"reason": "dry"}, headers=FRAGMENT)
    assert done.status_code == 204
    response = reviewer.get(url("tailings") + "?tab=other", headers=FRAGMENT)
    assert _counts(response) == {"open": 0, "confirmed": 1, "other": 1}
    page = _text(response)
    assert "2 of 2 reviewed" in page
    assert "1 answer is not in the book yet" in page
    panel = _text(reviewer.get(url("patch", "tailings", doubtful.pk), headers=FRAGMENT))
    assert "dry" in panel
    assert str(books.reviewer) in panel
    undo = json.loads(done["HX-Trigger"])["patch-decided"]["undo"]
    assert reviewer.post(url("patch-decide", "tailings", doubtful.pk), undo).status_code == 204
    assert _counts(reviewer.get(url("tailings"), headers=FRAGMENT))["open"] == 1
    undo = {"shows": "stockpile", "reason": "dry", "version": 3}  # back and forth keeps what had been said
    told = json.loads(reviewer.post(url("patch-decide", "tailings", doubtful.pk), undo)["HX-Trigger"])["patch-decided"]
    again = {"shows": POND, "version": told["undo"]["version"]}
    told = json.loads(reviewer.post(url("patch-decide", "tailings", doubtful.pk), again)["HX-Trigger"])["patch-decided"]
    assert (told["undo"]["shows"], told["undo"]["reason"]) == ("stockpile", "dry")


def test_the_queue_begins_where_the_model_is_least_sure(books: Any, url: Any, reviewer: Any) -> None:
    sure, doubtful = books.ponds
    Patch.objects.filter(pk=sure.pk).update(margin=0.25, area_cm2=4_000_000)  # 0.75 * 4 = 3
    Patch.objects.filter(pk=doubtful.pk).update(margin=0.5, area_cm2=5_000_000, confidence=0.5)  # 0.5 * 5 = 2.5
    shown = [row.patch for row in reviewer.get(url("tailings"), headers=FRAGMENT).context["rows"]]
    assert shown == [doubtful, sure]
    answer = reviewer.get(url("tailings") + "?order=margin", headers=EN)
    assert [row.patch for row in answer.context["rows"]] == [sure, doubtful]
    page = _text(answer)
    assert 'value="margin" selected' in page
    assert "Δ 25 %" in page
    Patch.objects.filter(pk=sure.pk).update(margin=0.38)  # 0.62 * 4 = 2.48
    shown = [row.patch for row in reviewer.get(url("tailings") + "?order=margin", headers=FRAGMENT).context["rows"]]
    assert shown == [doubtful, sure]
    lakes = books.lakes
    Patch.objects.filter(pk__in=[lake.pk for lake in lakes.values()]).update(margin=0.2)
    for origin, lake in lakes.items():
        Patch.objects.filter(pk=lake.pk).update(source="manual" if origin == "unknown" else "model")
    from landdamage.selectors.reviews import least_sure_first, waters

    assert least_sure_first(waters(books.draft)).last() == lakes["unknown"]  # a person drew it: nothing to be unsure of
    zh = _text(reviewer.get(url("tailings") + "?order=margin"))
    assert "模型最不确定" in zh


def test_waters_are_decided_by_one_key_and_say_why(books: Any, url: Any, reviewer: Any) -> None:
    response = reviewer.get(url("waters"), headers=EN)
    unknown = books.lakes["unknown"]
    assert [row.patch for row in response.context["rows"]] == [unknown]
    assert _counts(response) == {"unknown": 1, "pit_water": 1, "tailings_water": 0, "natural": 1, "decided": 0}
    panel = _text(reviewer.get(url("patch", "waters", books.lakes["pit_water"].pk), headers=FRAGMENT))
    assert "pit water: at least half of it was open pit before" in panel
    assert "KS00" in panel
    done = reviewer.post(url("patch-decide", "waters", unknown.pk), {"shows": "natural", "version": 1})
    assert json.loads(done["HX-Trigger"])["patch-decided"]["said"] == "天然水体"
    response = reviewer.get(url("waters") + "?tab=decided", headers=FRAGMENT)
    assert [row.patch for row in response.context["rows"]] == [unknown]
    assert "block freezing" not in _text(response)
    assert "No water of unknown origin is left" in _text(reviewer.get(url("waters"), headers=FRAGMENT))
    assert reviewer.post(url("patch-decide", "waters", unknown.pk), {"shows": "", "version": 2}).status_code == 204
    assert _counts(reviewer.get(url("waters"), headers=FRAGMENT))["unknown"] == 1
    assert not reviewer.get(url("waters") + "?min=99999999", headers=FRAGMENT).context["rows"]
    assert not reviewer.get(url("waters") + "?mine=KS404", headers=FRAGMENT).context["rows"]


def test_answers_that_do_not_fit_are_refused(books: Any, url: Any, reviewer: Any, client_for: Any) -> None:
    pond = books.ponds[0]
    where = url("patch-decide", "tailings", pond.pk)
    good = {"shows": POND, "version": 1}
    assert client_for(books.analyst).post(where, good).status_code == 403
    assert reviewer.post(where, good | {"version": "x"}).status_code == 400
    assert reviewer.post(where, good | {"version": 9}).status_code == 409
    assert reviewer.post(url("patch-decide", "rivers", pond.pk), good).status_code == 404
    assert reviewer.get(url("patch", "rivers", pond.pk)).status_code == 404
    assert reviewer.get(url("patch", "tailings", 10**9)).status_code == 404
    Patch.objects.filter(pk=pond.pk).update(author=books.reviewer)
    assert "another reviewer must look at it" in _text(reviewer.get(url("patch", "tailings", pond.pk), headers=EN))
    refused = reviewer.post(where, good, headers=FRAGMENT)
    assert json.loads(_text(refused, 403))["code"] == "E-EDI-05"
    sealed = reverse("patch-decide", args=[books.published.pk, "tailings", pond.pk])
    refused = reviewer.post(sealed, good, headers=FRAGMENT)
    assert json.loads(_text(refused, 409))["code"] == "E-EDI-01"


def test_freezing_says_what_blocks_it_and_where(books: Any, url: Any, client_for: Any, reviewer: Any) -> None:
    dialog = _text(client_for(books.analyst).get(url("edition-ask", "freeze"), headers=FRAGMENT))
    assert "2: KS00" in dialog
    for name in ("tailings", "waters", "decisions"):
        assert f'href="{url(name)}"' in dialog, name
    page = _text(reviewer.get(url("decisions"), headers=EN))
    parts = {part.code: part.open for part in reviewer.get(url("decisions")).context["parts"]}
    assert parts == {"decisions": 2, "tailings": 2, "waters": 1}
    assert f'href="{url("waters")}"' in page
