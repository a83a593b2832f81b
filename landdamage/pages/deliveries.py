"""The files made of an edition: reports and vectors, with the progress of what is being made."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from landdamage.pages.edition_cells import visible_edition
from minegis.access.requests import PageRequest
from minegis.jobs.pages import JobRow


@require_GET
def deliveries(request: PageRequest, edition_id: UUID) -> HttpResponse:
    """The list, which asks for itself again while something is being made."""
    edition = visible_edition(request, edition_id)
    rows = [(one, JobRow(one.job, request) if one.job else None) for one in edition.deliveries.select_related("job")]
    context = {"edition": edition, "rows": rows, "live": any(job and job.job.is_active for _one, job in rows)}
    return render(request, "landdamage/books/_deliveries_list.html", context)
