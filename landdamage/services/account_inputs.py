"""What the account of a year stands on: read from the register and the imagery, written down as the units' files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from django.db import connection
from django.db.models import Q
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.bias import mixed_sensor
from landdamage.accounting.observation import SceneView
from landdamage.accounting.overlay import frame_to_albers
from landdamage.accounting.planar import ALBERS, geometries, to_albers
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import State
from landdamage.accounting.territories import MineArea, RegionArea, Territory, partition, split_opening
from landdamage.accounting.worker import input_path
from landdamage.accounting.workfiles import NO_YEAR, UnitInput, load_table, save_input, save_table
from landdamage.models import ControlPolygon, Edition, InterpretationRun, Scene, Subsidence
from landdamage.selectors.editions import edition_cells
from landdamage.services.files import files
from minegis import units
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Mine, Region

PLAN = "plan.json"
EXITS = "exits.gpkg"
OUTLINES = "outlines.npz"
MARGIN = 0.001  # degrees round a territory when its inputs are chosen, about 100 m
PITS = (State.OPEN_PIT, State.PIT_WATER)


@dataclass(frozen=True)
class Gathered:
    """Rows of the database as the bodies want them."""

    mines: list[Mine]
    regions: list[Region]
    scenes: list[Scene]
    views: list[SceneView]
    runs: list[InterpretationRun]
    patches: gpd.GeoDataFrame
    subsidence: list[Subsidence]
    opening: gpd.GeoDataFrame
    rules: Rules
    mixed: Sequence[str]


def prepare(edition: Edition, folder: Path) -> dict[str, Any]:
    """Write the input of every unit, the exits and the plan; a plan that is there already is taken as it is.

    Returns:
        The plan: ``units`` (mine, region, scenes of each), and what ``Edition`` keeps: params, inputs, mines, regions.

    Raises:
        MineGISError: E-EDI-13, there is no monitored ground.
    """
    plan_path = folder / PLAN
    if plan_path.exists():
        plan: dict[str, Any] = json.loads(plan_path.read_text())
        return plan
    found = _gather(edition)
    territories = partition(
        [MineArea(str(mine.pk), mine.code, _shape(mine.boundary), _shape(mine.influence_zone)) for mine in found.mines],
        _shape(edition.area.extra) if edition.area else None,
        [RegionArea(region.code, _shape(region.geom)) for region in found.regions],
    )
    if not territories:
        raise MineGISError("E-EDI-13")
    save_table(folder / OUTLINES, _outlines(found, territories))
    shares, exits = split_opening(found.opening, territories)
    pits = geometries(found.opening.geometry[found.opening["state"].isin(PITS)])
    chosen = [
        _write_unit(folder, number, one, shares[one.key], pits, edition, found)
        for number, one in enumerate(territories)
    ]
    if edition.is_opening:  # polygons beyond the monitored area were never in any book
        exits = exits.iloc[:0]
    (folder / EXITS).unlink(missing_ok=True)
    if len(exits):
        exits.to_file(folder / EXITS, driver="GPKG")
    plan = {
        "units": [
            {"mine": one.mine, "region": one.region, "scenes": scenes}
            for one, scenes in zip(territories, chosen, strict=True)
        ],
        "params": found.rules.as_dict(),
        "mixed_sensor": list(found.mixed),
        "inputs": _snapshot(edition, found),
        "mines": [_mine(mine) for mine in found.mines],
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


def _outlines(found: Gathered, territories: Sequence[Territory]) -> gpd.GeoDataFrame:
    """Territories, licence boundaries and regions as they are now, for the maps of the edition."""
    codes = {str(mine.pk): mine.code for mine in found.mines}
    rows = [("mine", codes[one.mine], units.reproject(one.geometry, ALBERS, SRID)) for one in territories if one.mine]
    rows += [("licence", mine.code, _shape(mine.boundary)) for mine in found.mines if mine.boundary is not None]
    rows += [("region", region.code, _shape(region.geom)) for region in found.regions]
    frame = pd.DataFrame(rows, columns=["what", "code", "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=SRID)


def read_exits(folder: Path) -> gpd.GeoDataFrame | None:
    """Ground of the book below that has left the monitored area; None when there is none."""
    path = folder / EXITS
    return gpd.read_file(path) if path.exists() else None


def _gather(edition: Edition) -> Gathered:
    prefix, year = region_prefix(edition.region.code), edition.year
    mines = list(
        Mine.objects.filter(region__code__startswith=prefix, influence_zone__isnull=False).select_related("region")
    )
    last_day = date(year, 12, 31)
    valid = Q(valid_from__isnull=True) | Q(valid_from__lte=last_day)
    valid &= Q(valid_to__isnull=True) | Q(valid_to__gt=last_day)
    inside = list(Region.objects.filter(valid, code__startswith=prefix))
    parents = {region.parent_id for region in inside}
    zones = [_shape(mine.influence_zone) for mine in mines]
    if edition.area is not None and edition.area.extra is not None:
        zones.append(_shape(edition.area.extra))
    ground = shapely.box(*shapely.total_bounds(geometries(zones))) if zones else shapely.Polygon()
    scenes = list(
        Scene.objects.filter(
            state__in=Scene.USABLE, acquired_on__year=year, runs__is_current=True,
            footprint__bboverlaps=_geos(ground),
        )
        .select_related("observation")
        .order_by("acquired_on", "scene_id")
    ) if zones and not edition.is_opening else []  # fmt: skip
    runs = list(InterpretationRun.objects.filter(scene__in=scenes, is_current=True))
    views = [
        SceneView(str(s.pk), s.acquired_on, s.gsd_m or 0.0, _shape(_seen(s)), s.satellite)  # type: ignore[arg-type]
        for s in scenes
    ]
    below = edition.based_on
    before = [
        SceneView(
            one["scene_id"],
            date.fromisoformat(one["acquired_on"]),
            one["gsd_m"] or 0.0,
            shapely.Polygon(),
            one["satellite"],
        )
        for one in (below.inputs.get("scenes", []) if below else [])
        if one["acquired_on"] and one["gsd_m"]
    ]
    gsd_before = below.params.get("gsd_now") if below else None
    gsd_now = max((view.gsd_m for view in views), default=gsd_before or 0.0)
    given = edition.params.get("given", {})
    rules = Rules(gsd_before=gsd_before, gsd_now=gsd_now, **{"rmse_m": gsd_now, **given})  # one pixel unless measured
    return Gathered(
        mines=mines,
        regions=[region for region in inside if region.pk not in parents],
        scenes=scenes,
        views=views,
        runs=runs,
        patches=_patches(runs, scenes, ground),
        subsidence=list(
            Subsidence.objects.filter(
                Q(ended_on__isnull=True) | Q(ended_on__year__gt=year),
                state=Subsidence.State.ACCEPTED, surveyed_on__year__lte=year, geom__bboverlaps=_geos(ground),
            ).order_by("subsidence_id")
        ) if zones else [],
        opening=_imported(edition) if edition.is_opening else _opening(below),
        rules=rules,
        mixed=mixed_sensor(before, views) if before else [],
    )  # fmt: skip


def _opening(below: Edition | None) -> gpd.GeoDataFrame:
    """The book below: closing states with their areas; what had left the monitored area is not in it."""
    if below is None:
        columns: dict[str, list[int]] = {
            "state": [],
            "area_cm2": [],
            "observed_year": [],
            "vegetated_years": [],
            "mine": [],
            "region": [],
        }
        return gpd.GeoDataFrame(pd.DataFrame(columns, dtype="int64"), geometry=[], crs=ALBERS)
    cells = edition_cells(below)
    frame = gpd.GeoDataFrame(
        {
            "state": np.array([int(State.of(code)) for code in cells["new_state"]], np.int16),
            "area_cm2": cells["area_cm2"].to_numpy(np.int64),
            "observed_year": cells["observed_year"].fillna(NO_YEAR).astype(np.int64),
            "vegetated_years": cells["vegetated_years"].astype(np.int64),
            "mine": cells["mine_id"].fillna(""),
            "region": cells["region_code"].fillna(""),
        },
        geometry=cells.geometry.to_numpy(),
        crs=SRID,
    )
    return frame_to_albers(frame[frame["state"] != State.OUTSIDE])


def _imported(edition: Edition) -> gpd.GeoDataFrame:
    """The polygons of an opening book as the book that its year carries along."""
    frame = frame_to_albers(load_table(files().path(edition.inputs["polygons_sha256"])))
    return frame.assign(
        area_cm2=units.areas_cm2(frame.geometry.to_numpy(), ALBERS),
        observed_year=edition.year,
        vegetated_years=0,
        mine="",
        region="",
    )


def _patches(runs: Sequence[InterpretationRun], scenes: Sequence[Scene], ground: BaseGeometry) -> gpd.GeoDataFrame:
    position = {scene.pk: number for number, scene in enumerate(scenes)}
    of_run = {run.pk: position[run.scene_id] for run in runs}
    west, south, east, north = ground.bounds if runs else (0, 0, 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT patch_id, run_id, class_code, water_origin, confidence, source, coalesce(author_id::text, ''), "
            "ST_AsBinary(geom) "
            "FROM landdamage_patch WHERE run_id = ANY(%s) AND geom && ST_MakeEnvelope(%s, %s, %s, %s, 4490) "
            "ORDER BY patch_id",
            [list(of_run), west, south, east, north],
        )
        rows = cursor.fetchall()
    columns = ["patch_id", "run", "class_code", "water_origin", "confidence", "source", "author", "wkb"]
    frame = pd.DataFrame(rows, columns=columns)
    shapes = geometries(shapely.from_wkb(bytes(wkb)) for wkb in frame.pop("wkb"))
    frame["scene"] = np.array([of_run[run] for run in frame.pop("run")], np.int64)
    frame = frame.astype({"patch_id": "int64", "confidence": "float64"})
    return gpd.GeoDataFrame(frame, geometry=shapes, crs=SRID)


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
    seen = [shapely.clip_by_rect(shapely.make_valid(view.seen), *window) for view in found.views]
    kept = [i for i, shape in enumerate(seen) if not shape.is_empty]
    place = {old: new for new, old in enumerate(kept)}
    patches = found.patches.iloc[np.sort(found.patches.sindex.query(shapely.box(*window)))]
    patches = patches[patches["scene"].isin(kept)].reset_index(drop=True)
    patches["scene"] = patches["scene"].map(place).astype(np.int64)
    water = to_albers(patches.geometry[patches["class_code"] == "water"])
    _, near = shapely.STRtree(pits).query(water, predicate="intersects")
    regions = gpd.GeoDataFrame(
        {"code": [region.code for region in found.regions]},
        geometry=[shapely.clip_by_rect(_shape(region.geom), *window) for region in found.regions],
        crs=SRID,
    )
    sunk = [one for one in found.subsidence if _shape(one.geom).intersects(shapely.box(*window))]
    scenes = [found.views[i] for i in kept]
    unit = UnitInput(
        territory=territory,
        opening=opening.drop(columns=["mine", "region"]),
        scenes=[
            SceneView(s.scene_id, s.acquired_on, s.gsd_m, seen[i], s.satellite)
            for i, s in zip(kept, scenes, strict=True)
        ],
        patches=patches,
        subsidence=[_shape(one.geom) for one in sunk],
        surveyors=[str(one.author_id or "") for one in sunk],
        book_pits=list(pits[np.unique(near)]),
        regions=regions[~regions.is_empty].reset_index(drop=True),
        rules=found.rules,
        year=edition.year,
        coarse_gsd_m=found.rules.coarsest if "gsd" in found.mixed else None,
    )
    save_input(input_path(folder, number), unit)
    return [scene.scene_id for scene in scenes]


def _snapshot(edition: Edition, found: Gathered) -> dict[str, Any]:
    """Every input with its hash."""
    run_of = {run.scene_id: run for run in found.runs}
    scenes = [
        {
            "scene_id": str(scene.pk), "file_name": scene.file_name, "sha256": scene.sha256,
            "satellite": scene.satellite, "sensor": scene.sensor, "acquired_on": _day(scene.acquired_on),
            "gsd_m": scene.gsd_m, "cloud_share": _cloud(scene), "model": run_of[scene.pk].model_name,
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
        "area": {"version": edition.area.version, "extra": _hash(edition.area.extra)} if edition.area else {},
        "opening": {"edition": str(below.pk), "content_sha256": below.content_sha256} if below else {},
        **({"polygons_sha256": edition.inputs["polygons_sha256"]} if edition.is_opening else {}),
        "controls": ControlPolygon.objects.filter(region__code__startswith=region_prefix(edition.region.code)).count(),
    }


def _mine(mine: Mine) -> dict[str, Any]:
    return {
        "mine_id": str(mine.pk), "code": mine.code, "name_zh": mine.name_zh, "name_en": mine.name_en or mine.name_zh,
        "licence_no": mine.licence_no or "", "mineral_kind": mine.mineral_kind, "mining_method": mine.mining_method,
        "status": mine.status, "region_code": mine.region.code,
    }  # fmt: skip


def _seen(scene: Scene) -> Any:
    mask = getattr(scene, "observation", None)
    return mask.geom if mask is not None else scene.footprint


def _cloud(scene: Scene) -> float | None:
    mask = getattr(scene, "observation", None)
    return mask.cloud_share if mask is not None else None


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _hash(*geoms: Any) -> str:
    return hashlib.sha256(b"".join(b"-" if geom is None else bytes(geom.wkb) for geom in geoms)).hexdigest()


def _shape(geom: Any) -> Any:
    return None if geom is None else shapely.from_wkb(bytes(geom.wkb))


def _geos(shape: BaseGeometry) -> Any:
    from django.contrib.gis.geos import GEOSGeometry

    return GEOSGeometry(memoryview(shape.wkb), srid=SRID)
