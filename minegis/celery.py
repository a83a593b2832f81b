"""The Celery application: queues ``cpu`` and ``gpu``, configured from settings."""

import os
import sys
from typing import Any

from celery import Celery
from celery.signals import worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "minegis.settings")
app = Celery("minegis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def refuse_a_storage_that_refuses_us(**_: Any) -> None:
    """A worker does not start on a bucket that is missing or turns it away; Celery itself passes over failed checks."""
    from minegis.checks import shared_storage

    for message in shared_storage(None):
        print(message, file=sys.stderr)  # noqa: T201  # the worker's log is not set up yet
        if message.is_serious():
            raise SystemExit(2)
