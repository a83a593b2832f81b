"""The account job: inputs, one unit per mine, decisions taken over, everything booked at once.

Units are computed in parallel: by processes of the job and by tasks on every idle worker that shares the storage.

One job, not a job per mine: the unit files in its folder make it resumable (a unit that lies there is not computed
again, in whatever attempt), and one transaction, fenced by the attempt, replaces the draft's cells. Until then nobody
sees anything but the former cells; a killed worker leaves files behind, never rows.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from celery import current_app
from django.db.models import F
from django.utils import timezone

from landdamage.accounting.bias import pseudo_change
from landdamage.accounting.content import FORMAT, content_sha256
from landdamage.accounting.ledger import settle
from landdamage.accounting.planar import ALBERS
from landdamage.accounting.rules import Rules
from landdamage.accounting.states import Flow, State
from landdamage.accounting.unit import exit_cells
from landdamage.accounting.worker import compute_all, input_path, result_path
from landdamage.accounting.workfiles import archive, load_result
from landdamage.models import ControlPolygon, Edition
from landdamage.selectors.editions import edition_cells, edition_mines, edition_restorations
from landdamage.services.account_inputs import OUTLINES, prepare, read_exits
from landdamage.services.booking import book, carry, codes, decisions_before, piece_hashes, stored
from landdamage.services.editions import check_cells
from landdamage.services.files import files
from minegis import __version__, units
from minegis.access.querysets import region_prefix
from minegis.errors import MineGISError
from minegis.jobs.runner import JobContext
from minegis.registry.models import SRID, Region

UNITS_WORTH_HELP = 64  # below, the account is done before another worker has started
MOST_HELPERS = 8  # messages to idle workers; a message that comes late finds nothing to do
SAME_GROUND = 1e-4  # of the monitored ground
ENOUGH_COVERAGE = 0.95  # of a region's monitored ground; below it the row is marked incomplete


def account_run(context: JobContext) -> None:
    """The account job."""
    edition = _edition(context.params["edition_id"])
    folder = context.workdir
    context.progress("prepare", 0.0)
    plan = prepare(edition, folder, lambda share: context.progress("prepare", 0.05 * share))
    count = len(plan["units"])
    if count >= UNITS_WORTH_HELP:
        for _ in range(MOST_HELPERS):
            current_app.send_task("landdamage.tasks.account_units", [str(context.job_id), count], queue="cpu")
    context.result["units"] = compute_all(
        folder,
        count,
        processes=os.cpu_count() or 1,
        progress=lambda share: context.progress("units", 0.05 + 0.75 * share),
    )
    context.progress("settle", 0.8)
    year = read_year(folder, plan)
    old = decisions_before(edition)
    found, lost = carry(year.pieces, old)
    decided = {new: Flow(old["decision"].iat[was]) for new, was in found.items()}
    rules = Rules.from_dict(plan["params"])
    settled = settle(year.cells, decided, auto_restore_after=rules.auto_restore_after)
    bias = _bias(edition, settled, plan)
    cells = codes(settled)
    check_cells(edition, cells)
    _covers(cells, plan)
    context.progress("archive", 0.9)
    kept = folder / "inputs.zip"
    archive([input_path(folder, number) for number in range(count)], kept)
    inputs = {
        **plan["inputs"],
        "units": plan["units"],
        "archive_sha256": files().put(kept).sha256,
        "outlines_sha256": files().put(folder / OUTLINES).sha256,
    }
    regions = dict(Region.objects.order_by(F("valid_from").asc(nulls_first=True)).values_list("code", "pk"))
    regions |= {region["code"]: region["key"] for region in plan["regions"]}
    mines = _mine_rows(edition, cells, plan)
    dated = _dated(year.pieces, mines)
    context.progress("publish", 0.95)
    with context.publish():
        row = Edition.objects.select_for_update(of=("self",)).get(pk=edition.pk)
        if row.state != Edition.State.DRAFT or row.job_id != context.job_id:
            raise MineGISError("E-EDI-01", state=row.state)
        book(row, cells, dated, old, found, regions)
        row.params, row.inputs = {**row.params, **plan["params"]}, inputs
        row.results = {
            "units": count,
            "cells": len(cells),
            "pieces": len(year.pieces),
            "mines": mines,
            "regions": (rows := _region_rows(cells, plan)),
            "incomplete": [one["code"] for one in rows if not _covered(one)],
            "mixed_sensor": plan["mixed_sensor"],
            "registration": plan["registration"],
            "bias": bias,
            "undecided_water": year.undecided_water,
            "gathered_at": plan["gathered_at"],
            "out_of_season": year.out_of_season,
            "former_decisions": [*row.results.get("former_decisions", []), *lost],
        }
        row.computed_at, row.code_version = timezone.now(), __version__
        row.lock += 1
        row.save()
        context.result |= {"cells": len(cells), "pieces": len(year.pieces), "carried_decisions": len(found)}


@dataclass(frozen=True)
class Year:
    """All units together: cells and pieces in Albers, pieces numbered by their position."""

    cells: gpd.GeoDataFrame
    pieces: gpd.GeoDataFrame
    undecided_water: list[int]
    out_of_season: list[str]


def read_year(folder: Path, plan: Mapping[str, Any], exits: bool = True) -> Year:
    """Put the results of the units together.

    Args:
        folder: of the result files.
        plan: whose units they are.
        exits: whether ground that left the monitored area lies in the folder too.
    """
    cells, pieces, total = [], [], 0
    water: set[int] = set()
    scenes: set[str] = set()
    for number, unit in enumerate(plan["units"]):
        result = load_result(result_path(folder, number))
        place = {piece: total + position for position, piece in enumerate(result.pieces["piece"])}
        total += len(place)
        mine = unit["mine"] or ""
        cells.append(result.cells.assign(mine_id=mine, piece=result.cells["piece"].map(place).fillna(-1).astype(int)))
        pieces.append(result.pieces.assign(mine_id=mine, piece=list(place.values())))
        water.update(result.undecided_water)
        scenes.update(result.out_of_season)
    gone = read_exits(folder) if exits else None
    if gone is not None:
        left = exit_cells(gone).drop(columns=["region", "scene"])
        cells.append(left.assign(mine_id=gone["mine"], region_code=gone["region"], scene_id=""))
    table = pd.concat(cells, ignore_index=True)
    for name in ("mine_id", "region_code", "scene_id"):
        table[name] = table[name].replace("", None)
    for name in ("since_year", "observed_year"):
        table[name] = table[name].astype("Int64").replace(0, pd.NA)
    parts = pd.concat(pieces, ignore_index=True)
    parts["mine_id"] = parts["mine_id"].replace("", None)
    parts["author_ids"] = [[int(key) for key in keys.split()] for keys in parts["authors"]]
    parts["geometry_sha256"] = piece_hashes(parts)
    return Year(
        gpd.GeoDataFrame(table, geometry="geometry", crs=ALBERS),
        gpd.GeoDataFrame(parts, geometry="geometry", crs=ALBERS),
        sorted(water),
        sorted(scenes),
    )


def edition_verify(edition: Edition) -> str:
    """Compute a computed edition again from what its row names, and take the hash in the format it was sealed with.

    The units' inputs come from the archive kept with the edition, the decisions and restorations from its pieces;
    register and imagery are not asked.

    Returns:
        The hash.

    Raises:
        MineGISError: E-EDI-12 never computed, E-EDI-16 the hash differs from the sealed one.
    """
    if "archive_sha256" not in edition.inputs:
        raise MineGISError("E-EDI-12")
    cells = edition_cells(edition)
    restored, version = edition_restorations(edition), edition.content_format if edition.is_sealed else FORMAT
    found = content_sha256(cells, restored, version=version)
    with tempfile.TemporaryDirectory() as place:
        again = content_sha256(_computed_again(edition, Path(place), cells), restored, version=version)
    for known in (again, edition.content_sha256 or found):
        if found != known:
            raise MineGISError("E-EDI-16", found=found[:12], value=known[:12])
    return found


def _computed_again(edition: Edition, folder: Path, booked: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    plan = {"units": edition.inputs["units"]}
    with zipfile.ZipFile(files().fetch(edition.inputs["archive_sha256"])) as kept:
        kept.extractall(folder)
    compute_all(folder, len(plan["units"]), processes=os.cpu_count() or 1)
    year = read_year(folder, plan, exits=False)
    decided = dict(edition.pieces.exclude(decision="").values_list("geometry_sha256", "decision"))
    chosen = {
        position: Flow(decided[digest])
        for position, digest in enumerate(year.pieces["geometry_sha256"])
        if digest in decided
    }
    rules = Rules.from_dict(edition.params)
    cells = codes(settle(year.cells, chosen, auto_restore_after=rules.auto_restore_after))
    outlines = shapely.from_wkb([bytes.fromhex(wkb) for wkb in stored(cells.geometry.to_numpy())])
    again = gpd.GeoDataFrame(cells, geometry=outlines, crs=SRID)
    return pd.concat([again, booked[booked["flow"] == Flow.EXIT.value]], ignore_index=True)


def _edition(key: str) -> Edition:
    return Edition.objects.select_related("region", "area", "based_on", "job").get(pk=key)


def _covers(cells: pd.DataFrame, plan: Mapping[str, Any]) -> None:
    """I1 against the ground that was shared out: no gap and no ground twice.

    Booked areas are measured once on the ellipsoid and territories in the plane of each year, so they agree to the
    grid along their borders, not to the cm².

    Raises:
        MineGISError: E-ACC-01.
    """
    ground = sum(unit["ground_m2"] for unit in plan["units"]) * units.CM2_PER_M2
    booked = int(cells["area_cm2"][cells["flow"] != Flow.EXIT.value].sum())
    if abs(booked - ground) > SAME_GROUND * ground:
        raise MineGISError("E-ACC-01", identity="I1", value=f"monitored: {booked} != {ground:.0f}")


def _bias(edition: Edition, settled: gpd.GeoDataFrame, plan: Mapping[str, Any]) -> dict[str, Any]:
    """What the control polygons say; empty without any, where the two years' sensors are alike."""
    rows = ControlPolygon.objects.filter(region__code__startswith=region_prefix(edition.region.code)).order_by("pk")
    controls = [shapely.from_wkb(bytes(row.geom.wkb)) for row in rows]
    if not controls and not plan["mixed_sensor"]:
        return {}
    new = settled["flow"].isin([Flow.NEW, Flow.UNDECIDED])
    measured = pseudo_change(settled, controls, float(settled["area_cm2"][new].sum()) / 10_000).as_dict()
    return {name: None if isinstance(v, float) and not np.isfinite(v) else v for name, v in measured.items()}


def _covered(row: Mapping[str, Any]) -> bool:
    return bool(row["observed_cm2"] >= ENOUGH_COVERAGE * row["monitored_cm2"])


def _ground(cells: pd.DataFrame, by: str) -> dict[Any, dict[str, int]]:
    here = cells[cells["flow"] != Flow.EXIT.value]
    seen = here["area_cm2"].where(here["obs_state"] != State.NOOBS.code, 0)
    sums = pd.DataFrame({"monitored_cm2": here["area_cm2"], "observed_cm2": seen}).groupby(here[by]).sum()
    return {key: {str(name): int(value) for name, value in row.items()} for key, row in sums.iterrows()}


def _mine_rows(edition: Edition, cells: pd.DataFrame, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    ground = _ground(cells, "mine_id")
    days = {scene["scene_id"]: scene["acquired_on"] for scene in plan["inputs"]["scenes"]}
    seen = cells[cells["scene_id"].notna()]
    largest = seen.groupby(["mine_id", "scene_id"])["area_cm2"].sum().sort_values().reset_index()
    scene = dict(zip(largest["mine_id"], largest["scene_id"], strict=True))  # the one that shows most of it
    before = {one.mine_id: one.obs_on for one in edition_mines(edition.based_on)} if edition.based_on else {}
    return [
        {
            **mine,
            **ground.get(mine["mine_id"], {"monitored_cm2": 0, "observed_cm2": 0}),
            "prev_on": day.isoformat() if (day := before.get(mine["mine_id"])) else None,
            "obs_on": days.get(scene.get(mine["mine_id"], "")),
        }
        for mine in plan["mines"]
    ]


def _region_rows(cells: pd.DataFrame, plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    ground = _ground(cells, "region_code")
    rows = [
        {"code": region["code"], "name_zh": region["name_zh"], "name_en": region["name_en"], **ground[region["code"]]}
        for region in plan["regions"]
        if region["code"] in ground
    ]
    return sorted(rows, key=lambda row: str(row["code"]))


def _dated(pieces: gpd.GeoDataFrame, mines: list[dict[str, Any]]) -> gpd.GeoDataFrame:
    days = {mine["mine_id"]: mine for mine in mines}
    return pieces.assign(
        **{
            name: [days[key][name] if key in days else None for key in pieces["mine_id"]]
            for name in ("prev_on", "obs_on")
        }
    )
