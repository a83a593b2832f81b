"""Vocabulary of the books' templates: cells by position, addresses of another selection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.translation import gettext

from landdamage.accounting.states import KINDS
from landdamage.reports.table import NOTHING, UNIT_TEXT, Table
from minegis.problems import request_language

register = template.Library()
_LONG_NUMBER = re.compile(r"([-+−<>]*)(\d{4,})((?:\.\d+)?)")


@register.filter
def at(items: Sequence[Any], index: int) -> Any:
    """The item at a position."""
    return items[index]


@register.simple_tag(takes_context=True)
def pick_url(context: dict[str, Any], name: str, key: str) -> str:
    """This page with one thing selected, or not any more if it was."""
    query = context["request"].GET.copy()
    if query.get(name) == key:
        del query[name]
    else:
        query[name] = key
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def behind_url(context: dict[str, Any], column: str, kind: str) -> str:
    """This page with the ground behind a figure of the account on the map, or everything again."""
    query = context["request"].GET.copy()
    same = query.get("column") == column and query.get("kind", "") == kind
    for name in ("column", "kind", "state"):
        query.pop(name, None)
    if not same:
        query["column"] = column
        if kind:
            query["kind"] = kind
    return f"?{query.urlencode()}"


@register.filter
def split_names(text: str) -> list[str]:
    """Names from a comma-separated list."""
    return text.split(",")


@register.filter
def value(query: Any, name: str) -> str:
    """A parameter of the address."""
    return str(query.get(name, ""))


@register.filter
def facts_name(facts: Any) -> str:
    """The name of a mine or region of an edition in the language of the request."""
    return str(facts.name_zh if request_language() == "zh" else facts.name_en or facts.name_zh)


@register.filter
def unit_name(unit: str) -> str:
    """How a unit of area is written."""
    return UNIT_TEXT.get(unit) or gettext("mu")


@register.filter
def kind_of_key(key: str) -> str:
    """The damage kind of a row of the account, "" for its total."""
    return key if key in KINDS else ""


@register.filter
def signed(text: str) -> str:
    """A printed difference with its sign, U+2212 for minus."""
    if text.startswith("-"):
        return f"−{text[1:]}"
    return text if not text.strip("0.") or text.startswith(("<", ">")) else f"+{text}"


@register.simple_tag
def column_name(table: Table, key: str) -> str:
    """The head of a column without its unit."""
    column = next((column for column in table.columns if column.key == key), None)
    if column is None:
        return key
    return column.zh if table.language == "zh" else column.en


@register.simple_tag
def total_cell(table: Table, key: str) -> str:
    """The total of a column; a dash where the table does not have it."""
    return grouped(table.cell(table.total, key).text) if key in table.index else NOTHING


@register.filter
def grouped(text: str) -> str:
    """A printed number with a comma at every third digit before the point; other texts as they are."""
    found = _LONG_NUMBER.fullmatch(text)
    return f"{found[1]}{int(found[2]):,}{found[3]}" if found else text


@register.filter
def chart_height(chart: dict[str, Any]) -> int:
    """Pixels a chart needs: bars and matrices grow with their rows."""
    rows = len(chart["categories"])
    if chart["kind"] == "column":
        return 190
    if chart["kind"] == "heat":
        return 130 + 26 * rows
    return 50 + (36 if len(chart["series"]) > 1 else 24) * rows
