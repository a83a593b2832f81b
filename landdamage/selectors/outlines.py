"""The outlines that the maps of an edition show."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from landdamage.accounting.states import State
from landdamage.accounting.workfiles import load_table
from landdamage.models import Edition
from landdamage.reports.data import MineFacts, RegionFacts
from landdamage.services.files import file_path
from minegis.registry.models import SRID, Mine, Region


def edition_outlines(
    edition: Edition, cells: gpd.GeoDataFrame, mines: list[MineFacts], regions: list[RegionFacts]
) -> gpd.GeoDataFrame:
    """Territories, licence boundaries, regions and unobserved ground of (a part of) an edition, for map sheets.

    As they were when the edition was computed; from the register for one that was not.

    Args:
        edition: whose outlines.
        cells: its cells that are shown, EPSG:4490.
        mines: which mines.
        regions: which regions.

    Returns:
        EPSG:4490; geometry, what ("mine", "licence", "region", "unobserved"), code.
    """
    if "outlines_sha256" in edition.inputs:
        known = load_table(file_path(edition.inputs["outlines_sha256"]))
    else:
        known = _registered(mines, regions)
    wanted = {"mine": [one.code for one in mines], "licence": [one.code for one in mines]}
    wanted["region"] = [one.code for one in regions]
    shown = pd.concat([known[(known["what"] == what) & known["code"].isin(codes)] for what, codes in wanted.items()])
    blind = cells.geometry[cells["obs_state"] == State.NOOBS.code].to_numpy()
    unseen = {"what": ["unobserved"], "code": [""], "geometry": [shapely.union_all(blind)]}
    if len(blind):
        shown = pd.concat([shown, gpd.GeoDataFrame(unseen, geometry="geometry", crs=SRID)])
    return gpd.GeoDataFrame(shown.reset_index(drop=True), geometry="geometry", crs=SRID)


def _registered(mines: list[MineFacts], regions: list[RegionFacts]) -> gpd.GeoDataFrame:
    rows: list[tuple[str, str, Any]] = []
    for code, zone, boundary in (
        Mine.objects.filter(pk__in=[one.mine_id for one in mines])
        .order_by("code")
        .values_list("code", "influence_zone", "boundary")
    ):
        rows += [(what, code, _shape(geom)) for what, geom in (("mine", zone), ("licence", boundary)) if geom]
    for code, geom in (
        Region.objects.filter(code__in=[one.code for one in regions], valid_to__isnull=True)
        .order_by("code")
        .values_list("code", "geom")
    ):
        rows.append(("region", code, _shape(geom)))
    frame = pd.DataFrame(rows, columns=["what", "code", "geometry"])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=SRID)


def _shape(geom: Any) -> shapely.Geometry:
    return shapely.from_wkb(bytes(geom.wkb))
