"""Pages of long work: the list with live progress, cancel, retry, and the news every page listens to."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from minegis.access.requests import PageRequest
from minegis.errors import ForbiddenError
from minegis.jobs import services
from minegis.jobs.models import Job
from minegis.jobs.permissions import may_cancel, may_retry
from minegis.templatetags.ui import spell

PAGE_SIZE = 25
KINDS = {
    "ingest": gettext_lazy("Check and prepare"),
    "interpret": gettext_lazy("Interpretation"),
    "account": gettext_lazy("Account of a year"),
    "deliver": gettext_lazy("Report or vectors"),
    "sample_set": gettext_lazy("Sample set"),
    "label_plate": gettext_lazy("Label plate"),
    "train": gettext_lazy("Training"),
    "compare": gettext_lazy("Comparison of models"),
    "model_check": gettext_lazy("Check of a model"),
    "clip": gettext_lazy("Check of a video"),
    "enhance": gettext_lazy("Enhancement"),
    "enhance_night": gettext_lazy("Night enhancement"),
    "live": gettext_lazy("Live stream"),
}
STAGES = {
    "store": gettext_lazy("storing the original"),
    "check": gettext_lazy("checking"),
    "cog": gettext_lazy("building overviews"),
    "footprint": gettext_lazy("tracing the valid area"),
    "clouds": gettext_lazy("looking for clouds and shadows"),
    "model": gettext_lazy("choosing the model"),
    "network": gettext_lazy("classifying"),
    "polygons": gettext_lazy("tracing polygons"),
    "publish": gettext_lazy("saving the result"),
    "prepare": gettext_lazy("collecting the inputs"),
    "units": gettext_lazy("comparing mine by mine"),
    "settle": gettext_lazy("settling the flows"),
    "archive": gettext_lazy("keeping the inputs"),
    "read": gettext_lazy("reading the edition"),
    "vectors": gettext_lazy("writing vectors"),
    "tables": gettext_lazy("closing the tables"),
    "maps": gettext_lazy("drawing map sheets"),
    "evidence": gettext_lazy("cutting evidence images"),
    "report": gettext_lazy("writing the report"),
    "pack": gettext_lazy("packing"),
    "keep": gettext_lazy("keeping the file"),
    "superpixels": gettext_lazy("cutting superpixels"),
    "look": gettext_lazy("reading labels"),
    "tiles": gettext_lazy("cutting tiles"),
    "leaks": gettext_lazy("looking for leaks"),
    "samples": gettext_lazy("opening the samples"),
    "train": gettext_lazy("learning"),
    "judge": gettext_lazy("judging the models"),
    "proxy": gettext_lazy("making a copy that browsers play"),
    "measure": gettext_lazy("measuring every frame"),
    "render": gettext_lazy("enhancing"),
    "join": gettext_lazy("joining"),
    "connecting": gettext_lazy("connecting"),
    "streaming": gettext_lazy("streaming"),
    "readings": gettext_lazy("measuring the result"),
}
LEAST_SHARE_FOR_ESTIMATE = 0.05  # earlier a guess of the time left only jumps about


class JobRow:
    """A job as the list shows it."""

    def __init__(self, job: Job, request: PageRequest) -> None:
        self.job = job
        self.kind = KINDS.get(job.kind, job.kind)
        self.stage = STAGES.get(job.stage, job.stage)
        self.can_cancel = job.is_active and not job.cancel_requested and may_cancel(request.user, job)
        ended_badly = job.state in (Job.State.FAILED, Job.State.CANCELLED)
        self.can_retry = ended_badly and may_retry(request.user, job)

    @property
    def time_left(self) -> str:
        """Estimated from the share done; empty while there is nothing to estimate from."""
        job = self.job
        if job.state == Job.State.RUNNING and "seconds_left" in job.pace:
            return spell(timedelta(seconds=job.pace["seconds_left"]))
        if job.state != Job.State.RUNNING or job.started_at is None or job.progress < LEAST_SHARE_FOR_ESTIMATE:
            return ""
        return spell((timezone.now() - job.started_at) * (1 / job.progress - 1))

    @property
    def pace(self) -> str:
        """How fast an interpretation goes and how many workers are at it; empty for other work."""
        job = self.job
        if job.state != Job.State.RUNNING or "km2" not in job.pace:
            return ""
        said = []
        if "km2_per_s" in job.pace:
            said.append(_("%(rate)s km²/s") % {"rate": f"{job.pace['km2_per_s']:.3g}"})
        workers = int(job.pace.get("workers", 1))
        if workers > 1:
            said.append(ngettext("%(n)s worker", "%(n)s workers", workers) % {"n": workers})
        return " · ".join(said)


@require_GET
def jobs(request: PageRequest) -> HttpResponse:
    """The list, newest first; htmx asks for the table alone, every two seconds while something runs."""
    found = Job.objects.visible_to(request.user).select_related("created_by", "region")
    state = request.GET.get("state", "")
    if state in Job.State.values:
        found = found.filter(state=state)
    if request.GET.get("own"):
        found = found.filter(created_by=request.user)
    page = Paginator(found, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": [JobRow(job, request) for job in page],
        "live": any(job.is_active for job in page),
        "states": Job.State.choices,
        "state": state,
    }
    return render(request, "jobs/_table.html" if request.htmx else "jobs/jobs.html", context)


def _visible(request: PageRequest, job_id: UUID) -> Job:
    return get_object_or_404(Job.objects.visible_to(request.user), pk=job_id)


def _back(request: PageRequest) -> HttpResponse:
    """After a change the table fetches itself, with its own filter and page."""
    if request.htmx:
        return trigger_client_event(HttpResponse(status=204), "jobs-changed", {})
    return redirect("jobs")


@require_POST
def cancel(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Cancel a queued job at once; a running one stops at its next safe point."""
    job = _visible(request, job_id)
    if not may_cancel(request.user, job):
        raise ForbiddenError
    services.job_cancel(job=job)
    return _back(request)


@require_POST
def retry(request: PageRequest, job_id: UUID) -> HttpResponse:
    """Queue a failed or cancelled job again."""
    job = _visible(request, job_id)
    if not may_retry(request.user, job):
        raise ForbiddenError
    services.job_retry(job=job)
    return _back(request)


@require_GET
def news(request: PageRequest) -> HttpResponse:
    """How many jobs are under way, for the rail; tells once, in any page, that a job of one's own has ended."""
    own = Job.objects.filter(created_by=request.user)
    now = timezone.now()
    since = request.session.get("jobs_told_until")
    ended = own.filter(finished_at__gt=since, finished_at__lte=now) if since else own.none()
    told = [_ended(job) for job in ended.order_by("finished_at")[:5]]
    active = Job.objects.visible_to(request.user).filter(state__in=Job.ACTIVE).count()
    if told or not since or datetime.fromisoformat(since) < now - timedelta(minutes=1):
        request.session["jobs_told_until"] = now.isoformat()
    response = render(request, "jobs/_count.html", {"active": active})
    return trigger_client_event(response, "jobs-ended", {"jobs": told}) if told else response


def _ended(job: Job) -> dict[str, str]:
    words = {
        Job.State.SUCCEEDED: (_("%(kind)s finished: %(title)s"), "success"),
        Job.State.FAILED: (_("%(kind)s failed: %(title)s"), "danger"),
        Job.State.CANCELLED: (_("%(kind)s cancelled: %(title)s"), "warning"),
    }
    text, tone = words[Job.State(job.state)]
    values = {"kind": KINDS.get(job.kind, job.kind), "title": job.title or str(job.pk)[:8]}
    return {"text": text % values, "tone": tone, "url": reverse("jobs")}
