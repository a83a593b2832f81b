"""Celery's door to the housekeeping of uploads."""

from celery import shared_task

from minegis.uploads import services


@shared_task
def expire() -> None:
    """Throw away uploads nobody continued; sent by beat."""
    services.uploads_expire()
