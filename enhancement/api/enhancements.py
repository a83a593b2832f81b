"""Enhancements and pinned frames over HTTP."""

from __future__ import annotations

from pathlib import PurePath

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from enhancement import selectors
from enhancement.api.serializers import (
    EnhancementSerializer,
    EnhancementStartSerializer,
    EvidenceFrameSerializer,
    FramePinSerializer,
)
from enhancement.models import Clip, Enhancement, EvidenceFrame
from enhancement.services import enhancements, frames
from enhancement.services.files import path_of
from minegis.access.permissions import Action, require, signed_in
from minegis.ranges import ranged_file

SUFFIXES = {"video/mp4": ".mp4", "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/bmp": ".bmp"}


class EnhancementViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Enhancement]):
    """Enhancements of clips the user may see; cancel or retry their ``job`` at ``/api/v1/jobs/``."""

    serializer_class = EnhancementSerializer
    filterset_fields = ("clip", "state", "method")
    ordering_fields = ("created_at", "finished_at")
    queryset = Enhancement.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Enhancement]:
        """Only what the user may see."""
        return selectors.enhancements_visible(self.request.user)

    @extend_schema(request=EnhancementStartSerializer, responses={202: EnhancementSerializer})
    def create(self, request: Request) -> Response:
        """Queue an enhancement."""
        wanted = EnhancementStartSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        made = enhancements.enhancement_start(
            clip=get_object_or_404(selectors.clips_visible(request.user), pk=given["clip"]),
            user=signed_in(request.user),
            method=given["method"],
            preset_name=given["preset"],
            params=given["params"],
            remember=given["remember"],
        )
        return Response(EnhancementSerializer(made).data, status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[OpenApiParameter("download", OpenApiTypes.BOOL, description="To keep it rather than to show it")],
        responses={(200, "video/mp4"): OpenApiTypes.BINARY, (206, "video/mp4"): OpenApiTypes.BINARY},
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def result(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The result, to play or to keep; answers ``Range``."""
        made = self.get_object()
        keep = bool(request.query_params.get("download"))
        right = Action.DOWNLOAD_CLIP if keep else Action.WATCH_CLIP
        require(request.user, right, made.clip.region, own=made.clip.uploader_id == request.user.pk)
        if made.state != Enhancement.State.SUCCEEDED:
            raise Http404
        if made.proxy_sha256 and not keep:
            path = path_of(made.proxy_sha256)
            return ranged_file(request, path, content_type="image/webp", etag=made.proxy_sha256)
        suffix = SUFFIXES.get(made.media_type, ".tif")
        name = f"{PurePath(made.clip.file_name).stem}-{made.method}{suffix}"
        path = path_of(made.result_sha256)
        return ranged_file(
            request, path, content_type=made.media_type, etag=made.result_sha256, file_name=name, download=keep
        )


class EvidenceFrameViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[EvidenceFrame]):
    """Frames pinned to mines; they are added and never changed."""

    serializer_class = EvidenceFrameSerializer
    filterset_fields = {"clip": ["exact"], "enhancement": ["exact"], "mine__code": ["exact"], "sha256": ["exact"]}
    ordering_fields = ("pinned_at", "number")
    queryset = EvidenceFrame.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[EvidenceFrame]:
        """Only what the user may see."""
        return selectors.frames_visible(self.request.user)

    @extend_schema(request=FramePinSerializer, responses={201: EvidenceFrameSerializer})
    def create(self, request: Request) -> Response:
        """Pin the frame that players show at a moment."""
        wanted = FramePinSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        given = wanted.validated_data
        clip: Clip = get_object_or_404(selectors.clips_visible(request.user), pk=given["clip"])
        made = None
        if given["enhancement"]:
            made = get_object_or_404(selectors.enhancements_visible(request.user), pk=given["enhancement"], clip=clip)
        mine = get_object_or_404(selectors.mines_of(clip.region, request.user), code=given["mine"])
        pinned = frames.frame_pin(
            clip=clip,
            enhancement=made,
            user=signed_in(request.user),
            mine=mine,
            seconds=given["seconds"],
            note=given["note"],
        )
        return Response(EvidenceFrameSerializer(pinned).data, status.HTTP_201_CREATED)

    @extend_schema(responses={(200, "image/png"): OpenApiTypes.BINARY})
    @action(detail=True, pagination_class=None, filter_backends=[])
    def image(self, request: Request, pk: str | None = None) -> HttpResponseBase:
        """The frame as PNG."""
        frame = self.get_object()
        require(request.user, Action.WATCH_CLIP, frame.clip.region, own=frame.clip.uploader_id == request.user.pk)
        name = f"{PurePath(frame.clip.file_name).stem}-{frame.number:06d}.png"
        path = path_of(frame.sha256)
        return ranged_file(request, path, content_type="image/png", etag=frame.sha256, file_name=name)
