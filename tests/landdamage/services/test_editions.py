"""The life of an edition: who stands on whom, back to a draft, another version, bias to sign, withdrawal."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from landdamage.models import Edition
from landdamage.selectors.editions import edition_facts
from landdamage.services.editions import (
    edition_compute,
    edition_discard,
    edition_draft,
    edition_freeze,
    edition_publish,
    edition_unfreeze,
    edition_withdraw,
)
from minegis.errors import ForbiddenError, MineGISError
from tests.fixtures.books import add_patches

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(make_books: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return make_books(decided=True)


def frozen(books: SimpleNamespace, **results: Any) -> Edition:
    draft = books.draft
    draft.results = {**draft.results, **results}
    draft.save(update_fields=["results"])
    return edition_freeze(edition=draft, user=books.analyst, lock=draft.lock)


def test_a_frozen_edition_goes_back_until_another_stands_on_it(books: SimpleNamespace) -> None:
    edition = frozen(books)
    known = edition.content_sha256
    edition = edition_unfreeze(edition=edition, user=books.analyst, lock=edition.lock)
    assert (edition.state, edition.content_sha256) == ("draft", "")
    edition = edition_freeze(edition=edition, user=books.analyst, lock=edition.lock)
    assert edition.content_sha256 == known
    following = edition_draft(region=edition.region, year=2024, user=books.analyst)
    assert following.based_on == edition
    with pytest.raises(MineGISError, match="E-EDI-02"):
        edition_unfreeze(edition=edition, user=books.analyst, lock=edition.lock)
    with pytest.raises(MineGISError, match="E-EDI-18"):
        edition_draft(region=edition.region, year=2025, user=books.analyst, based_on=following)
    withdrawn = edition_withdraw(edition=books.published, user=books.manager, lock=1, reason="错")
    with pytest.raises(MineGISError, match="E-EDI-18"):
        edition_draft(region=edition.region, year=2025, user=books.analyst, based_on=withdrawn)


def test_a_book_prefers_the_published_version_below(books: SimpleNamespace) -> None:
    edition = frozen(books)
    edition = edition_publish(edition=edition, user=books.manager, lock=edition.lock)
    noted = edition_draft(region=edition.region, year=2023, user=books.analyst, change_note="补充影像")
    assert (noted.version, noted.based_on) == (2, books.published)
    assert edition_draft(region=edition.region, year=2024, user=books.analyst).based_on == edition


def test_a_version_after_a_published_one_says_what_it_changes(books: SimpleNamespace) -> None:
    edition = frozen(books)
    edition = edition_publish(edition=edition, user=books.manager, lock=edition.lock)
    for state in ("published", "withdrawn"):
        with pytest.raises(MineGISError, match="E-EDI-11"):
            edition_draft(region=edition.region, year=2023, user=books.analyst, change_note=" ")
        if state == "published":
            edition_withdraw(edition=edition, user=books.manager, lock=edition.lock, reason="配准错误")
    following = edition_draft(region=edition.region, year=2023, user=books.analyst, change_note=" 重新配准 ")
    assert (following.version, following.change_note) == (2, "重新配准")
    assert not edition_draft(region=edition.region, year=2024, user=books.analyst, change_note="").change_note


def test_followers_of_a_withdrawn_edition_are_outdated(books: SimpleNamespace) -> None:
    with pytest.raises(MineGISError, match="E-EDI-21"):
        edition_withdraw(edition=books.published, user=books.manager, lock=1, reason=" ")
    assert not edition_facts(books.draft).based_on_outdated
    edition_withdraw(edition=books.published, user=books.manager, lock=1, reason="影像配准错误")
    assert edition_facts(Edition.objects.get(pk=books.draft.pk)).based_on_outdated
    with pytest.raises(MineGISError, match="E-EDI-01") as refused:
        edition_withdraw(edition=books.published, user=books.manager, lock=2, reason="再次")
    assert "withdrawn" in refused.value.message("en")


@pytest.mark.parametrize(("false_new_m2", "code"), [(1e6, "E-EDI-10"), (None, "E-EDI-23")])
def test_a_large_or_unmeasured_bias_needs_the_managers_signature(
    books: SimpleNamespace, false_new_m2: float | None, code: str
) -> None:
    edition = frozen(books, mixed_sensor=["gsd"], bias={"false_new_m2": false_new_m2, "enough_controls": True})
    with pytest.raises(MineGISError, match=code):
        edition_publish(edition=edition, user=books.manager, lock=edition.lock)
    edition = edition_publish(edition=edition, user=books.manager, lock=edition.lock, sign_bias=True)
    assert edition.signed_bias


def test_too_few_controls_measure_nothing(books: SimpleNamespace) -> None:
    edition = frozen(books, mixed_sensor=["gsd"], bias={"false_new_m2": 0.0, "enough_controls": False})
    with pytest.raises(MineGISError, match="E-EDI-23"):
        edition_publish(edition=edition, user=books.manager, lock=edition.lock)


def test_a_small_bias_needs_none(books: SimpleNamespace) -> None:
    edition = frozen(books, mixed_sensor=["season"], bias={"false_new_m2": 10.0, "enough_controls": True})
    assert not edition_publish(edition=edition, user=books.manager, lock=edition.lock, sign_bias=True).signed_bias


def test_waters_of_unknown_origin_keep_it_a_draft(books: SimpleNamespace) -> None:
    add_patches(books)
    with pytest.raises(MineGISError, match="E-EDI-04"):
        frozen(books)


def test_cells_that_do_not_balance_cannot_be_frozen(books: SimpleNamespace) -> None:
    books.draft.cells.filter(flow="plain", new_state="vegetation").update(new_state="open_pit")
    with pytest.raises(MineGISError, match="E-ACC-01"):
        frozen(books)


def test_an_opening_that_is_not_last_years_closing_cannot_be_frozen(books: SimpleNamespace) -> None:
    books.draft.cells.filter(flow="persist", prev_state="open_pit").delete()
    with pytest.raises(MineGISError, match="E-ACC-01"):
        frozen(books)


def test_nothing_is_decided_frozen_or_discarded_while_it_is_computed(small_books: SimpleNamespace) -> None:
    edition = edition_compute(edition=small_books.draft, user=small_books.analyst, lock=1)
    for step in (edition_compute, edition_freeze, edition_discard):
        with pytest.raises(MineGISError, match="E-EDI-17"):
            step(edition=edition, user=small_books.analyst, lock=edition.lock)


def test_only_analysts_build_and_only_managers_publish(books: SimpleNamespace) -> None:
    for person in (books.reviewer, books.manager, books.interpreter, books.viewer):
        with pytest.raises(ForbiddenError):
            edition_freeze(edition=books.draft, user=person, lock=1)
    edition = frozen(books)
    with pytest.raises(ForbiddenError):
        edition_publish(edition=edition, user=books.analyst, lock=edition.lock)


def test_the_database_refuses_a_publisher_who_decided(books: SimpleNamespace) -> None:
    edition = frozen(books)
    sql = "UPDATE landdamage_edition SET state = 'published', published_by_id = %s WHERE edition_id = %s"
    with pytest.raises(IntegrityError, match="cannot publish"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [books.reviewer.pk, edition.pk])


def test_a_discarded_draft_leaves_nothing_behind(small_books: SimpleNamespace) -> None:
    from landdamage.models import ChangeCell, ChangePiece

    edition_discard(edition=small_books.draft, user=small_books.analyst, lock=1)
    assert set(ChangeCell.objects.values_list("edition", flat=True)) == {small_books.published.pk}
    assert not ChangePiece.objects.exists()


def test_ground_belongs_to_one_book_only(books: SimpleNamespace) -> None:
    """Books of a county beside those of its prefecture would count the same ground twice."""
    for region in (books.regions.fukang, books.regions.xinjiang):
        with pytest.raises(MineGISError, match="E-EDI-25"):
            edition_draft(region=region, year=2024, user=None)
    assert edition_draft(region=books.regions.turpan, year=2024, user=None).version == 1
