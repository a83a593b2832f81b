"""The patches of a run on their way into the database: staged by binary COPY, then published in one statement.

The staging table belongs to the connection and has no index and no constraint, so filling it holds no lock and may be
done before the publishing transaction begins. Every row reaches the real table once, with all it will ever have: an
update afterwards would write it, and each of its index entries, a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import shapely
from django.db import connection

from landdamage.models import InterpretationRun
from landdamage.services.waters import UNDECIDED, water_origins_propose
from landdamage.taxonomy import damage_kind
from minegis.registry.models import SRID

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_COLUMNS = "class_code, damage_kind, water_origin, geom, area_cm2, confidence, confidence_p5, margin"
# A geometry is sent as its EWKB, which is what PostGIS reads in a binary COPY.
_TYPES = ("text", "text", "text", "bytea", "int8", "float8", "float8", "float8")
_STAGING_SQL = f"""
CREATE TEMPORARY TABLE patch_staging (
  class_code text, damage_kind text, water_origin text, geom geometry(MultiPolygon, {SRID}), area_cm2 bigint,
  confidence float8, confidence_p5 float8, margin float8)
"""

# The licence boundary that covers most of the patch, else the nearest one among the influence zones it touches.
_PUBLISH_SQL = f"""
INSERT INTO landdamage_patch (run_id, source, version, {_COLUMNS}, mine_id, region_id)
SELECT %(run)s, 'model', 1, {_COLUMNS}, (
    SELECT m.mine_id FROM registry_mine m
    WHERE m.influence_zone && p.geom AND ST_Intersects(ST_MakeValid(m.influence_zone), p.geom)
    ORDER BY coalesce(ST_Area(ST_Intersection(ST_MakeValid(m.boundary), p.geom)), 0) DESC,
             ST_Distance(coalesce(m.boundary, m.influence_zone), p.geom), m.code
    LIMIT 1),
  coalesce(
    (SELECT g.id FROM registry_region g
     WHERE ST_Intersects(g.geom, ST_PointOnSurface(p.geom)) AND g.valid_to IS NULL
     ORDER BY array_position(ARRAY['township', 'county', 'prefecture', 'province'], g.level::text) LIMIT 1),
    (SELECT s.region_id FROM landdamage_interpretationrun r JOIN landdamage_scene s ON s.scene_id = r.scene_id
     WHERE r.run_id = %(run)s))
FROM patch_staging p
"""


def patches_stage(*, batches: Iterable[GeoDataFrame]) -> None:
    """Load patches into this connection's staging table, in or outside a transaction; what lay there is dropped.

    Args:
        batches: patches in EPSG:4490 with the columns of ``Interpretation.patch_batches``, in any portions: only one is
            in memory.
    """
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.patch_staging")
        cursor.execute(_STAGING_SQL)
        with cursor.copy(f"COPY patch_staging ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_TYPES)
            for batch in batches:
                for row in _rows(batch):
                    copy.write_row(row)
        cursor.execute("ANALYZE patch_staging")


def patches_publish(*, run: InterpretationRun) -> None:
    """Make the staged patches those of a run, each with its mine and region; inside the caller's transaction.

    What the run had before is deleted; the staging table goes.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM landdamage_patch WHERE run_id = %s", [run.pk])
        cursor.execute(_PUBLISH_SQL, {"run": run.pk})
        cursor.execute("DROP TABLE patch_staging")
    water_origins_propose(run=run)


def patches_replace(*, run: InterpretationRun, batches: Iterable[GeoDataFrame]) -> None:
    """``patches_stage`` and ``patches_publish``, inside the caller's transaction."""
    patches_stage(batches=batches)
    patches_publish(run=run)


def _rows(batch: GeoDataFrame) -> Iterator[tuple[Any, ...]]:
    codes = batch["class_code"].tolist()
    origins = [UNDECIDED if code == "water" else None for code in codes]
    multi = [shapely.MultiPolygon([g]) if g.geom_type == "Polygon" else g for g in batch.geometry]
    return zip(
        codes,
        (damage_kind(code, origin) for code, origin in zip(codes, origins, strict=True)),
        (origin or "" for origin in origins),
        shapely.to_wkb(shapely.set_srid(multi, SRID), include_srid=True) if multi else [],
        batch["area_cm2"].tolist(),
        batch["confidence"].clip(upper=1.0).tolist(),
        batch["confidence_p5"].clip(upper=1.0).tolist(),
        batch["margin"].tolist(),
        strict=True,
    )
