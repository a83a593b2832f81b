"""Application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    """The jobs application."""

    name = "minegis.jobs"
    label = "jobs"
    verbose_name = _("Jobs")
