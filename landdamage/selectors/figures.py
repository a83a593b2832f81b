"""Reads of the land-damage application: areas per class, damage kind, mine and year.

Every figure is a sum of integer cm² of patches of the current run of each scene. Where scenes of one year overlap, the
newest scene counts and older patches count only outside what it observed, so that no ground is counted twice. Two years
are compared only on ground that both observed, so that neither a missing scene nor a cloud looks like restored land.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import shapely
from django.contrib.auth.models import AnonymousUser
from django.contrib.gis.db.models import Union
from django.contrib.gis.geos import GEOSGeometry
from django.db import connection, models
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from landdamage import taxonomy
from landdamage.models import InterpretationRun, Patch, Scene
from landdamage.models.interpretation import RunQuerySet
from minegis import units
from minegis.access.models import User
from minegis.access.permissions import Action, readers
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
    """Mapped damage of one mine in one year.

    ``observed`` is False where no scene of the year shows its zone: nothing is known then, which is not zero.
    """

    mine: Mine
    cm2_by_kind: dict[str, int]
    change_cm2: int | None
    lon: float
    lat: float
    observed: bool = True

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
    compared_with: int | None
    kinds: list[KindRow]
    classes: list[AreaRow]
    mines: list[MineRow]
    damage_cm2: int
    damage_change_cm2: int | None
    unassigned_cm2: int
    elsewhere_cm2: int
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


class _StatisticsQuerySet(RunQuerySet):
    """Runs whose figures a person may read: by the roles that may read statistics, in their regions."""

    owner_path: ClassVar[str | None] = None
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_STATISTICS)


def counted_runs(user: type_user) -> models.QuerySet[InterpretationRun]:
    """The current runs whose figures the user may read."""
    return _StatisticsQuerySet(InterpretationRun).visible_to(user).filter(is_current=True)


def readable_patches(user: type_user) -> models.QuerySet[Patch]:
    """Patches of every run whose figures the user may read."""
    return Patch.objects.filter(run__in=_StatisticsQuerySet(InterpretationRun).visible_to(user))


def years(user: type_user) -> list[int]:
    """Years with a current result whose figures the user may read, oldest first."""
    return sorted({year for year in counted_runs(user).values_list("year", flat=True) if year is not None})


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


def empty_areas() -> list[AreaRow]:
    """The classes without figures, for people who may see an image but not its areas."""
    return _area_rows(YearSums())


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


# A patch counts only on ground its own scene observed and that no newer scene of the year observed; %(within)s cuts the
# ground to compare. What is hidden is cut off, rather than the observed cut out, so that whole patches stay whole.
_YEAR_SQL = """
WITH chosen AS (
    SELECT r.run_id, s.footprint, COALESCE(o.geom, s.footprint) AS seen, s.acquired_on, s.uploaded_at
    FROM landdamage_interpretationrun r JOIN landdamage_scene s ON s.scene_id = r.scene_id
    LEFT JOIN landdamage_observationmask o ON o.scene_id = s.scene_id
    WHERE r.run_id = ANY(%(runs)s)
), newer AS (
    SELECT run_id, ST_Union(ground) AS cover FROM (
        SELECT a.run_id, b.seen AS ground
        FROM chosen a JOIN chosen b
          ON (b.acquired_on, b.uploaded_at, b.run_id) > (a.acquired_on, a.uploaded_at, a.run_id)
         AND ST_Intersects(a.footprint, b.seen)
        UNION ALL
        SELECT run_id, ST_Difference(footprint, seen) FROM chosen WHERE NOT ST_Covers(seen, footprint)
    ) elsewhere_or_hidden GROUP BY run_id
), ground AS (
    SELECT ST_SetSRID(%(within)s::geometry, 4490) AS within
), counted AS (
    SELECT p.class_code, p.damage_kind, p.mine_id, p.confidence,
           CASE WHEN (n.cover IS NULL OR NOT ST_Intersects(p.geom, n.cover))
                 AND (g.within IS NULL OR ST_Covers(g.within, p.geom)) THEN p.area_cm2
                ELSE round(ST_Area(
                    CASE WHEN g.within IS NULL THEN ST_Difference(ST_MakeValid(p.geom), n.cover)
                         WHEN n.cover IS NULL THEN ST_Intersection(ST_MakeValid(p.geom), g.within)
                         ELSE ST_Intersection(ST_Difference(ST_MakeValid(p.geom), n.cover), g.within) END::geography
                ) * 10000)::bigint END AS cm2
    FROM landdamage_patch p
    CROSS JOIN ground g
    LEFT JOIN newer n ON n.run_id = p.run_id
    LEFT JOIN registry_region e ON e.id = p.region_id
    WHERE p.run_id = ANY(%(runs)s) AND (%(prefix)s = '' OR e.code LIKE %(prefix)s || '%%')
)
SELECT class_code, damage_kind, mine_id, count(*), sum(cm2), sum(confidence * cm2)
FROM counted WHERE cm2 > 0 GROUP BY 1, 2, 3
"""


def year_sums(
    user: type_user, year: int, region_code: str | None = None, within: GEOSGeometry | None = None
) -> YearSums:
    """Sums over the current runs of a year whose figures the user may read.

    Args:
        user: whose eyes.
        year: calendar year of acquisition.
        region_code: GB/T 2260 code; subordinate regions included. None: everything visible.
        within: ground to count (EPSG:4490); None: all of it.
    """
    runs = list(counted_runs(user).filter(year=year).values_list("run_id", flat=True))
    sums = YearSums()
    if not runs:
        return sums
    values = {
        "runs": runs,
        "prefix": region_prefix(region_code) if region_code else "",
        "within": None if within is None else within.hex.decode(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_YEAR_SQL, values)
        rows = cursor.fetchall()
    for class_code, kind, mine_id, patches, cm2, weighted in rows:
        area = int(cm2)
        sums.patches[class_code] += patches
        sums.by_class[class_code] += area
        sums.by_kind[kind] += area
        sums.by_mine[mine_id][kind] += area
        sums.weighted_confidence[class_code] += float(weighted)
    return sums


def _cover(user: type_user, year: int, region_code: str | None) -> GEOSGeometry | None:
    """The ground that the counted scenes of a year show, without clouds where masks exist; None where there is none."""
    runs = counted_runs(user).filter(year=year)
    if region_code:
        runs = runs.filter(scene__region__code__startswith=region_prefix(region_code))
    seen = Coalesce("scene__observation__geom", "scene__footprint")
    cover: GEOSGeometry | None = runs.aggregate(cover=Union(seen))["cover"]
    return cover


def _area_km2(ground: GEOSGeometry | None) -> Decimal:
    shape = shapely.Polygon() if ground is None else shapely.from_wkb(bytes(ground.wkb))
    return units.to_km2(units.area_cm2(shape))


def waiting(user: type_user) -> dict[str, int]:
    """What waits: scenes being checked, never interpreted, refused or failed at last, interpreted without a date."""
    scenes = Scene.objects.visible_to(user)
    newest = InterpretationRun.objects.filter(scene=OuterRef("pk")).order_by("-created_at").values("state")[:1]
    undated = Q(runs__is_current=True, runs__year__isnull=True)
    return scenes.annotate(latest=Subquery(newest)).aggregate(
        to_check=Count("pk", filter=Q(state=Scene.State.CHECKING), distinct=True),
        to_interpret=Count("pk", filter=Q(state__in=Scene.USABLE, latest__isnull=True), distinct=True),
        failed=Count("pk", filter=Q(state=Scene.State.REJECTED) | Q(latest="failed"), distinct=True),
        undated=Count("pk", filter=undated, distinct=True),
    )


def _damage(kinds: dict[str, int]) -> int:
    return sum(kinds.get(kind, 0) for kind in DAMAGE_ORDER)


def overview(user: type_user, year: int, region_code: str | None = None) -> Overview:
    """The figures of one year: damage by kind, classes, mines ranked by damage, coverage, what waits.

    Changes are against the latest earlier year that shows some of the same ground, and on that common ground only.
    """
    now, cover = year_sums(user, year, region_code), _cover(user, year, region_code)
    compared_with, here, before, common = _comparison(user, year, region_code, cover, now)
    mines = Mine.objects.visible_to(user).select_related("region")
    scenes = Scene.objects.visible_to(user).filter(runs__in=counted_runs(user).filter(year=year))
    if region_code:
        prefix = region_prefix(region_code)
        mines = mines.filter(region__code__startswith=prefix)
        scenes = scenes.filter(region__code__startswith=prefix)
    rows = []
    for mine in mines:
        zone = mine.influence_zone or mine.boundary
        centre = (mine.boundary or zone).centroid if zone else None
        seen = bool(zone and cover and zone.intersects(cover))
        kinds = dict(now.by_mine.get(mine.pk, {}))
        change = None
        if seen and here is not None and before is not None and zone.intersects(common):
            change = _damage(here.by_mine.get(mine.pk, {})) - _damage(before.by_mine.get(mine.pk, {}))
        lon, lat = (centre.x, centre.y) if centre else (0.0, 0.0)
        rows.append(MineRow(mine, kinds, change, lon, lat, observed=seen or bool(kinds)))
    rows.sort(key=lambda row: (not row.observed, -row.damage_cm2, row.mine.code))
    listed = {row.mine.pk for row in rows}

    def change_of(kind: str) -> int | None:
        return None if here is None or before is None else here.by_kind.get(kind, 0) - before.by_kind.get(kind, 0)

    return Overview(
        year=year,
        compared_with=compared_with,
        kinds=[
            KindRow(taxonomy.DAMAGE_KIND_BY_CODE[kind], now.by_kind.get(kind, 0), change_of(kind))
            for kind in DAMAGE_ORDER
        ],
        classes=_area_rows(now),
        mines=rows,
        damage_cm2=now.damage,
        damage_change_cm2=None if here is None or before is None else here.damage - before.damage,
        unassigned_cm2=_damage(now.by_mine.get(None, {})),
        elsewhere_cm2=sum(
            _damage(kinds) for key, kinds in now.by_mine.items() if key is not None and key not in listed
        ),
        scenes=scenes.count(),
        coverage_km2=_area_km2(cover),
        waiting=waiting(user),
    )


def _comparison(
    user: type_user, year: int, region_code: str | None, cover: GEOSGeometry | None, now: YearSums
) -> tuple[int | None, YearSums | None, YearSums | None, GEOSGeometry | None]:
    """The latest comparable earlier year, both years' sums on their common ground, and that ground; None without."""
    if cover is None:
        return None, None, None, None
    for earlier in reversed([y for y in years(user) if y < year]):
        past = _cover(user, earlier, region_code)
        common = None if past is None else cover.intersection(past)
        if common is None or not common.area:
            continue
        here = now if common.covers(cover) else year_sums(user, year, region_code, common)
        return earlier, here, year_sums(user, earlier, region_code, common), common
    return None, None, None, None
