"""Application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EnhancementConfig(AppConfig):
    """The enhancement of surveillance video."""

    name = "enhancement"
    verbose_name = _("Video enhancement")
