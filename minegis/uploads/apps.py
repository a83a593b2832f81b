"""Application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UploadsConfig(AppConfig):
    """The uploads application."""

    name = "minegis.uploads"
    label = "uploads"
    verbose_name = _("Uploads")
