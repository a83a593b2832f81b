"""Live streams over HTTP: start, how it does, the playlist and its files, end."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from enhancement import selectors
from enhancement.models import LiveStream
from enhancement.services import live
from minegis.access.permissions import Action, require, signed_in
from minegis.ranges import ranged_file

_FILE = re.compile(r"\d{6,9}\.ts")


class LiveStreamSerializer(serializers.ModelSerializer[LiveStream]):
    """A live stream. ``relay`` is what its process says (frames, connections, seconds behind); ``age`` how many
    seconds ago the newest picture that can be asked for arrived at the server, null while there is none."""

    camera = serializers.CharField(source="camera.code", read_only=True)
    relay = serializers.SerializerMethodField()
    age = serializers.SerializerMethodField()

    class Meta:
        model = LiveStream
        fields = (
            "stream_id",
            "camera",
            "running",
            "job",
            "method",
            "params",
            "created_at",
            "watched_at",
            "relay",
            "age",
        )
        read_only_fields = fields

    def get_relay(self, stream: LiveStream) -> dict[str, Any]:
        """The relay's own words."""
        return live.live_status(stream)

    def get_age(self, stream: LiveStream) -> float | None:
        """Seconds since the arrival of the newest picture in the playlist."""
        last = live.live_status(stream).get("last_at")
        return round(time.time() - last, 3) if last else None


class LiveStartSerializer(serializers.Serializer[Any]):
    """Which camera."""

    camera = serializers.CharField(max_length=40, help_text="Code of the camera")


class LiveStreamViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[LiveStream]
):
    """Live streams of cameras in the user's regions."""

    serializer_class = LiveStreamSerializer
    filterset_fields = ("running",)
    queryset = LiveStream.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[LiveStream]:
        """Only what the user may watch."""
        found: QuerySet[LiveStream] = LiveStream.objects.visible_to(self.request.user)
        return found.select_related("camera__region", "job")

    @extend_schema(request=LiveStartSerializer, responses={202: LiveStreamSerializer})
    def create(self, request: Request) -> Response:
        """Start a camera's stream, or join the one that runs."""
        wanted = LiveStartSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        cameras = selectors.cameras_visible(request.user)
        camera = get_object_or_404(cameras, code=wanted.validated_data["camera"])
        stream = live.live_start(camera=camera, user=signed_in(request.user))
        return Response(LiveStreamSerializer(stream).data, status.HTTP_202_ACCEPTED)

    def perform_destroy(self, instance: LiveStream) -> None:
        """End it for everybody."""
        live.live_stop(stream=instance, user=signed_in(self.request.user))


@extend_schema(operation_id="live_streams_hls", responses={(200, "application/vnd.apple.mpegurl"): OpenApiTypes.BINARY})
@api_view()
def live_file(request: Request, stream_id: UUID, name: str) -> HttpResponseBase:
    """``index.m3u8``, or a file it names; without a slash at the end, because the names in it are relative."""
    streams = LiveStream.objects.visible_to(request.user).select_related("camera__region")
    stream: LiveStream = get_object_or_404(streams, pk=stream_id)
    require(request.user, Action.WATCH_CLIP, stream.region)
    path = live.folder_of(stream.pk) / name
    if name == "index.m3u8":
        try:
            text = path.read_bytes()
        except OSError:
            raise Http404 from None
        live.live_watched(stream=stream)
        answer = HttpResponse(text, content_type="application/vnd.apple.mpegurl")
        answer["Cache-Control"] = "no-store"
        return answer
    if not _FILE.fullmatch(name) or not path.is_file():
        raise Http404
    return ranged_file(request, path, content_type="video/mp2t", etag=f"{stream.pk}-{name}")
