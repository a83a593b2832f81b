"""Patches that a person must look at before a year is frozen: tailings ponds found by a network, and waters."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from django.contrib.gis.db.models.functions import PointOnSurface
from django.db.models import Case, CharField, Exists, F, FloatField, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Cast

from landdamage.accounting.states import Flow, State
from landdamage.interpretation.water import HALF, shore_share
from landdamage.models import ChangeCell, Edition, Patch, PatchReview
from landdamage.services.waters import TOUCH_DEGREES
from minegis.registry.models import Mine

UNKNOWN = Patch.WaterOrigin.UNKNOWN
# Ground whose label has not entered the book, or that somebody has decided not to be damage.
_NOT_BOOKED = (Flow.FILTERED, Flow.REJECTED, Flow.EXIT)
_FOUND_TAILINGS = Q(class_code="tailings_pond") | Q(class_code="water", water_origin=Patch.WaterOrigin.TAILINGS_WATER)
_REVIEWED_TAILINGS = Q(review__found_class="tailings_pond") | Q(
    review__found_class="water", review__found_origin=Patch.WaterOrigin.TAILINGS_WATER
)
_PERSONAL = (Patch.Source.MANUAL, Patch.Source.EDITED)
_SURE = 1.05  # even a patch of confidence 1 keeps some weight, so that large sure ones come before small ones
_MOST_NAMED = 6  # mines that a refusal names


def tailings_open(edition: Edition) -> QuerySet[Patch]:
    """Tailings ponds and their waters as a network found them, counted in the edition's year, reviewed by nobody.

    Largest area times uncertainty first.
    """
    booked = _cells(edition).filter(obs_state=State.TAILINGS_POND.code).exclude(flow__in=_NOT_BOOKED)
    found = _patches(edition).filter(
        _FOUND_TAILINGS, Exists(booked), source=Patch.Source.MODEL, water_decided_by__isnull=True
    )
    return _ordered(found.exclude(review__verdict=PatchReview.Verdict.CONFIRMED))


def tailings_reviewed(edition: Edition) -> QuerySet[Patch]:
    """Patches of the edition's year that had been found as tailings ponds and that somebody has reviewed."""
    reviewed = _patches(edition).filter(_REVIEWED_TAILINGS, Exists(_cells(edition)))
    return reviewed.exclude(review__verdict=PatchReview.Verdict.UNDONE).order_by("-review__reviewed_at")


def waters(edition: Edition, part: str = "") -> QuerySet[Patch]:
    """Waters on the edition's ground, with ``counts``: the origin that its account gave each, and ``part``.

    ``part`` is ``decided`` where a person has said what it is, else the origin; ``unknown`` blocks freezing. Waters of
    unknown origin that do not show on the newest image are left out.

    Args:
        edition: computed.
        part: only waters of this part; empty: all.
    """
    found: QuerySet[Patch] = _named_waters(edition).filter(part=part) if part else _named_waters(edition)
    return _ordered(found)


def water_parts(edition: Edition) -> Counter[str]:
    """How many waters lie in each part."""
    return Counter(_named_waters(edition).order_by().values_list("part", flat=True))


def _named_waters(edition: Edition) -> Any:
    unknown = edition.results.get("undecided_water") or []
    here = _cells(edition).filter(geom__intersects=OuterRef("middle"))
    found = _patches(edition).filter(Exists(_cells(edition)), class_code="water")
    found = found.annotate(middle=PointOnSurface("geom")).annotate(
        booked=Subquery(here.order_by("-area_cm2").values("obs_state")[:1])
    )
    person = Q(source__in=_PERSONAL) | Q(water_decided_by__isnull=False)
    counts = Case(
        When(person, then=F("water_origin")),
        When(water_origin=UNKNOWN, pk__in=unknown, then=Value(UNKNOWN.value)),
        When(booked=State.PIT_WATER.code, then=Value(Patch.WaterOrigin.PIT_WATER.value)),
        When(booked=State.TAILINGS_POND.code, then=Value(Patch.WaterOrigin.TAILINGS_WATER.value)),
        When(water_origin=UNKNOWN, then=Value("")),
        default=F("water_origin"),
        output_field=CharField(),
    )
    named = found.annotate(counts=counts).exclude(counts="")
    return named.annotate(part=Case(When(person, then=Value("decided")), default=F("counts")))


def waters_open(edition: Edition) -> QuerySet[Patch]:
    """Waters of unknown origin that the edition's account met and that nobody has decided since."""
    unknown = edition.results.get("undecided_water") or []
    return _ordered(_patches(edition).filter(pk__in=unknown, class_code="water", water_origin=UNKNOWN))


def edition_patch(edition: Edition, patch_id: int) -> Patch | None:
    """A patch on the edition's ground; None where its account has read no such patch."""
    return _patches(edition).filter(Exists(_cells(edition)), pk=patch_id).first()


def booked_cell(edition: Edition, patch: Patch) -> ChangeCell | None:
    """The edition's cell in the middle of a patch."""
    return edition.cells.filter(geom__intersects=patch.geom.point_on_surface).order_by("-area_cm2").first()


def reviews_since(edition: Edition) -> int:
    """Number of patches of the edition that came to mean something else after its account had read them."""
    since = edition.results.get("gathered_at")
    read = datetime.fromisoformat(since) if since else edition.computed_at
    if read is None:
        return 0
    changed = _patches(edition).filter(Exists(_cells(edition)), review__changed_at__gt=read)
    known = set(changed.values_list("pk", flat=True))
    # Waters that the account did not know are decided by now, or waters_open names them.
    waters = set(edition.results.get("undecided_water") or []) - set(waters_open(edition).values_list("pk", flat=True))
    return len(known | waters)


def places(patches: QuerySet[Patch]) -> str:
    """Where patches lie, for a message: codes of mines with their numbers, the most first."""
    found = Counter(code or "—" for code in patches.order_by().values_list("mine__code", flat=True))
    ranked = sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))
    named = [f"{code} ({count})" for code, count in ranked[:_MOST_NAMED]]
    return ", ".join([*named, "…"] if len(ranked) > _MOST_NAMED else named)


def _patches(edition: Edition) -> QuerySet[Patch]:
    """Patches of the runs that the edition's account has read."""
    found = Patch.objects.filter(run__in=edition.inputs.get("runs", []))
    return found.select_related("mine", "run__scene__region", "review__reviewer")


def _cells(edition: Edition) -> QuerySet[ChangeCell]:
    """The edition's cells on a patch, as the image of its run shows them."""
    met = Q(geom__intersects=OuterRef("geom")) & ~Q(geom__touches=OuterRef("geom"))
    return ChangeCell.objects.filter(met, edition=edition, scene=OuterRef("run__scene"))


def _ordered(patches: QuerySet[Patch]) -> QuerySet[Patch]:
    doubt = Value(_SURE) - F("confidence")
    found = patches.annotate(weight=Cast(F("area_cm2"), FloatField()) * doubt)
    return found.order_by("-weight", "patch_id")


def least_sure_first(patches: QuerySet[Patch]) -> QuerySet[Patch]:
    """The same patches so that the next corrections teach a model most: (1 - margin) times area, the largest first.

    Outlines that people drew or edited come last: no model was unsure of them.
    """
    doubt = Case(
        When(source=Patch.Source.MODEL, then=Value(1.0) - F("margin")), default=Value(0.0), output_field=FloatField()
    )
    found = patches.annotate(teaches=Cast(F("area_cm2"), FloatField()) * doubt)
    return found.order_by("-teaches", "-area_cm2", "patch_id")


@dataclass(frozen=True, slots=True)
class WaterFacts:
    """What speaks for a water's origin; shares 0-1.

    ``pit_shore`` and ``pond_shore`` of its shore touch open pits and tailings ponds of its own interpretation,
    ``old_pit`` of it lies on ground that was open pit or pit water in the book below; ``zones`` are the codes of the
    mines in whose influence zones it lies.
    """

    pit_shore: float
    pond_shore: float
    old_pit: float
    zones: list[str]

    @property
    def ground(self) -> str:
        """The rule that these facts satisfy first: ``old_pit pit_shore pond_shore outside``, or "" for none."""
        if self.old_pit >= HALF:
            return "old_pit"
        if self.pit_shore >= HALF:
            return "pit_shore"
        if self.pond_shore >= HALF:
            return "pond_shore"
        return "" if self.zones else "outside"


def water_facts(patch: Patch, edition: Edition) -> WaterFacts:
    """The facts behind the proposal for a water patch."""
    water = _shape(patch.geom)
    near = Patch.objects.filter(run=patch.run_id, geom__bboverlaps=patch.geom.buffer(TOUCH_DEGREES))
    shores = {
        code: shore_share(water, [_shape(one.geom) for one in near.filter(class_code=code)], TOUCH_DEGREES)
        for code in ("open_pit", "tailings_pond")
    }
    pits = edition.cells.filter(
        prev_state__in=(State.OPEN_PIT.code, State.PIT_WATER.code), geom__intersects=patch.geom
    ).values_list("geom", flat=True)
    old = shapely.intersection([_shape(geom) for geom in pits], water) if len(pits) else []
    zones = Mine.objects.filter(influence_zone__intersects=patch.geom).order_by("code")
    return WaterFacts(
        pit_shore=shores["open_pit"],
        pond_shore=shores["tailings_pond"],
        old_pit=float(shapely.area(old).sum() / water.area),
        zones=list(zones.values_list("code", flat=True)),
    )


def confirmed_before(patch: Patch) -> PatchReview | None:
    """The latest review that confirmed a tailings pond here in an earlier year."""
    earlier = PatchReview.objects.filter(
        verdict=PatchReview.Verdict.CONFIRMED,
        patch__class_code="tailings_pond",
        patch__run__year__lt=patch.run.year or 0,
        patch__geom__intersects=patch.geom.point_on_surface,
    )
    return earlier.select_related("reviewer", "patch__run").order_by("-patch__run__year").first()


def _shape(geom: Any) -> shapely.Geometry:
    return shapely.make_valid(shapely.from_wkb(bytes(geom.wkb)))
