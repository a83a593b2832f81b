"""Classes and damage kinds."""

from __future__ import annotations

from itertools import combinations

import pytest

from landdamage import taxonomy


def test_ids_are_the_network_channels() -> None:
    assert [c.id for c in taxonomy.CLASSES] == list(range(taxonomy.NETWORK_CLASS_COUNT)) == list(range(8))


@pytest.mark.parametrize(
    ("code", "origin", "kind"),
    [
        ("open_pit", None, "excavation"),
        ("water", None, "none"),
        ("water", "natural", "none"),
        ("water", "unknown", "none"),
        ("water", "pit_water", "excavation"),
        ("water", "tailings_water", "occupation"),
        ("living_area", None, "occupation"),
        ("industrial_square", None, "occupation"),
        ("stockpile", None, "occupation"),
        ("tailings_pond", None, "occupation"),
        ("subsidence", None, "subsidence"),
        ("vegetation", None, "none"),
        ("background", None, "none"),
    ],
)
def test_damage_is_derived_from_the_class(code: str, origin: taxonomy.WaterOrigin | None, kind: str) -> None:
    assert taxonomy.damage_kind(code, origin) == kind


def test_colours_differ_and_precedence_names_every_class() -> None:
    for a, b in combinations(taxonomy.CLASSES, 2):
        assert sum(abs(x - y) for x, y in zip(a.rgb, b.rgb, strict=True)) > 60
    assert set(taxonomy.PRECEDENCE) == set(taxonomy.BY_CODE)
