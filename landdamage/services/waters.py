"""Whose water it is: the proposals of ``landdamage.interpretation.water`` for the water patches of a run."""

from __future__ import annotations

import shapely
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import Q

from landdamage.interpretation.water import propose_water_origin
from landdamage.models import Hydrography, InterpretationRun, Patch, Scene
from landdamage.taxonomy import WaterOrigin, damage_kind
from minegis.registry.models import SRID, Mine

UNDECIDED: WaterOrigin = "unknown"
TOUCH_DEGREES = 1e-7  # about a centimetre: simplified borders agree to rounding only
_AT_ONCE = 500  # waters whose neighbours are in memory together

# A table of its own, because the planner knows nothing yet of rows that this transaction has just loaded.
_SHORES_SQL = """
CREATE TEMPORARY TABLE water_shores ON COMMIT DROP AS
  SELECT patch_id, class_code, geom FROM landdamage_patch
  WHERE run_id = %s AND class_code IN ('open_pit', 'tailings_pond');
CREATE INDEX ON water_shores USING gist (geom);
ANALYZE water_shores
"""
_NEIGHBOURS_SQL = """
SELECT class_code, ST_AsBinary(geom) FROM water_shores
WHERE patch_id IN (
  SELECT shore.patch_id
  FROM unnest(%s::float8[], %s::float8[], %s::float8[], %s::float8[]) AS box (west, south, east, north)
  JOIN water_shores shore ON shore.geom && ST_MakeEnvelope(west, south, east, north, %s))
ORDER BY patch_id
"""


def water_origins_propose(*, run: InterpretationRun) -> None:
    """Give every undecided water patch of a run the origin that its neighbours and the mines' zones suggest.

    Inside the caller's transaction; memory depends on the neighbours of some hundred waters, not on the run.
    """
    waters = Patch.objects.filter(run=run, class_code="water", water_origin=UNDECIDED)
    ids = list(waters.order_by("patch_id").values_list("patch_id", flat=True))
    if not ids:
        return
    zones, mapped = _zones(run.scene), _mapped(run.scene)
    with connection.cursor() as cursor:
        for statement in _SHORES_SQL.split(";"):
            cursor.execute(statement, [run.pk] if "%s" in statement else None)
        for first in range(0, len(ids), _AT_ONCE):
            _propose(cursor, ids[first : first + _AT_ONCE], zones, mapped)
        cursor.execute("DROP TABLE water_shores")


def _propose(
    cursor: CursorWrapper, ids: list[int], zones: shapely.Geometry | None, mapped: list[shapely.Geometry]
) -> None:
    cursor.execute("SELECT ST_AsBinary(geom) FROM landdamage_patch WHERE patch_id = ANY(%s) ORDER BY patch_id", [ids])
    waters = [shapely.from_wkb(bytes(wkb)) for (wkb,) in cursor.fetchall()]
    west, south, east, north = shapely.bounds(waters).T
    boxes = (west - TOUCH_DEGREES, south - TOUCH_DEGREES, east + TOUCH_DEGREES, north + TOUCH_DEGREES)
    cursor.execute(_NEIGHBOURS_SQL, [*(side.tolist() for side in boxes), SRID])
    neighbours = [(code, shapely.from_wkb(bytes(wkb))) for code, wkb in cursor.fetchall()]
    pits, ponds = ([shape for code, shape in neighbours if code == kind] for kind in ("open_pit", "tailings_pond"))
    proposed = propose_water_origin(waters, pits, ponds, zones, touch=TOUCH_DEGREES, hydrography=mapped)
    cursor.executemany(
        "UPDATE landdamage_patch SET water_origin = %s, damage_kind = %s WHERE patch_id = %s",
        [
            (origin, damage_kind("water", origin), patch_id)
            for patch_id, origin in zip(ids, proposed, strict=True)
            if origin != UNDECIDED
        ],
    )


def _zones(scene: Scene) -> shapely.Geometry | None:
    zones = Mine.objects.filter(influence_zone__intersects=scene.footprint).values_list("influence_zone", flat=True)
    return (
        shapely.union_all([shapely.make_valid(shapely.from_wkb(bytes(zone.wkb))) for zone in zones]) if zones else None
    )


def _mapped(scene: Scene) -> list[shapely.Geometry]:
    """Rivers, lakes and reservoirs of the map under a scene, as they were when it was taken."""
    waters = Hydrography.objects.filter(geom__bboverlaps=scene.footprint)
    if scene.acquired_on is not None:
        day = scene.acquired_on
        waters = waters.filter(
            Q(valid_from__isnull=True) | Q(valid_from__lte=day), Q(valid_to__isnull=True) | Q(valid_to__gt=day)
        )
    return [shapely.from_wkb(bytes(one.wkb)) for one in waters.order_by("pk").values_list("geom", flat=True)]
