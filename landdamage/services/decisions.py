"""Decisions about changes: one by one or many at once, with a preview, four eyes, reasons and evidence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from landdamage.accounting.ledger import settle
from landdamage.accounting.statement import statement
from landdamage.accounting.states import DECISIONS, RESTORED_KIND_DEFAULT, Flow, PieceKind, State
from landdamage.models import ChangePiece, Edition, Evidence, PieceAuthor, Restoration
from landdamage.selectors.editions import Sums, edition_sums, kind_sums, numbered
from landdamage.services.booking import codes
from landdamage.services.editions import refuse_while_computing
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError

WITH_REASON = (Flow.REJECTED, Flow.CORRECTED, Flow.RESTORED, Flow.OMISSION)
UNDECIDED = ""


@dataclass(frozen=True, slots=True)
class RestorationFacts:
    """How ground was brought back: ``mode`` engineered or natural, and what proves it.

    ``restored_kind`` is told from the state before where it is empty; ``post_use`` is a code of GB/T 21010.
    """

    mode: str
    evidence: Collection[Evidence]
    restored_kind: str = ""
    post_use: str = ""
    accepted_on: date | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a bulk decision would change: sums per damage kind (cm²) before and after, and how much ground it moves."""

    pieces: int
    area_cm2: int
    before: Sums
    after: Sums


def decide(
    *,
    piece: ChangePiece,
    decision: str,
    user: User,
    lock: int,
    reason: str = "",
    restoration: RestorationFacts | None = None,
) -> ChangePiece:
    """Decide one change, or take its decision back (``decision`` empty); its cells follow in the same transaction.

    Raises:
        The same as ``decide_many``.
    """
    decide_many(
        edition=piece.edition,
        locks={piece.pk: lock},
        decision=decision,
        user=user,
        reason=reason,
        restoration=restoration,
    )
    return ChangePiece.objects.select_related("edition", "mine", "decided_by", "author").get(pk=piece.pk)


@transaction.atomic
def decide_many(
    *,
    edition: Edition,
    locks: Mapping[int, int],
    decision: str,
    user: User,
    reason: str = "",
    restoration: RestorationFacts | None = None,
) -> int:
    """Decide many changes of one draft alike; all of them or, after any failure, none.

    Args:
        edition: the draft.
        locks: piece and the revision the user saw of it.
        decision: a flow that fits the kind of every piece (``states.DECISIONS``), or empty to undo.
        user: a reviewer of the region who is among the authors of none of them.
        reason: needed for rejected, corrected, restored and omission.
        restoration: needed for restored, with at least one piece of evidence.

    Returns:
        Number of pieces.

    Raises:
        ForbiddenError: the user may not decide here.
        ConflictError: somebody decided one of them meanwhile, or it is gone.
        MineGISError: E-EDI-01 no draft, E-EDI-05 the user drew one, E-EDI-07 no reason, E-EDI-08 restored without mode
            or evidence, E-EDI-09 no such decision, E-EDI-17 the edition is being computed.
    """
    row = Edition.objects.select_for_update(of=("self",)).select_related("region", "job").get(pk=edition.pk)
    require(user, Action.DECIDE_FLOW, row.region)
    if row.state != Edition.State.DRAFT:
        raise MineGISError("E-EDI-01", state=row.state)
    refuse_while_computing(row)
    pieces = list(row.pieces.select_for_update(of=("self",)).filter(pk__in=list(locks)).order_by("pk"))
    if len(pieces) != len(locks) or any(piece.lock != locks[piece.pk] for piece in pieces):
        raise ConflictError
    _check(pieces, decision, user, reason, restoration)
    Restoration.objects.filter(piece__in=pieces).delete()
    row.pieces.filter(pk__in=list(locks)).update(
        decision=decision,
        reason=reason.strip() if decision else "",
        decided_by=user if decision else None,
        decided_at=timezone.now() if decision else None,
        lock=F("lock") + 1,
    )
    if decision == Flow.RESTORED and restoration is not None:
        _record(pieces, restoration)
    _write(_settled(row, pieces, decision))
    return len(pieces)


def preview(edition: Edition, pieces: Collection[int], decision: str) -> Preview:
    """What deciding these pieces so would change in the edition's totals; nothing is written.

    Args:
        edition: the draft.
        pieces: keys of its pieces; keys of others are left out.
        decision: a flow that fits them, or empty.

    Raises:
        MineGISError: E-EDI-09, no such decision for one of them.
    """
    rows = list(edition.pieces.filter(pk__in=list(pieces)))
    _fits(rows, decision)
    before = edition_sums(edition)
    cells = _cells(rows)
    was, will = (kind_sums(statement(numbered(table))) for table in (cells, _settled(edition, rows, decision)))
    after = {
        kind: {name: value - was[kind][name] + will[kind][name] for name, value in sums.items()}
        for kind, sums in before.items()
    }
    return Preview(len(rows), sum(row.area_cm2 for row in rows), before, after)


def accept_all(*, edition: Edition, user: User) -> int:
    """Decide every undecided newly seen change as new; released ground stays pending until somebody proves it.

    Returns:
        Number of pieces decided.

    Raises:
        The same as ``decide_many``.
    """
    waiting = edition.pieces.filter(kind=PieceKind.NEW.value, decision=UNDECIDED)
    locks = dict(waiting.values_list("pk", "lock"))
    return decide_many(edition=edition, locks=locks, decision=Flow.NEW.value, user=user) if locks else 0


def _check(
    pieces: Sequence[ChangePiece], decision: str, user: User, reason: str, restoration: RestorationFacts | None
) -> None:
    _fits(pieces, decision)
    drew = PieceAuthor.objects.filter(piece__in=pieces, person=user).exists()
    if drew or any(piece.author_id == user.pk for piece in pieces):
        raise MineGISError("E-EDI-05")
    if decision in WITH_REASON and not reason.strip():
        raise MineGISError("E-EDI-07", value=decision)
    if decision == Flow.RESTORED and (
        restoration is None or restoration.mode not in Restoration.Mode.values or not restoration.evidence
    ):
        raise MineGISError("E-EDI-08")
    kind = restoration.restored_kind if restoration else ""
    if kind and kind not in Restoration.Kind.values:
        raise MineGISError("E-EDI-09", value=kind, known=", ".join(Restoration.Kind.values))


def _fits(pieces: Sequence[ChangePiece], decision: str) -> None:
    for piece in pieces:
        known = [flow.value for flow in DECISIONS[PieceKind(piece.kind)]]
        if decision and decision not in known:
            raise MineGISError("E-EDI-09", value=decision, known=", ".join(known))


def _record(pieces: Sequence[ChangePiece], facts: RestorationFacts) -> None:
    rows = Restoration.objects.bulk_create(
        Restoration(
            piece=piece,
            restored_kind=facts.restored_kind or RESTORED_KIND_DEFAULT[State.of(piece.prev_state)],
            mode=facts.mode,
            post_use=facts.post_use,
            accepted_on=facts.accepted_on,
        )
        for piece in pieces
    )
    through = Restoration.evidence.through
    through.objects.bulk_create(
        through(restoration_id=row.pk, evidence_id=proof.pk) for row in rows for proof in facts.evidence
    )


_COLUMNS = [
    "cell_id", "piece", "area_cm2", "prev_state", "obs_state", "new_state", "flow", "redamaged", "vegetated_years",
]  # fmt: skip


def _cells(pieces: Sequence[ChangePiece]) -> pd.DataFrame:
    """The cells of some pieces as the tables of the books have them (codes as text)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT cell_id, piece_id, area_cm2, prev_state, obs_state, new_state, flow, redamaged, vegetated_years "
            "FROM landdamage_changecell WHERE piece_id = ANY(%s) ORDER BY cell_id",
            [[piece.pk for piece in pieces]],
        )
        return pd.DataFrame(cursor.fetchall(), columns=_COLUMNS)


def _settled(edition: Edition, pieces: Sequence[ChangePiece], decision: str) -> pd.DataFrame:
    """The same cells after the decision, settled by the one ledger."""
    cells = _cells(pieces)
    chosen = {piece.pk: Flow(decision) for piece in pieces} if decision else {}
    after = int(edition.params.get("auto_restore_after", 0))
    return codes(settle(numbered(cells).assign(filtered=False), chosen, auto_restore_after=after))


def _write(cells: pd.DataFrame) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE landdamage_changecell c SET flow = v.flow, new_state = v.new_state, redamaged = v.redamaged "
            "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[]) "
            "AS v(cell_id, flow, new_state, redamaged) "
            "WHERE c.cell_id = v.cell_id",
            [cells[name].tolist() for name in ("cell_id", "flow", "new_state", "redamaged")],
        )
