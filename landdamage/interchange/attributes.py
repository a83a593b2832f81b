"""The layers of a vector delivery with the standard attribute table, made of an edition's plain data.

======  ================================================================================================
SHTB    damage at the end of the year: cells of one mine, region and class joined into connected patches
BHTB    changes of the year, one row per cell of the books; their sums are the flows of the statement
ZLTB    ground restored in the year, joined per decided piece and class before
WGC     monitored ground that was not observed, joined per mine and region
KQFW    licence boundaries, or the monitored zone of a mine that has none
======  ================================================================================================

Areas are sums of the edition's integer cm² (MJCM); TBMJ is closed per layer, so that it adds up to the layer's total
rounded to 0.01 m². Patch numbers do not depend on who reads: a patch that reaches beyond the licence boundary is
flagged (JW, with the area in BZ) for those who may know, never split.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from landdamage.accounting.states import DAMAGE, FLOW_EXPORT, NAMES, Flow, State
from landdamage.interchange.codes import (
    FIELD_NAMES,
    FIELDS,
    METHOD_EXPORT,
    MINERAL_EXPORT,
    NATIONAL,
    RESTORED_EXPORT,
    STATE_EXPORT,
    STATE_NAMES,
    THEMES,
    Theme,
    damage_export,
)
from landdamage.interchange.patches import connected_patches
from landdamage.reports.data import EditionData
from minegis.units import CGCS2000_EPSG, area_cm2, close_table

# Flows that change the account; a class move inside a damage kind (persist) changes it too, between classes.
CHANGES = (
    Flow.NEW, Flow.FIRST_SEEN, Flow.OMISSION, Flow.UNDECIDED, Flow.RESTORED, Flow.CORRECTED, Flow.PENDING,
    Flow.RECLASS, Flow.EXIT,
)  # fmt: skip
_DAMAGE_CODES = tuple(state.code for state in DAMAGE)
_NUMBERS = ("NF", "TBMJ", "MJHM", "MJMU", "MJCM", "FBL", "ZXD")


def layer_name(theme: Theme, year: int) -> str:
    """``SHTB_2023``; the mine boundaries carry no year."""
    return theme if theme == "KQFW" else f"{theme}_{year}"


def layers(data: EditionData) -> dict[str, gpd.GeoDataFrame]:
    """Every layer of a delivery by name, in EPSG:4490, with the columns of ``codes.FIELDS`` and ``geometry``.

    Text columns hold str or None, numbers int or float with NaN where nothing is known. Rows are in the order of
    their patch numbers, which depends on the ground alone: county, then north to south, west to east. Empty layers
    are there too.
    """
    cells = _described(data)
    flow, seen, after = cells["flow"], cells["obs_state"], cells["new_state"]
    moved = (flow == Flow.PERSIST) & (cells["prev_state"] != after)
    chosen: dict[Theme, pd.DataFrame] = {
        "SHTB": _joined(cells[after.isin(_DAMAGE_CODES)], ["mine_id", "region", "new_state"]),
        "BHTB": cells[flow.isin(CHANGES) | moved],
        "ZLTB": _joined(cells[flow == Flow.RESTORED], ["mine_id", "region", "prev_state", "piece_id"]),
        "WGC": _joined(cells[(seen == State.NOOBS.code) & (after != State.OUTSIDE.code)], ["mine_id", "region"]),
        "KQFW": _boundaries(data),
    }
    return {
        layer_name(theme, data.edition.year): _finished(theme, rows, data.edition.year, data.edition.version)
        for theme, rows in chosen.items()
    }


def _described(data: EditionData) -> pd.DataFrame:
    """The cells with what their mine, region, piece and scene say about them."""
    cells = pd.DataFrame(data.cells)
    cells["region"] = cells["region_code"].where(cells["region_code"].notna(), data.edition.region_code)
    names = {facts.code: facts.name_zh for facts in data.regions} | {data.edition.region_code: data.edition.region_zh}
    cells["region_name"] = cells["region"].map(names)
    mines = pd.DataFrame(
        [
            {
                "mine_id": m.mine_id,
                "KSBH": m.code,
                "KSMC": m.name_zh,
                "XKZH": m.licence_no or None,
                "KZLX": MINERAL_EXPORT.get(m.mineral_kind),
                "KCFS": METHOD_EXPORT.get(m.mining_method),
                "mine_prev_on": m.prev_on,
                "mine_obs_on": m.obs_on,
            }
            for m in data.mines
        ],
        columns=["mine_id", "KSBH", "KSMC", "XKZH", "KZLX", "KCFS", "mine_prev_on", "mine_obs_on"],
    )
    cells = cells.merge(mines, on="mine_id", how="left")
    scenes = pd.DataFrame(
        [
            {
                "scene_id": s.scene_id,
                "SJY": " ".join(filter(None, (s.satellite, s.sensor))) or None,
                "FBL": s.gsd_m,
                "scene_on": s.acquired_on,
                "model": s.model,
            }
            for s in data.scenes
        ],
        columns=["scene_id", "SJY", "FBL", "scene_on", "model"],
    ).drop_duplicates("scene_id")
    cells = cells.merge(scenes, on="scene_id", how="left")
    wanted = ["piece_id", "prev_on", "obs_on", "decision", "author", "decided_by", "decided_on", "restored_kind"]
    cells = cells.merge(pd.DataFrame(data.pieces)[wanted], on="piece_id", how="left")
    cells["QSX"] = _dates(cells["prev_on"].where(cells["prev_on"].notna(), cells["mine_prev_on"]))
    observed = cells["obs_state"] != State.NOOBS.code
    latest = cells["scene_on"].where(cells["scene_on"].notna(), cells["obs_on"])
    cells["HSX"] = _dates(latest.where(latest.notna(), cells["mine_obs_on"])).where(observed, None)
    cells["JYR"] = _text(cells["author"]).where(_text(cells["author"]).notna(), _text(cells["model"]))
    cells["SHR"], cells["SHRQ"] = _text(cells["decided_by"]), _dates(cells["decided_on"])
    cells["SHZT"] = np.select([cells["piece_id"].isna(), _text(cells["decision"]).isna()], ["00", "01"], "02")
    cells["ZLLX"] = cells["restored_kind"].map(RESTORED_EXPORT)
    cells["BZ"] = _notes(cells, data.edition.year)
    return cells


def _notes(cells: pd.DataFrame, year: int) -> pd.Series:
    """What the codes cannot say: damage again after restoration, an interval longer than one year."""
    again = np.where(cells["redamaged"].to_numpy(bool), "治理后再次损毁;", "")
    long = cells["flow"].isin([Flow.NEW]) & (cells["since_year"].fillna(year - 1) < year - 1)
    since = np.where(long, "上次观测 " + cells["since_year"].astype("string").fillna("") + " 年;", "")
    return pd.Series([a + b for a, b in zip(again, since, strict=True)], index=cells.index, dtype=object)


def _joined(cells: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Connected patches of cells that agree in ``keys``; text comes from the largest cell, confidence is a mean."""
    if cells.empty:
        return cells
    cells = cells.reset_index(drop=True)
    group = cells.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    number, outlines = connected_patches(cells["geometry"].to_numpy(), group)
    area = cells["area_cm2"].to_numpy("int64")
    largest = np.lexsort((-area, number))
    first = largest[np.r_[True, np.diff(number[largest]) > 0]]
    rows = cells.iloc[first].reset_index(drop=True)
    rows["geometry"] = outlines
    rows["area_cm2"] = np.bincount(number, weights=area).round().astype("int64")
    outside = np.bincount(number, weights=area * cells["outside_licence"].to_numpy(bool)).round()
    rows["outside_licence"] = outside > 0
    known = cells["confidence"].notna().to_numpy()
    weight = np.where(known, area, 0).astype(float)
    total = np.bincount(number, weights=weight)
    mean = np.bincount(number, weights=weight * cells["confidence"].fillna(0).to_numpy(float))
    rows["confidence"] = np.divide(mean, total, out=np.full(len(total), np.nan), where=total > 0)
    beyond = [f"界外 {value / 10_000:.2f} m²;" if value else "" for value in outside]
    rows["BZ"] = [a + b for a, b in zip(beyond, _composition(cells, number, len(rows)), strict=True)]
    return rows


def _composition(cells: pd.DataFrame, number: np.ndarray, count: int) -> list[str]:
    """For patches with more than one flow: the area of each in m², largest first; else the cells' own notes."""
    notes = [""] * count
    for patch, note in zip(number, cells["BZ"], strict=True):
        if note and note not in notes[patch]:
            notes[patch] += note
    sums = cells.groupby([pd.Series(number), "flow"])["area_cm2"].sum()
    mixed = sums.groupby(level=0).transform("size") > 1
    for (patch, flow), area in sums[mixed].sort_values(ascending=False).items():
        notes[patch] += f"{NAMES[flow][0]} {area / 10_000:.2f} m²;"
    return notes


def _boundaries(data: EditionData) -> pd.DataFrame:
    outlines = data.outlines
    if outlines is None:
        return pd.DataFrame()
    shapes = {
        what: dict(zip(part["code"], part.geometry, strict=True)) for what, part in outlines.groupby("what", sort=False)
    }
    names = {facts.code: facts.name_zh for facts in data.regions}
    rows: list[dict[str, Any]] = []
    for mine in data.mines:
        licence = shapes.get("licence", {}).get(mine.code)
        shape = licence if licence is not None else shapes.get("mine", {}).get(mine.code)
        if shape is None:
            continue
        rows.append(
            {
                "geometry": shape, "area_cm2": area_cm2(shape), "region": mine.region_code,
                "region_name": names.get(mine.region_code), "KSBH": mine.code, "KSMC": mine.name_zh,
                "XKZH": mine.licence_no or None, "KZLX": MINERAL_EXPORT.get(mine.mineral_kind),
                "KCFS": METHOD_EXPORT.get(mine.mining_method),
                "BZ": "" if licence is not None else "无许可范围,取监测范围;",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _finished(theme: Theme, rows: pd.DataFrame, year: int, version: int) -> gpd.GeoDataFrame:
    """The standard columns of the chosen rows, numbered and in order."""
    if rows.empty:
        return _empty()
    outlines = shapely.force_2d(rows["geometry"].to_numpy())
    county = rows["region"].str[:6].to_numpy(str)
    west, _, _, north = shapely.bounds(outlines).T
    order = np.lexsort((rows["area_cm2"], west.round(7), -north.round(7), county))
    rows, outlines, county = rows.iloc[order].reset_index(drop=True), outlines[order], county[order]
    serial = np.empty(len(rows), int)
    for code in np.unique(county):
        serial[county == code] = np.arange(1, np.count_nonzero(county == code) + 1)
    out = pd.DataFrame(index=rows.index)
    digit = list(THEMES).index(theme) + 1
    out["BSM"] = [f"{code}{year}{digit}{number:07d}" for code, number in zip(county, serial, strict=True)]
    out["YSDM"] = theme
    out["TBBH"] = [f"{code}{year}{number:06d}" for code, number in zip(county, serial, strict=True)]
    out["NF"], out["BB"] = year, f"V{version}"
    for name in ("KSBH", "KSMC", "XKZH", "KZLX", "KCFS", "QSX", "HSX", "SJY", "JYR", "SHR", "SHRQ", "SHZT", "BZ"):
        out[name] = rows.get(name)
    out["XZQDM"], out["XZQMC"] = rows["region"], rows["region_name"]
    out["FBL"], out["ZXD"] = rows.get("FBL"), rows.get("confidence")
    if theme != "KQFW":
        _classify(theme, rows, out)
    area = rows["area_cm2"].astype("int64")
    out["MJCM"] = area
    out["TBMJ"] = np.array(close_table(area.tolist(), 100), "int64") / 100
    out["MJHM"] = rounded(area.to_numpy(), 1, 10_000) / 10_000
    out["MJMU"] = rounded(area.to_numpy(), 3, 200_000) / 100
    out = out.reindex(columns=list(FIELD_NAMES))
    out[["FBL", "ZXD"]] = out[["FBL", "ZXD"]].astype(float)
    for field in FIELDS:
        if field.kind == "C":
            out[field.name] = _text(out[field.name])
    return gpd.GeoDataFrame(out, geometry=outlines, crs=CGCS2000_EPSG)


def _classify(theme: Theme, rows: pd.DataFrame, out: pd.DataFrame) -> None:
    """Classes, damage kind and change, in both codings."""
    prev, seen, after = ([State.of(code) for code in rows[name]] for name in ("prev_state", "obs_state", "new_state"))
    # A damage patch and a change say what the ground is now; restored ground says what it was.
    now = prev if theme == "ZLTB" else after
    lost = [before if state not in DAMAGE else state for before, state in zip(prev, now, strict=True)]
    out["DWDM"] = [STATE_EXPORT[state] for state in now]
    out["DWMC"] = [STATE_NAMES[state][0] for state in now]
    national = [NATIONAL.get(state, (None, None)) for state in (after if theme == "ZLTB" else now)]
    out["GJDM"], out["GJMC"] = [code for code, _ in national], [name for _, name in national]
    out["SHLX"] = [damage_export(state) for state in lost]
    out["BHLX"] = [FLOW_EXPORT.get(Flow(flow)) for flow in rows["flow"]] if theme != "WGC" else "40"
    if theme != "WGC":
        out["QDW"] = [STATE_EXPORT[state] for state in prev]
        out["ZLLX"] = rows["ZLLX"]
    else:
        out[["DWDM", "DWMC", "GJDM", "GJMC", "SHLX"]] = None  # one patch covers many states
    out["HDW"] = [STATE_EXPORT[state] for state in seen]
    out["JW"] = np.where(rows["outside_licence"].to_numpy(bool), "1", "0")


def _empty() -> gpd.GeoDataFrame:
    columns = {name: pd.Series(dtype=float if name in _NUMBERS else object) for name in FIELD_NAMES}
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries([], crs=CGCS2000_EPSG), crs=CGCS2000_EPSG)


def rounded(values: np.ndarray, numerator: int, denominator: int) -> np.ndarray:
    """``values x numerator / denominator`` for non-negative int64, rounded half to even exactly."""
    quotient, rest = np.divmod(values * numerator, denominator)
    return quotient + ((2 * rest > denominator) | ((2 * rest == denominator) & (quotient % 2 == 1)))


def _text(column: pd.Series) -> pd.Series:
    """Text with None for what is missing or empty."""
    column = column.astype(object)
    return column.where(column.notna() & (column != ""), None)


def _dates(column: pd.Series) -> pd.Series:
    """Dates as YYYYMMDD, None where unknown."""
    texts = [value.strftime("%Y%m%d") if pd.notna(value) else None for value in column]
    return pd.Series(texts, index=column.index, dtype=object)
