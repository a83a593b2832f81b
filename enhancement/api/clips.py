"""Clips over HTTP: list, details, removal, thumbnail, the file to play or to keep, a still with trial parameters."""

from __future__ import annotations

from dataclasses import asdict

import django_filters
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from enhancement import estimates, selectors
from enhancement.api.serializers import (
    ClipSerializer,
    EstimateRequestSerializer,
    EstimateSerializer,
    StillRequestSerializer,
    StillSerializer,
)
from enhancement.models import Clip
from enhancement.services import clips
from enhancement.services.files import path_of
from enhancement.services.methods import choice_from, params_of, settings_from
from minegis.access.permissions import Action, require, signed_in
from minegis.errors import VideoError
from minegis.ranges import ranged_file


class ClipFilter(django_filters.FilterSet):
    """Filters of the list."""

    region = django_filters.CharFilter(field_name="region__code", lookup_expr="startswith")
    camera = django_filters.CharFilter(field_name="camera__code")
    mine = django_filters.CharFilter(field_name="mine__code")

    class Meta:
        model = Clip
        fields = ("state", "kind", "codec")


class ClipViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[Clip]
):
    """Clips the user may see; upload them at ``/api/v1/uploads/`` with ``kind clip``."""

    serializer_class = ClipSerializer
    filterset_class = ClipFilter
    ordering_fields = ("uploaded_at", "recorded_at", "file_name", "bytes", "seconds")
    queryset = Clip.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Clip]:
        """Only what the user may see."""
        return selectors.clips_visible(self.request.user)

    def perform_destroy(self, instance: Clip) -> None:
        """Remove a clip on which nothing stands, with its results."""
        clips.clip_delete(clip=instance, user=signed_in(self.request.user))

    def watched(self, right: Action = Action.WATCH_CLIP) -> Clip:
        """The clip, for somebody who may look at its pictures.

        Raises:
            ForbiddenError: the user may not.
        """
        clip = self.get_object()
        require(self.request.user, right, clip.region, own=clip.uploader_id == self.request.user.pk)
        return clip

    @extend_schema(responses={(200, "image/webp"): OpenApiTypes.BINARY})
    @action(detail=True)
    def thumbnail(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """A small picture of the first frame."""
        clip = self.watched()
        if not clip.thumbnail_sha256:
            raise Http404
        path = path_of(clip.thumbnail_sha256)
        return ranged_file(request, path, content_type="image/webp", etag=clip.thumbnail_sha256)

    @extend_schema(responses={(200, "video/mp4"): OpenApiTypes.BINARY, (206, "video/mp4"): OpenApiTypes.BINARY})
    @action(detail=True)
    def play(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """What browsers show: the file itself or a copy they can play; answers ``Range``."""
        clip = self.watched()
        if not clip.is_ready:
            raise Http404
        if not clip.proxy_sha256:
            return ranged_file(request, path_of(clip.sha256), content_type=clip.media_type, etag=clip.sha256)
        kind = "image/webp" if clip.kind == Clip.Kind.IMAGE else "video/mp4"
        return ranged_file(request, path_of(clip.proxy_sha256), content_type=kind, etag=clip.proxy_sha256)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def original(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The file as it was received, to keep; answers ``Range``."""
        clip = self.watched(Action.DOWNLOAD_CLIP)
        if not clip.is_ready:
            raise Http404
        return ranged_file(
            request, path_of(clip.sha256), content_type="application/octet-stream", etag=clip.sha256,
            file_name=clip.file_name, download=True,
        )  # fmt: skip

    @extend_schema(request=StillRequestSerializer, responses=StillSerializer)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str | None = None) -> Response:
        """One frame before and after with trial parameters, at most 960 pixels wide or high, 480 with the network."""
        wanted = StillRequestSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        clip = self.watched()
        if not clip.is_ready:
            raise VideoError("E-VID-16", state=clip.state)
        given = wanted.validated_data
        params, clamped = params_of(given["method"], given["preset"], given["params"])
        choice = choice_from(given["method"], params)
        shown = selectors.preview(clip, settings_from(params), given["seconds"], choice)
        body = {
            "before": shown.before,
            "after": shown.after,
            "readings": shown.readings,
            "findings": [finding.as_dict() for finding in (*clamped, *shown.findings)],
            "seconds": shown.seconds,
            "took_ms": round(shown.took_ms, 1),
        }
        answer = Response(body)
        answer["Server-Timing"] = f"preview;dur={shown.took_ms:.1f}"
        return answer

    @extend_schema(parameters=[EstimateRequestSerializer], responses=EstimateSerializer)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def estimate(self, request: Request, pk: str | None = None) -> Response:
        """How long an enhancement of the whole clip would take on this installation."""
        wanted = EstimateRequestSerializer(data=request.query_params)
        wanted.is_valid(raise_exception=True)
        clip = self.watched()
        if not clip.is_ready:
            raise VideoError("E-VID-16", state=clip.state)
        method = wanted.validated_data["method"]
        return Response(asdict(estimates.estimate(clip, method)) | {"ahead": estimates.ahead(method)})
