"""The origin of water: a reviewer says whether a pond is mine water."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from landdamage.models import Patch
from landdamage.services.reviews import Verdict, patch_locked, review_record
from minegis.access.models import User
from minegis.errors import MineGISError


@transaction.atomic
def water_decide(*, patch: Patch, origin: str, user: User, version: int) -> Patch:
    """Say what kind of water a patch is; a person's word stands above every proposal when the year is computed again.

    It stands for that water in every scene of the year, not for its outline: where a newer scene shows something else,
    that counts. Who says so is behind the change it makes: another reviewer decides it.

    Args:
        patch: of class water.
        origin: ``pit_water``, ``tailings_water`` or ``natural``; empty takes the word back, and the proposal stands.
        user: a reviewer of the region who did not draw it.
        version: the version of the patch the user saw.

    Raises:
        ForbiddenError: the user may not decide here.
        ConflictError: somebody changed the patch meanwhile.
        MineGISError: E-EDI-05 the user drew it, E-EDI-09 no such origin or no water.
    """
    row, found = patch_locked(patch=patch, user=user, version=version)
    known = [value for value in Patch.WaterOrigin.values if value != Patch.WaterOrigin.UNKNOWN]
    if origin not in ("", *known) or row.class_code != "water":
        raise MineGISError("E-EDI-09", value=origin, known=", ".join(known))
    if not origin:
        return review_record(row, found, user, Verdict.UNDONE, "")
    verdict = Verdict.CONFIRMED if origin == found.water_origin else Verdict.CHANGED
    drawn = replace(found, class_code="water", source=row.source, author_id=row.author_id)
    return review_record(row, replace(drawn, water_origin=origin, water_decided_by_id=user.pk), user, verdict)
