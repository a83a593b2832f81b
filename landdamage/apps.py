"""Application configuration."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class LandDamageConfig(AppConfig):
    """The land-damage application."""

    name = "landdamage"
    verbose_name = _("Land damage")

    def ready(self) -> None:
        """Whatever migrates the database also writes down the models this version ships."""
        post_migrate.connect(register_shipped_models, sender=self, dispatch_uid="landdamage.shipped_models")


def register_shipped_models(using: str, **_kwargs: Any) -> None:
    """After a migration, unless it led back to a time before models had a table."""
    from django.db import DEFAULT_DB_ALIAS, connections

    from landdamage.models import ModelDeed
    from landdamage.services.trained_models import shipped_models_register

    # Of the tables it writes, this one is made last.
    if using == DEFAULT_DB_ALIAS and ModelDeed._meta.db_table in connections[using].introspection.table_names():
        shipped_models_register()
