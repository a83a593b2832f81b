"""Regions and mines, read only, as lists and as GeoJSON."""

from __future__ import annotations

from typing import Any

from django.contrib.gis.geos import Point
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_gis.filters import InBBoxFilter
from rest_framework_gis.serializers import GeoFeatureModelSerializer

from minegis.access.permissions import Action, allowed, require, signed_in
from minegis.errors import MineGISError
from minegis.registry.filters import MineFilter, RegionFilter
from minegis.registry.models import SRID, Camera, Mine, Region
from minegis.registry.services import camera_save

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


class CameraSerializer(serializers.ModelSerializer[Camera]):
    """A camera. The address of its stream may hold a password and is never shown: ``stream`` is its host."""

    region = serializers.CharField(source="region.code", read_only=True)
    mine = serializers.CharField(source="mine.code", default=None, allow_null=True, read_only=True)
    longitude = serializers.FloatField(source="location.x", default=None, allow_null=True, read_only=True)
    latitude = serializers.FloatField(source="location.y", default=None, allow_null=True, read_only=True)
    stream = serializers.CharField(source="stream_host", read_only=True)

    class Meta:
        model = Camera
        fields = [
            "camera_id", "code", "name_zh", "name_en", "region", "mine", "longitude", "latitude", "stream", "preset",
            "is_active",
        ]  # fmt: skip
        read_only_fields = fields


class CameraWriteSerializer(serializers.Serializer[Any]):
    """What a camera is made or changed with; region or mine decides where it belongs."""

    code = serializers.CharField(max_length=40)
    name_zh = serializers.CharField(max_length=80)
    name_en = serializers.CharField(max_length=120, required=False, allow_blank=True)
    region = serializers.CharField(max_length=9, required=False)
    mine = serializers.CharField(max_length=20, required=False, allow_null=True)
    longitude = serializers.FloatField(min_value=-180, max_value=180, required=False)
    latitude = serializers.FloatField(min_value=-90, max_value=90, required=False)
    stream_address = serializers.CharField(max_length=500, required=False, allow_blank=True, write_only=True)
    is_active = serializers.BooleanField(required=False)

    def fields_for(self, user: Any) -> dict[str, Any]:
        """Fields of ``Camera``, with rows instead of codes.

        Raises:
            MineGISError: E-API-04, no such region or mine for this user.
        """
        given = dict(self.validated_data)
        if given.get("region"):
            given["region"] = Region.objects.visible_to(user).filter(code=given["region"], valid_to=None).first()
            if given["region"] is None:
                raise MineGISError("E-API-04")
        if given.get("mine"):
            given["mine"] = Mine.objects.visible_to(user).filter(code=given["mine"]).first()
            if given["mine"] is None:
                raise MineGISError("E-API-04")
        longitude, latitude = given.pop("longitude", None), given.pop("latitude", None)
        if longitude is not None and latitude is not None:
            given["location"] = Point(longitude, latitude, srid=SRID)
        return given


class CameraFeatureSerializer(GeoFeatureModelSerializer):
    """A camera as a GeoJSON feature (EPSG:4490)."""

    class Meta:
        model = Camera
        geo_field = "location"
        id_field = "camera_id"
        fields = ["camera_id", "code", "name_zh", "name_en", "is_active"]


class CameraViewSet(mixins.CreateModelMixin, ReadOnlyGeoViewSet):
    """Cameras of the register."""

    queryset = Camera.objects.select_related("region", "mine")
    serializer_class = CameraSerializer
    feature_serializer = CameraFeatureSerializer
    geo_field = "location"
    filterset_fields = {"mine__code": ["exact"], "region__code": ["exact", "startswith"], "is_active": ["exact"]}

    @extend_schema(parameters=[IN_BBOX], responses=CameraFeatureSerializer(many=True))
    @action(detail=False, pagination_class=None)
    def geojson(self, request: Request) -> Response:
        """Places of the cameras as a GeoJSON feature collection."""
        return self.features(request)

    @extend_schema(request=CameraWriteSerializer, responses={201: CameraSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Enter a camera into the register."""
        return Response(self._saved(request, None), status=201)

    @extend_schema(request=CameraWriteSerializer(partial=True), responses=CameraSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a camera; what is left out stays."""
        return Response(self._saved(request, self.get_object()))

    def _saved(self, request: Request, camera: Camera | None) -> Any:
        user = signed_in(request.user)
        require(user, Action.EDIT_CAMERA)
        given = CameraWriteSerializer(data=request.data, partial=camera is not None)
        given.is_valid(raise_exception=True)
        saved = camera_save(user=user, camera=camera, **given.fields_for(user))
        return CameraSerializer(saved, context=self.get_serializer_context()).data
