"""Waters of the map, and ground that a decision gives to a mine, over HTTP."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_gis.fields import GeometryField

from landdamage.api.vectors import VectorFileSerializer
from landdamage.interchange.hydrography import KINDS
from landdamage.models import Hydrography, TerritoryOverride
from landdamage.services import hydrography, territory
from landdamage.services.openings import region_of
from landdamage.services.vector_files import refuse_large, written
from minegis.access.permissions import Action, require, signed_in
from minegis.registry.models import Mine


class HydrographySerializer(serializers.ModelSerializer[Hydrography]):
    """A river, lake or reservoir."""

    region = serializers.CharField(source="region.code", read_only=True)
    imported_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    geometry = GeometryField(source="geom", read_only=True)

    class Meta:
        model = Hydrography
        fields = (
            "hydrography_id", "region", "kind", "name", "source", "source_sha256", "valid_from", "valid_to",
            "imported_by", "created_at", "geometry",
        )  # fmt: skip
        read_only_fields = fields


class HydrographyEndSerializer(serializers.Serializer[Any]):
    """The first day a water holds no more; null takes that back."""

    valid_to = serializers.DateField(allow_null=True)


class HydrographyFileSerializer(VectorFileSerializer):
    """A file of waters, what it is, and the answers to what an earlier report asked."""

    MEANINGS = frozenset(KINDS)

    source: Any = serializers.CharField(max_length=200, help_text="What it comes from, e.g. the map's name and year")
    kind = serializers.ChoiceField(
        ["", *KINDS], required=False, default="", help_text="Kind of all features; empty: told by a column"
    )
    valid_from = serializers.DateField(required=False, allow_null=True, default=None)
    valid_to = serializers.DateField(required=False, allow_null=True, default=None)
    replaces = serializers.BooleanField(
        required=False, default=False, help_text="End on valid_from what the region has had so far"
    )


class HydrographyFilter(django_filters.FilterSet):
    """Filters of the list."""

    region = django_filters.CharFilter(field_name="region__code", lookup_expr="startswith")

    class Meta:
        model = Hydrography
        fields = ("kind", "source_sha256")


class HydrographyViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Hydrography]
):
    """Waters of the map in the user's regions. Water that meets them is natural unless a person says otherwise."""

    serializer_class = HydrographySerializer
    queryset = Hydrography.objects.none()
    filterset_class = HydrographyFilter
    lookup_value_converter = "int"
    parser_classes = (JSONParser, MultiPartParser)

    def get_queryset(self) -> QuerySet[Hydrography]:
        """Only what the user may see."""
        return Hydrography.objects.visible_to(self.request.user).select_related("region", "created_by")

    @extend_schema(
        request={"multipart/form-data": HydrographyFileSerializer},
        responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT},
    )
    def create(self, request: Request) -> Response:
        """Every fault of the file (200); with ``commit`` and none, the number of waters taken over (201)."""
        user = signed_in(request.user)
        require(user, Action.EDIT_HYDROGRAPHY)
        form = HydrographyFileSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        refuse_large(given["file"])
        region = region_of(user, given["region"])
        with tempfile.TemporaryDirectory() as folder:
            path = written(given["file"], Path(folder) / "upload")
            sha256 = hydrography.file_sha256(path)
            read = hydrography.hydrography_check(
                path=path, name=given["file"].name, region=region, choices=form.choices(), user=user, kind=given["kind"]
            )
        report = {"usable": read.frame is not None, "findings": [one.as_dict() for one in read.findings], **read.facts}
        if not given["commit"] or read.frame is None:
            return Response(report, status.HTTP_422_UNPROCESSABLE_ENTITY if given["commit"] else status.HTTP_200_OK)
        count = hydrography.hydrography_import(
            region=region, frame=read.frame, source=given["source"], sha256=sha256, user=user,
            valid_from=given["valid_from"], valid_to=given["valid_to"], replaces=given["replaces"],
        )  # fmt: skip
        return Response({**report, "imported": count}, status.HTTP_201_CREATED)

    @extend_schema(request=HydrographyEndSerializer, responses=HydrographySerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str | None = None) -> Response:
        """Say from which day on it holds no more."""
        given = HydrographyEndSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = hydrography.hydrography_end(
            hydrography=self.get_object(), user=signed_in(request.user), **given.validated_data
        )
        return Response(self.get_serializer(row).data)

    def perform_destroy(self, instance: Hydrography) -> None:
        """Remove what was imported by mistake."""
        hydrography.hydrography_remove(hydrography=instance, user=signed_in(self.request.user))


class OverrideSerializer(serializers.ModelSerializer[TerritoryOverride]):
    """Ground given to a mine."""

    mine: Any = serializers.PrimaryKeyRelatedField(queryset=Mine.objects.none())
    mine_code = serializers.CharField(source="mine.code", read_only=True)
    created_by = serializers.CharField(source="created_by.username", read_only=True)
    withdrawn_by = serializers.CharField(source="withdrawn_by.username", default=None, read_only=True)
    geometry = GeometryField(source="geom")

    class Meta:
        model = TerritoryOverride
        fields = (
            "override_id", "mine", "mine_code", "reason", "created_by", "created_at", "withdrawn_by", "withdrawn_at",
            "withdrawn_reason", "geometry",
        )  # fmt: skip
        read_only_fields = ("override_id", "created_at", "withdrawn_at", "withdrawn_reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if request := self.context.get("request"):
            self.fields["mine"].queryset = Mine.objects.visible_to(request.user)  # type: ignore[attr-defined]


class WithdrawnSerializer(serializers.Serializer[Any]):
    """Why a decision is taken back."""

    reason = serializers.CharField()


class OverrideFilter(django_filters.FilterSet):
    """Filters of the list."""

    holds = django_filters.BooleanFilter(field_name="withdrawn_at", lookup_expr="isnull", label="Not withdrawn")

    class Meta:
        model = TerritoryOverride
        fields = ("mine",)


class OverrideViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[TerritoryOverride]):
    """Decisions about whose ground a place is, in the user's regions, newest first."""

    serializer_class = OverrideSerializer
    queryset = TerritoryOverride.objects.none()
    filterset_class = OverrideFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[TerritoryOverride]:
        """Only what the user may see."""
        rows = TerritoryOverride.objects.visible_to(self.request.user)
        return rows.select_related("mine__region", "created_by", "withdrawn_by").defer("mine__region__geom")

    @extend_schema(responses={201: OverrideSerializer})
    def create(self, request: Request) -> Response:
        """Give ground to a mine."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = territory.override_add(user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=WithdrawnSerializer, responses=OverrideSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str | None = None) -> Response:
        """Take it back."""
        given = WithdrawnSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = territory.override_withdraw(
            override=self.get_object(), user=signed_in(request.user), **given.validated_data
        )
        return Response(self.get_serializer(row).data)
