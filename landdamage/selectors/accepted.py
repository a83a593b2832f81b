"""Ground whose class people have settled, scene by scene: what the next model may learn from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np
import shapely
from django.db.models import Min, QuerySet
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from landdamage.accounting.states import Flow, PieceKind, State
from landdamage.learning.samples.material import Layer
from landdamage.models import ChangeCell, Edition, InterpretationRun, Patch, PatchReview, Scene
from landdamage.taxonomy import BY_CODE, IGNORE
from minegis.access.querysets import region_prefix
from minegis.registry.models import SRID, Mine, Region

_SETTLED: Final = (PatchReview.Verdict.CONFIRMED, PatchReview.Verdict.CHANGED, PatchReview.Verdict.REJECTED)
# What a decision says a cell of the change shows: the class seen, or what was there before.
_SHOWS_SEEN: Final = (Flow.NEW, Flow.OMISSION, Flow.RESTORED, Flow.CORRECTED)
_CLASS_OF: Final = {State.PIT_WATER: "water", State.OTHER: "background"}
_BATCH: Final = 2000


@dataclass(frozen=True)
class Accepted:
    """Settled and open ground of some scenes.

    Attributes:
        scenes: that hold anything settled, by key.
        shapes: polygons, EPSG:4490.
        class_ids: of each; 255 where nobody has settled it.
        scene_ids: which scene shows each.
        surveyed: keys of the scenes whose year's changes were all decided: what is unlabelled there is background.
    """

    scenes: dict[UUID, Scene] = field(default_factory=dict)
    shapes: list[BaseGeometry] = field(default_factory=list)
    class_ids: list[int] = field(default_factory=list)
    scene_ids: list[UUID] = field(default_factory=list)
    surveyed: frozenset[UUID] = frozenset()

    def layer(self, names: dict[UUID, str]) -> Layer:
        """The polygons as a layer; ``names`` gives every scene the name of its image."""
        shapes = np.empty(len(self.shapes), object)
        shapes[:] = self.shapes
        images = np.array([names[key] for key in self.scene_ids], np.str_)
        return Layer(shapes, np.array(self.class_ids, np.int64), CRS.from_epsg(SRID), images)


def scenes_below(region: Region) -> QuerySet[Scene]:
    """Usable scenes of a region and of all below it."""
    found = Scene.objects.filter(state__in=Scene.USABLE, region__code__startswith=region_prefix(region.code))
    return found.exclude(cog_sha256="").exclude(footprint__isnull=True).order_by("acquired_on", "pk")


def accepted_ground(region: Region, *, since: dt.datetime | None = None, years: Sequence[int] = ()) -> Accepted:
    """What people have settled on the scenes of a region.

    Settled are patches that a reviewer confirmed, changed or rejected, and the cells of changes that a reviewer
    decided; patches nobody has spoken of are open ground.

    Args:
        region: and all below it.
        since: only what was settled after this moment; scenes without any of it are left out. Whatever was settled
            earlier on the other scenes counts too, because open ground there would be wrong.
        years: of the scenes; empty takes every year.
    """
    scenes = scenes_below(region)
    if years:
        scenes = scenes.filter(acquired_on__year__in=list(years))
    by_key = {scene.pk: scene for scene in scenes}
    reviews = PatchReview.objects.filter(
        verdict__in=_SETTLED, patch__run__scene__in=by_key, patch__run__is_current=True
    )
    cells = _decided_cells(list(by_key))
    fresh_reviews = reviews if since is None else reviews.filter(reviewed_at__gt=since)
    fresh_cells = cells if since is None else cells.filter(piece__decided_at__gt=since)
    fresh = set(fresh_reviews.values_list("patch__run__scene", flat=True).distinct())
    fresh |= set(fresh_cells.order_by().values_list("scene", flat=True).distinct())
    keys = [key for key in by_key if key in fresh]
    found = Accepted({key: by_key[key] for key in keys}, surveyed=_surveyed(keys))
    settled: set[int] = set()
    said = reviews.filter(patch__run__scene__in=keys)
    rows = said.values_list("patch", "patch__run__scene", "patch__class_code", "patch__geom")
    for pk, key, code, geom in rows.iterator(_BATCH):
        settled.add(pk)
        _add(found, key, BY_CODE[code].id, geom)
    for cell in cells.filter(scene__in=keys).select_related("piece").iterator(_BATCH):
        class_id = _class_of_cell(cell)
        if class_id is not None and cell.scene_id is not None:
            _add(found, cell.scene_id, class_id, cell.geom)
    rest = Patch.objects.filter(run__scene__in=keys, run__is_current=True).exclude(pk__in=settled)
    for key, geom in rest.values_list("run__scene", "geom").iterator(_BATCH):
        _add(found, key, IGNORE, geom)
    return found


def _add(found: Accepted, key: UUID, class_id: int, geom: object) -> None:
    found.shapes.append(shapely.from_wkb(bytes(geom.wkb)))  # type: ignore[attr-defined]
    found.class_ids.append(class_id)
    found.scene_ids.append(key)


def _decided_cells(scenes: list[UUID]) -> QuerySet[ChangeCell]:
    """Cells of decided changes, of the newest edition of every year: an older one was replaced or withdrawn."""
    current = Edition.objects.exclude(state__in=[Edition.State.SUPERSEDED, Edition.State.WITHDRAWN])
    return (
        ChangeCell.objects.filter(edition__in=current, scene__in=scenes, piece__isnull=False)
        .exclude(piece__decision="")
        .order_by("pk")
    )


def _class_of_cell(cell: ChangeCell) -> int | None:
    """Class id of a cell of a decided change; None where the decision leaves its class open."""
    piece = cell.piece
    assert piece is not None  # of the query
    decision = Flow(piece.decision)
    if decision in _SHOWS_SEEN:
        state = State.of(cell.obs_state)
    elif decision == Flow.REJECTED and piece.kind == PieceKind.NEW.value:
        state = State.of(cell.prev_state)
    else:
        return None
    code = _CLASS_OF.get(state, state.code)
    return BY_CODE[code].id if code in BY_CODE else None


def _surveyed(keys: list[UUID]) -> frozenset[UUID]:
    """Scenes of sealed editions: nothing new was left undecided on their monitored ground."""
    runs = InterpretationRun.objects.filter(scene__in=keys, is_current=True, editions__state__in=Edition.SEALED)
    return frozenset(runs.order_by().values_list("scene", flat=True).distinct())


def mine_ground(region: Region) -> list[tuple[str, BaseGeometry]]:
    """Code and ground of every mine of a region: its influence zone, else its licence boundary, EPSG:4490."""
    rows = Mine.objects.filter(region__code__startswith=region_prefix(region.code)).order_by("code")
    return [
        (code, shapely.from_wkb(bytes((zone or boundary).wkb)))
        for code, zone, boundary in rows.values_list("code", "influence_zone", "boundary")
        if zone or boundary
    ]


def models_used(region: Region) -> list[tuple[str, str, dt.datetime]]:
    """Models that interpreted scenes of a region: name, version, and when first; newest first."""
    runs = InterpretationRun.objects.filter(
        state=InterpretationRun.State.SUCCEEDED, scene__region__code__startswith=region_prefix(region.code)
    ).exclude(model_name="")
    first = runs.order_by().values("model_name", "model_version").annotate(first=Min("created_at"))
    return [(row["model_name"], row["model_version"], row["first"]) for row in first.order_by("-first")]
