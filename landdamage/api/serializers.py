"""Shapes of the API's answers."""

from __future__ import annotations

import json
from typing import Any

import shapely
from rest_framework import serializers

from landdamage.models import InterpretationRun, ObservationMask, Patch, PatchReview, RegistrationCheck, Scene
from minegis import units


class SceneSerializer(serializers.ModelSerializer[Scene]):
    """A scene with its metadata and findings; never a path on the server."""

    region: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(slug_field="code", read_only=True)
    uploader = serializers.CharField(source="uploader.username", default=None, read_only=True)
    current_run = serializers.SerializerMethodField()

    class Meta:
        model = Scene
        fields = (
            "scene_id", "file_name", "sha256", "bytes", "state", "region", "uploader", "uploaded_at",
            "ingest_job", "satellite", "sensor", "product_level", "acquired_on", "date_source", "bands", "dtype",
            "valid_bits", "width", "height", "gsd_m", "georef_rmse_m", "crs", "findings", "current_run",
        )  # fmt: skip

    def get_current_run(self, scene: Scene) -> str | None:
        """Number of the run whose result counts."""
        return next((str(run.pk) for run in scene.runs.all() if run.is_current), None)


class RegistrationCheckSerializer(serializers.ModelSerializer[RegistrationCheck]):
    """Who said when how well a scene is registered; nobody: the file itself did."""

    checked_by = serializers.CharField(source="checked_by.username", default=None, read_only=True)

    class Meta:
        model = RegistrationCheck
        fields = ("rmse_m", "method", "checked_by", "checked_at")


class RegistrationSerializer(serializers.Serializer[Any]):
    """A new word about it, and the one that the caller saw."""

    rmse_m = serializers.FloatField(allow_null=True, help_text="Root mean square error of check points, metres")
    method = serializers.CharField(max_length=200, help_text="How it was measured, against what")
    seen = serializers.FloatField(allow_null=True, help_text="georef_rmse_m as the caller saw it")


class RunSerializer(serializers.ModelSerializer[InterpretationRun]):
    """An interpretation run."""

    class Meta:
        model = InterpretationRun
        fields = (
            "run_id", "scene", "year", "job", "state", "is_current", "model_name", "model_version", "weights_sha256",
            "engine", "params", "code_version", "findings", "created_at", "finished_at",
        )  # fmt: skip


class RunStartSerializer(serializers.Serializer[Any]):
    """What a person may choose when starting a run."""

    model = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="Name of a model; empty: chosen by resolution and bands"
    )


class GeometryField(serializers.JSONField):
    """A GeoJSON geometry in longitude, latitude (EPSG:4490), as a shapely geometry."""

    def to_internal_value(self, data: Any) -> Any:
        """Parse it; whether it fits is for the use case to say."""
        try:
            return shapely.from_geojson(json.dumps(data))
        except (TypeError, ValueError, shapely.errors.GEOSException):
            raise serializers.ValidationError("not a GeoJSON geometry") from None


class ObservationLockSerializer(serializers.Serializer[Any]):
    """The revision a person saw."""

    lock = serializers.IntegerField(min_value=1, help_text="Revision from the last answer")


class ObservationUpdateSerializer(ObservationLockSerializer):
    """A correction by hand: the observed ground, or what is unobserved."""

    geometry = GeometryField(required=False, help_text="Observed ground: Polygon or MultiPolygon")
    unobserved = GeometryField(required=False, help_text="Unobserved ground: polygons, which may overlap")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Exactly one of the two."""
        if ("geometry" in attrs) == ("unobserved" in attrs):
            raise serializers.ValidationError("give either geometry or unobserved")
        return attrs


class ObservationPropertiesSerializer(serializers.Serializer[Any]):
    """What is known of an observation mask."""

    method = serializers.ChoiceField(choices=ObservationMask.Method.choices)
    method_name = serializers.CharField()
    cloud_share = serializers.FloatField(help_text="Share 0-1 of the footprint, as it was found")
    shadow_share = serializers.FloatField(help_text="Share 0-1 of the footprint, as it was found")
    unobserved_share = serializers.FloatField(help_text="Share 0-1 of the footprint, corrections included")
    unobserved = serializers.JSONField(help_text="Unobserved part of the footprint: GeoJSON geometry")
    no_data = serializers.JSONField(help_text="Frame of the footprint without it: GeoJSON geometry")
    params = serializers.JSONField()
    edited_by = serializers.CharField(allow_null=True)
    updated_at = serializers.DateTimeField()
    lock = serializers.IntegerField()


class ObservationSerializer(serializers.Serializer[Any]):
    """The observed ground of a scene as a GeoJSON feature."""

    type = serializers.CharField()
    id = serializers.UUIDField()
    geometry = serializers.JSONField(help_text="MultiPolygon in longitude, latitude (EPSG:4490)")
    properties = ObservationPropertiesSerializer()


class WaterOriginSerializer(serializers.Serializer[Any]):
    """What kind of water a patch is, with the version the caller saw."""

    origin = serializers.CharField(
        allow_blank=True, help_text="pit_water, tailings_water or natural; empty takes the word back"
    )
    version = serializers.IntegerField()


class TailingsSerializer(serializers.Serializer[Any]):
    """What a patch found as a tailings pond shows, with the version the caller saw."""

    shows = serializers.CharField(
        allow_blank=True,
        help_text="tailings_pond confirms; pit_water, natural or a class says what it is; empty takes the word back",
    )
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)
    version = serializers.IntegerField()


class PatchReviewSerializer(serializers.ModelSerializer[PatchReview]):
    """A person's word about a patch."""

    reviewer = serializers.CharField(source="reviewer.username", read_only=True)

    class Meta:
        model = PatchReview
        fields = ("verdict", "reason", "reviewer", "reviewed_at", "found_class", "found_origin")


class PatchSerializer(serializers.ModelSerializer[Patch]):
    """A patch without its outline (ask the run for GeoJSON)."""

    area_m2 = serializers.SerializerMethodField()
    review = PatchReviewSerializer(read_only=True, default=None)

    class Meta:
        model = Patch
        fields = (
            "patch_id", "run", "class_code", "damage_kind", "water_origin", "area_m2", "area_cm2", "confidence",
            "confidence_p5", "margin", "source", "mine", "region", "version", "review",
        )  # fmt: skip

    def get_area_m2(self, patch: Patch) -> str:
        """Square metres with two decimals."""
        return str(units.to_m2(patch.area_cm2))


class AreaSerializer(serializers.Serializer[Any]):
    """Area of one class."""

    class_id = serializers.IntegerField(source="land_class.id")
    class_code = serializers.CharField(source="land_class.code")
    name_zh = serializers.CharField(source="land_class.zh")
    name_en = serializers.CharField(source="land_class.en")
    colour = serializers.CharField(source="land_class.colour")
    damage_kind = serializers.CharField(source="land_class.damage_kind")
    patches = serializers.IntegerField()
    area_cm2 = serializers.IntegerField(source="cm2")
    hm2 = serializers.DecimalField(max_digits=18, decimal_places=2)
    mu = serializers.DecimalField(max_digits=18, decimal_places=1)
    share = serializers.FloatField()
    confidence = serializers.FloatField()


class KindSerializer(serializers.Serializer[Any]):
    """Area of one damage kind; change is against the previous mapped year."""

    kind = serializers.CharField(source="kind.code")
    name_zh = serializers.CharField(source="kind.zh")
    name_en = serializers.CharField(source="kind.en")
    area_cm2 = serializers.IntegerField(source="cm2")
    hm2 = serializers.DecimalField(max_digits=18, decimal_places=2)
    mu = serializers.DecimalField(max_digits=18, decimal_places=1)
    change_cm2 = serializers.IntegerField(allow_null=True)


class MineAreaSerializer(serializers.Serializer[Any]):
    """Mapped damage of one mine."""

    mine = serializers.CharField(source="mine.code")
    name_zh = serializers.CharField(source="mine.name_zh")
    name_en = serializers.CharField(source="mine.name_en")
    excavation_cm2 = serializers.SerializerMethodField()
    occupation_cm2 = serializers.SerializerMethodField()
    observed = serializers.BooleanField()
    damage_cm2 = serializers.IntegerField()
    change_cm2 = serializers.IntegerField(allow_null=True)

    def get_excavation_cm2(self, row: Any) -> int:
        """Open pit and pit water."""
        return int(row.cm2_by_kind.get("excavation", 0))

    def get_occupation_cm2(self, row: Any) -> int:
        """Living area, industrial square, stockpile, tailings pond."""
        return int(row.cm2_by_kind.get("occupation", 0))


class OverviewSerializer(serializers.Serializer[Any]):
    """The figures of one year (unreviewed results of the network)."""

    year = serializers.IntegerField()
    compared_with = serializers.IntegerField(
        allow_null=True, help_text="changes count common ground of both years only"
    )
    kinds = KindSerializer(many=True)
    classes = AreaSerializer(many=True)
    mines = MineAreaSerializer(many=True)
    damage_cm2 = serializers.IntegerField()
    damage_change_cm2 = serializers.IntegerField(allow_null=True)
    unassigned_cm2 = serializers.IntegerField()
    elsewhere_cm2 = serializers.IntegerField()
    scenes = serializers.IntegerField()
    coverage_km2 = serializers.DecimalField(max_digits=18, decimal_places=2)


class ModelSerializer(serializers.Serializer[Any]):
    """A model that can be chosen."""

    name = serializers.CharField()
    version = serializers.CharField()
    bands = serializers.ListField(child=serializers.CharField())
    gsd_m = serializers.FloatField()
    gsd_range_m = serializers.ListField(child=serializers.FloatField())
