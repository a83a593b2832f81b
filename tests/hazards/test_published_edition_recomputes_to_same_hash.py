"""Hazard: a signed year cannot be computed again because the register has moved on, or somebody tampered with it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import shapely
from django.db import connection

from landdamage.models import Patch
from landdamage.selectors.editions import edition_data
from landdamage.services.account import edition_verify
from landdamage.services.editions import edition_draft
from minegis.errors import MineGISError
from minegis.registry.models import Mine
from tests.fixtures.accounted import computed, multi, published

pytestmark = pytest.mark.django_db


def test_published_edition_recomputes_to_same_hash(district: SimpleNamespace) -> None:
    Patch.objects.filter(water_origin="unknown").update(water_origin="natural")
    edition = computed(
        edition_draft(region=district.region, year=district.truth.years[0], user=district.analyst), district.analyst
    )
    edition = published(edition, district)
    drawn = edition_data(edition, district.manager).outlines
    Mine.objects.update(influence_zone=multi(shapely.box(80, 40, 81, 41)), boundary=multi(shapely.box(80, 40, 81, 41)))
    Patch.objects.all().delete()
    assert edition_verify(edition) == edition.content_sha256
    now = edition_data(edition, district.manager).outlines
    assert drawn is not None
    assert drawn.equals(now)
    assert {"mine", "licence", "region"} <= set(drawn["what"])

    with connection.cursor() as cursor:  # somebody with the keys of the database, who switches its guards off
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "UPDATE landdamage_changecell SET area_cm2 = area_cm2 + 1 WHERE cell_id = "
            "(SELECT min(cell_id) FROM landdamage_changecell WHERE edition_id = %s)",
            [edition.pk],
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    with pytest.raises(MineGISError, match="E-EDI-16"):
        edition_verify(edition)
