"""Hazard: who drew a polygon waves it through."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from landdamage.models import ChangePiece, Patch, PieceAuthor
from landdamage.services.decisions import decide, decide_many
from landdamage.services.editions import edition_draft
from minegis.errors import MineGISError
from tests.fixtures.accounted import computed, published

pytestmark = pytest.mark.django_db


@pytest.fixture
def own_piece(small_books: SimpleNamespace) -> ChangePiece:
    piece = small_books.draft.pieces.filter(kind="new", decision="").first()
    piece.author = small_books.reviewer
    piece.save(update_fields=["author"])
    return piece


def test_the_use_case_refuses(small_books: SimpleNamespace, own_piece: ChangePiece, make_user) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MineGISError, match="E-EDI-05"):
        decide(piece=own_piece, decision="new", user=small_books.reviewer, lock=own_piece.lock)
    other = make_user("reviewer", small_books.regions.changji)
    assert decide(piece=own_piece, decision="new", user=other, lock=own_piece.lock).decided_by == other


def test_the_api_refuses(small_books: SimpleNamespace, own_piece: ChangePiece) -> None:
    client = APIClient()
    client.force_authenticate(small_books.reviewer)
    answer = client.post(
        f"/api/v1/changes/{own_piece.pk}/decide/", {"decision": "new", "lock": own_piece.lock}, format="json"
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "E-EDI-05")
    own_piece.refresh_from_db()
    assert own_piece.decision == ""


def test_the_database_refuses(small_books: SimpleNamespace, own_piece: ChangePiece) -> None:
    sql = (
        "UPDATE landdamage_changepiece SET decision = 'new', decided_at = now(), decided_by_id = author_id "
        "WHERE piece_id = %s"
    )
    with pytest.raises(IntegrityError, match="other_eyes"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [own_piece.pk])


@pytest.fixture
def drawn_by_three(plot: SimpleNamespace, make_user) -> SimpleNamespace:  # type: ignore[no-untyped-def]
    """One change in 2022 whose ground three people drew: two pits side by side, and sunken ground beside them."""
    from landdamage.models import Subsidence
    from tests.fixtures.plot import ground, multi

    plot.scene("2021-07-01")
    published(computed(edition_draft(region=plot.region, year=2021, user=plot.analyst), plot.analyst), plot)
    scene = plot.scene(
        "2022-07-01",
        ("open_pit", (400, 400, 500, 500)),
        ("open_pit", (500, 400, 600, 500)),
        ("open_pit", (400, 500, 600, 550)),
    )
    people = [make_user("reviewer", plot.region) for _ in range(3)]
    patches = Patch.objects.filter(run__scene=scene).order_by("pk")
    for patch, person in zip(patches, people[:2], strict=False):  # the model alone drew the third
        Patch.objects.filter(pk=patch.pk).update(author=person, source="manual")
    Subsidence.objects.create(
        region=plot.region, geom=multi(ground(600, 400, 640, 440)), area_cm2=1, surveyed_on="2022-05-01",
        state="accepted", author=people[2], reviewer=plot.reviewer,
    )  # fmt: skip
    edition = computed(edition_draft(region=plot.region, year=2022, user=plot.analyst), plot.analyst)
    plot.people, plot.edition = people, edition
    plot.pieces = list(edition.pieces.filter(kind="new").order_by("-area_cm2"))
    return plot


def test_every_author_of_a_change_is_refused(drawn_by_three: SimpleNamespace) -> None:
    plot = drawn_by_three
    pits, sunken = plot.pieces
    assert {row.person for row in pits.authors.all()} == set(plot.people[:2])
    assert {row.person for row in sunken.authors.all()} == {plot.people[2]}
    for person in plot.people[:2]:
        with pytest.raises(MineGISError, match="E-EDI-05"):
            decide(piece=pits, decision="new", user=person, lock=pits.lock)
        both = {piece.pk: piece.lock for piece in plot.pieces}
        with pytest.raises(MineGISError, match="E-EDI-05"):
            decide_many(edition=plot.edition, locks=both, decision="new", user=person)
        with pytest.raises(IntegrityError, match="drew some"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "UPDATE landdamage_changepiece SET decision = 'new', decided_at = now(), decided_by_id = %s "
                "WHERE piece_id = %s",
                [person.pk, pits.pk],
            )
    assert decide(piece=pits, decision="new", user=plot.people[2], lock=pits.lock).decided_by == plot.people[2]
    with pytest.raises(IntegrityError, match="become an author"), transaction.atomic():
        PieceAuthor.objects.create(piece=pits, person=plot.people[2])


def test_a_decision_ends_when_its_reviewer_becomes_an_author(drawn_by_three: SimpleNamespace) -> None:
    plot = drawn_by_three
    pits = decide(piece=plot.pieces[0], decision="new", user=plot.reviewer, lock=plot.pieces[0].lock)
    Patch.objects.filter(author=plot.people[1]).update(author=plot.reviewer)
    again = computed(plot.edition, plot.analyst)
    piece = again.pieces.get(geometry_sha256=pits.geometry_sha256)
    assert (piece.decision, piece.author) == ("", plot.people[0])
    assert [row["decision"] for row in again.results["former_decisions"]] == ["new"]
