"""tus 1.0 over HTTP: OPTIONS, POST, HEAD, PATCH, DELETE; GET shows the same rows as JSON.

Bytes are read straight from the server's input, block by block: ``request.data`` and ``request.body`` would hold a
whole chunk in memory.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from minegis.errors import TABLE
from minegis.problems import problem
from minegis.uploads import protocol, services
from minegis.uploads.models import Upload

STALLED_AFTER_S = 60.0  # a sender that falls silent for so long gives up its lock
_HEADER: Final = "header"
TUS = OpenApiParameter("Tus-Resumable", OpenApiTypes.STR, _HEADER, required=True, enum=[protocol.VERSION])


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """A file on its way in."""

    region = serializers.CharField(source="region.code", default=None, allow_null=True, read_only=True)
    error = serializers.SerializerMethodField()

    class Meta:
        model = Upload
        fields = [
            "id", "file_name", "length", "offset", "state", "sha256", "result_id", "error", "region", "created_at",
            "expires_at",
        ]  # fmt: skip
        extra_kwargs = {"state": {"read_only": True}}

    @extend_schema_field({"type": "object", "nullable": True, "additionalProperties": True})
    def get_error(self, upload: Upload) -> dict[str, Any] | None:
        """The problem that ended it, or null."""
        if not upload.error_code:
            return None
        return problem(upload.error_code, TABLE[upload.error_code].status, **upload.error_values)


class TusView(GenericAPIView[Upload]):
    """What both resources share: the caller's own rows and the protocol's headers."""

    queryset = Upload.objects.select_related("region")
    serializer_class = UploadSerializer
    filter_backends = []

    def get_queryset(self) -> Any:
        """A foreign upload does not exist."""
        return super().get_queryset().visible_to(self.request.user)  # type: ignore[attr-defined]

    def get_permissions(self) -> list[BasePermission]:
        """Anybody may ask what the server speaks."""
        return [AllowAny() if self.request.method == "OPTIONS" else IsAuthenticated()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the protocol's version wherever the protocol is spoken."""
        super().initial(request, *args, **kwargs)
        if request.method not in ("GET", "OPTIONS"):
            protocol.require_version(request.headers.get("Tus-Resumable"))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Every answer names the version."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Tus-Resumable"] = protocol.VERSION
        if response.status_code == status.HTTP_412_PRECONDITION_FAILED:
            response["Tus-Version"] = protocol.VERSION
        return response

    @extend_schema(exclude=True)
    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Version, extensions, largest file, checksum algorithms."""
        return Response(
            status=status.HTTP_204_NO_CONTENT,
            headers={
                "Tus-Version": protocol.VERSION,
                "Tus-Extension": protocol.EXTENSIONS,
                "Tus-Max-Size": str(settings.UPLOAD_MAX_BYTES),
                "Tus-Checksum-Algorithm": ",".join(protocol.ALGORITHMS),
            },
        )


class UploadsView(TusView, ListAPIView[Upload]):
    """Uploads of the caller."""

    @extend_schema(
        operation_id="uploads_create",
        request=None,
        responses={201: None},
        parameters=[
            TUS,
            OpenApiParameter("Upload-Length", OpenApiTypes.INT64, _HEADER, required=True),
            OpenApiParameter("Upload-Metadata", OpenApiTypes.STR, _HEADER, description="key base64(value),…"),
        ],
    )
    def post(self, request: Request) -> Response:
        """Create an upload; ``Location`` is where its bytes go.

        Metadata keys: kind (``scene``, the default, or ``clip``), filename, filetype, sha256 (hex, checked at the end),
        region; of scenes bands, crs, acquired_on; of clips camera and mine (their codes), recorded_at.
        """
        upload = services.upload_create(
            user=request.user,  # type: ignore[arg-type]  # permission classes let no anonymous user in
            length=protocol.parse_length("Upload-Length", request.headers.get("Upload-Length")),
            metadata=protocol.parse_metadata(request.headers.get("Upload-Metadata")),
        )
        headers = {
            "Location": reverse("api:upload", args=[upload.pk]),
            "Upload-Expires": protocol.format_time(upload.expires_at),
        }
        return Response(status=status.HTTP_201_CREATED, headers=headers)


class UploadView(TusView):
    """One upload of the caller."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Where a proxy lets nothing but POST through, the true method comes in a header."""
        override = request.headers.get("X-HTTP-Method-Override", "").upper()
        if request.method == "POST" and override in ("PATCH", "DELETE", "HEAD"):
            request.method = override
        return super().dispatch(request, *args, **kwargs)

    def one(self, pk: UUID) -> Upload:
        """The caller's upload.

        Raises:
            Http404: it does not exist or is somebody else's.
        """
        upload = self.get_queryset().filter(pk=pk).first()
        if upload is None:
            raise Http404
        return upload

    def get(self, request: Request, pk: UUID) -> Response:
        """The upload as JSON."""
        return Response(self.get_serializer(self.one(pk)).data)

    @extend_schema(exclude=True)
    def head(self, request: Request, pk: UUID) -> Response:
        """Where to resume. An upload that a crash interrupted after its last byte is finished here."""
        upload = services.upload_resume(upload=self.one(pk))
        if upload.state not in (*services.OPEN_STATES, Upload.State.CONSUMED):
            return Response(status=status.HTTP_410_GONE)
        headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store", **_progress(upload)}
        if upload.metadata:
            headers["Upload-Metadata"] = protocol.format_metadata(upload.metadata)
        return Response(headers=headers)

    @extend_schema(
        operation_id="uploads_append",
        request={protocol.CHUNK_TYPE: OpenApiTypes.BINARY},
        responses={204: None},
        parameters=[
            TUS,
            OpenApiParameter("Upload-Offset", OpenApiTypes.INT64, _HEADER, required=True),
            OpenApiParameter("Upload-Checksum", OpenApiTypes.STR, _HEADER, description="algorithm base64(digest)"),
        ],
    )
    def patch(self, request: Request, pk: UUID) -> Response:
        """Append a chunk; after the last one ``Upload-Result`` holds the id of what became of the file."""
        if request.content_type != protocol.CHUNK_TYPE:
            raise UnsupportedMediaType(request.content_type)
        upload = self.one(pk)
        connection = request.META.get("gunicorn.socket")
        if connection is not None:
            connection.settimeout(STALLED_AFTER_S)
        upload = services.upload_append(
            upload=upload,
            stream=request,  # type: ignore[arg-type]  # reads the server's input
            size=protocol.parse_length("Content-Length", request.headers.get("Content-Length")),
            offset=protocol.parse_length("Upload-Offset", request.headers.get("Upload-Offset")),
            checksum=protocol.parse_checksum(request.headers.get("Upload-Checksum")),
        )
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_progress(upload))

    @extend_schema(operation_id="uploads_terminate", responses={204: None}, parameters=[TUS])
    def delete(self, request: Request, pk: UUID) -> Response:
        """Cancel a half upload and free its space."""
        services.upload_terminate(upload=self.one(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _progress(upload: Upload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset)}
    if upload.result_id:
        headers["Upload-Result"] = upload.result_id
    else:
        headers["Upload-Expires"] = protocol.format_time(upload.expires_at)
    return headers
