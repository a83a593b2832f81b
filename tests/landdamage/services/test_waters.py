"""Water that a person decided: the word holds for that water in every scene of the year, and for nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError

from landdamage.models import Patch
from landdamage.services.editions import edition_draft
from landdamage.services.water import water_decide
from tests.fixtures.accounted import computed
from tests.fixtures.plot import ground, multi

pytestmark = pytest.mark.django_db

POND = (400, 400, 500, 500)


def decided(scene: Any, origin: str, user: Any) -> Patch:
    patch = Patch.objects.get(run__scene=scene, class_code="water")
    return water_decide(patch=patch, origin=origin, user=user, version=patch.version)


def accounted(plot: SimpleNamespace) -> Any:
    return computed(edition_draft(region=plot.region, year=2022, user=plot.analyst), plot.analyst)


def test_a_newer_scene_without_the_water_wins(plot: SimpleNamespace) -> None:
    early = plot.scene("2022-06-01", ("water", POND, "unknown"))
    decided(early, "pit_water", plot.reviewer)
    plot.scene(
        "2022-08-01",
        ("stockpile", (400, 400, 450, 500)),
        footprint=multi(ground(-100, -100, 480, 1100)),  # the pond's eastern fifth lies beyond it
    )
    edition = accounted(plot)
    assert plot.state_at(edition, 425, 450) == "stockpile"
    assert plot.state_at(edition, 465, 450) == "other"
    assert plot.state_at(edition, 490, 450) == "pit_water"
    assert edition.results["undecided_water"] == []


def test_the_word_holds_where_a_newer_scene_shows_the_water_too(plot: SimpleNamespace) -> None:
    early = plot.scene("2022-06-01", ("water", POND, "unknown"), ("open_pit", (100, 100, 200, 200)))
    patch = decided(early, "natural", plot.reviewer)
    assert (patch.source, patch.author, patch.water_decided_by) == ("model", None, plot.reviewer)
    late = plot.scene(
        "2022-08-01", ("water", (402, 400, 506, 500), "unknown"), ("water", (800, 800, 850, 850), "unknown")
    )
    elsewhere = Patch.objects.get(run__scene=late, geom__contains=multi(ground(810, 810, 820, 820)))
    edition = accounted(plot)
    assert plot.state_at(edition, 450, 450) == "other"
    assert edition.results["undecided_water"] == [elsewhere.pk]
    decided_late = Patch.objects.get(run__scene=late, geom__contains=multi(ground(410, 410, 420, 420)))
    water_decide(patch=decided_late, origin="pit_water", user=plot.reviewer, version=decided_late.version)
    edition = computed(edition, plot.analyst)
    assert plot.state_at(edition, 450, 450) == "pit_water"  # what was said of this very patch


def test_who_decided_the_water_does_not_decide_the_change(plot: SimpleNamespace, make_user: Any) -> None:
    plot.scene("2021-07-01")
    first = computed(edition_draft(region=plot.region, year=2021, user=plot.analyst), plot.analyst)
    from tests.fixtures.accounted import published

    published(first, plot)
    early = plot.scene("2022-06-01", ("water", POND, "unknown"))
    decided(early, "pit_water", plot.reviewer)
    plot.scene("2022-08-01", ("water", POND, "natural"))  # the same pond on the scene that counts
    edition = accounted(plot)
    [piece] = edition.pieces.filter(kind="new")
    assert [row.person for row in piece.authors.all()] == [plot.reviewer]


def test_only_water_is_decided_and_never_as_unknown(plot: SimpleNamespace) -> None:
    plot.scene("2022-06-01", ("water", POND, "unknown"))
    with pytest.raises(IntegrityError, match="patch_decided_water_has_an_origin"):
        Patch.objects.update(water_decided_by=plot.reviewer)
