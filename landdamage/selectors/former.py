"""Decisions that a new computation has not taken over, and what lies at their places now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from landdamage.models import ChangePiece, Edition
from minegis.access.models import User
from minegis.registry.models import SRID

# The change of the same kind at each place, and the mine whose ground it is.
_NOW_SQL = """
SELECT
  (SELECT p.piece_id FROM landdamage_changepiece p
   WHERE p.edition_id = %(edition)s AND p.kind = f.kind AND ST_Intersects(p.geom, f.place)
   ORDER BY p.area_cm2 DESC LIMIT 1),
  (SELECT m.code FROM landdamage_changecell c JOIN registry_mine m ON m.mine_id = c.mine_id
   WHERE c.edition_id = %(edition)s AND ST_Intersects(c.geom, f.place) LIMIT 1)
FROM (
  SELECT n, kind, ST_SetSRID(ST_MakePoint(lon, lat), %(srid)s) AS place
  FROM unnest(%(lons)s::float8[], %(lats)s::float8[], %(kinds)s::text[]) WITH ORDINALITY AS given (lon, lat, kind, n)
) f
ORDER BY f.n
"""


@dataclass(frozen=True, slots=True)
class FormerDecision:
    """A decision of an earlier computation or version that found no change to stand on.

    ``place`` is a point of its ground (degrees); ``piece`` the change of the same kind that lies there now, if any.
    """

    kind: str
    prev_kind: str
    obs_kind: str
    decision: str
    reason: str
    decided_by: User | None
    decided_at: datetime
    area_cm2: int
    place: tuple[float, float]
    mine_code: str
    piece: ChangePiece | None

    @property
    def state(self) -> str:
        """``waiting`` for a decision again, decided the ``same``, decided ``otherwise``, or ``gone``."""
        if self.piece is None:
            return "gone"
        if not self.piece.decision:
            return "waiting"
        return "same" if self.piece.decision == self.decision else "otherwise"


def former_decisions(edition: Edition) -> list[FormerDecision]:
    """The decisions that the edition's computations lost: what waits first, the largest first."""
    lost: Sequence[dict[str, Any]] = edition.results.get("former_decisions") or []
    if not lost:
        return []
    with connection.cursor() as cursor:
        places = {name: [one["place"][axis] for one in lost] for axis, name in enumerate(("lons", "lats"))}
        kinds = [one["kind"] for one in lost]
        cursor.execute(_NOW_SQL, {"edition": edition.pk, "srid": SRID, "kinds": kinds, **places})
        now = cursor.fetchall()
    pieces = ChangePiece.objects.prefetch_related("authors").in_bulk([key for key, _ in now if key is not None])
    people = User.objects.in_bulk({one["decided_by"] for one in lost})
    found = [
        FormerDecision(
            kind=one["kind"],
            prev_kind=one["prev_kind"],
            obs_kind=one["obs_kind"],
            decision=one["decision"],
            reason=one["reason"],
            decided_by=people.get(one["decided_by"]),
            decided_at=datetime.fromisoformat(one["decided_at"]),
            area_cm2=one["area_cm2"],
            place=(one["place"][0], one["place"][1]),
            mine_code=mine or "",
            piece=pieces.get(key) if key is not None else None,
        )
        for one, (key, mine) in zip(lost, now, strict=True)
    ]
    return sorted(found, key=lambda one: (one.state != "waiting", -one.area_cm2))
