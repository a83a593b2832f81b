"""The patches of a run on their way into the database: one binary COPY, each row written once with all it has.

A staging table would write every outline twice, and so would an update afterwards, with each index entry; mine and
region are therefore found here, before a row is sent (``grounds.py``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import shapely
from django.db import connection

from landdamage.models import InterpretationRun
from landdamage.services.grounds import Grounds
from landdamage.services.waters import UNDECIDED, water_origins_propose
from landdamage.taxonomy import damage_kind
from minegis.registry.models import SRID

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

# A geometry is sent as its EWKB, which is what PostGIS reads in a binary COPY.
_COLUMNS = {
    "run_id": "uuid", "source": "text", "version": "int4", "class_code": "text", "damage_kind": "text",
    "water_origin": "text", "geom": "bytea", "area_cm2": "int8", "confidence": "float8", "confidence_p5": "float8",
    "margin": "float8", "mine_id": "uuid", "region_id": "int8",
}  # fmt: skip
_POLYGON, _MULTIPOLYGON, _WITH_SRID = 3, 6, 0x20000000  # types of (E)WKB
_COPY_SQL = f"COPY landdamage_patch ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"


def patches_replace(*, run: InterpretationRun, batches: Iterable[GeoDataFrame]) -> None:
    """Make patches those of a run, each with its mine and region, inside the caller's transaction.

    What the run had before is deleted.

    Args:
        run: whose patches they are.
        batches: patches in EPSG:4490 with the columns of ``Interpretation.patch_batches``, in any portions: only one is
            in memory.
    """
    footprint = run.scene.footprint
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM landdamage_patch WHERE run_id = %s", [run.pk])
        grounds = Grounds(cursor, footprint.extent if footprint else None)
        pending = (batch for batch in batches if len(batch))
        batch = next(pending, None)
        while batch is not None:
            # Nothing can be asked while a COPY runs, so one that goes beyond what is known of the register ends first.
            if not grounds.reaches(batch.total_bounds):
                grounds.reach(batch.total_bounds)
            with cursor.copy(_COPY_SQL) as copy:
                copy.set_types(tuple(_COLUMNS.values()))
                while batch is not None and grounds.reaches(batch.total_bounds):
                    for row in _rows(run, batch, grounds):
                        copy.write_row(row)
                    batch = next(pending, None)
    water_origins_propose(run=run)


def _rows(run: InterpretationRun, batch: GeoDataFrame, grounds: Grounds) -> Iterator[tuple[Any, ...]]:
    """Rows in the order of ``_COLUMNS``."""
    shapes = batch.geometry.to_numpy()
    codes = batch["class_code"].tolist()
    origins = {code: UNDECIDED if code == "water" else None for code in set(codes)}
    kinds = {code: damage_kind(code, origin) for code, origin in origins.items()}
    count = len(batch)
    return zip(
        [run.pk] * count,
        ["model"] * count,
        [1] * count,
        codes,
        (kinds[code] for code in codes),
        (origins[code] or "" for code in codes),
        map(_ewkb, shapely.to_wkb(shapes, byte_order=1).tolist()),
        batch["area_cm2"].tolist(),
        batch["confidence"].clip(upper=1.0).tolist(),
        batch["confidence_p5"].clip(upper=1.0).tolist(),
        batch["margin"].tolist(),
        grounds.mines(shapes),
        [run.scene.region_id if region is None else region for region in grounds.regions(shapes)],
        strict=True,
    )


def _ewkb(wkb: bytes) -> bytes:
    """EWKB of little-endian WKB, a polygon as a multipolygon of one.

    Shapely could do both, but copies every outline for either.
    """
    (kind,) = struct.unpack_from("<I", wkb, 1)
    if kind == _POLYGON:
        return struct.pack("<BIII", 1, _MULTIPOLYGON | _WITH_SRID, SRID, 1) + wkb
    return struct.pack("<BII", 1, kind | _WITH_SRID, SRID) + wkb[5:]
