"""The origin of water: a reviewer says whether a pond is mine water."""

from __future__ import annotations

from django.db import transaction

from landdamage.models import Patch
from landdamage.taxonomy import damage_kind
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError


@transaction.atomic
def water_decide(*, patch: Patch, origin: str, user: User, version: int) -> Patch:
    """Say what kind of water a patch is; a person's word stands above every proposal when the year is computed again.

    It stands for that water in every scene of the year, not for its outline: where a newer scene shows something else,
    that counts. Who says so is behind the change it makes: another reviewer decides it.

    Args:
        patch: of class water.
        origin: ``pit_water``, ``tailings_water`` or ``natural``.
        user: a reviewer of the scene's region.
        version: the version of the patch the user saw.

    Raises:
        ForbiddenError: the user may not decide here.
        ConflictError: somebody changed the patch meanwhile.
        MineGISError: E-EDI-09, no such origin or no water.
    """
    row = Patch.objects.select_for_update(of=("self",)).select_related("run__scene__region").get(pk=patch.pk)
    require(user, Action.DECIDE_FLOW, row.run.scene.region)
    if row.version != version:
        raise ConflictError
    known = [value for value in Patch.WaterOrigin.values if value != Patch.WaterOrigin.UNKNOWN]
    if origin not in known or row.class_code != "water":
        raise MineGISError("E-EDI-09", value=origin, known=", ".join(known))
    row.water_origin, row.water_decided_by = origin, user
    row.damage_kind = damage_kind(row.class_code, origin)  # type: ignore[arg-type]  # checked above
    row.version += 1
    row.save(update_fields=["water_origin", "water_decided_by", "damage_kind", "version"])
    return row
