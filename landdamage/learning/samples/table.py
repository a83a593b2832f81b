"""How much of every class a sample set holds: objects, tiles and pixels, before the split and in each set."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from landdamage.learning.samples.labels import Things
from landdamage.learning.samples.params import SETS
from landdamage.learning.samples.tiles import Tile
from landdamage.taxonomy import CLASSES
from minegis.errors import Language

ORIGINALS = "originals"
MEASURES = ("objects", "tiles", "pixels")
_WORDS = {
    "zh": {
        ORIGINALS: "原始", "train": "训练", "val": "验证", "test": "测试", "objects": "图斑", "tiles": "切片",
        "pixels": "像元", "class": "类别", "total": "合计", "fold": "第 {} 折",
    },
    "en": {
        ORIGINALS: "original", "train": "train", "val": "val", "test": "test", "objects": "polygons", "tiles": "tiles",
        "pixels": "pixels", "class": "class", "total": "total", "fold": "fold {}",
    },
}  # fmt: skip


def rows(
    tiles: Sequence[Tile],
    sets: Sequence[str],
    originals: Mapping[int, tuple[int, int, int]],
    things: Mapping[str, Things],
    side: int,
) -> list[dict[str, Any]]:
    """One row per class, background last.

    Args:
        tiles: of the finished set.
        sets: names of its sets.
        originals: class id -> objects, windows and pixels before the split.
        things: image -> its objects; an object counts in the set one of whose tiles holds its point.
        side: of a tile.

    Returns:
        Rows {class_id, class_code, originals: {objects, tiles, pixels}, SET: {...}}. Background has no objects.
    """
    found = _objects(tiles, things, side)
    out = []
    for land_class in (*(c for c in CLASSES if c.id), CLASSES[0]):
        row: dict[str, Any] = {"class_id": land_class.id, "class_code": land_class.code}
        row[ORIGINALS] = dict(zip(MEASURES, originals[land_class.id], strict=True)) if land_class.id else None
        for name in sets:
            own = [tile for tile in tiles if tile.set == name]
            row[name] = {
                "objects": found.get((name, land_class.id), 0) if land_class.id else None,
                "tiles": sum(tile.pixels[land_class.id] > 0 for tile in own),
                "pixels": sum(tile.pixels[land_class.id] for tile in own),
            }
        out.append(row)
    return out


def _objects(tiles: Sequence[Tile], things: Mapping[str, Things], side: int) -> dict[tuple[str, int], int]:
    by_image: dict[str, list[Tile]] = {}
    for tile in tiles:
        by_image.setdefault(tile.image, []).append(tile)
    counts: dict[tuple[str, int], int] = {}
    for image, own in by_image.items():
        known = things[image]
        for name in {tile.set for tile in own}:
            held = np.zeros(len(known.row), bool)
            for tile in own:
                if tile.set == name:
                    held |= (
                        (known.row >= tile.row)
                        & (known.row < tile.row + side)
                        & (known.column >= tile.column)
                        & (known.column < tile.column + side)
                    )
            for class_id, count in zip(*np.unique(known.class_id[held], return_counts=True), strict=True):
                key = (name, int(class_id))
                counts[key] = counts.get(key, 0) + int(count)
    return counts


def set_name(name: str, language: Language) -> str:
    """A set in words."""
    words = _WORDS[language]
    return words["fold"].format(name.removeprefix("fold")) if name.startswith("fold") else words[name]


def ordered(names: Iterable[str]) -> list[str]:
    """Originals, then the sets in their own order: a database gives keys back in any."""
    rank = {name: place for place, name in enumerate((ORIGINALS, *SETS))}
    return sorted(names, key=lambda name: rank[name] if name in rank else int(name.removeprefix("fold")))


def columns(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Originals and the sets, in order."""
    return ordered(key for key in table[0] if key not in ("class_id", "class_code")) if table else []


def totals(table: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Objects and pixels of the seven classes together; tiles do not add up, because one tile shows several."""
    return {
        name: {
            measure: sum(row[name][measure] for row in table if row["class_id"] and row[name])
            for measure in ("objects", "pixels")
        }
        for name in columns(table)
    }


def _names(language: Language) -> dict[str, str]:
    return {c.code: c.zh if language == "zh" else c.en for c in CLASSES}


def as_text(table: Sequence[Mapping[str, Any]], language: Language = "en") -> str:
    """The table for a terminal: objects / tiles / pixels of every class and set."""
    words, names = _WORDS[language], _names(language)
    heads = [f"{set_name(name, language)} {words[m]}" for name in columns(table) for m in MEASURES]
    lines = [[words["class"], *heads]]
    for row in table:
        cells = [row[name][m] if row[name] else None for name in columns(table) for m in MEASURES]
        lines.append([names[row["class_code"]], *("–" if cell is None else f"{cell:,}" for cell in cells)])
    sums = totals(table)
    lines.append(
        [
            words["total"],
            *(f"{sums[name][m]:,}" if m in sums[name] else "" for name in columns(table) for m in MEASURES),
        ]
    )
    widths = [max(_width(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell + " " * (widths[i] - _width(cell)) if i == 0 else " " * (widths[i] - _width(cell)) + cell
            for i, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if "⺀" <= character <= "￯" else 1 for character in text)


def as_csv(table: Sequence[Mapping[str, Any]], language: Language = "en") -> str:
    """The table as CSV; class names in the language, column names in English for programs."""
    names = _names(language)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["class", "name", *(f"{name}_{m}" for name in columns(table) for m in MEASURES)])
    for row in table:
        cells = [row[name][m] if row[name] else None for name in columns(table) for m in MEASURES]
        writer.writerow([row["class_code"], names[row["class_code"]], *("" if c is None else c for c in cells)])
    return out.getvalue()
