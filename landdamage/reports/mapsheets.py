"""Map sheets on A3 at true scale, as vectors and at 300 dpi, with everything a sheet must carry."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from landdamage import taxonomy
from landdamage.accounting.states import DAMAGE, KIND_OF, NAMES, Flow, State
from landdamage.reports import cartography as carto
from landdamage.reports.cartography import Box, Look
from landdamage.reports.data import EditionData, MineFacts
from landdamage.reports.document import Makers
from landdamage.reports.style import (
    ACCENT,
    COLOUR,
    FAINT,
    GREY,
    HATCH,
    INK,
    NEW,
    PENDING,
    RESTORED,
    UNOBSERVED,
    new_figure,
    style,
)  # fmt: skip
from landdamage.reports.table import NOTHING, area
from landdamage.reports.words import Language, pick

PAPER = (420.0, 297.0)  # A3 landscape, mm
FRAME: Box = (18.0, 18.0, 322.0, 268.0)  # of the map, mm from the lower left
PANEL_X, PANEL_W = 332.0, 76.0
REQUIRED = (
    "title", "legend", "north_arrow", "numeric_scale", "scale_bar", "km_grid", "locator", "crs", "imagery",
    "boundary_source", "makers", "edition", "secrecy", "approval_no",
)  # fmt: skip
MOST_LABELS = 60  # mines named on a sheet
SMALL_SCALE = 60_000  # from here single patches are below a millimetre: mines become symbols
VEGETATION = Look(taxonomy.BY_CODE["vegetation"].colour, alpha=0.4)
CLASS_LOOK = {
    s.code: Look("none", "#000000", 0.5, hatch="xxxx")
    if s is State.SUBSIDENCE
    else Look(COLOUR[s.code], "#FFFFFF", 0.15, hatch=HATCH[s.code] * 2)
    for s in DAMAGE
}
RESTORED_LOOK = Look("#A6DBA0")
OVERLAYS = {
    "new": (Look(edge=NEW, width=1.1), ("新增损毁", "New damage")),
    "restored": (Look(edge=RESTORED, width=1.3, style="--"), ("本年治理", "Restored this year")),
    "pending": (Look(edge=PENDING, width=1.3, style=":"), ("待核", "Pending")),
}
MINES = ("矿山(圆面积示存量)", "Mine (circle as its stock)")
BLIND = Look(edge=UNOBSERVED, width=0.4, hatch="////")
LICENCE = Look(edge="#B2182B", width=0.9)
ZONE = Look(edge=GREY, width=0.7, style="--")
REGION = Look(edge="#6B4E9B", width=0.9, style="-.")


@dataclass
class Sheet:
    """A drawn sheet.

    Attributes:
        name: file name without extension.
        title: as printed.
        scale: denominator.
        elements: what is on it, name -> text or number as printed.
    """

    name: str
    title: str
    scale: int
    figure: Figure
    elements: dict[str, str] = field(default_factory=dict)

    def pdf(self) -> bytes:
        """The sheet as a vector PDF, fonts embedded."""
        return self._save("pdf", 300)

    def png(self) -> bytes:
        """The sheet at 300 dpi."""
        return self._save("png", 300)

    def _save(self, kind: str, dpi: int) -> bytes:
        out = io.BytesIO()
        dated = {"pdf": {"CreationDate": None, "Title": self.title}, "png": {"Software": None}}[kind]
        with style():
            self.figure.savefig(out, format=kind, dpi=dpi, metadata=dated)
        return out.getvalue()


def changed_mines(data: EditionData) -> list[MineFacts]:
    """Mines with new or restored ground, those with most of it first."""
    changed = data.cells[data.cells["flow"].isin([Flow.NEW, Flow.RESTORED])]
    sums = changed.groupby("mine_id")["area_cm2"].sum()
    mines = [mine for mine in data.mines if mine.mine_id in sums.index]
    return sorted(mines, key=lambda mine: (-int(sums[mine.mine_id]), mine.code))


def sheets(data: EditionData, language: Language, makers: Makers, most: int = 30) -> Iterator[Sheet]:
    """The overview and one sheet per mine with change, at most ``most`` of these; one at a time in memory."""
    yield overview_sheet(data, language, makers)
    for mine in changed_mines(data)[:most]:
        yield mine_sheet(data, mine, language, makers)


def mine_sheet(data: EditionData, mine: MineFacts, language: Language, makers: Makers) -> Sheet:
    """One mine: 1:5 000 for pixels up to 1 m, else 1:10 000, smaller where it does not fit."""
    cells = data.cells[data.cells["mine_id"] == mine.mine_id]
    gsd = [s.gsd_m for s in data.scenes if s.gsd_m and s.year == data.edition.year]
    preferred = 5_000 if gsd and max(gsd) <= 1.0 else 10_000
    name = pick((mine.name_zh, mine.name_en or mine.name_zh), language)
    titles = (
        f"{data.edition.year} 年{name}土地损毁与治理分布图",
        f"{name}: land damage and restoration, {data.edition.year}",
    )
    outlines = _outlines(data)
    own = outlines[(outlines["what"] == "region") | (outlines["code"] == mine.code)]
    seen = cells[cells["new_state"].isin(list(COLOUR)) | cells["flow"].isin([Flow.NEW, Flow.RESTORED])]
    around = own[(own["code"] == mine.code) & (own["what"] == "licence")]
    bounds = _bounds(seen, gpd.GeoDataFrame(geometry=[*seen.geometry, *around.geometry], crs=seen.crs))
    return _sheet(data, f"mine_{mine.code}", pick(titles, language), cells, own, bounds, preferred, language, makers)


def overview_sheet(data: EditionData, language: Language, makers: Makers) -> Sheet:
    """The whole monitored area at the largest usual scale that fits; where that is small, mines are symbols."""
    region = pick((data.edition.region_zh, data.edition.region_en), language)
    titles = (
        f"{data.edition.year} 年{region}矿山土地损毁与治理总图",
        f"{region}: mine land damage and restoration, {data.edition.year}",
    )
    outlines = _outlines(data)
    bounds = _bounds(data.cells, outlines[outlines["what"] == "mine"])
    return _sheet(data, "overview", pick(titles, language), data.cells, outlines, bounds, 10_000, language, makers)


def overview_picture(data: EditionData, language: Language) -> bytes:
    """The monitored area for the report's first section: PNG, 170 mm wide, 200 dpi."""
    outlines = _outlines(data)
    bounds = _bounds(data.cells, outlines[outlines["what"] == "mine"])
    epsg = carto.local_epsg(bounds)
    with style():
        figure = new_figure(170, 105)
        axes = figure.add_axes((0.06, 0.06, 0.88, 0.88))
        ground = _grid_bounds(bounds, epsg)
        scale = carto.fitting_scale(ground, 140, 85, 1_000)
        window = carto.paper_window(ground, 170 * 0.88, 105 * 0.88, scale)
        _map(axes, data.cells, outlines, window, epsg, scale, data)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=200, metadata={"Software": None})
        return out.getvalue()


def _outlines(data: EditionData) -> gpd.GeoDataFrame:
    if data.outlines is None:
        return gpd.GeoDataFrame({"what": [], "code": [], "geometry": []}, geometry="geometry", crs=4490)
    return data.outlines


def _bounds(cells: gpd.GeoDataFrame, around: gpd.GeoDataFrame) -> Box:
    frame = around if len(around) else cells
    west, south, east, north = frame.total_bounds
    return float(west), float(south), float(east), float(north)


def _grid_bounds(bounds: Box, epsg: int) -> Box:
    corners = gpd.GeoDataFrame(geometry=[shapely.segmentize(shapely.box(*bounds), 0.05)], crs=4490)
    west, south, east, north = carto.to_grid(corners, epsg).total_bounds
    return float(west), float(south), float(east), float(north)


def _sheet(
    data: EditionData,
    name: str,
    title: str,
    cells: gpd.GeoDataFrame,
    outlines: gpd.GeoDataFrame,
    bounds: Box,
    preferred: int,
    language: Language,
    makers: Makers,
) -> Sheet:
    epsg = carto.local_epsg(bounds)
    width, height = FRAME[2] - FRAME[0], FRAME[3] - FRAME[1]
    ground = _grid_bounds(bounds, epsg)
    scale = carto.fitting_scale(ground, width * 0.97, height * 0.97, preferred)
    window = carto.paper_window(ground, width, height, scale)
    with style():
        figure = new_figure(*PAPER)
        paper = figure.add_axes((0, 0, 1, 1))
        paper.set_xlim(0, PAPER[0])
        paper.set_ylim(0, PAPER[1])
        paper.axis("off")
        sheet = Sheet(name, title, scale, figure)
        place = (FRAME[0] / PAPER[0], FRAME[1] / PAPER[1], width / PAPER[0], height / PAPER[1])
        axes = figure.add_axes(place)
        present = _map(axes, cells, outlines, window, epsg, scale, data)
        sheet.elements["km_grid"] = " ".join(carto.draw_grid(axes, window))
        _corners(paper, window, epsg)
        paper.add_patch(Rectangle((5, 5), PAPER[0] - 10, PAPER[1] - 10, fill=False, edgecolor=INK, lw=1.2))
        paper.text(
            (FRAME[0] + FRAME[2]) / 2, 282, title, ha="center", va="center", size=20, weight="bold", color=ACCENT
        )
        sheet.elements["title"] = title
        y = _legend(paper, present, language, sheet)
        _compass(paper, scale, language, sheet)
        _locator(figure, data, window, epsg, language, sheet, top=y - 4)
        _facts(paper, data, epsg, cells, language, makers, sheet)
    return sheet


def _map(
    axes: Axes,
    cells: gpd.GeoDataFrame,
    outlines: gpd.GeoDataFrame,
    window: Box,
    epsg: int,
    scale: int,
    data: EditionData,
) -> list[tuple[Look, tuple[str, str]]]:
    """Draw the ground; returns the legend: what is really shown, and unobserved ground always."""
    axes.set_xlim(window[0], window[2])
    axes.set_ylim(window[1], window[3])
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_linewidth(1.0)
        side.set_color(INK)
    large = scale < SMALL_SCALE
    shown = cells[cells["new_state"] != State.OTHER.code] if large else cells[cells["new_state"].isin(list(COLOUR))]
    ground = carto.to_grid(shown, epsg)
    lines = carto.to_grid(outlines, epsg)
    legend: list[tuple[Look, tuple[str, str]]] = []

    frame = shapely.box(*window)

    def layer(shapes: gpd.GeoSeries, look: Look, name: tuple[str, str], zorder: float, *, merge: bool = True) -> None:
        seen = shapes if merge else shapes.boundary  # of outlines only the line counts
        shapes = shapes[seen.intersects(frame)]
        if not len(shapes):
            return
        one = [shapely.union_all(shapely.make_valid(shapes.to_numpy()))] if merge and large else list(shapes)
        carto.draw(axes, one, look, zorder)
        legend.append((look, name))

    state = ground["new_state"]
    if large:
        layer(ground.geometry[state == "vegetation"], VEGETATION, NAMES["vegetation"], 1)
        back = state.str.startswith("restored") & (ground["flow"] != Flow.RESTORED)
        layer(ground.geometry[back], RESTORED_LOOK, ("往年治理", "Restored earlier"), 2)
    for damage in DAMAGE:
        layer(ground.geometry[state == damage.code], CLASS_LOOK[damage.code], NAMES[damage.code], 3)
    if large:
        for flow, (look, name) in OVERLAYS.items():
            layer(ground.geometry[ground["flow"] == flow], look, name, 5)
    blind = carto.to_grid(cells[cells["obs_state"] == State.NOOBS.code], epsg).geometry
    if len(blind):
        carto.draw(axes, [shapely.union_all(blind.to_numpy())] if large else blind, BLIND, 4)
    legend.append((BLIND, ("未观测(沿用上期)", "Not observed (carried over)")))
    what = lines["what"]
    layer(lines.geometry[what == "licence"], LICENCE, ("采矿权范围", "Licence boundary"), 7, merge=False)
    if large:
        layer(lines.geometry[what == "mine"], ZONE, ("监测范围", "Monitored zone"), 6.5, merge=False)
    else:
        _symbols(axes, cells, lines, data)
        legend.append(
            (Look("#D55E00", "#A63C00", 0.5, alpha=0.35), ("矿山(圆面积示存量)", "Mine (circle as its stock)"))
        )
    _labels(axes, lines)
    layer(lines.geometry[what == "region"], REGION, ("行政区界线", "Administrative boundary"), 7.5, merge=False)
    return legend


def _symbols(axes: Axes, cells: gpd.GeoDataFrame, lines: gpd.GeoDataFrame, data: EditionData) -> None:
    """One circle per mine, its area as the closing stock: a patch would be smaller than a dot."""
    codes = {mine.mine_id: mine.code for mine in data.mines}
    zones = lines[lines["what"] == "mine"].set_index("code").geometry
    stock = cells[cells["new_state"].isin(list(COLOUR))].groupby("mine_id")["area_cm2"].sum()
    places = [(zones[codes[key]].centroid, int(cm2)) for key, cm2 in stock.items() if codes.get(key) in zones.index]
    if not places:
        return
    most = max(cm2 for _, cm2 in places)
    sizes = [4 + 110 * cm2 / most for _, cm2 in places]
    axes.scatter([p.x for p, _ in places], [p.y for p, _ in places], sizes, facecolor="#D55E0055", edgecolor="#A63C00",
                 lw=0.5, zorder=8)  # fmt: skip


def _labels(axes: Axes, lines: gpd.GeoDataFrame) -> None:
    """The codes of the mines, where they can be told apart."""
    licences = lines[lines["what"] == "licence"]
    without = lines[(lines["what"] == "mine") & ~lines["code"].isin(licences["code"])]
    zones = pd.concat([licences, without])
    if len(zones) > MOST_LABELS:
        return
    halo = [patheffects.withStroke(linewidth=2, foreground="white")]
    for code, shape in zip(zones["code"], zones.geometry, strict=True):
        at = shape.representative_point()
        _, south, _, north = shape.bounds
        axes.text(at.x, north - 0.03 * (north - south), code, size=8, weight="bold", ha="center", va="top",
                  path_effects=halo, zorder=9, clip_on=True)  # fmt: skip


def _corners(paper: Axes, window: Box, epsg: int) -> None:
    """Longitude and latitude at the corners of the frame."""
    back = carto.transformer(epsg, carto.CGCS2000_EPSG)
    for x, y, at_x, at_y, va in (
        (window[0], window[1], FRAME[0], FRAME[1] - 5.5, "top"),
        (window[2], window[1], FRAME[2], FRAME[1] - 5.5, "top"),
        (window[0], window[3], FRAME[0], FRAME[3] + 5.5, "bottom"),
        (window[2], window[3], FRAME[2], FRAME[3] + 5.5, "bottom"),
    ):
        lon, lat = back.transform(x, y)
        text = f"{_degrees(lon)}E  {_degrees(lat)}N"
        paper.text(at_x, at_y, text, ha="center" if at_x > 100 else "left", va=va, size=6, color=GREY)


def _degrees(value: float) -> str:
    seconds = round(value * 3600)
    return f"{seconds // 3600}°{seconds % 3600 // 60:02d}′{seconds % 60:02d}″"


def _legend(paper: Axes, present: list[tuple[Look, tuple[str, str]]], language: Language, sheet: Sheet) -> float:
    paper.text(PANEL_X, 266, pick(("图  例", "Legend"), language), size=12, weight="bold", va="top", color=ACCENT)
    y = 253.0
    for look, name in present:
        carto.legend_box(paper, PANEL_X, y, look, pick(name, language))
        y -= 7.2
    sheet.elements["legend"] = " · ".join(pick(name, language) for _, name in present)
    return y


def _compass(paper: Axes, scale: int, language: Language, sheet: Sheet) -> None:
    carto.north_arrow(paper, 400, 250, 12, pick(("坐标北", "grid north"), language))
    sheet.elements["north_arrow"] = "N"
    numeric = f"1:{scale:,}".replace(",", " ")
    paper.text(PANEL_X, 108, f"{pick(('比例尺', 'Scale'), language)}  {numeric}", size=10, weight="bold", va="center")
    sheet.elements["numeric_scale"] = numeric
    sheet.elements["scale_bar"] = carto.scale_bar(paper, PANEL_X + 2, 98.5, scale, 62)


def _locator(
    figure: Figure, data: EditionData, window: Box, epsg: int, language: Language, sheet: Sheet, *, top: float
) -> None:
    """Where the sheet lies: regions, mines, and the frame of the sheet."""
    height = min(48.0, max(24.0, top - 122))
    axes = figure.add_axes((PANEL_X / PAPER[0], 116 / PAPER[1], PANEL_W / PAPER[0], height / PAPER[1]))
    lines = carto.to_grid(_outlines(data), epsg)
    carto.draw(axes, lines.geometry[lines["what"] == "region"], Look("#EEF4F6", GREY, 0.5), 1)
    zones = lines.geometry[lines["what"] == "mine"].centroid
    axes.scatter(zones.x, zones.y, 5, color=ACCENT, lw=0, zorder=2)
    frame = Rectangle(
        window[:2], window[2] - window[0], window[3] - window[1], fill=False, edgecolor=NEW, lw=1.1, zorder=3
    )
    axes.add_patch(frame)
    bounds = np.array([lines.total_bounds, window]) if len(lines) else np.array([window])
    low, high = bounds[:, :2].min(axis=0), bounds[:, 2:].max(axis=0)
    middle, size = (low + high) / 2, 1.08 * (high - low)
    size = np.maximum(size, size[::-1] * np.array([PANEL_W / height, height / PANEL_W]))  # metres are square
    axes.set_xlim(middle[0] - size[0] / 2, middle[0] + size[0] / 2)
    axes.set_ylim(middle[1] - size[1] / 2, middle[1] + size[1] / 2)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_color(FAINT)
    name = pick(("位置示意", "Location"), language)
    axes.set_title(name, size=8, loc="left", color=GREY, pad=2)
    sheet.elements["locator"] = name


def _facts(
    paper: Axes,
    data: EditionData,
    epsg: int,
    cells: gpd.GeoDataFrame,
    language: Language,
    makers: Makers,
    sheet: Sheet,
) -> None:
    edition = data.edition
    meridian = 75 + 3 * (epsg - 4534)
    crs = pick(
        (
            f"2000 国家大地坐标系(CGCS2000)；高斯-克吕格投影 3° 带，中央经线 {meridian}°E；坐标单位 km",
            f"CGCS2000; Gauss-Kruger 3° zone, central meridian {meridian}°E; grid in km",
        ),
        language,
    )
    used = set(cells["scene_id"].dropna())
    scenes = [s for s in data.scenes if s.scene_id in used] or [s for s in data.scenes if s.year == edition.year]
    shown = sorted({f"{s.satellite} {s.sensor} {s.gsd_m or NOTHING} m {s.acquired_on or NOTHING}" for s in scenes})
    more = f" (+{len(shown) - 3})" if len(shown) > 3 else ""
    imagery = f"{pick(('影像', 'Imagery'), language)}: {'; '.join(shown[:3]) or NOTHING}{more}"
    boundary = pick(
        (
            "行政界线：平台行政区划图层，示意，不作划界依据",
            "Boundaries: the platform's region layer; not for delimitation",
        ),
        language,
    )
    blank = "______"
    names = (
        (("编制单位", "Unit"), makers.unit),
        (("编制", "Author"), makers.author),
        (("审核", "Checked"), makers.checker),
        (("日期", "Date"), str(makers.made_on or edition.published_on or "")),
    )
    made = "  ".join(f"{pick(name, language)}: {value or blank}" for name, value in names)
    stock = int(cells["area_cm2"][cells["new_state"].isin(list(KIND_CODES))].sum())
    new = int(cells["area_cm2"][cells["flow"] == Flow.NEW].sum())
    back = int(cells["area_cm2"][cells["flow"] == Flow.RESTORED].sum())
    figures = pick(
        (
            f"损毁存量 {area(stock).text} hm²，新增 {area(new).text} hm²，治理 {area(back).text} hm²",
            f"Stock {area(stock).text} hm², new {area(new).text} hm², restored {area(back).text} hm²",
        ),
        language,
    )
    named = f"{pick(('版本', 'Edition'), language)} {edition.year} v{edition.version} · {edition.content_sha256[:12]}"
    secrecy = f"{pick(('密级', 'Secrecy'), language)}: {makers.secrecy or blank}"
    approval = f"{pick(('审图号', 'Map approval no.'), language)}: {makers.approval_no or blank}"
    y = 90.0
    for key, text in (
        ("figures", figures), ("crs", crs), ("imagery", imagery), ("boundary_source", boundary), ("makers", made),
        ("edition", named), ("secrecy", secrecy), ("approval_no", approval),
    ):  # fmt: skip
        lines = _wrap(text, 76.0)
        bold = "bold" if key in ("figures", "edition") else "normal"
        paper.text(PANEL_X, y, "\n".join(lines), size=7.5, va="top", linespacing=1.45, weight=bold)
        y -= 3.9 * len(lines) + 2.4
        sheet.elements[key] = text


KIND_CODES = frozenset(state.code for state in KIND_OF)


def _wrap(text: str, width_mm: float) -> list[str]:
    """Lines of a width at 7.5 pt; Chinese may break anywhere, other words at spaces."""
    lines, line, used = [], "", 0.0
    for token in _tokens(text):
        wide = sum(2.68 if ord(letter) > 0x2E7F else 1.45 for letter in token)
        if used + wide > width_mm and line.strip():
            lines.append(line.rstrip())
            line, used = "", 0.0
            token = token.lstrip()
        line += token
        used += wide
    return [*lines, line.rstrip()]


def _tokens(text: str) -> Iterator[str]:
    word = ""
    for letter in text:
        if ord(letter) > 0x2E7F or letter == " ":
            if word:
                yield word
            word = ""
            yield letter
        else:
            word += letter
    if word:
        yield word
