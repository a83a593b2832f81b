"""An exported year, imported elsewhere as an opening book, gives the same stocks to the square centimetre."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from landdamage.interchange.read import Choices
from landdamage.interchange.write import write_vectors
from landdamage.selectors.editions import edition_data, edition_sums
from landdamage.services.editions import edition_draft
from landdamage.services.openings import opening_book, opening_check
from tests.fixtures.accounted import computed, ran

pytestmark = pytest.mark.django_db


def test_exported_year_opens_the_same_books(district: SimpleNamespace, tmp_path: Path) -> None:
    year, analyst = district.truth.years[0], district.analyst
    edition = computed(edition_draft(region=district.region, year=year, user=analyst), analyst)
    path = write_vectors(edition_data(edition, analyst), tmp_path, "shp", "gbk")
    opening = opening_check(path=path, name=path.name, region=district.region, choices=Choices(), user=analyst)
    assert opening.findings == []
    other = ran(opening_book(opening=opening, region=district.region, year=year - 3, user=analyst))
    stocks = {kind: sums["closing"] for kind, sums in edition_sums(edition).items()}
    assert sum(stocks.values()) > 0
    assert {kind: sums["closing"] for kind, sums in edition_sums(other).items()} == stocks
