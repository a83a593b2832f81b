"""The rows that the account of a year stands on, as the bodies want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.db import connection
from django.db.models import Q
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.bias import mixed_sensor
from landdamage.accounting.observation import SceneView, with_decided_waters
from landdamage.accounting.overlay import frame_to_albers
from landdamage.accounting.planar import ALBERS, geometries, to_albers
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import State
from landdamage.accounting.workfiles import NO_YEAR, load_table
from landdamage.imagery.georeference import registration_finding
from landdamage.models import Edition, Hydrography, InterpretationRun, Scene, Subsidence, TerritoryOverride
from landdamage.selectors.editions import edition_cells
from landdamage.services.files import files
from minegis import units
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.registry.models import SRID, Mine, Region


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
    hydrography: list[Hydrography]
    overrides: list[TerritoryOverride]
    opening: gpd.GeoDataFrame
    rules: Rules
    registration: dict[str, Any]
    mixed: Sequence[str]

    @cached_property
    def mapped(self) -> shapely.STRtree:
        """The waters of the map, EPSG:4490."""
        return shapely.STRtree([shape_of(one.geom) for one in self.hydrography])


def gather(edition: Edition) -> Gathered:
    """Mines, regions, scenes, patches, subsidence, waters, decisions about ground and the book below, as they are now.

    Raises:
        MineGISError: E-GEO-06, the two years' scenes lie too far from the reference to be compared.
    """
    prefix, year = region_prefix(edition.region.code), edition.year
    overrides = list(
        TerritoryOverride.objects.filter(mine__region__code__startswith=prefix, withdrawn_at__isnull=True)
        .select_related("mine")
        .order_by("-created_at", "override_id")  # of two for the same ground the newer one holds
    )
    given_ground = {override.mine_id for override in overrides}
    mines = list(
        Mine.objects.filter(Q(influence_zone__isnull=False) | Q(pk__in=given_ground), region__code__startswith=prefix)
        .select_related("region")
        .order_by("code")
    )
    last_day = date(year, 12, 31)
    valid = Q(valid_from__isnull=True) | Q(valid_from__lte=last_day)
    valid &= Q(valid_to__isnull=True) | Q(valid_to__gt=last_day)
    inside = list(Region.objects.filter(valid, code__startswith=prefix))
    parents = {region.parent_id for region in inside}
    zones = [shape_of(mine.influence_zone) for mine in mines if mine.influence_zone is not None]
    if edition.area is not None and edition.area.extra is not None:
        zones.append(shape_of(edition.area.extra))
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
        SceneView(str(s.pk), s.acquired_on, s.gsd_m or 0.0, shapely.make_valid(shape_of(_seen(s))), s.satellite)  # type: ignore[arg-type]
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
        if below and one["year"] == below.year and one["acquired_on"] and one["gsd_m"]
    ]
    gsd_before = below.params.get("gsd_now") if below else None
    gsd_now = max((view.gsd_m for view in views), default=gsd_before or 0.0)
    given = edition.params.get("given", {})
    registration = _registration(before, scenes, given)
    rules = Rules(gsd_before=gsd_before, gsd_now=gsd_now, **{**given, "rmse_m": registration["rmse_m"]})
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
        hydrography=list(
            Hydrography.objects.filter(
                valid, Q(region__code__startswith=prefix) | Q(region__in=_above(edition.region)),
                geom__bboverlaps=_geos(ground),
            ).order_by("hydrography_id")
        ) if zones and not edition.is_opening else [],
        overrides=overrides,
        opening=_imported(edition) if edition.is_opening else _opening(below),
        rules=rules,
        registration=registration,
        mixed=mixed_sensor(before, views) if before else [],
    )  # fmt: skip


def _above(region: Region) -> list[int]:
    """Keys of the regions above a region, whose deliveries serve it too."""
    keys = []
    above = region.parent
    while above is not None:
        keys.append(above.pk)
        above = above.parent
    return keys


def _registration(before: Sequence[SceneView], now: Sequence[Scene], given: Mapping[str, Any]) -> dict[str, Any]:
    """How far the two years' images lie from the reference: the worst of both years counts.

    Returns:
        ``rmse_m`` in metres; ``assumed``: whether one pixel was assumed for some scene because nobody measured it;
        ``measured`` and ``unknown``: file names of the scenes.

    Raises:
        MineGISError: E-GEO-06, a scene lies more than 3 pixels off, or so does the error given for the account.
    """
    earlier = Scene.objects.filter(pk__in=[view.scene_id for view in before]).order_by("acquired_on", "scene_id")
    worst = 0.0
    measured: list[str] = []
    unknown: list[str] = []
    for scene in (*earlier, *now):
        fault = registration_finding(scene.georef_rmse_m, scene.gsd_m)
        if fault is not None and fault.severity == "error":
            raise MineGISError(fault.code, value=f"{fault.values['value']} ({scene.file_name})")
        known = scene.georef_rmse_m is not None
        (measured if known else unknown).append(scene.file_name)
        worst = max(worst, scene.georef_rmse_m if known else scene.gsd_m or 0.0)  # type: ignore[type-var, arg-type]
    if "rmse_m" in given:
        coarsest = max((scene.gsd_m or 0.0 for scene in (*earlier, *now)), default=0.0)
        fault = registration_finding(given["rmse_m"], coarsest)
        if fault is not None and fault.severity == "error":
            raise MineGISError(fault.code, **fault.values)
        return {"rmse_m": given["rmse_m"], "assumed": False, "given": True, "measured": measured, "unknown": unknown}
    return {"rmse_m": worst, "assumed": bool(unknown), "given": False, "measured": measured, "unknown": unknown}


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
    frame = frame_to_albers(load_table(files().fetch(edition.inputs["polygons_sha256"])))
    return frame.assign(
        area_cm2=units.areas_cm2(frame.geometry.to_numpy(), ALBERS),
        observed_year=edition.year,
        vegetated_years=0,
        mine="",
        region="",
    )


@dataclass(frozen=True)
class Survey:
    """What the survey behind an opening book covered; see ``services.editions.opening_import``. Outlines in Albers."""

    extent: str
    covered: BaseGeometry | None
    left_out: BaseGeometry | None


def survey_of(edition: Edition) -> Survey:
    """What the importer of an opening book said; books from before the question was asked count as unknown."""
    told: dict[str, BaseGeometry] = {}
    if key := edition.inputs.get("coverage_sha256"):
        table = load_table(files().fetch(key))
        shapes = shapely.make_valid(to_albers(table.geometry))
        told = dict(zip(table["what"], shapes, strict=True))
    return Survey(edition.inputs.get("coverage", "unknown"), told.get("covered"), told.get("left_out"))


def _patches(runs: Sequence[InterpretationRun], scenes: Sequence[Scene], ground: BaseGeometry) -> gpd.GeoDataFrame:
    position = {scene.pk: number for number, scene in enumerate(scenes)}
    of_run = {run.pk: position[run.scene_id] for run in runs}
    west, south, east, north = ground.bounds if runs else (0, 0, 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT patch_id, run_id, class_code, water_origin, confidence, source, coalesce(author_id::text, ''), "
            "coalesce(water_decided_by_id::text, ''), ST_AsBinary(geom) "
            "FROM landdamage_patch WHERE run_id = ANY(%s) AND geom && ST_MakeEnvelope(%s, %s, %s, %s, 4490) "
            "ORDER BY patch_id",
            [list(of_run), west, south, east, north],
        )
        rows = cursor.fetchall()
    columns = ["patch_id", "run", "class_code", "water_origin", "confidence", "source", "author", "water_by", "wkb"]
    frame = pd.DataFrame(rows, columns=columns)
    shapes = geometries(shapely.from_wkb(bytes(wkb)) for wkb in frame.pop("wkb"))
    frame["scene"] = np.array([of_run[run] for run in frame.pop("run")], np.int64)
    frame = frame.astype({"patch_id": "int64", "confidence": "float64"})
    return with_decided_waters(gpd.GeoDataFrame(frame, geometry=shapes, crs=SRID))


def _seen(scene: Scene) -> Any:
    mask = getattr(scene, "observation", None)
    return mask.geom if mask is not None else scene.footprint


def shape_of(geom: Any) -> Any:
    """A geometry of the database for the bodies; None stays None."""
    return None if geom is None else shapely.from_wkb(bytes(geom.wkb))


def _geos(shape: BaseGeometry) -> Any:
    return GEOSGeometry(memoryview(shape.wkb), srid=SRID)
