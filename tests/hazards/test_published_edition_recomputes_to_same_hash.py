"""Hazard: a signed year cannot be computed again because the register has moved on, or somebody tampered with it."""

from __future__ import annotations

import datetime as dt
import io
from types import SimpleNamespace

import pytest
import shapely
from django.db import connection

from landdamage.accounting.content import content_sha256
from landdamage.models import Patch
from landdamage.selectors.editions import edition_cells, edition_data
from landdamage.services.account import edition_verify
from landdamage.services.decisions import RestorationFacts, decide
from landdamage.services.editions import edition_draft
from landdamage.services.evidence import evidence_add
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

    tampered(
        "UPDATE landdamage_changecell SET area_cm2 = area_cm2 + 1 WHERE cell_id = "
        "(SELECT min(cell_id) FROM landdamage_changecell WHERE edition_id = %s)",
        [edition.pk],
    )
    with pytest.raises(MineGISError, match="E-EDI-16"):
        edition_verify(edition)


def tampered(sql: str, values: list[object]) -> None:
    """Somebody with the keys of the database, who switches its guards off."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_the_hash_covers_how_ground_was_restored(plot: SimpleNamespace) -> None:
    plot.scene("2021-07-01", ("open_pit", (400, 400, 600, 600)))
    published(computed(edition_draft(region=plot.region, year=2021, user=plot.analyst), plot.analyst), plot)
    plot.scene("2022-07-01", ("vegetation", (400, 400, 600, 600)))
    edition = computed(edition_draft(region=plot.region, year=2022, user=plot.analyst), plot.analyst)
    [piece] = edition.pieces.all()
    proof = evidence_add(region=plot.region, file=io.BytesIO(b"%PDF-1.7"), file_name="a.pdf", user=plot.reviewer)
    facts = RestorationFacts("engineered", [proof], post_use="0404", accepted_on=dt.date(2022, 9, 1))
    decide(piece=piece, decision="restored", user=plot.reviewer, lock=piece.lock, reason="验收", restoration=facts)
    edition.refresh_from_db()
    edition = published(edition, plot)
    assert edition.content_format == 2
    assert edition_verify(edition) == edition.content_sha256
    row, links = "landdamage_restoration", "landdamage_restoration_evidence"
    for sql, back in (
        (f"UPDATE {row} SET mode = 'natural'", f"UPDATE {row} SET mode = 'engineered'"),
        (f"UPDATE {row} SET post_use = ''", f"UPDATE {row} SET post_use = '0404'"),
        (f"UPDATE {row} SET accepted_on = NULL", f"UPDATE {row} SET accepted_on = '2022-09-01'"),
        ("UPDATE landdamage_evidence SET sha256 = repeat('0', 64)", ""),
    ):
        tampered(sql, [])
        with pytest.raises(MineGISError, match="E-EDI-16"):
            edition_verify(edition)
        if back:
            tampered(back, [])
    tampered(f"DELETE FROM {links}", [])
    with pytest.raises(MineGISError, match="E-EDI-16"):
        edition_verify(edition)


def test_an_edition_sealed_in_the_first_format_still_verifies(plot: SimpleNamespace) -> None:
    plot.scene("2021-07-01", ("open_pit", (400, 400, 600, 600)))
    edition = computed(edition_draft(region=plot.region, year=2021, user=plot.analyst), plot.analyst)
    edition = published(edition, plot)
    old = content_sha256(edition_cells(edition), version=1)
    assert old != edition.content_sha256
    tampered(
        "UPDATE landdamage_edition SET content_sha256 = %s, content_format = 1 WHERE edition_id = %s", [old, edition.pk]
    )
    edition.refresh_from_db()
    assert edition_verify(edition) == old
