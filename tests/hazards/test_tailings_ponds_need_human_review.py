"""Hazard: a tailings pond that only a network has seen, from few samples, becomes an official figure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from landdamage.models import Patch, PatchReview
from landdamage.services.editions import edition_freeze
from landdamage.services.tailings import POND, tailings_review
from minegis.errors import MineGISError
from tests.fixtures.books import add_patches

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(make_books) -> SimpleNamespace:  # type: ignore[no-untyped-def]
    found = add_patches(make_books(decided=True))
    found.draft.results["undecided_water"] = []
    found.draft.save(update_fields=["results"])
    return found


def test_no_confidence_is_enough(books: SimpleNamespace) -> None:
    Patch.objects.filter(class_code=POND).update(confidence=1.0, confidence_p5=1.0, margin=1.0)
    for left, pond in enumerate(books.ponds):
        with pytest.raises(MineGISError, match="E-EDI-30") as refused:
            edition_freeze(edition=books.draft, user=books.analyst, lock=books.draft.lock)
        assert refused.value.message("en").startswith(f"{2 - left} tailings ponds")
        tailings_review(patch=pond, shows=POND, user=books.reviewer, version=pond.version)
    assert edition_freeze(edition=books.draft, user=books.analyst, lock=books.draft.lock).state == "frozen"


def test_the_command_line_is_no_way_round(books: SimpleNamespace) -> None:
    with pytest.raises(MineGISError, match="E-EDI-30"):
        edition_freeze(edition=books.draft, user=None, lock=books.draft.lock)


def test_nobody_confirms_their_own_drawing(books: SimpleNamespace) -> None:
    pond = books.ponds[0]
    Patch.objects.filter(pk=pond.pk).update(author=books.reviewer)
    client = APIClient()
    client.force_authenticate(books.reviewer)
    answer = client.post(f"/api/v1/patches/{pond.pk}/tailings/", {"shows": POND, "version": 1}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "E-EDI-05")
    Patch.objects.filter(pk=pond.pk).update(author=books.interpreter)
    answer = client.post(f"/api/v1/patches/{pond.pk}/tailings/", {"shows": POND, "version": 1}, format="json")
    assert answer.json()["review"]["reviewer"] == books.reviewer.username
    assert PatchReview.objects.get().found_author == books.interpreter
    sql = "UPDATE landdamage_patchreview SET reviewer_id = found_author_id"
    with pytest.raises(IntegrityError, match="other_eyes"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
