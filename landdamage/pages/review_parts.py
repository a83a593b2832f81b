"""What a reviewer has to go through in an edition, and how much of it is open: the same strip on every such page."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from landdamage.models import ChangePiece, Edition
from landdamage.selectors.reviews import tailings_open, waters_open

NAMES = {
    "decisions": gettext_lazy("Changes"),
    "tailings": gettext_lazy("Tailings ponds"),
    "waters": gettext_lazy("Waters"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A page of the review with what on it stands in the way of freezing."""

    code: str
    name: str | Promise
    url: str
    open: int


def review_parts(edition: Edition) -> list[Part]:
    """The pages of the review of an edition."""
    draft = edition.state == Edition.State.DRAFT
    found = {
        "decisions": edition.pieces.filter(kind=ChangePiece.Kind.NEW, decision="").count(),
        "tailings": tailings_open(edition).count() if draft else 0,
        "waters": waters_open(edition).count() if draft else 0,
    }
    return [Part(code, NAMES[code], reverse(code, args=[edition.pk]), count) for code, count in found.items()]
