"""The work of one territory as two small files: what its account needs, and what came out of it.

Files make the account resumable and reproducible: a unit whose result lies there is not computed again, and the inputs
of a year, kept together, compute the same cells for ever, whatever happens to the register and the imagery since.
Plain numpy archives without pickles: outlines as WKB, everything else as arrays of numbers or text.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.observation import SceneView
from landdamage.accounting.planar import ALBERS, geometries
from landdamage.accounting.rules import Rules
from landdamage.accounting.territories import Territory
from minegis.units import CGCS2000_EPSG

NO_YEAR: Final = 0  # stands for a missing year in the files


@dataclass(frozen=True)
class UnitInput:
    """Everything the account of one territory needs.

    Attributes:
        territory: whose ground.
        opening: its part of the book below (Albers): geometry, state, area_cm2, observed_year, vegetated_years.
        scenes: those that may show some of it.
        patches: EPSG:4490; those that reach it: the columns ``labels_of_year`` wants, patch_id, author (key of who
            drew or edited it, empty for the model) and water_by (key of who decided its water, empty for nobody).
        subsidence: accepted polygons, EPSG:4490.
        surveyors: the author of each of them.
        book_pits: open pits and pit water of the book below its water patches, Albers.
        hydrography: rivers, lakes and reservoirs that meet its water patches, EPSG:4490.
        regions: lowest-level regions that meet it, EPSG:4490: code, geometry.
        rules: of the year.
        year: the year accounted for.
        coarse_gsd_m: the coarser of two unlike resolutions: only changes that show on its grid count; None otherwise.
    """

    territory: Territory
    opening: gpd.GeoDataFrame
    scenes: Sequence[SceneView]
    patches: gpd.GeoDataFrame
    subsidence: Sequence[BaseGeometry]
    surveyors: Sequence[str]
    book_pits: Sequence[BaseGeometry]
    regions: gpd.GeoDataFrame
    rules: Rules
    year: int
    coarse_gsd_m: float | None = None
    hydrography: Sequence[BaseGeometry] = ()


@dataclass(frozen=True)
class UnitResult:
    """What the account of one territory gave: cells and pieces (Albers, see ``unit.UnitCells``) and what it met.

    Cells name their region by ``region_code`` and their scene by ``scene_id``; pieces have ``authors`` instead of
    patches: the keys of all people behind what they show, with blanks between, empty for the model.
    ``undecided_water`` are keys of patches, ``out_of_season`` keys of scenes.
    """

    cells: gpd.GeoDataFrame
    pieces: gpd.GeoDataFrame
    undecided_water: Sequence[int] = ()
    out_of_season: Sequence[str] = ()


def save_input(path: Path, unit: UnitInput) -> None:
    """Write a unit's input; the file appears when it is complete."""
    territory = unit.territory
    meta = {
        "mine": territory.mine,
        "region": territory.region,
        "licensed": territory.licence is not None,
        "scenes": [
            [scene.scene_id, scene.acquired_on.isoformat(), scene.gsd_m, scene.satellite] for scene in unit.scenes
        ],
        "surveyors": list(unit.surveyors),
        "rules": unit.rules.as_dict(),
        "year": unit.year,
        "coarse_gsd_m": unit.coarse_gsd_m,
    }
    ground = [territory.geometry, *([territory.licence] if territory.licence is not None else [])]
    arrays = {
        **_shapes("ground", ground),
        **_shapes("scenes", [scene.seen for scene in unit.scenes]),
        **_shapes("subsidence", unit.subsidence),
        **_shapes("book_pits", unit.book_pits),
        **_shapes("hydrography", unit.hydrography),
        **_table("regions", unit.regions),
        **_table("opening", unit.opening),
        **_table("patches", unit.patches),
    }
    _save(path, meta, arrays)


def load_input(path: Path) -> UnitInput:
    """Read what ``save_input`` wrote."""
    meta, arrays = _load(path)
    ground = _read_shapes("ground", arrays)
    return UnitInput(
        territory=Territory(meta["mine"], meta["region"], ground[0], ground[1] if meta["licensed"] else None),
        opening=_read_table("opening", arrays, ALBERS),
        scenes=[
            SceneView(scene_id, date.fromisoformat(day), gsd, seen, satellite)
            for (scene_id, day, gsd, satellite), seen in zip(
                meta["scenes"], _read_shapes("scenes", arrays), strict=True
            )
        ],
        patches=_read_table("patches", arrays, CGCS2000_EPSG),
        subsidence=list(_read_shapes("subsidence", arrays)),
        surveyors=meta["surveyors"],
        book_pits=list(_read_shapes("book_pits", arrays)),
        regions=_read_table("regions", arrays, CGCS2000_EPSG),
        rules=Rules.from_dict(meta["rules"]),
        year=meta["year"],
        coarse_gsd_m=meta["coarse_gsd_m"],
        # Archives from before hydrography was known hold none, and their accounts used none.
        hydrography=list(_read_shapes("hydrography", arrays)) if "hydrography.ends" in arrays else [],
    )


def save_result(path: Path, result: UnitResult) -> None:
    """Write a unit's result; the file appears when it is complete."""
    meta = {"undecided_water": list(result.undecided_water), "out_of_season": list(result.out_of_season)}
    _save(path, meta, {**_table("cells", result.cells), **_table("pieces", result.pieces)})


def load_result(path: Path) -> UnitResult:
    """Read what ``save_result`` wrote."""
    meta, arrays = _load(path)
    return UnitResult(
        _read_table("cells", arrays, ALBERS),
        _read_table("pieces", arrays, ALBERS),
        meta["undecided_water"],
        meta["out_of_season"],
    )


def save_table(path: Path, frame: gpd.GeoDataFrame) -> None:
    """Write one table of outlines (EPSG:4490)."""
    _save(path, {}, _table("table", frame))


def load_table(path: Path) -> gpd.GeoDataFrame:
    """Read what ``save_table`` wrote."""
    return _read_table("table", _load(path)[1], CGCS2000_EPSG)


def archive(paths: Iterable[Path], target: Path) -> None:
    """Put files together into one zip whose bytes depend on their names and contents only."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(paths, key=lambda path: path.name):
            info = zipfile.ZipInfo(path.name)  # 1 January 1980, whenever it is written
            info.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(info, path.read_bytes())


def _shapes(name: str, shapes: Iterable[BaseGeometry]) -> dict[str, NDArray[Any]]:
    wkb = [shapely.to_wkb(shape) for shape in shapes]
    return {
        f"{name}.wkb": np.frombuffer(b"".join(wkb), np.uint8),
        f"{name}.ends": np.cumsum([len(item) for item in wkb], dtype=np.int64),
    }


def _read_shapes(name: str, arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.object_]:
    blob, ends = arrays[f"{name}.wkb"].tobytes(), arrays[f"{name}.ends"]
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    return geometries(shapely.from_wkb(blob[start:end]) for start, end in zip(starts, ends, strict=True))


def _table(name: str, frame: gpd.GeoDataFrame) -> dict[str, NDArray[Any]]:
    arrays = _shapes(name, frame.geometry)
    for column in frame.columns.drop(frame.geometry.name):
        values = frame[column]
        if isinstance(values.dtype, pd.api.extensions.ExtensionDtype) and pd.api.types.is_integer_dtype(values.dtype):
            values = values.fillna(NO_YEAR).astype(np.int64)
        array = values.to_numpy()
        if array.dtype == object:
            array = np.array(["" if value is None else str(value) for value in array], dtype=np.str_)
        arrays[f"{name}:{column}"] = array
    return arrays


def _read_table(name: str, arrays: Mapping[str, NDArray[Any]], crs: Any) -> gpd.GeoDataFrame:
    head = f"{name}:"
    columns = {key.removeprefix(head): array for key, array in arrays.items() if key.startswith(head)}
    frame = pd.DataFrame(
        {key: array.astype(object) if array.dtype.kind == "U" else array for key, array in columns.items()}
    )
    return gpd.GeoDataFrame(frame, geometry=_read_shapes(name, arrays), crs=crs)


def _save(path: Path, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    part = path.with_name(f"{path.name}.{uuid4().hex}.part")
    with part.open("wb") as out:
        np.savez(out, meta=np.array(json.dumps(meta, sort_keys=True)), **cast("dict[str, Any]", dict(arrays)))
    part.replace(path)


def _load(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {key: stored[key] for key in stored.files}
    return json.loads(str(arrays.pop("meta"))), arrays
