"""How well a scene lies where it should: reviewers measure it against a reference, and every word is kept."""

from __future__ import annotations

import math

from django.db import transaction

from landdamage.imagery.georeference import registration_finding
from landdamage.imagery.metadata import LARGEST_RMSE_M
from landdamage.models import RegistrationCheck, Scene
from minegis.access.models import User
from minegis.access.permissions import Action, require
from minegis.errors import ConflictError, MineGISError
from minegis.jobs.services import job_submit

CODE = "E-GEO-06"


@transaction.atomic
def registration_set(*, scene: Scene, rmse_m: float | None, method: str, user: User, seen: float | None) -> Scene:
    """Say how far a scene lies from the reference; above 2 pixels it becomes restricted, above 3 rejected.

    A scene that was rejected for nothing else is usable again; one that was never prepared is checked once more.

    Args:
        scene: whose checks have ended.
        rmse_m: root mean square error of check points, metres; None where nobody knows it (any more).
        method: how it was measured, against what.
        user: a reviewer of the scene's region.
        seen: the error that the user saw.

    Raises:
        ForbiddenError: the user may not say so here.
        ConflictError: somebody else did meanwhile, or the scene is being checked.
        MineGISError: E-GEO-09 no length of 0 to 1000 m, E-EDI-21 no method.
    """
    require(user, Action.EDIT_REGISTRATION, scene.region)
    if rmse_m is not None and not (math.isfinite(rmse_m) and 0 <= rmse_m <= LARGEST_RMSE_M):
        raise MineGISError("E-GEO-09", value=rmse_m, limit=f"{LARGEST_RMSE_M:.0f}")
    if not method.strip():
        raise MineGISError("E-EDI-21")
    row = Scene.objects.select_for_update(of=("self",)).select_related("region", "uploader").get(pk=scene.pk)
    if row.state == Scene.State.CHECKING or row.georef_rmse_m != seen:
        raise ConflictError
    RegistrationCheck.objects.create(scene=row, rmse_m=rmse_m, method=method.strip()[:200], checked_by=user)
    found = registration_finding(rmse_m, row.gsd_m)
    row.georef_rmse_m = rmse_m
    row.findings = [one for one in row.findings if one["code"] != CODE] + ([found.as_dict()] if found else [])
    severities = {one["severity"] for one in row.findings}
    if "error" in severities:
        row.state = Scene.State.REJECTED
    elif not row.cog_sha256:
        row.state = Scene.State.CHECKING
        row.ingest_job = job_submit(
            kind="ingest", params={"scene_id": str(row.pk)}, created_by=user, region=row.region, title=row.file_name
        )
    else:
        row.state = Scene.State.RESTRICTED if "warn" in severities else Scene.State.READY
    row.save(update_fields=["georef_rmse_m", "findings", "state", "ingest_job"])
    return row


def stated_rmse(scene: Scene) -> float | None:
    """What a person measured last; None where only the file speaks, or where they took their word back."""
    check = scene.registration_checks.filter(checked_by__isnull=False).first()
    return check.rmse_m if check else None


def registration_from_file(*, scene: Scene, rmse_m: float) -> None:
    """Keep what a file states of itself, unless a person has measured it; inside the caller's transaction."""
    if not scene.registration_checks.filter(rmse_m=rmse_m, checked_by__isnull=True).exists():
        RegistrationCheck.objects.create(scene=scene, rmse_m=rmse_m, method="metadata of the file")
