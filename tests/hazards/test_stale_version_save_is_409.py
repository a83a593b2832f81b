"""Hazard: two people change the same row; the second overwrites what the first did without having seen it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db


def answer(user: object, address: str, body: dict[str, object]) -> tuple[int, str]:
    client = APIClient()
    client.force_authenticate(user)
    given = client.post(f"/api/v1/{address}", body, format="json")
    return given.status_code, given.json().get("code", "")


def test_stale_version_save_is_409(small_books: SimpleNamespace) -> None:
    piece = small_books.draft.pieces.filter(kind="new", decision="").first()
    where = f"changes/{piece.pk}/decide/"
    assert answer(small_books.reviewer, where, {"decision": "new", "lock": 1})[0] == 200
    late = {"decision": "rejected", "reason": "阴影", "lock": 1}
    assert answer(small_books.reviewer, where, late) == (409, "E-API-06")
    piece.refresh_from_db()
    assert (piece.decision, piece.lock) == ("new", 2)

    address = f"editions/{small_books.published.pk}/withdraw/"
    assert answer(small_books.manager, address, {"reason": "错", "lock": 7}) == (409, "E-API-06")
