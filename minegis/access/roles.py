"""Roles: what a person does for the bureau."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What a person does for the bureau."""

    UPLOADER = "uploader", _("Field uploader")
    INTERPRETER = "interpreter", _("Interpreter")
    REVIEWER = "reviewer", _("Reviewer")
    ANALYST = "analyst", _("Analyst")
    MANAGER = "manager", _("Manager")
    ADMIN = "admin", _("Administrator")
    VIEWER = "viewer", _("Viewer")
    AUDITOR = "auditor", _("Auditor")
