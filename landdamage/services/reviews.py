"""A person's word about what a patch shows: the patch carries the outcome, its review who said it, when and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.db.models import F
from django.utils import timezone

from landdamage.models import Patch, PatchReview
from landdamage.taxonomy import damage_kind
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError

Verdict = PatchReview.Verdict


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a patch shows and whose word that is: nobody's where a model found it."""

    class_code: str
    water_origin: str
    source: str
    author_id: int | None
    water_decided_by_id: int | None = None


def patch_locked(*, patch: Patch, user: User, version: int) -> tuple[Patch, Meaning]:
    """The row for this user to say something about, and what had been found there before anybody did.

    Inside the caller's transaction.

    Raises:
        ForbiddenError: the user may not decide where it lies.
        ConflictError: somebody changed the patch meanwhile.
        MineGISError: E-EDI-05, the user drew it.
    """
    row = Patch.objects.select_for_update(of=("self",)).select_related("run__scene__region", "region").get(pk=patch.pk)
    require(user, Action.DECIDE_FLOW, row.region or row.run.scene.region)
    if row.version != version:
        raise ConflictError
    review = PatchReview.objects.filter(patch=row).first()
    found = (
        Meaning(review.found_class, review.found_origin, review.found_source, review.found_author_id)
        if review
        else replace(_meaning(row), water_decided_by_id=None)
    )
    if found.author_id == user.pk:
        raise MineGISError("E-EDI-05")
    return row, found


def review_record(row: Patch, means: Meaning, user: User, verdict: Verdict, reason: str | None = None) -> Patch:
    """Let a locked patch mean this from now on, and keep who said so; inside the caller's transaction.

    Without ``reason`` an earlier one stays.
    """
    before, now = _meaning(row), timezone.now()
    said: dict[str, Any] = {"verdict": verdict, "reviewer": user, "reviewed_at": now}
    if reason is not None:
        said["reason"] = reason.strip()
    if before != means:
        said["changed_at"] = now
    PatchReview.objects.update_or_create(
        patch=row,
        defaults=said,
        create_defaults=said
        | {
            "found_class": before.class_code,
            "found_origin": before.water_origin,
            "found_source": before.source,
            "found_author_id": before.author_id,
        },
    )
    for name in Meaning.__slots__:
        setattr(row, name, getattr(means, name))
    row.damage_kind = damage_kind(row.class_code, row.water_origin or None)  # type: ignore[arg-type]  # of the enumeration
    row.version = F("version") + 1
    row.save(
        update_fields=[
            "class_code", "water_origin", "source", "author", "water_decided_by", "damage_kind", "version",
        ]
    )  # fmt: skip
    row.refresh_from_db()
    return row


def _meaning(row: Patch) -> Meaning:
    return Meaning(**{name: getattr(row, name) for name in Meaning.__slots__})
