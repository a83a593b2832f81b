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
from shapely.geometry.base import BaseGeometry

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
PLAN_FORMAT = 4  # of the plan and the unit files beside it
EXITS = "exits.gpkg"
OUTLINES = "outlines.npz"
NEAR_DEGREES = 1e-6  # a decimetre: what meets in Albers on the grid may miss in degrees by rounding
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
    found = gather(edition)
    territories = partition(
        [
            MineArea(str(mine.pk), mine.code, shape_of(mine.boundary), shape_of(mine.influence_zone))
            for mine in found.mines
        ],
        shape_of(edition.area.extra) if edition.area else None,
        [RegionArea(region.code, shape_of(region.geom)) for region in found.regions],
        [(str(one.mine_id), shape_of(one.geom)) for one in found.overrides],
    )
    if not territories:
        raise MineGISError("E-EDI-13")
    save_table(folder / OUTLINES, _outlines(found, territories))
    shares, exits = split_opening(found.opening, territories)
    if edition.is_opening:
        survey = survey_of(edition)
        shares = {one.key: _surveyed(edition, one, shares[one.key], survey) for one in territories}
    pits = geometries(found.opening.geometry[found.opening["state"].isin(PITS)])
    chosen = []
    for number, one in enumerate(territories):
        progress(number / len(territories))
        chosen.append(_write_unit(folder, number, one, shares[one.key], pits, edition, found))
    if edition.is_opening:  # polygons beyond the monitored area were never in any book
        exits = exits.iloc[:0]
    (folder / EXITS).unlink(missing_ok=True)
    if len(exits):
        exits.to_file(folder / EXITS, driver="GPKG")
    plan = {
        "format": PLAN_FORMAT,
        "gathered_at": gathered_at.isoformat(),
        "units": [
            {"mine": one.mine, "region": one.region, "scenes": scenes, "ground_m2": one.geometry.area}
            for one, scenes in zip(territories, chosen, strict=True)
        ],
        "params": found.rules.as_dict(),
        "mixed_sensor": list(found.mixed),
        "registration": found.registration,
        "inputs": _snapshot(edition, found),
        "mines": [_mine(mine) for mine in (*found.mines, *_left(found, exits))],
        "regions": [
            {
                "key": region.pk,
                "code": region.code,
                "name_zh": region.name_zh,
                "name_en": region.name_en or region.name_zh,
            }
            for region in found.regions
        ],
    }
    part = plan_path.with_suffix(".part")
    part.write_text(json.dumps(plan))
    part.replace(plan_path)
    return plan


def _surveyed(edition: Edition, one: Territory, booked: gpd.GeoDataFrame, survey: Survey) -> gpd.GeoDataFrame:
    """A territory's part of an opening book, with the ground that the survey found undamaged."""
    if survey.extent == "unknown":
        return booked
    return with_undamaged_rest(one, booked, survey.covered, survey.left_out, year=edition.year)


def _outlines(found: Gathered, territories: Sequence[Territory]) -> gpd.GeoDataFrame:
    """Territories, licence boundaries and regions as they are now, for the maps of the edition."""
    codes = {str(mine.pk): mine.code for mine in found.mines}
    rows = [("mine", codes[one.mine], units.reproject(one.geometry, ALBERS, SRID)) for one in territories if one.mine]
    rows += [("licence", mine.code, shape_of(mine.boundary)) for mine in found.mines if mine.boundary is not None]
    rows += [("region", region.code, shape_of(region.geom)) for region in found.regions]
    rows += [("override", one.mine.code, shape_of(one.geom)) for one in found.overrides]
    frame = pd.DataFrame(rows, columns=["what", "code", "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=SRID)


def _left(found: Gathered, exits: gpd.GeoDataFrame) -> list[Mine]:
    """Mines that have no ground any more, but whose ground left the monitored area this year."""
    gone = set(exits["mine"]) - {str(mine.pk) for mine in found.mines} - {""}
    return list(Mine.objects.filter(pk__in=gone).select_related("region").order_by("code"))


def read_exits(folder: Path) -> gpd.GeoDataFrame | None:
    """Ground of the book below that has left the monitored area; None when there is none."""
    path = folder / EXITS
    return gpd.read_file(path) if path.exists() else None


def _write_unit(
    folder: Path,
    number: int,
    territory: Territory,
    opening: gpd.GeoDataFrame,
    pits: np.ndarray,
    edition: Edition,
    found: Gathered,
) -> list[str]:
    """Write one input file; returns the scenes it names."""
    west, south, east, north = units.reproject(territory.geometry, ALBERS, SRID).bounds
    window = (west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN)
    seen = [shapely.clip_by_rect(view.seen, *window) for view in found.views]
    kept = [i for i, shape in enumerate(seen) if not shape.is_empty]
    place = {old: new for new, old in enumerate(kept)}
    patches = found.patches.iloc[np.sort(found.patches.sindex.query(shapely.box(*window)))]
    patches = patches[patches["scene"].isin(kept)].reset_index(drop=True)
    patches["scene"] = patches["scene"].map(place).astype(np.int64)
    water = to_albers(patches.geometry[patches["class_code"] == "water"])
    _, near = shapely.STRtree(pits).query(water, predicate="intersects")
    outlines = patches.geometry[patches["class_code"] == "water"].to_numpy()
    _, met = found.mapped.query(outlines, predicate="dwithin", distance=NEAR_DEGREES)
    regions = gpd.GeoDataFrame(
        {"code": [region.code for region in found.regions]},
        geometry=[shapely.clip_by_rect(shape_of(region.geom), *window) for region in found.regions],
        crs=SRID,
    )
    sunk = [one for one in found.subsidence if shape_of(one.geom).intersects(shapely.box(*window))]
    scenes = [found.views[i] for i in kept]
    unit = UnitInput(
        territory=territory,
        opening=opening.drop(columns=["mine", "region"]),
        scenes=[
            SceneView(s.scene_id, s.acquired_on, s.gsd_m, seen[i], s.satellite)
            for i, s in zip(kept, scenes, strict=True)
        ],
        patches=patches,
        subsidence=[shape_of(one.geom) for one in sunk],
        surveyors=[str(one.author_id or "") for one in sunk],
        book_pits=list(pits[np.unique(near)]),
        regions=regions[~regions.is_empty].reset_index(drop=True),
        rules=found.rules,
        year=edition.year,
        hydrography=[_near(found.mapped.geometries[i], outlines) for i in np.unique(met)],
        coarse_gsd_m=found.rules.coarsest if "gsd" in found.mixed else None,
    )
    save_input(input_path(folder, number), unit)
    return [scene.scene_id for scene in scenes]


def _near(water: BaseGeometry, outlines: np.ndarray) -> BaseGeometry:
    """The part of a mapped water round the water patches: a river may be longer than the unit is wide."""
    west, south, east, north = shapely.total_bounds(outlines)
    return shapely.clip_by_rect(water, west - MARGIN, south - MARGIN, east + MARGIN, north + MARGIN)


def _snapshot(edition: Edition, found: Gathered) -> dict[str, Any]:
    """Every input with its hash."""
    run_of = {run.scene_id: run for run in found.runs}
    scenes = [
        {
            "scene_id": str(scene.pk), "file_name": scene.file_name, "sha256": scene.sha256,
            "satellite": scene.satellite, "sensor": scene.sensor, "acquired_on": _day(scene.acquired_on),
            "gsd_m": scene.gsd_m, "georef_rmse_m": scene.georef_rmse_m, "cloud_share": _cloud(scene),
            "model": run_of[scene.pk].model_name,
            "weights_sha256": run_of[scene.pk].weights_sha256, "year": edition.year,
        }
        for scene in found.scenes
    ]  # fmt: skip
    below = edition.based_on
    earlier = [one for one in (below.inputs.get("scenes", []) if below else []) if below and one["year"] == below.year]
    return {
        "scenes": [*earlier, *scenes],
        "runs": [str(run.pk) for run in found.runs],
        "mines": {mine.code: _hash(mine.boundary, mine.influence_zone) for mine in found.mines},
        "regions": {region.code: _hash(region.geom) for region in found.regions},
        "subsidence": {str(one.pk): _hash(one.geom) for one in found.subsidence},
        "hydrography": {"features": len(found.hydrography), "sha256": _hash(*(one.geom for one in found.hydrography))},
        "overrides": [
            {"override_id": str(one.pk), "mine": one.mine.code, "sha256": _hash(one.geom), "reason": one.reason}
            for one in found.overrides
        ],
        "area": {"version": edition.area.version, "extra": _hash(edition.area.extra)} if edition.area else {},
        "opening": {"edition": str(below.pk), "content_sha256": below.content_sha256} if below else {},
        **({name: edition.inputs[name] for name in OPENING if name in edition.inputs} if edition.is_opening else {}),
        "controls": ControlPolygon.objects.filter(region__code__startswith=region_prefix(edition.region.code)).count(),
    }


def _mine(mine: Mine) -> dict[str, Any]:
    return {
        "mine_id": str(mine.pk), "code": mine.code, "name_zh": mine.name_zh, "name_en": mine.name_en or mine.name_zh,
        "licence_no": mine.licence_no or "", "mineral_kind": mine.mineral_kind, "mining_method": mine.mining_method,
        "status": mine.status, "region_code": mine.region.code,
    }  # fmt: skip


def _cloud(scene: Scene) -> float | None:
    mask = getattr(scene, "observation", None)
    return mask.cloud_share if mask is not None else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _hash(*geoms: Any) -> str:
    return hashlib.sha256(b"".join(b"-" if geom is None else bytes(geom.wkb) for geom in geoms)).hexdigest()
