"""Labels from other people's files: polygons in any common vector format, label rasters beside their images."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import shapely
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.states import RESTORED
from landdamage.interchange import checks, layers
from landdamage.interchange.classes import Choices, Vocabulary, read_classes
from landdamage.interchange.codes import AMBIGUOUS, READ_AS
from landdamage.learning.samples.images import safe_name
from landdamage.learning.samples.material import OWN_VALUES, Layer, move
from landdamage.taxonomy import ALL_CLASSES, BY_CODE, IGNORE
from minegis.errors import Finding, MineGISError, SampleSetError
from minegis.units import CGCS2000_EPSG

UNSURE: Final = "ignore"  # in a mapping: ground whose class nobody knows
RASTER_SUFFIXES: Final = frozenset({".tif", ".tiff", ".img", ".pix", ".dat", ".jp2"})
_SHAPE_PARTS: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def _vocabulary() -> Vocabulary[int]:
    """What words and digits mean as classes; restored ground is unsure, because it may look like anything."""
    as_class = {"pit_water": "water", "other": "background"}
    read: dict[str, int] = {}
    for text, state in READ_AS.items():
        code = as_class.get(state.code, state.code)
        read[text] = IGNORE if state in RESTORED else BY_CODE[code].id
    for one in ALL_CLASSES:
        names = (one.code, one.zh, one.en, one.export_code, str(one.id))
        read |= dict.fromkeys((name.lower() for name in names), one.id)
    read |= {"水体": BY_CODE["water"].id, "恢复治理": IGNORE}
    unclear = {
        text: tuple(dict.fromkeys(as_class.get(state.code, state.code) for state in states))
        for text, states in AMBIGUOUS.items()
        if text not in read
    }
    return Vocabulary(read, unclear, {**{one.code: one.id for one in ALL_CLASSES}, UNSURE: IGNORE})


CLASSES_READ: Final = _vocabulary()


@dataclass(frozen=True)
class PolygonFile:
    """What a file of labelled polygons held; ``layer`` is None while an error stands in the findings."""

    layer: Layer | None
    findings: list[Finding]
    facts: dict[str, Any]


def read_polygons(path: Path, *, name: str = "", choices: Choices | None = None) -> PolygonFile:
    """Read labelled polygons and say everything that is wrong with them.

    Args:
        path: a zipped or plain shapefile (UTF-8 or GBK), a GeoPackage, GeoJSON, a zipped file geodatabase.
        name: its owner's name for it.
        choices: answers to what the file leaves open; ``mapping`` leads to class codes, ``ignore`` or ``skip``.
    """
    choices = choices or Choices()
    facts: dict[str, Any] = {}
    try:
        layer = _layer(path, name, choices, facts)
    except MineGISError as fault:
        return PolygonFile(None, [fault.finding()], facts)
    shapes, crs, findings = layer.shapes, layer.crs, list(layer.findings)
    classes = read_classes(layer.table, choices, CLASSES_READ, facts, findings)
    # Self-intersections are repaired with the rest of the material, which says how many.
    findings += [f for f in checks.polygon_findings(shapes, crs, repaired=True) if f.code != "E-VEC-03"]
    if crs is None or classes is None or any(f.severity == "error" for f in findings):
        return PolygonFile(None, findings, facts)
    kept = np.array([value is not None for value in classes], bool)
    class_ids = np.array([value for value in classes if value is not None], np.int64)
    return PolygonFile(Layer(shapes[kept], class_ids, crs), findings, facts)


def read_ground(path: Path, *, name: str = "", choices: Choices | None = None) -> list[BaseGeometry]:
    """Polygons of a file in EPSG:4490, whatever they are: surveyed ground.

    Raises:
        MineGISError: the file cannot be read or has no coordinate system.
    """
    return [shape for _, shape in read_named(path, column="", name=name, choices=choices)]


def read_named(
    path: Path, *, column: str, name: str = "", choices: Choices | None = None
) -> list[tuple[str, BaseGeometry]]:
    """Polygons of a file in EPSG:4490 with what stands in a column, e.g. the codes of mines.

    Args:
        path: as in ``read_polygons``.
        column: of the name; empty numbers the rows.
        name: the owner's name of the file.
        choices: layer, CRS and encoding, where the file leaves them open.

    Raises:
        MineGISError: the file cannot be read, has no coordinate system, or lacks the column (E-VEC-05).
    """
    choices = choices or Choices()
    facts: dict[str, Any] = {}
    layer = _layer(path, name, choices, facts)
    table, shapes, crs = layer.table, layer.shapes, layer.crs
    for finding in (*layer.findings, *checks.polygon_findings(shapes, crs, repaired=True)):
        if finding.severity == "error":
            raise MineGISError(finding.code, **finding.values)
    if column and column not in table.columns:
        raise MineGISError("E-VEC-05", value=column, known=", ".join(map(str, facts["columns"])))
    assert crs is not None  # else a finding would have been raised
    broken = ~shapely.is_valid(shapes)
    shapes[broken] = [checks.repair(shape) for shape in shapes[broken]]
    moved = move(shapes, crs, CRS.from_epsg(CGCS2000_EPSG))
    keys = [str(value) for value in table[column]] if column else [str(i + 1) for i in range(len(table))]
    return list(zip(keys, moved.tolist(), strict=True))


def _layer(path: Path, name: str, choices: Choices, facts: dict[str, Any]) -> layers.Layer:
    """The layer of a file; the parts of a plain shapefile are zipped first, as they would have been sent."""
    answers: dict[str, Any] = {"facts": facts, "layer": choices.layer, "crs": choices.crs, "encoding": choices.encoding}
    if path.suffix.lower() != ".shp":
        return layers.read_layer(path, name=name, **answers)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / f"{path.stem}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for part in sorted(path.parent.glob(f"{path.stem}.*")):
                if part.suffix.lower() in _SHAPE_PARTS:
                    archive.write(part, part.name)
        return layers.read_layer(packed, name=name or path.name, **answers)


def label_rasters(names: Sequence[str], places: Sequence[Path]) -> dict[str, Path]:
    """Label rasters of images by name.

    Args:
        names: of the images.
        places: files and folders; a raster carries the name of its image, ``_label`` may follow.

    Raises:
        SampleSetError: E-SET-22, an image has none.
    """
    found: dict[str, Path] = {}
    for path in raster_files(places):
        found[safe_name(path.stem.removesuffix("_label"))] = path
    for name in names:
        if name not in found:
            raise SampleSetError("E-SET-22", value=name)
    return {name: found[name] for name in names}


def raster_files(places: Sequence[Path]) -> list[Path]:
    """Raster files among files and folders, sorted by name within a folder."""
    out = []
    for place in places:
        if place.is_dir():
            out += sorted(path for path in place.iterdir() if path.suffix.lower() in RASTER_SUFFIXES)
        else:
            out.append(place)
    return out


def raster_values(mapping: Mapping[str, str]) -> Mapping[int, int]:
    """What values of a label raster mean: the taxonomy's ids and 255, and what a person adds or changes.

    Args:
        mapping: value -> class code or ``ignore``.

    Raises:
        SampleSetError: E-SET-24, not a value 0-255 or not a class.
    """
    values = dict(OWN_VALUES)
    for text, meaning in mapping.items():
        if not (text.isdecimal() and int(text) <= IGNORE and meaning in CLASSES_READ.codes):
            known = ", ".join(CLASSES_READ.codes)
            raise SampleSetError("E-SET-24", value=f"{text}={meaning}", known=f"0-255 = {known}")
        class_id = CLASSES_READ.codes[meaning]
        values[int(text)] = class_id if class_id in OWN_VALUES else IGNORE
    return MappingProxyType(values)
