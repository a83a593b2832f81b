"""The Celery application: queues ``cpu`` and ``gpu``, configured from settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "minegis.settings")
app = Celery("minegis")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
