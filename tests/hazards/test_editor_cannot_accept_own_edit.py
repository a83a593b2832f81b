"""Hazard: who drew a polygon waves it through."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from landdamage.models import ChangePiece
from landdamage.services.decisions import decide
from minegis.errors import MineGISError

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
