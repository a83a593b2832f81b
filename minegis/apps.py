"""The platform as a Django application: it registers the system checks and the Celery application."""

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    """Start-up of the platform."""

    name = "minegis"
    verbose_name = "MineGIS"

    def ready(self) -> None:
        """Load the checks and the Celery application so that ``shared_task`` binds to it."""
        from minegis import celery, checks  # noqa: F401
