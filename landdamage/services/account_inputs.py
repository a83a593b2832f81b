"""What the account of a year stands on, written down: the units' files, the plan, and every input with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from django.utils import timezone

from landdamage.accounting.observation import SceneView
from landdamage.accounting.planar import ALBERS, geometries, to_albers
from landdamage.accounting.states import State
from landdamage.accounting.surveyed import with_undamaged_rest
from landdamage.accounting.territories import MineArea, RegionArea, Territory, partition, split_opening
from landdamage.accounting.worker import input_path
from landdamage.accounting.workfiles import UnitInput, save_input, save_table
from landdamage.models import ControlPolygon, Edition, Scene
from landdamage.services.account_rows import Gathered, Survey, gather, shape_of, survey_of
from minegis import units
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Mine

PLAN = "plan.json"
PLAN_FORMAT = 3  # of the plan and the unit files beside it
EXITS = "exits.gpkg"
OUTLINES = "outlines.npz"
MARGIN = 0.001  # degrees round a territory when its inputs are chosen, about 100 m
OPENING = ("polygons_sha256", "coverage", "coverage_sha256")  # what an opening book was imported from
PITS = (State.OPEN_PIT, State.PIT_WATER)


def prepare(edition: Edition, folder: Path, progress: Callable[[float], None] = lambda share: None) -> dict[str, Any]:
    """Write the input of every unit, the exits and the plan; a plan that is there already is taken as it is.

    Files that another version of the program left behind are not taken up: an attempt may outlive an upgrade.

    Args:
        edition: the draft.
        folder: of the job.
        progress: called with the share done, 0-1; what it raises ends the work.

    Returns:
        The plan: ``gathered_at``, ``units`` (mine, region, scenes and plane area of each), and what ``Edition`` keeps:
        params, inputs, mines, regions.

    Raises:
        MineGISError: E-EDI-13, there is no monitored ground.
    """
    plan_path = folder / PLAN
    if plan_path.exists():
        plan: dict[str, Any] = json.loads(plan_path.read_text())
        if plan.get("format") == PLAN_FORMAT:
            return plan
        for stale in (*folder.glob("unit-*"), plan_path):
            stale.unlink(missing_ok=True)
    gathered_at = timezone.now()  # reviews given later are not in this account
