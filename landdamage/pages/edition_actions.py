"""What can be done with an edition: each a dialog that says in numbers what will happen, and the deed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from landdamage.models import ChangePiece, Edition
from landdamage.pages.edition_cells import visible_edition
from landdamage.pages.ledger import headline
from landdamage.selectors.editions import edition_sums
from landdamage.selectors.reviews import places, reviews_since, tailings_open, waters_open
from landdamage.services import editions
from minegis.access.models import User
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.registry.models import Region
from minegis.templatetags.ui import change, hm2

State = Edition.State


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that can be done with an edition."""

    name: str
    label: str | Promise
    icon: str
    right: Action
    states: tuple[str, ...]
    reason: str | Promise = ""  # label of the text that must be given; empty: none
    tone: str = "primary"


DEEDS = {
    deed.name: deed
    for deed in (
        Deed("compute", gettext_lazy("Compute"), "refresh", Action.BUILD_EDITION, (State.DRAFT,)),
        Deed("freeze", gettext_lazy("Freeze"), "lock", Action.BUILD_EDITION, (State.DRAFT,)),
        Deed("unfreeze", gettext_lazy("Back to draft"), "pencil", Action.BUILD_EDITION, (State.FROZEN,)),
        Deed("publish", gettext_lazy("Publish"), "circle-check", Action.PUBLISH_EDITION, (State.FROZEN,)),
        Deed(
            "withdraw", gettext_lazy("Withdraw"), "circle-x", Action.PUBLISH_EDITION,
            (State.PUBLISHED, State.SUPERSEDED), gettext_lazy("Reason of the withdrawal"), "danger",
        ),
        Deed(
            "revise", gettext_lazy("New version"), "circle-plus", Action.BUILD_EDITION,
            (State.PUBLISHED, State.SUPERSEDED, State.WITHDRAWN),
            gettext_lazy("Change note: what is different, and why"),
        ),
        Deed("discard", gettext_lazy("Delete draft"), "trash", Action.BUILD_EDITION, (State.DRAFT,), "", "danger"),
    )
}  # fmt: skip


def actions(request: PageRequest, edition: Edition) -> list[Deed]:
    """What this person may do with the edition as it stands."""
    computing = edition.job is not None and edition.job.is_active
    return [
        deed
        for deed in DEEDS.values()
        if edition.state in deed.states
        and allowed(request.user, deed.right, edition.region)
        and not computing
        and not (deed.name == "freeze" and edition.computed_at is None)
        and not (deed.name == "revise" and unfinished(edition.region, edition.year))
    ]


def unfinished(region: Region, year: int) -> Edition | None:
    """The version of a year that is being worked on."""
    return Edition.objects.filter(region=region, year=year, state__in=(State.DRAFT, State.FROZEN)).first()


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of a dialog: what, how much, and whether it stands in the way."""

    label: str
    value: str
    blocks: bool = False
    url: str = ""  # where it can be put right


def _ask(request: PageRequest, edition_id: UUID, name: str) -> tuple[Edition, Deed]:
    edition = visible_edition(request, edition_id)
    deed = DEEDS.get(name)
    if deed is None:
        raise Http404
    return edition, deed


@require_GET
def ask(request: PageRequest, edition_id: UUID, name: str) -> HttpResponse:
    """The dialog of an action: what it will do, in numbers."""
    edition, deed = _ask(request, edition_id, name)
    if deed not in actions(request, edition):
        raise MineGISError("E-EDI-01", state=edition.get_state_display())
    known = facts(edition, name)
    context = {
        "edition": edition,
        "deed": deed,
        "facts": known,
        "blocked": any(fact.blocks for fact in known),
        "text": explanation(edition, name),
    }
    if name == "publish":
        context["bias"] = _too_biased(edition)
    return render(request, "landdamage/books/_deed.html", context)


def explanation(edition: Edition, name: str) -> str:
    """What the action does, in a sentence."""
    return {
        "compute": _("Compares the year with the book below. Decisions are kept where the ground is the same."),
        "freeze": _("Locks the numbers and takes their hash. Nothing can be decided until it is a draft again."),
        "unfreeze": _("Unlocks the numbers; the hash is dropped."),
        "publish": _("The figures become official. They can never be changed, only replaced by a new version."),
        "withdraw": _("The edition is marked as withdrawn with your reason. Its cells and its hash stay."),
        "revise": _("Opens and computes the next version; this one stays as it is. The new report prints the note."),
        "discard": _("Deletes the draft with its cells and its decisions. This cannot be undone."),
    }[name]  # fmt: skip


def facts(edition: Edition, name: str) -> list[Fact]:
    """The numbers that the action concerns."""
    found: list[Fact] = []
    pieces = edition.pieces
    if edition.computed_at is not None and name in ("freeze", "publish", "withdraw"):
        figures = headline(edition_sums(edition), 0, 0)
        found += [
            Fact(_("Closing stock"), f"{hm2(figures.stock)} hm² ({change(figures.change)})"),
            Fact(_("New"), f"{hm2(figures.new)} hm²"),
            Fact(_("Restored"), f"{hm2(figures.restored)} hm²"),
            Fact(_("Pending, stays in the stock"), f"{hm2(figures.pending)} hm²"),
            Fact(_("Not observed, carried over"), f"{hm2(figures.carried)} hm²"),
        ]
    if name == "freeze":
        open_ = pieces.filter(kind=ChangePiece.Kind.NEW, decision="").count()
        url = reverse("decisions", args=[edition.pk])
        found.append(Fact(_("Newly seen changes without a decision"), str(open_), blocks=open_ > 0, url=url))
        found += _unreviewed(edition)
    if name in ("compute", "discard"):
        found += [
            Fact(_("Cells"), f"{edition.cells.count():,}"),
            Fact(_("Changes"), f"{pieces.count():,}"),
            Fact(_("of them decided"), f"{pieces.exclude(decision='').count():,}"),
        ]
    if name == "compute" and edition.based_on:
        found.append(Fact(_("Book below"), f"{edition.based_on.year} v{edition.based_on.version}"))
    if name == "publish":
        found += _replaced(edition)
        if edition.change_note:
            found.append(Fact(_("Change note"), edition.change_note))
    if name == "revise":
        found += next_version(edition.region, edition.year)
    if name in ("withdraw", "unfreeze"):
        found.append(Fact(_("Editions that stand on it"), str(edition.followers.count())))
    return found


def next_version(region: Region, year: int) -> list[Fact]:
    """What the next version of a year will be called, stand on and replace."""
    versions = Edition.objects.filter(region=region, year=year)
    latest = versions.aggregate(latest=Max("version"))["latest"] or 0
    below = editions.books_below(region, year).first()
    replaced = versions.filter(state=State.PUBLISHED).first()
    return [
        Fact(_("Makes"), f"{year} v{latest + 1}"),
        Fact(_("Stands on"), f"{below.year} v{below.version}" if below else _("nothing: the first book")),
        Fact(_("Replaces when published"), f"{year} v{replaced.version}" if replaced else "—"),
    ]


def _unreviewed(edition: Edition) -> list[Fact]:
    """What else keeps it a draft, each with the page where it is put right."""
    found = []
    if waters := waters_open(edition).count():
        url = reverse("waters", args=[edition.pk])
        found.append(Fact(_("Waters of unknown origin"), str(waters), blocks=True, url=url))
    ponds = tailings_open(edition)
    if count := ponds.count():
        url, where = reverse("tailings", args=[edition.pk]), places(ponds)
        found.append(Fact(_("Tailings ponds found by the model, not reviewed"), f"{count}: {where}", True, url))
    if not found and (count := reviews_since(edition)):
        found.append(Fact(_("Answers that the computation does not know yet"), str(count), blocks=True))
    return found


def _replaced(edition: Edition) -> list[Fact]:
    older = Edition.objects.filter(region=edition.region, year=edition.year, state=State.PUBLISHED).first()
    if older is None:
        return [Fact(_("Replaces"), "—")]
    before, after = headline(edition_sums(older), 0, 0), headline(edition_sums(edition), 0, 0)
    followers = older.followers.count()
    return [
        Fact(_("Replaces"), f"{older.year} v{older.version}"),
        Fact(_("Stock, before → after"), f"{hm2(before.stock)} → {hm2(after.stock)} hm²"),
        Fact(_("New, before → after"), f"{hm2(before.new)} → {hm2(after.new)} hm²"),
        Fact(_("Restored, before → after"), f"{hm2(before.restored)} → {hm2(after.restored)} hm²"),
        Fact(_("Later editions that will stand on an old version"), str(followers)),
    ]


def _too_biased(edition: Edition) -> float | None:
    share = editions.bias_share(edition)
    return share if share is not None and share > editions.MOST_BIAS else None


@require_POST
def do(request: PageRequest, edition_id: UUID, name: str) -> HttpResponse:
    """Do it; a refusal comes back with its code, into the dialog."""
    edition, deed = _ask(request, edition_id, name)
    asked = request.POST.get("lock", "")
    lock = int(asked) if asked.isdecimal() and len(asked) < 10 else -1
    deeds: dict[str, Callable[[], Any]] = {
        "compute": lambda: editions.edition_compute(edition=edition, user=request.user, lock=lock),
        "freeze": lambda: editions.edition_freeze(edition=edition, user=request.user, lock=lock),
        "unfreeze": lambda: editions.edition_unfreeze(edition=edition, user=request.user, lock=lock),
        "publish": lambda: editions.edition_publish(
            edition=edition, user=request.user, lock=lock, sign_bias=bool(request.POST.get("sign_bias"))
        ),
        "withdraw": lambda: editions.edition_withdraw(
            edition=edition, user=request.user, lock=lock, reason=request.POST.get("reason", "")
        ),
        "revise": lambda: made(edition.region, edition.year, request.user, request.POST.get("reason", "")),
        "discard": lambda: editions.edition_discard(edition=edition, user=request.user, lock=lock),
    }
    result = deeds[name]()
    messages.success(request, _("%(deed)s: done") % {"deed": deed.label})
    shown = result if name == "revise" else edition
    return HttpResponseClientRedirect(reverse("accounts") if name == "discard" else reverse("edition", args=[shown.pk]))


def made(region: Region, year: int, user: User, change_note: str) -> Edition:
    """The next version of a year, its account queued; what ``edition_draft`` refuses is refused."""
    with transaction.atomic():
        draft = editions.edition_draft(region=region, year=year, user=user, change_note=change_note)
        return editions.edition_compute(edition=draft, user=user, lock=draft.lock)
