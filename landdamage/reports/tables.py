"""The tables of the yearly report, T1-T9: built once, printed everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pandas as pd

from landdamage.accounting.states import DAMAGE, KIND_OF, KINDS, NAMES, Flow
from landdamage.reports import listings, sums
from landdamage.reports.balances import BESIDE, ROUNDING_NOTE, balance_keys, balances, shares
from landdamage.reports.data import EditionData, MineFacts
from landdamage.reports.table import Cell, Column, Row, Table, area, count, day, percent, text
from landdamage.reports.transitions import restorations, transition_matrix
from landdamage.reports.words import Language, kind_name, pick, word

TITLES = {
    "T1": ("各行政区土地损毁与治理总体情况", "Damage and restoration by region"),
    "T2": ("各损毁类型与地类情况", "Damage by kind and class"),
    "T3": ("各矿山土地损毁与治理情况", "Damage and restoration by mine"),
    "T4": ("按矿种类型与开采方式统计", "By mineral and mining method"),
}
COMPLETE = 0.95  # observed share from which a region counts as complete
RATES = (
    Column("annual_rate", "年度治理率", "Annual restoration rate", "percent"),
    Column("cumulative_rate", "累计修复率", "Cumulative restoration rate", "percent"),
)
_COVERAGE = (
    Column("monitored", "监测面积", "Monitored area", "hm2"),
    Column("coverage", "观测覆盖率", "Coverage", "percent"),
)
_INCOMPLETE = ("※ 观测覆盖率低于 95%，数据不完整。", "※ Observed on less than 95 %: incomplete.")
_MOVES = (
    "转入、转出为损毁类型之间的转换，合计相等。",
    "Moved in and out are changes between damage kinds; their totals are equal.",
)


def build(data: EditionData, language: Language = "zh") -> dict[str, Table]:
    """Every table of an edition in one language.

    Printed parts add up to printed totals; totals are the exact totals rounded half to even once.

    Returns:
        ``T1`` ... ``T9``.
    """
    rows = sums.compact(data)
    return {
        "T1": by_region(data, rows, language),
        "T2": by_class(rows, language),
        "T3": by_mine(data, rows, language),
        "T4": by_mineral(data, rows, language),
        "T5": transition_matrix(rows, language),
        "T6": restorations(data, language),
        "T7": listings.patches(data, language),
        "T8": listings.imagery(data, language),
        "T9": listings.quality(data, rows, language),
    }


def _mines_per_region(data: EditionData, rows: pd.DataFrame) -> dict[str, int]:
    """Mines by the region that holds most of their monitored ground; one without ground by its register entry."""
    ground = rows.groupby(["mine_id", "region_code"])["monitored"].sum().sort_values(kind="stable")
    home = {mine: region for mine, region in ground.index if mine}  # the largest comes last
    numbers: dict[str, int] = {}
    for mine in data.mines:
        code = home.get(mine.mine_id, mine.region_code)
        numbers[code] = numbers.get(code, 0) + 1
    return numbers


def _long_interval(data: EditionData) -> tuple[tuple[str, str], ...]:
    """A note on new damage whose ground was last seen before last year: it may be older than this year."""
    new = data.cells[data.cells["flow"] == Flow.NEW]
    old = int(new["area_cm2"][(new["since_year"] < data.edition.year - 1).fillna(False)].sum())
    if not old:
        return ()
    hm2 = area(old).text
    zh = f"新增中有 {hm2} hm² 的上次观测早于上一年(间隔超过一年)。"
    return ((zh, f"{hm2} hm² of the new damage was last observed before last year (interval of more than a year)."),)


def rates(values: Mapping[str, int]) -> tuple[Cell, Cell]:
    """Annual restoration rate (restored / new) and cumulative rate (restored stock / (stock + restored stock))."""
    stock, back = values["closing"], values["restored_stock"]
    return percent(values["restored"], values["new"]), percent(back, stock + back)


def _notes(language: Language, closed: bool, *more: tuple[str, str], undecided: int = 0) -> tuple[str, ...]:
    notes = list(more)
    if undecided:
        hm2 = area(undecided).text
        notes.append(
            (
                f"另有新发现损毁 {hm2} hm² 尚未判定，未计入。",
                f"Newly seen damage of {hm2} hm² is undecided, not counted.",
            )
        )
    if not closed:
        notes.append(ROUNDING_NOTE)
    return tuple(pick(note, language) for note in notes)


def by_region(data: EditionData, rows: pd.DataFrame, language: Language) -> Table:
    """T1: one row per region of the lowest level and the total."""
    groups = sums.by(rows, "region_code")
    known = {region.code: pick((region.name_zh, region.name_en or region.name_zh), language) for region in data.regions}
    codes = [*sorted(known), *sorted(str(code) for code in groups if code not in known)]
    nothing = dict.fromkeys(sums.MEASURES, 0)
    values = [groups.get(code, nothing) for code in codes]
    whole = sums.total(rows)
    closed = balances(values)
    mines = _mines_per_region(data, rows)
    monitored = balances(values, keys=(), beside=(("monitored", "", ""),))
    made, incomplete = [], False
    for i, code in enumerate(codes):
        one = values[i]
        poor = bool(one["monitored"]) and one["observed"] < COMPLETE * one["monitored"]
        incomplete |= poor
        name = known.get(code, word("unassigned", language)) + (" ※" if poor else "")
        cells = (text(code), text(name), count(mines.get(code, 0)), monitored.rows[i][0])
        covered = percent(one["observed"], one["monitored"])
        made.append(Row((*cells, covered, *closed.rows[i], *rates(one)), "part", code))
    cells = (text(""), text(word("total", language)), count(len(data.mines)), monitored.total[0])
    covered = percent(whole["observed"], whole["monitored"])
    made.append(Row((*cells, covered, *closed.total, *rates(whole)), "total", "total"))
    columns = (
        Column("region_code", "行政区代码", "Region code"),
        Column("region", "行政区", "Region"),
        Column("mines", "矿山数", "Mines", "count"),
        *_COVERAGE,
        *closed.columns,
        *RATES,
    )
    more = (_MOVES, *((_INCOMPLETE,) if incomplete else ()), *_long_interval(data))
    notes = _notes(language, closed.closed, *more, undecided=whole["undecided"])
    return Table("T1", *TITLES["T1"], columns, tuple(made), notes, language)


def class_balances(rows: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Balance measures in cm² per damage state; ``within`` is what classes of one kind gave each other, net."""
    before, after = sums.by(rows, "prev_state"), sums.by(rows, "new_state")
    inner = rows[(rows["before"] != "") & (rows["before"] == rows["after"]) & (rows["prev_state"] != rows["new_state"])]
    given, taken = sums.by(inner, "prev_state"), sums.by(inner, "new_state")
    nothing = dict.fromkeys(sums.MEASURES, 0)
    made = {}
    for state in DAMAGE:
        code = state.code
        old, now = before.get(code, nothing), after.get(code, nothing)
        made[code] = {key: old[key] for key in ("opening", "restored", "adj_minus", "moved_out", "exit")}
        made[code] |= {key: now[key] for key in ("new", "first_seen", "adj_plus", "moved_in", "closing")}
        made[code] |= {key: now[key] for key in ("pending", "carried")}
        made[code]["within"] = taken.get(code, nothing)["closing"] - given.get(code, nothing)["closing"]
    return made


def by_class(rows: pd.DataFrame, language: Language) -> Table:
    """T2: damage kinds with their classes, and the total; shares of the closing stock."""
    classes = class_balances(rows)
    kinds = {
        kind: {
            key: sum(classes[state.code][key] for state in DAMAGE if KIND_OF[state] == kind)
            for key in next(iter(classes.values()))
        }
        for kind in KINDS
    }
    keys = balance_keys({}, list(classes.values()))
    upper = balances([kinds[kind] for kind in KINDS], keys=keys)
    share = shares([kinds[kind]["closing"] for kind in KINDS])
    made, closed = [], upper.closed
    stock = sum(kinds[kind]["closing"] for kind in KINDS)
    for i, kind in enumerate(KINDS):
        name = kind_name(kind, language)
        made.append(Row((text(name), text(word("subtotal", language)), *upper.rows[i], share[i]), "subtotal", kind))
        states = [state for state in DAMAGE if KIND_OF[state] == kind]
        lower = balances([classes[state.code] for state in states], keys=keys, totals=upper.units[i])
        closed &= lower.closed
        value = share[i].value
        units = int(value.scaleb(2)) if isinstance(value, Decimal) else None
        parts = shares([classes[state.code]["closing"] for state in states], stock, units)
        for j, state in enumerate(states):
            label = text(pick(NAMES[state.code], language))
            made.append(Row((text(name), label, *lower.rows[j], parts[j]), "part", state.code))
    whole = percent(stock, stock)
    made.append(Row((text(word("total", language)), text(""), *upper.total, whole), "total", "total"))
    columns = (
        Column("kind", "损毁类型", "Damage kind"),
        Column("class", "地类", "Class"),
        *upper.columns,
        Column("share", "占比", "Share", "percent"),
    )
    within = (
        "转入、转出只计损毁类型之间的转换；同一类型内各地类之间的转换单列为净额。",
        "Moved in and out are changes between damage kinds; changes within a kind are shown apart, net.",
    )
    notes = _notes(language, closed, *((within,) if "within" in keys else ()), undecided=sums.total(rows)["undecided"])
    return Table("T2", *TITLES["T2"], columns, tuple(made), notes, language)


def _mine_columns(licences: bool) -> tuple[Column, ...]:
    licence = (Column("licence_no", "许可证号", "Licence no."),) if licences else ()
    return (
        Column("code", "矿山编号", "Mine code"),
        Column("name", "矿山名称", "Mine"),
        *licence,
        Column("mineral_kind", "矿种类型", "Mineral"),
        Column("mining_method", "开采方式", "Method"),
        Column("status", "状态", "Status"),
    )


def _mine_cells(mine: MineFacts, licences: bool, language: Language) -> tuple[Cell, ...]:
    name = pick((mine.name_zh, mine.name_en or mine.name_zh), language)
    return (
        text(mine.code),
        text(name),
        *((text(mine.licence_no),) if licences else ()),
        text(word(mine.mineral_kind, language, "mineral.")),
        text(word(mine.mining_method, language, "method.")),
        text(word(mine.status, language)),
    )


def by_mine(data: EditionData, rows: pd.DataFrame, language: Language) -> Table:
    """T3: one row per mine, ground of no mine, and the total.

    Licence numbers and areas outside the licence boundary are columns only where the data names any: those who may not
    know get data without them.
    """
    groups = sums.by(rows, "mine_id")
    nothing = dict.fromkeys(sums.MEASURES, 0)
    mines = sorted(data.mines, key=lambda mine: mine.code)
    stray = "" in groups
    values = [groups.get(mine.mine_id, nothing) for mine in mines] + ([groups[""]] if stray else [])
    whole = sums.total(rows)
    licences = any(mine.licence_no for mine in mines)
    beside = (*BESIDE, ("outside", "界外面积", "Outside licence")) if whole["outside"] else BESIDE
    closed = balances(values, beside=beside)
    monitored = balances(values, keys=(), beside=(("monitored", "", ""),))
    heads = _mine_columns(licences)
    made = []
    for i, one in enumerate(values):
        if i < len(mines):
            mine = mines[i]
            first, dates, key = (
                _mine_cells(mine, licences, language),
                (day(mine.prev_on), day(mine.obs_on)),
                mine.mine_id,
            )
        else:
            blank = (text(""),) * (len(heads) - 2)
            first, dates, key = (text(""), text(word("unassigned", language)), *blank), (day(None), day(None)), ""
        covered = percent(one["observed"], one["monitored"])
        cells = (*first, monitored.rows[i][0], covered, *closed.rows[i], *rates(one), *dates)
        made.append(Row(cells, "part", key))
    label = (text(""), text(word("total", language)), *(text(""),) * (len(heads) - 2))
    covered = percent(whole["observed"], whole["monitored"])
    cells = (*label, monitored.total[0], covered, *closed.total, *rates(whole), text(""), text(""))
    made.append(Row(cells, "total", "total"))
    columns = (
        *heads,
        *_COVERAGE,
        *closed.columns,
        *RATES,
        Column("prev_on", "前时相", "Imagery before", "date"),
        Column("obs_on", "后时相", "Imagery now", "date"),
    )
    notes = _notes(language, closed.closed)
    return Table("T3", *TITLES["T3"], columns, tuple(made), notes, language)


def by_mineral(data: EditionData, rows: pd.DataFrame, language: Language) -> Table:
    """T4: mineral kind x mining method, subtotals per mineral kind, and the total."""
    facts = {mine.mine_id: (mine.mineral_kind, mine.mining_method) for mine in data.mines}
    mines: dict[tuple[str, str], int] = {}
    for pair in facts.values():
        mines[pair] = mines.get(pair, 0) + 1
    sorted_rows = rows.assign(pair=[facts.get(key, ("", "")) for key in rows["mine_id"]])
    groups = sums.by(sorted_rows, "pair")
    nothing = dict.fromkeys(sums.MEASURES, 0)
    pairs = sorted({*mines, *groups}, key=lambda pair: (pair == ("", ""), pair))
    minerals = list(dict.fromkeys(pair[0] for pair in pairs))
    members = {mineral: [pair for pair in pairs if pair[0] == mineral] for mineral in minerals}
    upper_values = [
        {key: sum(groups.get(pair, nothing)[key] for pair in members[mineral]) for key in sums.MEASURES}
        for mineral in minerals
    ]
    keys = balance_keys(sums.total(rows))
    upper = balances(upper_values, keys=keys)
    made, closed = [], upper.closed
    for i, mineral in enumerate(minerals):
        name = word(mineral, language, "mineral.") if mineral else word("unassigned", language)
        number = sum(mines.get(pair, 0) for pair in members[mineral])
        head = (text(name), text(word("subtotal", language)), count(number))
        made.append(Row((*head, *upper.rows[i], *rates(upper_values[i])), "subtotal", mineral))
        if not mineral:
            continue
        values = [groups.get(pair, nothing) for pair in members[mineral]]
        lower = balances(values, keys=keys, totals=upper.units[i])
        closed &= lower.closed
        for j, pair in enumerate(members[mineral]):
            head = (text(name), text(word(pair[1], language, "method.")), count(mines.get(pair, 0)))
            made.append(Row((*head, *lower.rows[j], *rates(values[j])), "part", "/".join(pair)))
    whole = sums.total(rows)
    head = (text(word("total", language)), text(""), count(len(data.mines)))
    made.append(Row((*head, *upper.total, *rates(whole)), "total", "total"))
    columns = (
        Column("mineral_kind", "矿种类型", "Mineral"),
        Column("mining_method", "开采方式", "Method"),
        Column("mines", "矿山数", "Mines", "count"),
        *upper.columns,
        *RATES,
    )
    notes = _notes(language, closed)
    return Table("T4", *TITLES["T4"], columns, tuple(made), notes, language)
