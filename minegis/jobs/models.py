"""The job row owns the truth about long work; a broker message only says "look at row N"."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from minegis.access.permissions import Action, readers
from minegis.access.querysets import RegionScopedQuerySet
from minegis.registry.models import Region


class JobQuerySet(RegionScopedQuerySet):
    """Jobs of a region; a person always sees their own."""

    owner_path: ClassVar[str | None] = "created_by"
    reader_roles: ClassVar[frozenset[str] | None] = readers(Action.READ_JOBS)


class Job(models.Model):
    """One piece of long work: queued -> running -> succeeded | failed | cancelled."""

    class State(models.TextChoices):
        """Where the work stands."""

        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    ACTIVE = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=30)
    queue = models.CharField(_("queue"), max_length=10)
    params = models.JSONField(_("parameters"), default=dict)
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("region")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="jobs",
        verbose_name=_("created by"),
    )
    title = models.CharField(_("title"), max_length=200, blank=True)

    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(_("stage"), max_length=40, blank=True)
    progress = models.FloatField(_("progress"), default=0.0)
    # How fast the step under way goes, in the figures of its kind of work; empty for steps that say nothing.
    pace = models.JSONField(_("pace"), default=dict, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    max_attempts = models.PositiveSmallIntegerField(_("most attempts"), default=3)
    attempt_id = models.UUIDField(_("attempt"), null=True, blank=True, editable=False)
    worker = models.CharField(_("worker"), max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(_("heartbeat"), null=True, blank=True)
    lease_until = models.DateTimeField(_("lease until"), null=True, blank=True)
    cancel_requested = models.BooleanField(_("cancel requested"), default=False)
    error_code = models.CharField(_("error code"), max_length=12, blank=True)
    error_values = models.JSONField(_("error values"), default=dict, blank=True)
    result = models.JSONField(_("result"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    sent_at = models.DateTimeField(_("last sent to the broker"), null=True, blank=True, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "lease_until"]), models.Index(fields=["-created_at"])]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(progress__gte=0) & models.Q(progress__lte=1), name="job_progress_is_a_share"
            ),
            models.CheckConstraint(
                condition=~models.Q(state="running") | models.Q(attempt_id__isnull=False, lease_until__isnull=False),
                name="running_job_has_an_attempt",
            ),
            models.CheckConstraint(
                condition=models.Q(attempts__lte=models.F("max_attempts")), name="job_attempts_capped"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_active(self) -> bool:
        """Queued or running: it can still be cancelled."""
        return self.state in self.ACTIVE
