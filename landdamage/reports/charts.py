"""The charts of the report, drawn from its tables: every bar is a printed number."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm

from landdamage.accounting.states import DAMAGE, KINDS, NAMES
from landdamage.reports.data import EditionFacts
from landdamage.reports.style import (
    ACCENT,
    CLASS_KIND,
    COLOUR,
    FAINT,
    GREY,
    HATCH,
    INK,
    KIND_COLOUR,
    KIND_HATCH,
    NEW,
    RESTORED,
    new_figure,
    style,
)  # fmt: skip
from landdamage.reports.table import Row, Table
from landdamage.reports.words import Language, kind_name, pick

RANKED = 15  # regions or mines in a ranking; the table names all
WIDTH_MM = 165.0


@dataclass(frozen=True)
class Chart:
    """A chart of the report.

    Attributes:
        code: file name and anchor.
        caption: title in the report's language, without number.
        source: code of the table that holds its numbers.
        unit: of the values.
        draw: fills the axes.
        height_mm: of the figure; the width is ``WIDTH_MM``.
        labels: names left of horizontal bars, which need room.
    """

    code: str
    caption: str
    source: str
    unit: str
    draw: Callable[[Axes], None]
    height_mm: float = 72.0
    labels: tuple[str, ...] = ()


def charts(tables: Mapping[str, Table], language: Language) -> dict[str, Chart]:
    """The charts that have something to show, by code.

    Args:
        tables: T1-T6 and T10 in the same language.
    """
    made = [
        _by_kind("new_by_kind", ("新增损毁(按损毁类型)", "New damage by kind"), tables["T2"], "new", language),
        _restored(tables["T6"], language),
        _stock(tables["T2"], language),
        _years(tables["T10"], language),
        _ranking(tables["T1"], language),
        _matrix(tables["T5"], language),
        _coverage(tables["T1"], language),
    ]
    return {chart.code: chart for chart in made if chart}


def render(chart: Chart, edition: EditionFacts, language: Language, kind: Literal["svg", "pdf", "png"]) -> bytes:
    """Draw a chart with title, unit, source and edition.

    Args:
        chart: one of ``charts``.
        edition: named below the chart.
        language: of the title and source line.
        kind: ``svg`` and ``pdf`` are vectors, ``png`` has 200 dpi.
    """
    with style():
        figure = new_figure(WIDTH_MM, chart.height_mm)
        top, bottom = 1 - 12 / chart.height_mm, 11 / chart.height_mm
        left = max([0.09, *(0.02 + _width_mm(label) / WIDTH_MM for label in chart.labels)])
        axes = figure.add_axes((left, bottom, 0.985 - left, top - bottom))
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(length=0)
        chart.draw(axes)
        figure.text(0.01, 1 - 2 / chart.height_mm, chart.caption, size=10.5, weight="bold", va="top", color=ACCENT)
        unit = f"{pick(('单位', 'unit'), language)}: {chart.unit}"
        figure.text(0.99, 1 - 2.6 / chart.height_mm, unit, size=8, va="top", ha="right", color=GREY)
        source = (
            f"数据来源：表 {chart.source}，MineGIS {edition.year} v{edition.version}",
            f"Source: table {chart.source}, MineGIS {edition.year} v{edition.version}",
        )
        named = f"{pick(source, language)} · {edition.content_sha256[:12]}"
        figure.text(0.01, 1.2 / chart.height_mm, named, size=6.5, color=GREY)
        out = io.BytesIO()
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
        figure.savefig(out, format=kind, metadata=dated, dpi=200)
        return out.getvalue()


def _width_mm(label: str) -> float:
    """Width of a label at 8.5 pt: Chinese letters are square, others about half as wide."""
    return max(sum(3.0 if ord(letter) > 0x2E7F else 1.65 for letter in line) for line in label.split("\n"))


def _number(row: Row, table: Table, key: str) -> float:
    value = table.cell(row, key).value
    return float(value) if isinstance(value, Decimal | int) else 0.0


def _names(rows: list[Row]) -> tuple[str, ...]:
    return tuple(row.cells[1].text for row in rows)


def _headroom(axes: Axes, values: list[float], *, horizontal: bool = False) -> None:
    most = max([*values, 0.0]) or 1.0
    (axes.set_xlim if horizontal else axes.set_ylim)(0, most * 1.14)
    (axes.xaxis if horizontal else axes.yaxis).grid(True, color=FAINT, lw=0.6)
    axes.set_axisbelow(True)


def _by_kind(code: str, names: tuple[str, str], table: Table, key: str, language: Language) -> Chart:
    def draw(axes: Axes) -> None:
        rows = [table.row(kind) for kind in KINDS]
        values = [_number(row, table, key) for row in rows]
        for i, kind in enumerate(KINDS):
            axes.bar(i, values[i], 0.52, color=KIND_COLOUR[kind], hatch=KIND_HATCH[kind], edgecolor="white", lw=0)
            axes.annotate(
                table.cell(rows[i], key).text, (i, values[i]), (0, 3), textcoords="offset points", ha="center"
            )
        axes.set_xticks(range(len(KINDS)), [kind_name(kind, language) for kind in KINDS])
        axes.set_xlim(-0.7, len(KINDS) - 0.3)
        _headroom(axes, values)

    return Chart(code, pick(names, language), table.code, "hm²", draw)


def _restored(table: Table, language: Language) -> Chart | None:
    rows = [row for row in table.rows if row.level == "subtotal"]
    if not rows:
        return None
    tones = {
        "restored_open_pit": COLOUR["open_pit"],
        "restored_dump": COLOUR["stockpile"],
        "restored_industrial": COLOUR["industrial_square"],
        "restored_subsidence": KIND_COLOUR["subsidence"],
        "restored_other": COLOUR["tailings_pond"],
    }

    def draw(axes: Axes) -> None:
        values = [_number(row, table, "area") for row in rows]
        for i, row in enumerate(rows):
            axes.bar(i, values[i], 0.52, color=tones[row.key], hatch="///", edgecolor="white", lw=0)
            shown = table.cell(row, "area").text
            axes.annotate(shown, (i, values[i]), (0, 3), textcoords="offset points", ha="center")
        axes.set_xticks(range(len(rows)), [row.cells[0].text for row in rows])
        axes.set_xlim(-0.7, len(rows) - 0.3)
        _headroom(axes, values)

    return Chart("restored_by_kind", pick(("治理恢复(按治理类型)", "Restored by kind"), language), "T6", "hm²", draw)


def _stock(table: Table, language: Language) -> Chart:
    codes = [state.code for state in DAMAGE]
    labels = tuple(f"{pick(NAMES[c], language)}\n{kind_name(CLASS_KIND[c], language)}" for c in codes)

    def draw(axes: Axes) -> None:
        values = [_number(table.row(code), table, "closing") for code in codes]
        for i, code in enumerate(codes):
            look: dict[str, Any] = {"color": COLOUR[code], "hatch": HATCH[code], "edgecolor": "white"}
            if code == "subsidence":
                look = {"color": "white", "hatch": "xxx", "edgecolor": "black"}
            axes.barh(i, values[i], 0.62, lw=0.6, **look)
            row = table.row(code)
            shown = f"{table.cell(row, 'closing').text}  ({table.cell(row, 'share').text} %)"
            if not table.cell(row, "share").value and not values[i]:
                shown = table.cell(row, "closing").text
            axes.annotate(shown, (values[i], i), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(codes)), labels, size=7.5, linespacing=1.15)
        axes.invert_yaxis()
        _headroom(axes, [v * 1.1 for v in values], horizontal=True)

    names = ("年末损毁存量(按地类)", "Closing stock by class")
    return Chart("stock_by_class", pick(names, language), "T2", "hm²", draw, 92, labels)


def _years(table: Table, language: Language) -> Chart | None:
    rows = list(table.rows)
    if len(rows) < 2:
        return None

    def draw(axes: Axes) -> None:
        new = [_number(row, table, "new") for row in rows]
        back = [_number(row, table, "restored") for row in rows]
        words = (("新增", "New"), ("治理", "Restored"))
        for side, (values, colour, hatch, key) in enumerate(
            ((new, NEW, "", "new"), (back, RESTORED, "///", "restored"))
        ):
            at = np.arange(len(rows)) + (side - 0.5) * 0.36
            axes.bar(
                at, values, 0.34, color=colour, hatch=hatch, edgecolor="white", lw=0, label=pick(words[side], language)
            )
            for x, value, row in zip(at, values, rows, strict=True):
                axes.annotate(
                    table.cell(row, key).text, (x, value), (0, 3), textcoords="offset points", ha="center", size=7.5
                )
        axes.set_xticks(range(len(rows)), [row.key for row in rows])
        axes.legend(loc="upper left", frameon=False, ncols=2, bbox_to_anchor=(0, 1.06))
        _headroom(axes, [*new, *back, max(new + back, default=0) * 1.08])

    names = ("历年新增与治理", "New and restored by year")
    return Chart("new_and_restored_by_year", pick(names, language), "T10", "hm²", draw)


def _ranking(table: Table, language: Language) -> Chart:
    ranked = sorted(table.parts(), key=lambda row: -_number(row, table, "closing"))[:RANKED]

    def draw(axes: Axes) -> None:
        values = [_number(row, table, "closing") for row in ranked]
        for i, row in enumerate(ranked):
            axes.barh(i, values[i], 0.58, color=ACCENT)
            grown, back = table.cell(row, "new").text, table.cell(row, "restored").text
            more = pick((f"新增 {grown} · 治理 {back}", f"new {grown} · restored {back}"), language)
            axes.annotate(
                f"{table.cell(row, 'closing').text}  ({more})", (values[i], i), (4, 0), textcoords="offset points",
                va="center", size=7.5,
            )  # fmt: skip
        axes.set_yticks(range(len(ranked)), [row.cells[1].text for row in ranked])
        axes.invert_yaxis()
        _headroom(axes, [v * 1.38 for v in values], horizontal=True)

    names = ("年末损毁存量(按行政区排序)", "Closing stock, regions ranked")
    return Chart(
        "region_ranking", pick(names, language), "T1", "hm²", draw, max(60, 30 + 9 * len(ranked)), _names(ranked)
    )


def _matrix(table: Table, language: Language) -> Chart:
    rows = list(table.parts())
    size = len(rows)
    values = np.array([[float(cell.exact or 0) / 1e8 for cell in row.cells[1 : size + 1]] for row in rows])

    def draw(axes: Axes) -> None:
        shown = np.where(values > 0, values, np.nan)
        most = np.nanmax(shown) if np.isfinite(shown).any() else 1.0
        tones = LinearSegmentedColormap.from_list("minegis", ["#EEF4F6", "#6FA3B5", ACCENT])
        axes.imshow(shown, cmap=tones, norm=LogNorm(0.01, max(most, 0.1)), aspect="auto")
        for i, row in enumerate(rows):
            for j, cell in enumerate(row.cells[1 : size + 1]):
                if cell.exact:
                    dark = np.log(values[i, j] / 0.01) > 0.55 * np.log(max(most, 0.1) / 0.01)
                    axes.text(
                        j, i, cell.text, ha="center", va="center", size=6.2, color="white" if dark else INK,
                        weight="bold" if i == j else "normal",
                    )  # fmt: skip
        names = [row.cells[0].text for row in rows]
        turned: dict[str, Any] = {"rotation": 28, "ha": "left", "rotation_mode": "anchor"} if language == "en" else {}
        axes.set_xticks(range(size), names, size=7, **turned)
        axes.set_yticks(range(size), names, size=7)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(-0.5, size), minor=True)
        axes.set_yticks(np.arange(-0.5, size), minor=True)
        axes.grid(which="minor", color="white", lw=1)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(which="both", length=0)
        box = axes.get_position()
        lowered = 0.13 if language == "en" else 0.05
        axes.set_position((box.x0, box.y0 - 0.02, box.width, box.height - lowered + 0.02))

    names = ("类型转移矩阵(行：上年末，列：本年末)", "Transition matrix (rows: before, columns: now)")
    return Chart(
        "transition_matrix", pick(names, language), "T5", "hm²", draw, 112, tuple(row.cells[0].text for row in rows)
    )


def _coverage(table: Table, language: Language) -> Chart:
    rows = sorted(table.parts(), key=lambda row: _number(row, table, "coverage"))[:RANKED]

    def draw(axes: Axes) -> None:
        values = [_number(row, table, "coverage") for row in rows]
        for i, row in enumerate(rows):
            poor = values[i] < 95
            axes.barh(i, values[i], 0.58, color="#B7791F" if poor else ACCENT, hatch="///" if poor else "",
                      edgecolor="white", lw=0)  # fmt: skip
            shown = table.cell(row, "coverage").text
            axes.annotate(shown, (values[i], i), (4, 0), textcoords="offset points", va="center", size=7.5)
        axes.axvline(95, color=NEW, lw=0.9, ls="--")
        axes.set_yticks(range(len(rows)), [row.cells[1].text for row in rows])
        axes.invert_yaxis()
        axes.set_xlim(0, 112)
        axes.set_xticks(range(0, 101, 20))
        axes.xaxis.grid(True, color=FAINT, lw=0.6)
        axes.set_axisbelow(True)

    names = ("观测覆盖率(虚线为 95 % 要求)", "Coverage (dashed: the required 95 %)")
    return Chart("coverage", pick(names, language), "T1", "%", draw, max(52, 30 + 8 * len(rows)), _names(rows))
