"""The books over HTTP: who may do what, the life of an edition, statements, decisions, evidence, subsidence."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from landdamage.models import Edition
from landdamage.selectors.editions import edition_sums

pytestmark = pytest.mark.django_db
ROLES = ("uploader", "interpreter", "reviewer", "analyst", "manager", "admin", "viewer", "stranger")


@pytest.fixture
def people(small_books: SimpleNamespace, make_user: Callable[..., Any]) -> dict[str, Any]:
    region = small_books.regions.changji
    made = {role: getattr(small_books, role, None) or make_user(role, region) for role in ROLES[:-1]}
    return made | {"stranger": make_user("reviewer", small_books.regions.turpan)}


@pytest.fixture
def client() -> Callable[[Any], APIClient]:
    def make(user: Any) -> APIClient:
        api = APIClient()
        api.force_authenticate(user)
        return api

    return make


SQUARE = {
    "type": "Polygon",
    "coordinates": [[[87.5, 43.5], [87.501, 43.5], [87.501, 43.501], [87.5, 43.501], [87.5, 43.5]]],
}
DECISION = {"edition": "{draft}", "decision": "new"}
DRAWN = {"region": "652300", "geometry": SQUARE}
READ, PUBLIC = (
    {"interpreter", "reviewer", "analyst", "manager"},
    {"interpreter", "reviewer", "analyst", "manager", "viewer"},
)
# (verb, address, body, roles that get an answer below 300; others get 403, or 404 where they see nothing)
TABLE: tuple[tuple[str, str, dict[str, Any] | None, set[str]], ...] = (
    ("get", "editions/{draft}/", None, READ),
    ("get", "editions/{published}/", None, PUBLIC),
    ("get", "editions/{draft}/statement/?by=mine", None, READ),
    ("get", "editions/{published}/matrix/", None, PUBLIC),
    ("post", "editions/", {"region": "652300", "year": 2024}, {"analyst"}),
    ("post", "editions/{draft}/compute/", {"lock": 1}, {"analyst"}),
    ("post", "editions/{draft}/discard/", {"lock": 1}, {"analyst"}),
    ("post", "editions/{published}/withdraw/", {"lock": 1, "reason": "错"}, {"manager"}),
    ("get", "changes/{new}/", None, READ),
    ("post", "changes/{new}/decide/", {"decision": "new", "lock": 1}, {"reviewer"}),
    ("post", "changes/decide-many/", DECISION | {"changes": [{"piece_id": "{new}", "lock": 1}]}, {"reviewer"}),
    ("post", "changes/preview/", DECISION | {"changes": ["{new}"]}, READ),
    ("post", "monitored-areas/", {"region": "652300", "extra": SQUARE}, {"analyst"}),
    ("get", "evidence/{evidence}/", None, READ),
    ("post", "subsidence/", DRAWN | {"surveyed_on": "2023-06-01"}, {"uploader", "interpreter", "reviewer"}),
    ("post", "control-polygons/", DRAWN, {"reviewer"}),
)  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_the_table_says(
    small_books: SimpleNamespace, people: dict[str, Any], client: Callable[[Any], APIClient], role: str
) -> None:
    from django.db import transaction

    new = small_books.draft.pieces.filter(kind="new", decision="").first()
    keys = {
        "{draft}": str(small_books.draft.pk), "{published}": str(small_books.published.pk), "{new}": str(new.pk),
        "{evidence}": str(small_books.evidence.pk),
    }  # fmt: skip
    api, wrong = client(people[role]), []
    for verb, address, body, allowed in TABLE:
        text = json.dumps([address, body])
        for key, value in keys.items():
            text = text.replace(key, value)
        where, what = json.loads(text)
        sid = transaction.savepoint()
        answer = getattr(api, verb)(f"/api/v1/{where}", what, format="json")
        transaction.savepoint_rollback(sid)
        fine = answer.status_code < 300 if role in allowed else answer.status_code in (400, 403, 404)
        if not fine or (answer.status_code >= 400 and "code" not in answer.json()):
            wrong.append((verb, address, answer.status_code, answer.json()))
    assert wrong == []


def test_an_edition_lives_its_life(
    make_books: Callable[..., SimpleNamespace], client: Callable[[Any], APIClient]
) -> None:
    books = make_books(decided=True)
    where = f"/api/v1/editions/{books.draft.pk}/"
    analyst, manager = client(books.analyst), client(books.manager)
    frozen = analyst.post(f"{where}freeze/", {"lock": 1}, format="json").json()
    assert (frozen["state"], len(frozen["content_sha256"]), frozen["lock"]) == ("frozen", 64, 2)
    stale = manager.post(f"{where}publish/", {"lock": 1}, format="json")
    assert (stale.status_code, stale.json()["code"]) == (409, "E-API-06")
    published = manager.post(f"{where}publish/", {"lock": 2}, format="json").json()
    assert (published["state"], published["published_by"]) == ("published", books.manager.username)
    late = analyst.post(f"{where}freeze/", {"lock": 3}, format="json")
    assert (late.status_code, late.json()["code"]) == (409, "E-EDI-01")
    assert "published" in late.json()["message_en"]

    again = analyst.post("/api/v1/editions/", {"region": "652300", "year": 2023}, format="json")
    assert again.json()["code"] == "E-EDI-11"
    noted = {"region": "652300", "year": 2023, "change_note": "补充影像"}
    second = analyst.post("/api/v1/editions/", noted, format="json").json()
    assert (second["version"], second["state"], second["based_on"]) == (2, "draft", str(books.published.pk))
    third = analyst.post("/api/v1/editions/", noted, format="json")
    assert (third.status_code, third.json()["code"]) == (409, "E-EDI-02")


def test_who_decided_cannot_publish(
    make_books: Callable[..., SimpleNamespace], client: Callable[[Any], APIClient]
) -> None:
    from minegis.access.models import Membership

    books = make_books(decided=True)
    Membership.objects.create(user=books.reviewer, role="manager", region=books.regions.changji)
    client(books.analyst).post(f"/api/v1/editions/{books.draft.pk}/freeze/", {"lock": 1}, format="json")
    reviewer = client(type(books.reviewer).objects.get(pk=books.reviewer.pk))
    answer = reviewer.post(f"/api/v1/editions/{books.draft.pk}/publish/", {"lock": 2}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "E-EDI-06")


def test_undecided_changes_cannot_be_frozen(small_books: SimpleNamespace, client: Callable[[Any], APIClient]) -> None:
    answer = client(small_books.analyst).post(
        f"/api/v1/editions/{small_books.draft.pk}/freeze/", {"lock": 1}, format="json"
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "E-EDI-03")
    assert Edition.objects.get(pk=small_books.draft.pk).state == "draft"


def test_statements_add_up_however_they_are_grouped(
    small_books: SimpleNamespace, client: Callable[[Any], APIClient]
) -> None:
    api, where = client(small_books.manager), f"/api/v1/editions/{small_books.draft.pk}/"
    whole = {row["key"]: row["sums"] for row in api.get(f"{where}statement/").json()}
    sums = edition_sums(small_books.draft)
    assert {kind: row["closing"] for kind, row in whole.items()} == {kind: row["closing"] for kind, row in sums.items()}
    for by in ("mine", "region"):
        rows = api.get(f"{where}statement/?by={by}").json()
        for kind, row in whole.items():
            assert {name: sum(one["sums"][name] for one in rows if one["key"] == kind) for name in row} == row
    matrix = api.get(f"{where}matrix/").json()
    assert sum(pair["area_cm2"] for pair in matrix) == sum(small_books.draft.cells.values_list("area_cm2", flat=True))
    assert api.get(f"{where}statement/?by=colour").status_code == 400
    assert api.get(f"{where}statement/?region=65%25").status_code == 400


def test_the_licence_flag_is_for_reviewers_only(
    small_books: SimpleNamespace, client: Callable[[Any], APIClient]
) -> None:
    def flags(user: Any) -> set[Any]:
        rows = client(user).get(f"/api/v1/changes/?edition={small_books.draft.pk}").json()["results"]
        return {row["outside_licence"] for row in rows}

    assert flags(small_books.reviewer) == {True, False}
    assert flags(small_books.analyst) == {None}


def test_queue_is_filtered(small_books: SimpleNamespace, client: Callable[[Any], APIClient]) -> None:
    api, where = client(small_books.reviewer), f"/api/v1/changes/?edition={small_books.draft.pk}"
    assert api.get(f"{where}&kind=new&decided=false").json()["count"] == 2
    assert api.get(f"{where}&decision=restored").json()["results"][0]["restoration"]["mode"] in (
        "engineered",
        "natural",
    )
    assert api.get(f"{where}&min_area_m2=1000000").json()["count"] == 0


def test_evidence_goes_in_and_comes_out_as_a_download(
    small_books: SimpleNamespace, client: Callable[[Any], APIClient]
) -> None:
    api = client(small_books.interpreter)
    content = b"%PDF-1.7\n1 0 obj"
    made = api.post(
        "/api/v1/evidence/",
        {"region": "652300", "file": SimpleUploadedFile("验收.pdf", content), "note": "竣工验收"},
        format="multipart",
    )
    assert made.status_code == 201, made.json()
    answer = api.get(f"/api/v1/evidence/{made.json()['evidence_id']}/file/")
    assert b"".join(answer.streaming_content) == content
    assert answer["Content-Disposition"].startswith("attachment")
    refused = api.post(
        "/api/v1/evidence/", {"region": "652300", "file": SimpleUploadedFile("a.pdf", b"<html>")}, format="multipart"
    )
    assert (refused.status_code, refused.json()["code"]) == (415, "E-EDI-14")


def test_subsidence_is_reviewed_by_other_eyes(
    small_books: SimpleNamespace, people: dict[str, Any], client: Callable[[Any], APIClient]
) -> None:
    author, reviewer = client(people["uploader"]), client(people["reviewer"])
    body = {"region": "652300", "geometry": SQUARE, "surveyed_on": "2023-06-01", "method": "InSAR"}
    row = author.post("/api/v1/subsidence/", body, format="json").json()
    where = f"/api/v1/subsidence/{row['subsidence_id']}/"
    assert (row["state"], row["area_cm2"] > 0) == ("draft", True)
    early = reviewer.post(f"{where}review/", {"verdict": "accepted", "lock": 1}, format="json")
    assert (early.status_code, early.json()["code"]) == (409, "E-EDI-19")
    changed = author.patch(where, {"method": "field", "lock": 1}, format="json").json()
    assert (changed["method"], changed["lock"]) == ("field", 2)
    assert author.post(f"{where}submit/", {"lock": 2}, format="json").json()["state"] == "submitted"
    assert author.post(f"{where}review/", {"verdict": "accepted", "lock": 3}, format="json").status_code == 403
    silent = reviewer.post(f"{where}review/", {"verdict": "returned", "lock": 3}, format="json")
    assert silent.json()["code"] == "E-EDI-21"
    done = reviewer.post(f"{where}review/", {"verdict": "accepted", "lock": 3}, format="json").json()
    assert (done["state"], done["reviewer"]) == ("accepted", people["reviewer"].username)
    over = {"ended_on": "2022-01-01", "note": "已回填", "lock": 4}
    assert reviewer.post(f"{where}end/", over, format="json").json()["code"] == "E-EDI-24"
    assert author.post(f"{where}end/", over, format="json").status_code == 403
    ended = reviewer.post(f"{where}end/", over | {"ended_on": "2024-05-01"}, format="json").json()
    assert (ended["state"], ended["ended_on"]) == ("accepted", "2024-05-01")
    own = reviewer.post("/api/v1/subsidence/", body, format="json").json()
    own_where = f"/api/v1/subsidence/{own['subsidence_id']}/"
    reviewer.post(f"{own_where}submit/", {"lock": 1}, format="json")
    refused = reviewer.post(f"{own_where}review/", {"verdict": "accepted", "lock": 2}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "E-EDI-05")


@pytest.mark.parametrize("geometry", [
    {"type": "Point", "coordinates": [87.5, 43.5]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [900, 0], [900, 900], [0, 0]]]},
])  # fmt: skip
def test_an_outline_that_is_none_is_refused(
    small_books: SimpleNamespace, client: Callable[[Any], APIClient], geometry: dict[str, Any]
) -> None:
    body = {"region": "652300", "geometry": geometry, "surveyed_on": "2023-06-01"}
    answer = client(small_books.reviewer).post("/api/v1/subsidence/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (422, "E-EDI-22")


def test_a_reviewer_says_what_water_it_is(interpreted: Any, person: Any, client: Callable[[Any], APIClient]) -> None:
    lake = interpreted.patches.get(class_code="water")
    where = f"/api/v1/patches/{lake.pk}/water-origin/"
    assert (
        client(person("interpreter")).post(where, {"origin": "natural", "version": 1}, format="json").status_code == 403
    )
    api = client(person("reviewer"))
    assert api.post(where, {"origin": "sea", "version": 1}, format="json").json()["code"] == "E-EDI-09"
    done = api.post(where, {"origin": "natural", "version": 1}, format="json").json()
    assert (done["water_origin"], done["damage_kind"]) == ("natural", "none")
    assert (done["review"]["verdict"], done["review"]["found_origin"]) == ("changed", "pit_water")
    assert api.post(where, {"origin": "pit_water", "version": 1}, format="json").json()["code"] == "E-API-06"
    done = api.post(where, {"origin": "", "version": 2}, format="json").json()
    assert (done["water_origin"], done["review"]["verdict"]) == ("pit_water", "undone")
