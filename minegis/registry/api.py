"""Regions and mines, read only, as lists and as GeoJSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_gis.filters import InBBoxFilter
from rest_framework_gis.serializers import GeoFeatureModelSerializer

from minegis.access.permissions import Action, allowed
from minegis.registry.filters import MineFilter, RegionFilter
from minegis.registry.models import Mine, Region

IN_BBOX = OpenApiParameter("in_bbox", OpenApiTypes.STR, description="west,south,east,north in degrees")


class RegionSerializer(serializers.ModelSerializer[Region]):
    """A region without its outline."""

    parent = serializers.CharField(source="parent.code", default=None, allow_null=True, read_only=True)  # type: ignore[assignment]

    class Meta:
        model = Region
        fields = ["code", "name_zh", "name_en", "level", "parent", "is_xpcc", "valid_from", "valid_to"]


class RegionFeatureSerializer(GeoFeatureModelSerializer):
    """A region as a GeoJSON feature (EPSG:4490)."""

    class Meta:
        model = Region
        geo_field = "geom"
        id_field = "code"
        fields = ["code", "name_zh", "name_en", "level"]


class MineSerializer(serializers.ModelSerializer[Mine]):
    """A mine without its outlines; the licence number only for those who may read it."""

    region = serializers.CharField(source="region.code", read_only=True)
    licence_no = serializers.SerializerMethodField()

    class Meta:
        model = Mine
        fields = [
            "mine_id", "code", "name_zh", "name_en", "licence_no", "licence_from", "licence_to", "licence_holder",
            "mineral_kind", "mineral_name", "mining_method", "status", "region",
        ]  # fmt: skip

    def get_licence_no(self, mine: Mine) -> str | None:
        """The number, or null where it is unknown or not for this reader."""
        user = self.context["request"].user
        return mine.licence_no if allowed(user, Action.READ_LICENCE, mine.region) else None


class MineFeatureSerializer(GeoFeatureModelSerializer):
    """A mine as a GeoJSON feature: its licence boundary, null for an unlicensed mine (EPSG:4490)."""

    class Meta:
        model = Mine
        geo_field = "boundary"
        id_field = "mine_id"
        fields = ["mine_id", "code", "name_zh", "name_en", "mineral_kind", "mining_method", "status"]


class ReadOnlyGeoViewSet(viewsets.ReadOnlyModelViewSet[Any]):
    """Rows the user may see, and the same rows as one GeoJSON feature collection."""

    permission_classes = [IsAuthenticated]
    feature_serializer: type[GeoFeatureModelSerializer]
    geo_field: str

    def get_queryset(self) -> Any:
        """Rows in the user's regions."""
        return super().get_queryset().visible_to(self.request.user)  # type: ignore[attr-defined]

    def features(self, request: Request) -> Response:
        """All rows that pass the filters, unpaged, inside ``in_bbox`` if given."""
        rows = self.filter_queryset(self.get_queryset())
        self.bbox_filter_field, self.bbox_filter_include_overlapping = self.geo_field, True
        rows = InBBoxFilter().filter_queryset(request, rows, self)
        return Response(self.feature_serializer(rows, many=True, context=self.get_serializer_context()).data)


class RegionViewSet(ReadOnlyGeoViewSet):
    """Administrative regions."""

    queryset = Region.objects.select_related("parent")
    serializer_class = RegionSerializer
    feature_serializer = RegionFeatureSerializer
    geo_field = "geom"
    filterset_class = RegionFilter
    lookup_field = "pk"

    @extend_schema(parameters=[IN_BBOX], responses=RegionFeatureSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def geojson(self, request: Request) -> Response:
        """Outlines as a GeoJSON feature collection."""
        return self.features(request)


class MineViewSet(ReadOnlyGeoViewSet):
    """Mines of the register."""

    queryset = Mine.objects.select_related("region")
    serializer_class = MineSerializer
    feature_serializer = MineFeatureSerializer
    geo_field = "boundary"
    filterset_class = MineFilter

    @extend_schema(parameters=[IN_BBOX], responses=MineFeatureSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def geojson(self, request: Request) -> Response:
        """Licence boundaries as a GeoJSON feature collection."""
        return self.features(request)
