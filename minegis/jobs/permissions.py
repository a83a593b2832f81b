"""Who may cancel and retry a job: who may cancel or start runs where it belongs, and whoever submitted it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minegis.access.permissions import Action, allowed
from minegis.jobs.models import Job

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from minegis.access.models import User


def may_cancel(user: User | AnonymousUser, job: Job) -> bool:
    """Whether the user may stop this job, whatever its state."""
    return _own(user, job) or allowed(user, Action.CANCEL_RUN, job.region)


def may_retry(user: User | AnonymousUser, job: Job) -> bool:
    """Whether the user may queue this job again, whatever its state."""
    return _own(user, job) or allowed(user, Action.START_RUN, job.region)


def _own(user: User | AnonymousUser, job: Job) -> bool:
    return user.is_authenticated and user.is_active and job.created_by_id == user.pk
