"""Decisions: cells follow, totals stay balanced, four eyes, reasons, evidence, previews that come true."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from landdamage.models import ChangePiece
from landdamage.selectors.editions import edition_sums
from landdamage.services.decisions import RestorationFacts, accept_all, decide, decide_many, preview
from landdamage.services.editions import check_cells
from landdamage.services.evidence import evidence_add
from minegis.errors import ConflictError, ForbiddenError, MineGISError

pytestmark = pytest.mark.django_db


def waiting(books: SimpleNamespace, kind: str) -> ChangePiece:
    piece = books.draft.pieces.filter(kind=kind, decision="").order_by("pk").first()
    assert piece is not None
    return piece


def balanced(books: SimpleNamespace) -> bool:
    from landdamage.selectors.editions import edition_cells

    check_cells(books.draft, edition_cells(books.draft))
    return True


def test_new_omission_rejected_and_undo_move_the_cells(small_books: SimpleNamespace) -> None:
    piece = waiting(small_books, "new")
    states = []
    for decision, reason in (("new", ""), ("omission", "2022 年漏判"), ("rejected", "阴影"), ("", "")):
        piece = decide(piece=piece, decision=decision, user=small_books.reviewer, lock=piece.lock, reason=reason)
        cell = piece.cells.get()
        states.append((cell.flow, cell.new_state))
        assert balanced(small_books)
    assert states == [
        ("new", "open_pit"), ("omission", "open_pit"), ("rejected", "vegetation"), ("undecided", "vegetation"),
    ]  # fmt: skip
    assert piece.decided_by is None


def test_restored_takes_mode_and_evidence(small_books: SimpleNamespace) -> None:
    piece = waiting(small_books, "released")
    given: dict[str, Any] = {"piece": piece, "decision": "restored", "user": small_books.reviewer, "lock": piece.lock}
    for facts in (None, RestorationFacts("engineered", []), RestorationFacts("", [small_books.evidence])):
        with pytest.raises(MineGISError, match="E-EDI-08"):
            decide(**given, reason="验收", restoration=facts)
    with pytest.raises(MineGISError, match="E-EDI-07"):
        decide(**given, restoration=RestorationFacts("engineered", [small_books.evidence]))
    decided = decide(**given, reason="验收", restoration=RestorationFacts("engineered", [small_books.evidence]))
    assert decided.cells.get().new_state == "restored_excavation"
    assert decided.restoration.restored_kind == "restored_open_pit"
    assert list(decided.restoration.evidence.all()) == [small_books.evidence]
    undone = decide(piece=decided, decision="", user=small_books.reviewer, lock=decided.lock)
    assert undone.cells.get().flow == "pending"
    assert not hasattr(ChangePiece.objects.get(pk=undone.pk), "restoration")
    assert balanced(small_books)


def test_a_decision_must_fit_its_kind(small_books: SimpleNamespace) -> None:
    for kind, decision in (("new", "restored"), ("released", "new"), ("new", "nonsense")):
        piece = waiting(small_books, kind)
        with pytest.raises(MineGISError, match="E-EDI-09"):
            decide(piece=piece, decision=decision, user=small_books.reviewer, lock=piece.lock, reason="x")


def test_a_decision_somebody_else_changed_is_refused(small_books: SimpleNamespace) -> None:
    piece = waiting(small_books, "new")
    decide(piece=piece, decision="new", user=small_books.reviewer, lock=piece.lock)
    with pytest.raises(ConflictError):
        decide(piece=piece, decision="rejected", user=small_books.reviewer, lock=piece.lock, reason="x")


def test_only_reviewers_of_the_region_decide(small_books: SimpleNamespace, make_user: Any) -> None:
    piece = waiting(small_books, "new")
    others = [small_books.analyst, small_books.manager, small_books.interpreter, small_books.viewer]
    for user in (*others, make_user("reviewer", small_books.regions.turpan)):
        with pytest.raises(ForbiddenError):
            decide(piece=piece, decision="new", user=user, lock=piece.lock)


def test_a_preview_changes_nothing_and_comes_true(small_books: SimpleNamespace) -> None:
    pieces = list(small_books.draft.pieces.filter(kind="new"))
    before = edition_sums(small_books.draft)
    shown = preview(small_books.draft, [piece.pk for piece in pieces], "new")
    assert edition_sums(small_books.draft) == before == shown.before
    assert shown.pieces == len(pieces)
    locks = {piece.pk: piece.lock for piece in pieces}
    decide_many(edition=small_books.draft, locks=locks, decision="new", user=small_books.reviewer)
    assert edition_sums(small_books.draft) == shown.after != shown.before


def test_bulk_is_all_or_nothing(small_books: SimpleNamespace) -> None:
    pieces = list(small_books.draft.pieces.filter(kind="new"))
    locks = {piece.pk: piece.lock for piece in pieces} | {pieces[0].pk: 99}
    with pytest.raises(ConflictError):
        decide_many(edition=small_books.draft, locks=locks, decision="new", user=small_books.reviewer)
    assert small_books.draft.pieces.filter(decision="").count() == 4


def test_accepting_all_leaves_released_ground_pending(small_books: SimpleNamespace) -> None:
    assert accept_all(edition=small_books.draft, user=small_books.reviewer) == 2
    left = small_books.draft.pieces.filter(decision="").values_list("kind", flat=True)
    assert set(left) == {"released"}


PDF = b"%PDF-1.7\n%"
PNG = b"\x89PNG\r\n\x1a\n0000"


def test_evidence_is_kept_once_and_judged_by_content(small_books: SimpleNamespace) -> None:
    region, user = small_books.regions.changji, small_books.interpreter
    first = evidence_add(region=region, file=io.BytesIO(PDF), file_name="C:\\文件\\验收.pdf", user=user)
    again = evidence_add(region=region, file=io.BytesIO(PDF), file_name="other.pdf", user=user)
    assert (first.pk, first.file_name, first.media_type) == (again.pk, "验收.pdf", "application/pdf")
    assert evidence_add(region=region, file=io.BytesIO(PNG), file_name="a.pdf", user=user).media_type == "image/png"
    for content, code in (
        (b"", "E-UPL-02"),
        (b"MZ\x90", "E-EDI-14"),
        (b"<svg/>", "E-EDI-14"),
        (b"PK\x03\x04", "E-EDI-14"),
    ):
        with pytest.raises(MineGISError, match=code):
            evidence_add(region=region, file=io.BytesIO(content), file_name="x.pdf", user=user)
    with pytest.raises(MineGISError, match="E-EDI-15"):
        evidence_add(region=region, file=io.BytesIO(PDF + bytes(30 * 2**20)), file_name="x.pdf", user=user)
    with pytest.raises(ForbiddenError):
        evidence_add(region=region, file=io.BytesIO(PDF), file_name="x.pdf", user=small_books.viewer)


def test_taking_a_decision_back_gives_what_the_rules_say(small_books: SimpleNamespace) -> None:
    draft, piece = small_books.draft, waiting(small_books, "released")
    draft.params = {**draft.params, "auto_restore_after": 2}
    draft.save(update_fields=["params"])
    piece.cells.update(vegetated_years=2)
    piece = decide(piece=piece, decision="pending", user=small_books.reviewer, lock=piece.lock)
    assert piece.cells.get().flow == "pending"
    piece = decide(piece=piece, decision="", user=small_books.reviewer, lock=piece.lock)
    assert piece.cells.get().flow == "restored"
