"""Whose water it is: the proposals of ``landdamage.interpretation.water`` for the water patches of a run."""

from __future__ import annotations

import shapely
from django.db import connection

from landdamage.interpretation.water import propose_water_origin
from landdamage.models import InterpretationRun, Patch, Scene
from landdamage.taxonomy import WaterOrigin, damage_kind
from minegis.registry.models import Mine

UNDECIDED: WaterOrigin = "unknown"
TOUCH_DEGREES = 1e-7  # about a centimetre: simplified borders agree to rounding only
_AT_ONCE = 500  # waters whose neighbours are in memory together

_NEIGHBOURS_SQL = """
SELECT n.class_code, ST_AsBinary(n.geom) FROM landdamage_patch n
WHERE n.patch_id IN (
  SELECT near.patch_id FROM landdamage_patch w, LATERAL (
    SELECT m.patch_id FROM landdamage_patch m
    WHERE m.geom && ST_Expand(w.geom, %(touch)s)
      AND m.run_id = %(run)s AND m.class_code IN ('open_pit', 'tailings_pond') OFFSET 0) near
  WHERE w.patch_id = ANY(%(waters)s))
ORDER BY n.patch_id
"""


def water_origins_propose(*, run: InterpretationRun) -> None:
    """Give every undecided water patch of a run the origin that its neighbours and the mines' zones suggest.

    Inside the caller's transaction; memory depends on the neighbours of some hundred waters, not on the run.
    """
    zones = _zones(run.scene)
    waters = Patch.objects.filter(run=run, class_code="water", water_origin=UNDECIDED)
    ids = list(waters.order_by("patch_id").values_list("patch_id", flat=True))
    for first in range(0, len(ids), _AT_ONCE):
        _propose(run, ids[first : first + _AT_ONCE], zones)


def _propose(run: InterpretationRun, ids: list[int], zones: shapely.Geometry | None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_AsBinary(geom) FROM landdamage_patch WHERE patch_id = ANY(%s) ORDER BY patch_id", [ids]
        )
        waters = [shapely.from_wkb(bytes(wkb)) for (wkb,) in cursor.fetchall()]
        cursor.execute(_NEIGHBOURS_SQL, {"run": run.pk, "waters": ids, "touch": TOUCH_DEGREES})
        neighbours = [(code, shapely.from_wkb(bytes(wkb))) for code, wkb in cursor.fetchall()]
        pits, ponds = ([g for code, g in neighbours if code == kind] for kind in ("open_pit", "tailings_pond"))
        proposed = propose_water_origin(waters, pits, ponds, zones, touch=TOUCH_DEGREES)
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
