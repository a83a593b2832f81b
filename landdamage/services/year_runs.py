"""Interpreting a year: a run for each of its scenes that has no result."""

from __future__ import annotations

from django.db import transaction

from landdamage.models import InterpretationRun, Scene
from landdamage.services.runs import run_start
from minegis.access.models import User
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import Region

State = InterpretationRun.State


@transaction.atomic
def year_interpret(
    *, code: str, year: int, user: User | None = None, model_name: str = "", again: bool = False
) -> list[InterpretationRun]:
    """Queue a run for every usable scene of a year in a region, the newest scene first.

    Args:
        code: of the region; scenes of the regions below it count too.
        year: in which they were taken.
        user: who asks; None is the platform itself.
        model_name: of a promoted model; empty lets resolution and bands decide.
        again: also scenes that have a result. Those with a run under way are left alone in any case.

    Returns:
        The new runs.

    Raises:
        MineGISError: E-REG-02 no region has this code.
        ForbiddenError: the user may not start runs there.
        ModelError: E-MOD-01 no model of that name is promoted.
    """
    if not Region.objects.filter(code=code).exists():
        raise MineGISError("E-REG-02", value=code)
    scenes = Scene.objects.filter(
        state__in=Scene.USABLE, acquired_on__year=year, region__code__startswith=region_prefix(code)
    ).exclude(runs__state__in=(State.QUEUED, State.RUNNING))
    if not again:
        scenes = scenes.exclude(runs__is_current=True)
    return [run_start(scene=scene, user=user, model_name=model_name) for scene in scenes.select_related("region")]
