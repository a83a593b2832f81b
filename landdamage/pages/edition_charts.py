"""The charts of an edition: each draws numbers that the table beside it prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from landdamage import taxonomy
from landdamage.accounting.states import State
from landdamage.models import Edition
from landdamage.pages.edition_cells import CLASS_OF
from landdamage.pages.ledger import in_unit
from landdamage.reports.table import DIGITS, Row, Table

if TYPE_CHECKING:
    from landdamage.pages.edition import Past, Selection

MOST_BARS = 20
NEW, RESTORED, QUIET = taxonomy.NEW_OUTLINE.colour, taxonomy.RESTORED_OUTLINE.colour, "#4A7FB5"
UNIT_NAMES = {"hm2": "hm²", "km2": "km²"}


def charts(
    edition: Edition, chosen: Selection, account: Table, past: Sequence[Past], tables: dict[str, Table]
) -> list[dict[str, Any]]:
    """The charts of the chosen tab, for the page's script."""
    makers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "account": lambda: [
            _kinds(chosen, account, "closing"),
            _kinds(chosen, account, "new"),
            _kinds(chosen, account, "restored"),
            _stocks(chosen, edition, account, past),
            _years(chosen, edition, account, past),
        ],
        "T1": lambda: [_regions(chosen, tables["T1"]), _coverage(chosen, tables["T1"])],
        "T2": lambda: [_classes(chosen, tables["T2"])],
        "T3": lambda: [_mines(chosen, tables["T3"])],
        "T4": lambda: [_minerals(chosen, tables["T4"])],
        "T5": lambda: [_transitions(chosen, tables["T5"])],
        "T6": lambda: [_restorations(chosen, tables["T6"])],
        "T9": lambda: [_coverage(chosen, tables["T1"])],
    }
    made = makers[chosen.tab]()
    source = _("Source: %(region)s %(year)d v%(version)d") % {
        "region": edition.region.name, "year": edition.year, "version": edition.version,
    }  # fmt: skip
    if edition.content_sha256:
        source += f" · {edition.content_sha256[:8]}"
    return [chart | {"source": source} for chart in made if chart["categories"]]


def _unit(chosen: Selection) -> dict[str, Any]:
    return {"unit": UNIT_NAMES.get(chosen.unit) or str(_("mu")), "digits": DIGITS[chosen.unit]}


def _number(table: Table, row: Row, key: str) -> float | None:
    value = table.cell(row, key).value
    return None if value is None or isinstance(value, str) else float(value)  # type: ignore[arg-type]


def _series(name: str, colour: str | list[str], values: list[float | None]) -> dict[str, Any]:
    return {"name": name, "colour": colour, "values": values}


def _kinds(chosen: Selection, account: Table, column: str) -> dict[str, Any]:
    rows = list(account.parts())
    title, colour = {
        "closing": (_("Stock by kind"), QUIET),
        "new": (_("New damage by kind"), NEW),
        "restored": (_("Restored by kind"), RESTORED),
    }[column]
    return _unit(chosen) | {
        "id": column,
        "kind": "column",
        "title": title,
        "categories": [row.cells[0].text for row in rows],
        "keys": [row.key for row in rows],
        "pick": "kind",
        "selected": chosen.kind,
        "series": [_series(title, colour, [_number(account, row, column) for row in rows])],
    }


def _each_year(edition: Edition, account: Table, past: Sequence[Past]) -> list[tuple[int, Table]]:
    return [(one.edition.year, one.account) for one in reversed(past)] + [(edition.year, account)]


def _stocks(chosen: Selection, edition: Edition, account: Table, past: Sequence[Past]) -> dict[str, Any]:
    years = _each_year(edition, account, past)
    name = _("Closing stock")
    return _unit(chosen) | {
        "id": "stocks",
        "kind": "column",
        "title": _("Stock by year"),
        "categories": [str(year) for year, _table in years],
        "keys": [],
        "pick": "",
        "series": [_series(name, QUIET, [_number(table, table.total, "closing") for _year, table in years])],
    }


def _years(chosen: Selection, edition: Edition, account: Table, past: Sequence[Past]) -> dict[str, Any]:
    years = _each_year(edition, account, past)
    return _unit(chosen) | {
        "id": "years",
        "kind": "column",
        "title": _("New and restored by year"),
        "categories": [str(year) for year, _table in years],
        "keys": [],
        "pick": "",
        "series": [
            _series(_("New"), NEW, [_number(table, table.total, "new") for _year, table in years]),
            _series(_("Restored"), RESTORED, [_number(table, table.total, "restored") for _year, table in years]),
        ],
    }


def _ranking(chosen: Selection, table: Table, name: str, pick: str, title: str, identity: str) -> dict[str, Any]:
    rows = sorted(table.parts(), key=lambda row: -(_number(table, row, "new") or 0.0))[:MOST_BARS]
    return _unit(chosen) | {
        "id": identity,
        "kind": "bar",
        "title": title,
        "categories": [table.cell(row, name).text for row in rows],
        "keys": [row.key for row in rows] if pick else [],
        "pick": pick,
        "selected": getattr(chosen, pick) if pick else "",
        "series": [
            _series(_("New"), NEW, [_number(table, row, "new") for row in rows]),
            _series(_("Restored"), RESTORED, [_number(table, row, "restored") for row in rows]),
        ],
    }


def _regions(chosen: Selection, table: Table) -> dict[str, Any]:
    return _ranking(chosen, in_unit(table, chosen.unit), "region", "region", _("Regions by new damage"), "regions")


def _mines(chosen: Selection, table: Table) -> dict[str, Any]:
    return _ranking(chosen, in_unit(table, chosen.unit), "name", "mine", _("Mines by new damage"), "mines")


def _minerals(chosen: Selection, table: Table) -> dict[str, Any]:
    table = in_unit(table, chosen.unit)
    rows = [row for row in table.rows if row.level == "subtotal"]
    return _unit(chosen) | {
        "id": "minerals",
        "kind": "bar",
        "title": _("New damage by mineral"),
        "categories": [row.cells[0].text for row in rows],
        "keys": [],
        "pick": "",
        "series": [_series(_("New"), NEW, [_number(table, row, "new") for row in rows])],
    }


def _coverage(chosen: Selection, table: Table) -> dict[str, Any]:
    rows = list(table.parts())
    return {
        "id": "coverage",
        "kind": "bar",
        "title": _("Observed share of the monitored ground"),
        "unit": "%",
        "digits": 2,
        "target": 95,
        "most": 100,
        "categories": [table.cell(row, "region").text for row in rows],
        "keys": [row.key for row in rows],
        "pick": "region",
        "selected": chosen.region,
        "series": [_series(_("Coverage"), QUIET, [_number(table, row, "coverage") for row in rows])],
    }


def _classes(chosen: Selection, table: Table) -> dict[str, Any]:
    table = in_unit(table, chosen.unit)
    rows = list(table.parts())
    colours = [taxonomy.BY_CODE[CLASS_OF[State.of(row.key)]].colour for row in rows]
    return _unit(chosen) | {
        "id": "classes",
        "kind": "bar",
        "title": _("Stock by class"),
        "categories": [table.cell(row, "class").text for row in rows],
        "keys": [row.key for row in rows],
        "pick": "state",
        "selected": chosen.state,
        "series": [_series(_("Closing stock"), colours, [_number(table, row, "closing") for row in rows])],
    }


def _restorations(chosen: Selection, table: Table) -> dict[str, Any]:
    table = in_unit(table, chosen.unit)
    areas = next(column.key for column in table.columns if column.unit == chosen.unit)
    sums: dict[str, float] = {}
    for row in table.parts():
        sums[row.cells[0].text] = sums.get(row.cells[0].text, 0.0) + (_number(table, row, areas) or 0.0)
    return _unit(chosen) | {
        "id": "restorations",
        "kind": "bar",
        "title": _("Restored by kind of restoration"),
        "categories": list(sums),
        "keys": [],
        "pick": "",
        "series": [_series(_("Restored"), RESTORED, [round(value, DIGITS[chosen.unit]) for value in sums.values()])],
    }


def _transitions(chosen: Selection, table: Table) -> dict[str, Any]:
    table = in_unit(table, chosen.unit)
    rows = list(table.parts())
    columns = [column for column in table.columns if column.unit == chosen.unit and column.key != "total"]
    return _unit(chosen) | {
        "id": "transitions",
        "kind": "heat",
        "title": _("What became what"),
        "categories": [row.cells[0].text for row in rows],
        "columns": [column.head(table.language).split(" (")[0] for column in columns],
        "keys": [],
        "pick": "",
        "series": [],
        "cells": [
            [x, y, value]
            for y, row in enumerate(rows)
            for x, column in enumerate(columns)
            if row.key != column.key and (value := _number(table, row, column.key)) is not None
        ],
    }
