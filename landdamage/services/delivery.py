"""Files people take home: the patches of a run as GeoPackage, GeoJSON or CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import geopandas
import shapely

from landdamage import taxonomy
from landdamage.models import InterpretationRun
from minegis import units


def _geojson(frame: geopandas.GeoDataFrame, path: Path) -> None:
    # RFC 7946 is WGS 84 by definition; CGCS2000 is relabelled, the two agree to decimetres.
    frame.set_crs(4326, allow_override=True).to_file(path, driver="GeoJSON", engine="pyogrio", COORDINATE_PRECISION=7)


def _csv(frame: geopandas.GeoDataFrame, path: Path) -> None:
    # The mark of byte order lets Excel read the Chinese names.
    frame.drop(columns="geometry").to_csv(path, index=False, encoding="utf-8-sig")


FORMATS: MappingProxyType[str, Callable[[geopandas.GeoDataFrame, Path], None]] = MappingProxyType(
    {
        "gpkg": lambda frame, path: frame.to_file(path, driver="GPKG", layer="patches", engine="pyogrio"),
        "geojson": _geojson,
        "csv": _csv,
    }
)


def run_export(*, run: InterpretationRun, folder: Path, kind: str) -> Path:
    """Write the patches of a run into ``folder`` and return the file.

    Raises:
        KeyError: ``kind`` is not one of ``FORMATS``.
    """
    rows = run.patches.select_related("mine").iterator(chunk_size=2000)
    records, outlines = [], []
    for patch in rows:
        land_class = taxonomy.BY_CODE[patch.class_code]
        outlines.append(shapely.from_wkb(bytes(patch.geom.wkb)))
        records.append(
            {
                "patch_id": patch.pk,
                "class_code": patch.class_code,
                "class_zh": land_class.zh,
                "class_en": land_class.en,
                "damage_kind": patch.damage_kind,
                "water_origin": patch.water_origin,
                "area_m2": float(units.to_m2(patch.area_cm2)),
                "area_hm2": float(units.to_hm2(patch.area_cm2, 4)),
                "area_mu": float(units.to_mu(patch.area_cm2, 2)),
                "confidence": round(patch.confidence, 4),
                "mine_code": patch.mine.code if patch.mine else "",
                "mine_zh": patch.mine.name_zh if patch.mine else "",
                "year": run.year,
                "model": run.model_name,
                "run_id": str(run.pk),
            }
        )
    columns = None if records else ["patch_id", "class_code", "area_m2"]
    frame = geopandas.GeoDataFrame(
        records, geometry=outlines, crs=units.CGCS2000_EPSG, columns=columns and [*columns, "geometry"]
    )
    path = folder / f"patches.{kind}"  # a name from outside may be too long for a disk
    FORMATS[kind](frame, path)
    return path
