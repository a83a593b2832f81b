"""Application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LandDamageConfig(AppConfig):
    """The land-damage application."""

    name = "landdamage"
    verbose_name = _("Land damage")
