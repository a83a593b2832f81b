"""Reads of the land-damage application: areas per class, damage kind, mine and year.

Every figure is a sum of integer cm² of patches of the current run of each scene. Where scenes of one year overlap, the
newest scene counts and older patches count only outside it, so that no ground is counted twice.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.db.models import Count, F, Q, Sum

from landdamage import taxonomy
from landdamage.models import InterpretationRun, Patch, Scene
from minegis import units
from minegis.access.models import User
from minegis.access.querysets import region_prefix
from minegis.registry.models import Mine

type_user = User | AnonymousUser
DAMAGE_ORDER: tuple[taxonomy.DamageKindCode, ...] = ("excavation", "occupation")


@dataclass(frozen=True, slots=True)
class AreaRow:
    """Area of one class: hm² with 2, mu with 1 decimal, share 0-1 of all mapped classes, mean confidence by area."""

    land_class: taxonomy.LandClass
    patches: int
    cm2: int
    share: float
    confidence: float

    @property
    def hm2(self) -> Decimal:
        """Hectares."""
        return units.to_hm2(self.cm2)

    @property
    def mu(self) -> Decimal:
        """Mu."""
        return units.to_mu(self.cm2)


@dataclass(frozen=True, slots=True)
class KindRow:
    """Area of one damage kind and its difference to the previous mapped year (None when there is none)."""

    kind: taxonomy.DamageKind
    cm2: int
    change_cm2: int | None

    @property
    def hm2(self) -> Decimal:
        """Hectares."""
        return units.to_hm2(self.cm2)

    @property
    def mu(self) -> Decimal:
        """Mu."""
        return units.to_mu(self.cm2)

    @property
    def change_hm2(self) -> Decimal | None:
        """Change in hectares."""
        return None if self.change_cm2 is None else units.to_hm2(self.change_cm2)


@dataclass(frozen=True, slots=True)
class MineRow:
    """Mapped damage of one mine in one year."""

    mine: Mine
    cm2_by_kind: dict[str, int]
    change_cm2: int | None
    lon: float
    lat: float

    @property
    def damage_cm2(self) -> int:
        """Excavation plus occupation."""
        return sum(self.cm2_by_kind.get(kind, 0) for kind in DAMAGE_ORDER)

    @property
    def damage_hm2(self) -> Decimal:
        """Hectares of damage."""
        return units.to_hm2(self.damage_cm2)

    @property
    def change_hm2(self) -> Decimal | None:
        """Change in hectares."""
        return None if self.change_cm2 is None else units.to_hm2(self.change_cm2)


@dataclass(slots=True)
class YearSums:
    """Sums of one year by class, damage kind and mine, in cm²."""

    patches: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    by_class: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    by_kind: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    by_mine: dict[UUID | None, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    weighted_confidence: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def damage(self) -> int:
        """Excavation plus occupation."""
        return sum(self.by_kind.get(kind, 0) for kind in DAMAGE_ORDER)


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows for one year and region."""

    year: int
    kinds: list[KindRow]
    classes: list[AreaRow]
    mines: list[MineRow]
    damage_cm2: int
    damage_change_cm2: int | None
    unassigned_cm2: int
    scenes: int
    coverage_km2: Decimal
    waiting: dict[str, int]

    @property
    def damage_hm2(self) -> Decimal:
        """Hectares of damage."""
        return units.to_hm2(self.damage_cm2)

    @property
    def damage_change_hm2(self) -> Decimal | None:
        """Change in hectares."""
        return None if self.damage_change_cm2 is None else units.to_hm2(self.damage_change_cm2)

    @property
    def unassigned_hm2(self) -> Decimal:
        """Hectares outside every influence zone."""
        return units.to_hm2(self.unassigned_cm2)


def years(user: type_user) -> list[int]:
    """Years with a current result that the user may see, oldest first."""
    found = InterpretationRun.objects.visible_to(user).filter(is_current=True, year__isnull=False)
    return sorted(set(found.values_list("year", flat=True)))


def _area_rows(sums: YearSums) -> list[AreaRow]:
    total = sum(sums.by_class.values()) or 1
    return [
        AreaRow(
            land_class=c,
            patches=sums.patches.get(c.code, 0),
            cm2=sums.by_class.get(c.code, 0),
            share=sums.by_class.get(c.code, 0) / total,
            confidence=sums.weighted_confidence.get(c.code, 0.0) / max(1, sums.by_class.get(c.code, 0)),
        )
        for c in taxonomy.CLASSES
        if c.id
    ]


def run_areas(run: InterpretationRun) -> list[AreaRow]:
    """Areas per class of one run, every foreground class in taxonomy order, zero where none was found."""
    sums = YearSums()
    grouped = (
        Patch.objects.filter(run=run)
        .values("class_code")
        .annotate(n=Count("pk"), cm2=Sum("area_cm2"), weighted=Sum(F("confidence") * F("area_cm2")))
        .order_by()
    )
    for row in grouped:
        sums.patches[row["class_code"]] = row["n"]
        sums.by_class[row["class_code"]] = row["cm2"]
        sums.weighted_confidence[row["class_code"]] = row["weighted"]
    return _area_rows(sums)


def run_kinds(run: InterpretationRun) -> dict[str, int]:
    """Area in cm² per damage kind of one run."""
    grouped = Patch.objects.filter(run=run).values("damage_kind").annotate(cm2=Sum("area_cm2")).order_by()
    return {row["damage_kind"]: row["cm2"] for row in grouped}


# Older scenes count only outside the footprints of newer ones of the same year.
_YEAR_SQL = """
WITH chosen AS (
    SELECT r.run_id, s.footprint, s.acquired_on, s.uploaded_at
    FROM landdamage_interpretationrun r JOIN landdamage_scene s ON s.scene_id = r.scene_id
    WHERE r.run_id = ANY(%(runs)s)
), newer AS (
    SELECT a.run_id, ST_Union(b.footprint) AS cover
    FROM chosen a JOIN chosen b
      ON (b.acquired_on, b.uploaded_at, b.run_id) > (a.acquired_on, a.uploaded_at, a.run_id)
     AND ST_Intersects(a.footprint, b.footprint)
    GROUP BY a.run_id
), counted AS (
    SELECT p.class_code, p.damage_kind, p.mine_id, p.confidence,
           CASE WHEN n.cover IS NULL OR NOT ST_Intersects(p.geom, n.cover) THEN p.area_cm2
                ELSE round(ST_Area(ST_Difference(p.geom, n.cover)::geography) * 10000)::bigint END AS cm2
    FROM landdamage_patch p
    LEFT JOIN newer n ON n.run_id = p.run_id
    LEFT JOIN registry_region g ON g.id = p.region_id
    WHERE p.run_id = ANY(%(runs)s) AND (%(prefix)s = '' OR g.code LIKE %(prefix)s || '%%')
)
SELECT class_code, damage_kind, mine_id, count(*), sum(cm2), sum(confidence * cm2)
FROM counted WHERE cm2 > 0 GROUP BY 1, 2, 3
"""


def year_sums(user: type_user, year: int, region_code: str | None = None) -> YearSums:
    """Sums over the current runs of a year that the user may see.

    Args:
        user: whose eyes.
        year: calendar year of acquisition.
        region_code: GB/T 2260 code; subordinate regions included. None: everything visible.
    """
    runs = list(
        InterpretationRun.objects.visible_to(user).filter(is_current=True, year=year).values_list("run_id", flat=True)
    )
    sums = YearSums()
    if not runs:
        return sums
    with connection.cursor() as cursor:
        cursor.execute(_YEAR_SQL, {"runs": runs, "prefix": region_prefix(region_code) if region_code else ""})
        rows = cursor.fetchall()
    for class_code, kind, mine_id, patches, cm2, weighted in rows:
        area = int(cm2)
        sums.patches[class_code] += patches
        sums.by_class[class_code] += area
        sums.by_kind[kind] += area
        sums.by_mine[mine_id][kind] += area
        sums.weighted_confidence[class_code] += float(weighted)
    return sums


def _coverage_km2(scenes: Any) -> Decimal:
    with connection.cursor() as cursor:
        ids = list(scenes.values_list("scene_id", flat=True))
        cursor.execute(
            "SELECT coalesce(ST_Area(ST_Union(footprint)::geography), 0) FROM landdamage_scene WHERE scene_id = ANY(%s)",
            [ids],
        )
        (area,) = cursor.fetchone()
    return units.to_km2(round(area * units.CM2_PER_M2))


def waiting(user: type_user) -> dict[str, int]:
    """What waits: scenes being checked, scenes ready but never interpreted, scenes refused or runs failed."""
    scenes = Scene.objects.visible_to(user)
    return scenes.aggregate(
        to_check=Count("pk", filter=Q(state=Scene.State.CHECKING), distinct=True),
        to_interpret=Count("pk", filter=Q(state__in=Scene.USABLE, runs__isnull=True), distinct=True),
        failed=Count("pk", filter=Q(state=Scene.State.REJECTED) | Q(runs__state="failed"), distinct=True),
    )


def overview(user: type_user, year: int, region_code: str | None = None) -> Overview:
    """The figures of one year: damage by kind, classes, mines ranked by damage, coverage, what waits."""
    now = year_sums(user, year, region_code)
    earlier = [y for y in years(user) if y < year]
    before = year_sums(user, earlier[-1], region_code) if earlier else None
    mines = Mine.objects.visible_to(user).select_related("region")
    scenes = Scene.objects.visible_to(user).filter(runs__is_current=True, runs__year=year)
    if region_code:
        prefix = region_prefix(region_code)
        mines = mines.filter(region__code__startswith=prefix)
        scenes = scenes.filter(region__code__startswith=prefix)
    rows = []
    for mine in mines:
        centre = (mine.boundary or mine.influence_zone).centroid if (mine.boundary or mine.influence_zone) else None
        kinds = dict(now.by_mine.get(mine.pk, {}))
        damage = sum(kinds.get(k, 0) for k in DAMAGE_ORDER)
        change = None
        if before is not None:
            change = damage - sum(before.by_mine.get(mine.pk, {}).get(k, 0) for k in DAMAGE_ORDER)
        rows.append(MineRow(mine, kinds, change, centre.x if centre else 0.0, centre.y if centre else 0.0))
    rows.sort(key=lambda row: (-row.damage_cm2, row.mine.code))
    return Overview(
        year=year,
        kinds=[
            KindRow(
                taxonomy.DAMAGE_KIND_BY_CODE[k],
                now.by_kind.get(k, 0),
                None if before is None else now.by_kind.get(k, 0) - before.by_kind.get(k, 0),
            )
            for k in DAMAGE_ORDER
        ],
        classes=_area_rows(now),
        mines=rows,
        damage_cm2=now.damage,
        damage_change_cm2=None if before is None else now.damage - before.damage,
        unassigned_cm2=sum(now.by_mine.get(None, {}).get(k, 0) for k in DAMAGE_ORDER),
        scenes=scenes.count(),
        coverage_km2=_coverage_km2(scenes),
        waiting=waiting(user),
    )
