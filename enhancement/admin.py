"""Admin pages: read-only views of clips and what was made of them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from enhancement.models import Clip, Enhancement, EvidenceFrame


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Administrators look, they make no data decisions."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted here."""
        return False


@admin.register(Clip)
class ClipAdmin(ReadOnlyAdmin):
    """Clips."""

    list_display = ("file_name", "kind", "state", "camera", "mine", "region", "uploader", "uploaded_at")
    list_filter = ("state", "kind", "region")
    search_fields = ("file_name", "sha256")


@admin.register(Enhancement)
class EnhancementAdmin(ReadOnlyAdmin):
    """Enhancements."""

    list_display = ("clip", "method", "preset", "state", "started_by", "created_at", "finished_at")
    list_filter = ("state", "method")


@admin.register(EvidenceFrame)
class EvidenceFrameAdmin(ReadOnlyAdmin):
    """Pinned frames."""

    list_display = ("clip", "number", "mine", "sha256", "pinned_by", "pinned_at")
    search_fields = ("sha256", "note")
