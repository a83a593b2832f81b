"""T5, what became of every state of last year's book, and T6, what was restored and how."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd

from landdamage.accounting.states import DAMAGE, NAMES, RESTORED, RESTORED_KIND_DEFAULT, Flow, State
from landdamage.reports.balances import shares
from landdamage.reports.closing import close_matrix, close_parts
from landdamage.reports.data import EditionData
from landdamage.reports.table import NOTHING, STEP, Cell, Column, Row, Table, count, printed, text
from landdamage.reports.words import Language, land_use, pick, word

_RESTORED = {state.code for state in RESTORED}
ALWAYS = (State.VEGETATION, State.OTHER, *DAMAGE)  # the nine states of the matrix; the others appear where they occur


def _group(code: str) -> str:
    return "restored_ground" if code in _RESTORED else code


def _name(code: str) -> tuple[str, str]:
    return NAMES.get(code) or (word(code, "zh"), word(code, "en"))


def transition_matrix(rows: pd.DataFrame, language: Language) -> Table:
    """T5: area by state of last year's book (rows) and of this year's (columns), in hm²."""
    area = rows.groupby([rows["prev_state"].map(_group), rows["new_state"].map(_group)])["monitored"].sum()
    left = rows.groupby([rows["prev_state"].map(_group), rows["new_state"].map(_group)])["exit"].sum()
    sums = {pair: int(area[pair]) + int(left[pair]) for pair in area.index}
    present = {code for pair, cm2 in sums.items() if cm2 for code in pair}
    order = [State.UNKNOWN.code, *(state.code for state in ALWAYS), "restored_ground", State.OUTSIDE.code]
    shown = [code for code in order if code in present or code in {state.code for state in ALWAYS}]
    exact = [[sums.get((prev, new), 0) for new in shown] for prev in shown]
    full = [[*values, sum(values)] for values in exact]
    unit = int(STEP["hm2"])
    columns_cm2 = [sum(column) for column in zip(*exact, strict=True)]
    totals = close_parts(columns_cm2, unit)  # first the columns to the grand total, then the cells to both
    units, closed, _ = close_matrix(full, unit, [1] * len(shown) + [-1], [*totals, sum(totals)])
    made = [
        Row((text(pick(_name(code), language)), *map(_cell, units[i], full[i])), "part", code)
        for i, code in enumerate(shown)
    ]
    whole = [*columns_cm2, sum(columns_cm2)]
    made.append(Row((text(word("total", language)), *map(_cell, closed, whole)), "total", "total"))
    columns = (
        Column("state", "上年末 \\ 本年末", "Before \\ now"),
        *(Column(code, *_name(code), "hm2") for code in shown),
        Column("total", "合计", "Total", "hm2"),
    )
    note = (
        "本表按行、列合计单独闭合，个别数值与其他表可能相差 0.01。",
        "Closed by its own rows and columns: single values may differ from other tables by 0.01.",
    )
    notes = (pick(note, language),)
    return Table("T5", "类型转移矩阵", "Transition matrix", columns, tuple(made), notes, language)


def _cell(units: int, exact: int) -> Cell:
    return printed(int(units), "hm2", exact)


def restored_cells(data: EditionData) -> pd.DataFrame:
    """Restored ground: cm² per restored kind, mode and post-use ("" where nothing was recorded), largest first.

    Returns:
        columns restored_kind, mode, post_use, pieces (number), area_cm2.
    """
    cells = data.cells
    back = pd.DataFrame(cells[cells["flow"] == Flow.RESTORED][["piece_id", "prev_state", "area_cm2"]])
    records = pd.DataFrame(data.pieces[["piece_id", "restored_kind", "mode", "post_use"]])
    back = back.merge(records.dropna(subset="piece_id"), on="piece_id", how="left")
    usual = back["prev_state"].map({state.code: kind for state, kind in RESTORED_KIND_DEFAULT.items()})
    named = back["restored_kind"].fillna("").astype(str)
    back["restored_kind"] = named.where(named != "", usual)
    for name in ("mode", "post_use"):
        back[name] = back[name].fillna("").astype(str)
    grouped = back.groupby(["restored_kind", "mode", "post_use"], sort=True)
    made = grouped.agg(pieces=("piece_id", "nunique"), area_cm2=("area_cm2", "sum")).reset_index()
    made["area_cm2"] = made["area_cm2"].astype("int64")
    return made.sort_values(["restored_kind", "area_cm2"], ascending=[True, False], kind="stable")


def restorations(data: EditionData, language: Language) -> Table:
    """T6: restored ground by restored kind, mode and use afterwards, in hm² and mu."""
    found = restored_cells(data)
    kinds = [kind for kind in dict.fromkeys(RESTORED_KIND_DEFAULT.values()) if kind in set(found["restored_kind"])]
    groups = {kind: found[found["restored_kind"] == kind] for kind in kinds}
    sums = [int(groups[kind]["area_cm2"].sum()) for kind in kinds]
    whole = sum(sums)
    upper = {unit: close_parts(sums, STEP[unit]) for unit in ("hm2", "mu")}
    share = shares(sums)
    made: list[Row] = []
    pieces = 0
    for i, kind in enumerate(kinds):
        name = pick(NAMES[kind], language)
        group = groups[kind]
        number = int(group["pieces"].sum())
        pieces += number
        areas = (printed(upper["hm2"][i], "hm2", sums[i]), printed(upper["mu"][i], "mu", sums[i]))
        head = (text(name), text(word("subtotal", language)), text(""), count(number))
        made.append(Row((*head, *areas, share[i]), "subtotal", kind))
        parts = [int(cm2) for cm2 in group["area_cm2"]]
        lower = {unit: close_parts(parts, STEP[unit], upper[unit][i]) for unit in ("hm2", "mu")}
        part_share = shares(parts, whole, int(Decimal(share[i].text).scaleb(2)) if whole else None)
        for j, row in enumerate(group.itertuples()):
            cells = (
                text(name),
                text(word(str(row.mode), language) if row.mode else NOTHING),
                text(land_use(str(row.post_use), language) if row.post_use else NOTHING),
                count(int(row.pieces)),  # type: ignore[arg-type]
                printed(lower["hm2"][j], "hm2", parts[j]),
                printed(lower["mu"][j], "mu", parts[j]),
                part_share[j],
            )
            made.append(Row(cells, "part", f"{kind}/{row.mode}/{row.post_use}"))
    both = tuple(printed(round(whole / STEP[unit]), unit, whole) for unit in ("hm2", "mu"))
    full = shares([whole])[0]
    made.append(Row((text(word("total", language)), text(""), text(""), count(pieces), *both, full), "total", "total"))
    columns = (
        Column("restored_kind", "治理类型", "Restored kind"),
        Column("mode", "治理方式", "Mode"),
        Column("post_use", "治理后用途", "Use afterwards"),
        Column("pieces", "图斑数", "Patches", "count"),
        Column("area", "面积", "Area", "hm2"),
        Column("area_mu", "面积", "Area", "mu"),
        Column("share", "占比", "Share", "percent"),
    )
    return Table("T6", "治理恢复情况", "Restoration by kind, mode and use", columns, tuple(made), (), language)
