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
    "change the hash's format": "UPDATE landdamage_edition SET content_format = 1 WHERE edition_id = %s",
    "another publisher": "UPDATE landdamage_edition SET published_by_id = frozen_by_id WHERE edition_id = %s",
    "another day": "UPDATE landdamage_edition SET published_at = now() + interval '1 day' WHERE edition_id = %s",
    "somebody else froze it": "UPDATE landdamage_edition SET frozen_by_id = published_by_id WHERE edition_id = %s",
    "nobody froze it": "UPDATE landdamage_edition SET frozen_by_id = NULL, frozen_at = NULL WHERE edition_id = %s",
    "sign for the bias": "UPDATE landdamage_edition SET signed_bias = true WHERE edition_id = %s",
    "another reason for it": "UPDATE landdamage_edition SET change_note = 'x' WHERE edition_id = %s",
    "withdraw it as somebody else": "UPDATE landdamage_edition SET state = 'withdrawn', withdrawn_reason = 'x', "
    "published_by_id = frozen_by_id WHERE edition_id = %s",
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


OF_PIECES = "(SELECT piece_id FROM landdamage_changepiece WHERE edition_id = %s)"
RESTORED = {
    "another mode": f"UPDATE landdamage_restoration SET mode = 'natural' WHERE piece_id IN {OF_PIECES}",
    "another kind": f"UPDATE landdamage_restoration SET restored_kind = 'restored_other' WHERE piece_id IN {OF_PIECES}",
    "another use": f"UPDATE landdamage_restoration SET post_use = '' WHERE piece_id IN {OF_PIECES}",
    "another day": f"UPDATE landdamage_restoration SET accepted_on = NULL WHERE piece_id IN {OF_PIECES}",
    "remove it": f"DELETE FROM landdamage_restoration WHERE piece_id IN {OF_PIECES}",
    "remove the proof": f"DELETE FROM landdamage_restoration_evidence WHERE restoration_id IN {OF_PIECES}",
    "another file": "UPDATE landdamage_evidence SET sha256 = repeat('0', 64) WHERE evidence_id IN "
    f"(SELECT evidence_id FROM landdamage_restoration_evidence WHERE restoration_id IN {OF_PIECES})",
    "another name": "UPDATE landdamage_evidence SET file_name = 'x', note = 'x' WHERE evidence_id IN "
    f"(SELECT evidence_id FROM landdamage_restoration_evidence WHERE restoration_id IN {OF_PIECES})",
    "remove the file": "DELETE FROM landdamage_evidence WHERE evidence_id IN "
    f"(SELECT evidence_id FROM landdamage_restoration_evidence WHERE restoration_id IN {OF_PIECES})",
    "another decision": "UPDATE landdamage_changepiece SET decision = 'rejected', reason = 'x' "
    "WHERE kind = 'new' AND edition_id = %s",
    "one author more": "INSERT INTO landdamage_pieceauthor (piece_id, person_id) SELECT min(piece_id), "
    "(SELECT created_by_id FROM landdamage_edition WHERE edition_id = %s) FROM landdamage_changepiece",
}
FREEZE = "UPDATE landdamage_edition SET state = 'frozen', content_sha256 = repeat('a', 64) WHERE edition_id = %s"


def test_decisions_restorations_and_evidence_of_a_frozen_edition_cannot_change(make_books) -> None:  # type: ignore[no-untyped-def]
    draft = make_books(decided=True).draft
    with connection.cursor() as cursor:
        cursor.execute(FREEZE, [draft.pk])
        for attack in RESTORED.values():
            with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
                cursor.execute(attack, [draft.pk])


def test_a_restoration_cannot_leave_a_sealed_edition_for_an_open_one(make_books) -> None:  # type: ignore[no-untyped-def]
    """A row that names another piece afterwards is asked about both."""
    from landdamage.models import ChangePiece, Edition

    books = make_books(decided=True)
    other = Edition.objects.create(region=books.regions.turpan, year=2023, version=1, area=books.draft.area)
    [piece] = ChangePiece.objects.filter(edition=books.draft, decision="restored")[:1]
    piece.pk, piece.edition = None, other
    piece.save()
    with connection.cursor() as cursor:
        cursor.execute(FREEZE, [books.draft.pk])
        for table, column in (
            ("landdamage_restoration", "piece_id"),
            ("landdamage_restoration_evidence", "restoration_id"),
        ):
            move = (
                f"UPDATE {table} SET {column} = %s WHERE {column} = (SELECT min(piece_id) FROM landdamage_restoration)"
            )
            with pytest.raises(IntegrityError, match="cannot change"), transaction.atomic():
                cursor.execute(move, [piece.pk])


def test_evidence_of_a_draft_may_still_change(small_books: SimpleNamespace) -> None:
    small_books.evidence.note = "第 2 页"
    small_books.evidence.save(update_fields=["note"])
    small_books.evidence.refresh_from_db()
    assert small_books.evidence.note == "第 2 页"
