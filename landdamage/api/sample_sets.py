"""Sample sets over HTTP: list, details, asking for one (with a polygon file if wanted), the table as CSV."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.models import SampleSet
from landdamage.selectors.sample_sets import sample_sets_visible, table_file
from landdamage.services import sample_sets
from landdamage.services.files import received
from landdamage.services.openings import region_of
from minegis.access.permissions import Action, require, signed_in


class SampleSetSerializer(serializers.ModelSerializer[SampleSet]):
    """A sample set; ``table`` holds objects, tiles and pixels per class and set."""

    region = serializers.CharField(source="region.code", read_only=True)
    job_state = serializers.CharField(source="job.state", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = SampleSet
        fields = (
            "set_id", "name", "version", "region", "kind", "source", "params", "state", "sha256", "tiles", "bytes",
            "leaky", "table", "report", "findings", "job", "job_state", "created_by", "created_at", "built_at",
        )  # fmt: skip
        read_only_fields = fields


class SampleSetRequestSerializer(serializers.Serializer[Any]):
    """What is wanted; ``file`` is the polygon file of kind ``vectors``."""

    name = serializers.CharField(max_length=80)
    region = serializers.CharField(max_length=9)
    kind = serializers.ChoiceField(SampleSet.Kind.values)
    source = serializers.JSONField(required=False, default=dict)  # type: ignore[assignment]  # DRF's own attribute
    params = serializers.JSONField(required=False, default=dict)
    file = serializers.FileField(required=False, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Source and parameters are objects."""
        for name in ("source", "params"):
            if not isinstance(attrs[name], dict):
                raise serializers.ValidationError({name: "an object"})
        return attrs


class SampleSetViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[SampleSet]):
    """Sample sets the user may read."""

    serializer_class = SampleSetSerializer
    queryset = SampleSet.objects.none()
    filterset_fields = ("name", "state", "kind")
    ordering_fields = ("created_at", "name", "version")
    parser_classes = (JSONParser, MultiPartParser)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[SampleSet]:
        """Only what the user may see."""
        return sample_sets_visible(signed_in(self.request.user))

    @extend_schema(
        request={"application/json": SampleSetRequestSerializer, "multipart/form-data": SampleSetRequestSerializer},
        responses={202: SampleSetSerializer, 422: OpenApiTypes.OBJECT},
    )
    def create(self, request: Request) -> Response:
        """Queue a sample set (202), or say everything that is wrong with its polygon file (422)."""
        user = signed_in(request.user)
        require(user, Action.BUILD_SAMPLE_SET)
        form = SampleSetRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        region = region_of(user, given["region"])
        with received(given["file"]) as path:
            name = given["file"].name if path else ""
            if path is not None and given["kind"] == SampleSet.Kind.VECTORS:
                require(user, Action.BUILD_SAMPLE_SET, region)
                checked = sample_sets.polygon_file(path=path, name=name, source=given["source"])
                if checked.layer is None:
                    body = {"findings": [f.as_dict() for f in checked.findings], **checked.facts}
                    return Response(body, status.HTTP_422_UNPROCESSABLE_ENTITY)
            made = sample_sets.sample_set_request(
                region=region,
                user=user,
                name=given["name"],
                kind=given["kind"],
                source=given["source"],
                params=given["params"],
                file=path,
                file_name=name,
            )
        return Response(SampleSetSerializer(made).data, status.HTTP_202_ACCEPTED)

    @extend_schema(
        parameters=[OpenApiParameter("lang", enum=["zh", "en"])],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def table(self, request: Request, pk: str | None = None) -> HttpResponse:
        """Objects, tiles and pixels per class and set as CSV (UTF-8 with byte-order mark)."""
        row = self.get_object()
        name, text = table_file(row, "en" if request.query_params.get("lang") == "en" else "zh")
        answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer
