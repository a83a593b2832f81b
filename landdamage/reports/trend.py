"""What the editions below this one said: the trend over the years, as one more table."""

from __future__ import annotations

from landdamage.reports.data import EditionData
from landdamage.reports.sums import compact, total
from landdamage.reports.table import Column, Row, Table, area, percent, text
from landdamage.reports.words import Language

_KEYS = ("closing", "new", "restored", "restored_stock")


def yearly(data: EditionData) -> list[tuple[str, dict[str, int]]]:
    """Per edition, oldest first and this one last: its name (``2023 v1``) and sums in cm² over all damage kinds."""
    years: dict[str, dict[str, int]] = {}
    for row in data.history:
        sums = years.setdefault(f"{row['year']} v{row['version']}", dict.fromkeys(_KEYS, 0))
        for key in _KEYS:
            sums[key] += int(row.get(key, 0))
    now = total(compact(data))
    years[f"{data.edition.year} v{data.edition.version}"] = {key: now[key] for key in _KEYS}
    return list(years.items())


def trend(data: EditionData, language: Language) -> Table:
    """Stock, new and restored area and rates of every edition; each printed as that edition printed its totals."""
    made = []
    for name, sums in yearly(data):
        areas = (area(sums[key]) for key in ("closing", "new", "restored"))
        annual = percent(sums["restored"], sums["new"])
        made.append(
            Row(
                (
                    text(name),
                    *areas,
                    annual,
                    percent(sums["restored_stock"], sums["closing"] + sums["restored_stock"]),
                ),
                "part",
                name,
            )
        )
    columns = (
        Column("edition", "版本", "Edition"),
        Column("closing", "年末存量", "Closing stock", "hm2"),
        Column("new", "新增", "New", "hm2"),
        Column("restored", "治理", "Restored", "hm2"),
        Column("annual_rate", "年度治理率", "Annual restoration rate", "percent"),
        Column("cumulative_rate", "累计修复率", "Cumulative restoration rate", "percent"),
    )
    return Table("T10", "多年变化", "Trend over the years", columns, tuple(made), (), language)
