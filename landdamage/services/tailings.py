"""Tailings ponds that a network found: a reviewer says whether each is one."""

from __future__ import annotations

from django.db import transaction

from landdamage.models import Patch
from landdamage.services.reviews import Meaning, Verdict, patch_locked, review_record
from landdamage.taxonomy import WaterOrigin
from minegis.access.models import User
from minegis.errors import MineGISError

POND = "tailings_pond"
# What a pond taken for a tailings pond may be instead: a class, or a water by its origin.
INSTEAD: dict[str, tuple[str, WaterOrigin | None]] = {
    "pit_water": ("water", "pit_water"),
    "natural": ("water", "natural"),
    **{
        code: (code, None)
        for code in ("open_pit", "stockpile", "industrial_square", "living_area", "vegetation", "background")
    },
}


@transaction.atomic
def tailings_review(*, patch: Patch, shows: str, user: User, version: int, reason: str = "") -> Patch:
    """Say whether a tailings pond found by a network is one; whatever its confidence, no year is frozen before.

    A confirmed pond stays the network's. What is something else becomes the reviewer's word: the next account of the
    year counts it so, and another reviewer decides the change it makes.

    Args:
        patch: found as a tailings pond, or as the water of one.
        shows: ``tailings_pond`` confirms; a key of ``INSTEAD`` says what it is; empty takes the word back.
        user: a reviewer of the region who did not draw it.
        version: the version of the patch the user saw.
        reason: needed unless the pond is confirmed.

    Raises:
        ForbiddenError: the user may not decide here.
        ConflictError: somebody changed the patch meanwhile.
        MineGISError: E-EDI-05 the user drew it, E-EDI-07 no reason, E-EDI-09 no such answer, or no network took it for
            a tailings pond.
    """
    row, found = patch_locked(patch=patch, user=user, version=version)
    pond = found.class_code == POND or found.water_origin == Patch.WaterOrigin.TAILINGS_WATER
    if not pond or found.source != Patch.Source.MODEL or shows not in ("", POND, *INSTEAD):
        raise MineGISError("E-EDI-09", value=shows, known=", ".join((POND, *INSTEAD)))
    if shows not in INSTEAD:
        return review_record(row, found, user, Verdict.CONFIRMED if shows else Verdict.UNDONE, reason)
    if not reason.strip():
        raise MineGISError("E-EDI-07", value=shows)
    code, origin = INSTEAD[shows]
    verdict = Verdict.REJECTED if code == "background" else Verdict.CHANGED
    return review_record(row, Meaning(code, origin or "", Patch.Source.EDITED, user.pk), user, verdict, reason)
