"""Administration of jobs, read only: their state changes through services alone."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from minegis.jobs.models import Job


@admin.register(Job)
class JobAdmin(admin.ModelAdmin[Job]):
    """Jobs."""

    list_display = [
        "id",
        "kind",
        "title",
        "state",
        "stage",
        "progress",
        "attempts",
        "worker",
        "created_by",
        "created_at",
    ]
    list_filter = ["state", "kind", "queue"]
    search_fields = ["id", "title"]
    date_hierarchy = "created_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Jobs come from their doors."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Looking only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A job is part of the record."""
        return False
