"""The classes in a table from outside: which column holds them, what its words mean, what a person must answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import geopandas as gpd
import pandas as pd

from landdamage.interchange import checks
from minegis.errors import Finding

# Where other tables keep the class, in this order; names are compared without case.
CLASS_COLUMNS: Final = (
    "DWMC", "DWDM", "class_code", "class", "state", "类别", "地物类别", "图斑类型", "类型", "class_zh", "LX",
)  # fmt: skip
SKIP: Final = "skip"  # in a mapping: leave these rows out
Meaning = TypeVar("Meaning")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person decided where the file leaves it open.

    Attributes:
        layer: name of the layer to read.
        crs: EPSG code or WKT, for files without one.
        encoding: ``utf-8`` or ``gbk`` of a shapefile's table.
        column: that holds the class.
        mapping: class as written in the file -> code of what it means, or ``skip``.
        repair: take self-intersecting polygons as the preview repaired them.
        clip: where polygons overlap, let the precedence of the classes decide.
    """

    layer: str = ""
    crs: str = ""
    encoding: str = ""
    column: str = ""
    mapping: Mapping[str, str] = field(default_factory=dict)
    repair: bool = False
    clip: bool = False


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[Meaning]):
    """What the words of a class column mean.

    Attributes:
        read_as: lower-case text or digits -> meaning.
        ambiguous: lower-case text -> the codes it may stand for; people must choose.
        codes: what a person's mapping may name -> meaning.
    """

    read_as: Mapping[str, Meaning]
    ambiguous: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, Meaning]


def read_classes(
    table: gpd.GeoDataFrame,
    choices: Choices,
    vocabulary: Vocabulary[Meaning],
    facts: dict[str, Any],
    findings: list[Finding],
) -> list[Meaning | None] | None:
    """The meaning of every row (None: left out), or None where the classes are not settled yet.

    Args:
        table: as read.
        choices: the column and the mapping, where a person gave them.
        vocabulary: the known words.
        facts: gets column and classes [{value, rows, meaning}].
        findings: get E-VEC-05 no class column, E-VEC-10 unknown, E-VEC-11 ambiguous classes.
    """
    names = {str(column).lower(): column for column in table.columns if column != "geometry"}
    wanted = [choices.column] if choices.column else CLASS_COLUMNS
    column = next((names[name.lower()] for name in wanted if name.lower() in names), None)
    if column is None:
        values = {"value": choices.column or "DWMC / DWDM", "known": ", ".join(map(str, names.values()))}
        findings.append(Finding("E-VEC-05", "column", values))
        return None
    texts = [_written(value) for value in table[column]]
    counts = Counter(texts)
    chosen = {str(key).strip(): value for key, value in choices.mapping.items()}
    meaning: dict[str, Meaning | None] = {}
    unknown: list[str] = []
    for text in counts:
        if text in chosen:
            if chosen[text] == SKIP:
                meaning[text] = None
                continue
            found = vocabulary.codes.get(chosen[text])
        else:
            if text.lower() in vocabulary.ambiguous:
                known = ", ".join(vocabulary.ambiguous[text.lower()])
                findings.append(Finding("E-VEC-11", str(column), {"value": text, "known": known}))
                continue
            found = vocabulary.read_as.get(text.lower())
        if found is None:
            unknown.append(text or "(空 empty)")
        else:
            meaning[text] = found
    if unknown:
        findings.append(Finding("E-VEC-10", str(column), {"value": ", ".join(sorted(unknown)[: checks.LISTED])}))
    facts["column"] = str(column)
    facts["classes"] = [
        {"value": text, "rows": count, "meaning": meaning.get(text)} for text, count in counts.most_common(200)
    ]
    return [meaning[text] for text in texts] if len(meaning) == len(counts) else None


def _written(value: Any) -> str:
    """A class as text: numbers without decimals, nothing as empty."""
    if pd.isna(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()
