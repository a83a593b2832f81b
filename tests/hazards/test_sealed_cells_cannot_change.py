"""Hazard: somebody with a database console corrects a published year, and nobody can tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction

pytestmark = pytest.mark.django_db

CELL_COLUMNS = (
    "edition_id, geom, area_cm2, prev_state, obs_state, new_state, flow, redamaged, outside_licence, vegetated_years"
)
ATTACKS = {
    "change a cell": "UPDATE landdamage_changecell SET area_cm2 = area_cm2 + 1 WHERE edition_id = %s",
    "remove a cell": "DELETE FROM landdamage_changecell WHERE edition_id = %s",
    "add a cell": f"INSERT INTO landdamage_changecell ({CELL_COLUMNS}) SELECT {CELL_COLUMNS} "
    "FROM landdamage_changecell WHERE edition_id = %s LIMIT 1",
    "change the sums": "UPDATE landdamage_edition SET results = '{}' WHERE edition_id = %s",
    "change the hash": "UPDATE landdamage_edition SET content_sha256 = repeat('f', 64) WHERE edition_id = %s",
    "back to a draft": "UPDATE landdamage_edition SET state = 'draft' WHERE edition_id = %s",
    "remove it": "DELETE FROM landdamage_edition WHERE edition_id = %s",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_sealed_cells_cannot_change(small_books: SimpleNamespace, attack: str) -> None:
    with (
        pytest.raises(IntegrityError, match=r"cannot|does not go"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack, [small_books.published.pk])


def test_cells_of_a_draft_cannot_move_into_a_sealed_edition(small_books: SimpleNamespace) -> None:
    move = "UPDATE landdamage_changecell SET edition_id = %s WHERE edition_id = %s"
    with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(move, [small_books.published.pk, small_books.draft.pk])


def test_a_draft_with_an_undecided_change_cannot_be_frozen(small_books: SimpleNamespace) -> None:
    freeze = "UPDATE landdamage_edition SET state = 'frozen', content_sha256 = repeat('a', 64) WHERE edition_id = %s"
    with pytest.raises(IntegrityError, match="undecided"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(freeze, [small_books.draft.pk])


def test_decisions_of_a_frozen_edition_cannot_change(make_books) -> None:  # type: ignore[no-untyped-def]
    draft = make_books(decided=True).draft
    attacks = [
        "UPDATE landdamage_changepiece SET decision = 'rejected', reason = 'x' WHERE kind = 'new' AND edition_id = %s",
        "UPDATE landdamage_restoration SET mode = 'natural' WHERE piece_id IN "
        "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)",
        "DELETE FROM landdamage_restoration_evidence WHERE restoration_id IN "
        "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)",
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE landdamage_edition SET state = 'frozen', content_sha256 = repeat('a', 64) WHERE edition_id = %s",
            [draft.pk],
        )
        for attack in attacks:
            with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
                cursor.execute(attack, [draft.pk])
