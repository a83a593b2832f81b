"""Application configuration."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RegistryConfig(AppConfig):
    """The registry application."""

    name = "minegis.registry"
    label = "registry"
    verbose_name = _("Registry")
