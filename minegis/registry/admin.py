"""Administration of regions and mines, with maps."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from leaflet.admin import LeafletGeoAdmin

from minegis.registry.models import Camera, Mine, Region
from minegis.registry.services import influence_zone


@admin.register(Region)
class RegionAdmin(LeafletGeoAdmin):
    """Regions."""

    list_display = ["code", "name_zh", "name_en", "level", "parent"]
    list_filter = ["level"]
    search_fields = ["code", "name_zh", "name_en"]
    autocomplete_fields = ["parent"]


@admin.register(Mine)
class MineAdmin(LeafletGeoAdmin):
    """Mines."""

    list_display = ["code", "name_zh", "mineral_kind", "mining_method", "status", "region"]
    list_filter = ["status", "mineral_kind", "mining_method"]
    search_fields = ["code", "name_zh", "name_en", "licence_no"]
    autocomplete_fields = ["region"]

    def save_model(self, request: HttpRequest, obj: Mine, form: Any, change: bool) -> None:
        """An empty influence zone becomes the default one."""
        if obj.influence_zone is None and obj.boundary is not None:
            obj.influence_zone = influence_zone(obj.boundary)
        super().save_model(request, obj, form, change)


@admin.register(Camera)
class CameraAdmin(LeafletGeoAdmin):
    """Cameras, without the address of their stream, which may hold a password."""

    list_display = ["code", "name_zh", "mine", "region", "is_active"]
    list_filter = ["is_active", "region"]
    search_fields = ["code", "name_zh", "name_en"]
    autocomplete_fields = ["mine", "region"]
    exclude = ["stream_address", "preset"]
