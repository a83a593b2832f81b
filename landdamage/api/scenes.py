"""Scenes over HTTP."""

from __future__ import annotations

import json
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.api import tiles
from landdamage.api.serializers import (
    ObservationLockSerializer,
    ObservationSerializer,
    ObservationUpdateSerializer,
    RegistrationCheckSerializer,
    RegistrationSerializer,
    RunSerializer,
    RunStartSerializer,
    SceneSerializer,
)
from landdamage.models import Scene
from landdamage.selectors.observation import observation_feature
from landdamage.services import observation as masks
from landdamage.services import runs, scenes
from landdamage.services.files import file_path
from landdamage.services.registration import registration_set
from minegis.access.permissions import Action, require, signed_in


class SceneFilter(django_filters.FilterSet):
    """Filters of the list."""

    year = django_filters.NumberFilter(field_name="acquired_on__year", min_value=1900, max_value=2100)
    region = django_filters.CharFilter(field_name="region__code", lookup_expr="startswith")

    class Meta:
        model = Scene
        fields = ("state", "satellite")


class SceneViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Scene]
):
    """Scenes the user may see; upload them at ``/api/v1/uploads/``."""

    serializer_class = SceneSerializer
    filterset_class = SceneFilter
    ordering_fields = ("acquired_on", "uploaded_at", "file_name", "gsd_m", "bytes")
    queryset = Scene.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Scene]:
        """Only what the user may see."""
        return Scene.objects.visible_to(self.request.user).select_related("region", "uploader").prefetch_related("runs")

    def perform_destroy(self, instance: Scene) -> None:
        """Remove an unused scene."""
        scenes.scene_delete(scene=instance, user=signed_in(self.request.user))

    @extend_schema(request=RunStartSerializer, responses={202: RunSerializer})
    @action(detail=True, methods=["post"])
    def interpret(self, request: Request, pk: str | None = None) -> Response:
        """Start an interpretation."""
        choice = RunStartSerializer(data=request.data)
        choice.is_valid(raise_exception=True)
        run = runs.run_start(
            scene=self.get_object(), user=signed_in(request.user), model_name=choice.validated_data["model"]
        )
        return Response(RunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "image/webp"): OpenApiTypes.BINARY})
    @action(detail=True)
    def thumbnail(self, request: Request, pk: str | None = None) -> FileResponse:
        """A small picture of the whole scene."""
        scene = self.get_object()
        require(request.user, Action.READ_THUMBNAIL, scene.region, own=scene.uploader == request.user)
        if not scene.thumbnail_sha256:
            raise Http404
        path = file_path(scene.thumbnail_sha256)
        response = FileResponse(path.open("rb"), content_type="image/webp")
        response["Cache-Control"] = tiles.CACHE
        return response

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def footprint(self, request: Request, pk: str | None = None) -> JsonResponse:
        """The valid-data outline as GeoJSON."""
        scene = self.get_object()
        if scene.footprint is None:
            raise Http404
        geometry = json.loads(scene.footprint.geojson)
        return JsonResponse({"type": "Feature", "id": str(scene.pk), "geometry": geometry, "properties": {}})

    @extend_schema(responses=ObservationSerializer)
    @action(detail=True, url_path="observation", url_name="observation")
    def observation(self, request: Request, pk: str | None = None) -> Response:
        """The observed ground as GeoJSON; found now if nobody asked before."""
        return Response(observation_feature(masks.observation_of(self.get_object())))

    @extend_schema(request=ObservationUpdateSerializer, responses=ObservationSerializer)
    @observation.mapping.put
    def observation_update(self, request: Request, pk: str | None = None) -> Response:
        """Replace the observed ground by hand: give either it or what is unobserved."""
        scene = self.get_object()
        user = signed_in(request.user)
        require(user, Action.EDIT_OBSERVATION, scene.region)
        wanted = ObservationUpdateSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        data = wanted.validated_data
        seen = data.get("geometry")
        if seen is None:
            seen = masks.observed_without(scene, data["unobserved"])
        mask = masks.mask_update(scene=scene, geom=seen, user=user, lock=data["lock"])
        return Response(observation_feature(mask))

    @extend_schema(parameters=[ObservationLockSerializer], responses=ObservationSerializer)
    @observation.mapping.delete
    def observation_reset(self, request: Request, pk: str | None = None) -> Response:
        """Drop what was outlined by hand and find clouds and shadows anew."""
        wanted = ObservationLockSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        mask = masks.mask_reset(
            scene=self.get_object(), user=signed_in(request.user), lock=wanted.validated_data["lock"]
        )
        return Response(observation_feature(mask))

    @extend_schema(responses=RegistrationCheckSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def registration(self, request: Request, pk: str | None = None) -> Response:
        """Everything that was said about the scene's registration error, newest first."""
        checks = self.get_object().registration_checks.select_related("checked_by")
        return Response(RegistrationCheckSerializer(checks, many=True).data)

    @extend_schema(request=RegistrationSerializer, responses=SceneSerializer)
    @registration.mapping.post
    def registration_update(self, request: Request, pk: str | None = None) -> Response:
        """Say how far the scene lies from the reference; above 3 pixels that rejects it."""
        given = RegistrationSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        registration_set(scene=self.get_object(), user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(self.get_object()).data)


@extend_schema(responses={(200, "image/webp"): OpenApiTypes.BINARY})
@api_view()
def scene_tile(request: Request, scene_id: UUID, z: int, x: int, y: int) -> HttpResponse:
    """A true-colour map tile; 404 for a scene the user may not see."""
    scene = Scene.objects.visible_to(request.user).exclude(cog_sha256="").filter(pk=scene_id).first()
    if scene is None or z > tiles.DEEPEST:
        raise Http404
    require(request.user, Action.READ_IMAGE, scene.region, own=scene.uploader == request.user)
    return tiles.image_tile(request, scene, file_path(scene.cog_sha256), z, x, y)
