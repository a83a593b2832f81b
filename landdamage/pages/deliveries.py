"""The files made of an edition: reports and vectors, with the progress of what is being made."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from landdamage.interchange.write import ENCODINGS, FORMATS, GRIDS
from landdamage.models import Delivery, Edition
from landdamage.pages.edition_cells import visible_edition
from landdamage.services.deliveries import deliveries_visible, delivery_file, delivery_request
from minegis.access.permissions import Action, allowed
from minegis.access.requests import PageRequest
from minegis.errors import MineGISError
from minegis.jobs.pages import JobRow

SHOWN = 20  # the newest; older ones stay in the storage and in the API


LANGUAGES = {"zh": gettext_lazy("Chinese"), "en": gettext_lazy("English")}


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as the list shows it."""

    delivery: Delivery
    job: JobRow | None

    @property
    def what(self) -> str:
        """Its options in short: the language of a report, format and coding of vectors."""
        names = ("language",) if self.delivery.kind == Delivery.Kind.REPORT else ("format", "encoding", "crs")
        said = [str(self.delivery.options[name]) for name in names if self.delivery.options.get(name)]
        return " · ".join(str(LANGUAGES.get(one, one)) for one in said)


def delivery_context(request: PageRequest, edition: Edition) -> dict[str, object]:
    """Rows of the list and what may be asked for."""
    found = deliveries_visible(request.user).filter(edition=edition).order_by("-created_at")[:SHOWN]
    rows = [DeliveryRow(one, JobRow(one.job, request) if one.job else None) for one in found]
    public = edition.state in Edition.PUBLIC
    vectors = allowed(request.user, Action.EXPORT_VECTORS, edition.region) or (
        public and allowed(request.user, Action.EXPORT_PUBLISHED, edition.region)
    )
    reports = public or any(
        allowed(request.user, right, edition.region)
        for right in (Action.BUILD_EDITION, Action.PUBLISH_EDITION, Action.DECIDE_FLOW)
    )
    return {
        "edition": edition,
        "deliveries": rows,
        "delivering": any(row.job is not None and row.job.job.is_active for row in rows),
        "may_report": reports and edition.computed_at is not None,
        "may_export": vectors and edition.computed_at is not None,
        "formats": FORMATS,
        "encodings": ENCODINGS,
        "grids": GRIDS,
    }


@require_GET
def deliveries(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """The list, which asks for itself again while something is being made."""
    edition = visible_edition(request, edition_id)
    return render(request, "landdamage/books/_deliveries.html", delivery_context(request, edition))


@require_POST
def ask(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """Queue a report (``language``) or vectors (``format``, ``encoding``, ``crs``) and show the list."""
    edition = visible_edition(request, edition_id)
    kind = request.POST.get("kind", "")
    if kind not in Delivery.Kind.values:
        raise MineGISError("E-API-01")
    names = ("language",) if kind == Delivery.Kind.REPORT else ("format", "encoding", "crs")
    options = {name: request.POST[name] for name in names if request.POST.get(name)}
    delivery_request(edition=edition, user=request.user, kind=kind, options=options)
    return render(request, "landdamage/books/_deliveries.html", delivery_context(request, edition))


@require_GET
def download(request: PageRequest, delivery_id: UUID) -> FileResponse:
    """The finished file, for those who could have asked for the same one."""
    found = get_object_or_404(deliveries_visible(request.user), pk=delivery_id)
    path = delivery_file(delivery=found, user=request.user)
    return FileResponse(path.open("rb"), as_attachment=True, filename=found.file_name)
