"""Administration of uploads, read only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from minegis.uploads.models import Upload


@admin.register(Upload)
class UploadAdmin(admin.ModelAdmin[Upload]):
    """Uploads."""

    list_display = [
        "id",
        "file_name",
        "state",
        "offset",
        "length",
        "error_code",
        "created_by",
        "created_at",
        "expires_at",
    ]
    list_filter = ["state"]
    search_fields = ["id", "file_name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Uploads come over tus."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Looking only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """They expire by themselves."""
        return False
