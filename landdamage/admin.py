"""Admin pages: read-only views of what the platform made."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from landdamage.models import (
    Hydrography,
    InterpretationRun,
    LabelPlate,
    ModelComparison,
    SampleSet,
    Scene,
    TerritoryOverride,
    TrainedModel,
    Training,
)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Administrators look, they make no data decisions (four eyes)."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nothing is deleted here."""
        return False


@admin.register(Scene)
class SceneAdmin(ReadOnlyAdmin):
    """Scenes."""

    list_display = ("file_name", "state", "satellite", "acquired_on", "gsd_m", "region", "uploader", "uploaded_at")
    list_filter = ("state", "satellite", "region")
    search_fields = ("file_name", "sha256")
    exclude = ("footprint",)


@admin.register(InterpretationRun)
class InterpretationRunAdmin(ReadOnlyAdmin):
    """Interpretation runs."""

    list_display = ("scene", "year", "state", "is_current", "model_name", "created_at", "finished_at")
    list_filter = ("state", "year", "model_name")


@admin.register(Hydrography)
class HydrographyAdmin(ReadOnlyAdmin):
    """Waters of the map."""

    list_display = ("kind", "name", "region", "source", "valid_from", "valid_to", "created_by", "created_at")
    list_filter = ("kind", "region", "source")
    search_fields = ("name", "source_sha256")
    exclude = ("geom",)


@admin.register(TerritoryOverride)
class TerritoryOverrideAdmin(ReadOnlyAdmin):
    """Ground that a decision gives to a mine."""

    list_display = ("mine", "reason", "created_by", "created_at", "withdrawn_by", "withdrawn_at")
    list_filter = ("mine__region",)
    search_fields = ("mine__code", "mine__name_zh", "reason")
    exclude = ("geom",)


@admin.register(SampleSet)
class SampleSetAdmin(ReadOnlyAdmin):
    """Sample sets."""

    list_display = ("name", "version", "region", "kind", "state", "tiles", "leaky", "created_by", "created_at")
    list_filter = ("state", "kind", "region")
    search_fields = ("name", "sha256")


@admin.register(LabelPlate)
class LabelPlateAdmin(ReadOnlyAdmin):
    """Label plates."""

    list_display = ("scene", "state", "side_px", "created_by", "created_at")
    list_filter = ("state", "scene__region")
    exclude = ("pixels", "doubt")


@admin.register(TrainedModel)
class TrainedModelAdmin(ReadOnlyAdmin):
    """Models."""

    list_display = ("name", "version", "role", "state", "origin", "created_by", "created_at")
    list_filter = ("state", "role", "origin")
    search_fields = ("name", "weights_sha256")


@admin.register(ModelComparison)
class ModelComparisonAdmin(ReadOnlyAdmin):
    """Comparisons of models."""

    list_display = ("candidate", "promoted", "sample_set", "state", "created_by", "created_at")
    list_filter = ("state",)


@admin.register(Training)
class TrainingAdmin(ReadOnlyAdmin):
    """Trainings."""

    list_display = ("name", "sample_set", "state", "model", "created_by", "created_at")
    list_filter = ("state",)
