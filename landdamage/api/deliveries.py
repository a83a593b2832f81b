"""Deliveries over HTTP: ask for a report or vectors of an edition, follow the job, take the file."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.models import Delivery, Edition
from landdamage.selectors.editions import editions_visible
from landdamage.services import deliveries
from minegis.access.permissions import signed_in


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """A delivery; ``sha256`` and ``bytes`` are there when it is ready, ``job_state`` tells how far it is."""

    job_state = serializers.CharField(source="job.state", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = Delivery
        fields = (
            "delivery_id", "edition", "kind", "options", "job", "job_state", "file_name", "sha256", "bytes",
            "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class DeliveryRequestSerializer(serializers.Serializer[Any]):
    """What is wanted."""

    edition = serializers.PrimaryKeyRelatedField(queryset=Edition.objects.none())
    kind = serializers.ChoiceField(Delivery.Kind.choices, default=Delivery.Kind.REPORT)
    options = serializers.DictField(required=False, default=dict)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if request := self.context.get("request"):
            self.fields["edition"].queryset = editions_visible(request.user)  # type: ignore[attr-defined]


class DeliveryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Delivery]):
    """Deliveries of the editions the user may see."""

    serializer_class = DeliverySerializer
    filterset_fields = ("edition", "kind")
    ordering_fields = ("created_at",)
    queryset = Delivery.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Delivery]:
        """Only what the user may see."""
        return deliveries.deliveries_visible(signed_in(self.request.user))

    @extend_schema(request=DeliveryRequestSerializer, responses={202: DeliverySerializer})
    def create(self, request: Request) -> Response:
        """Queue a report or vectors."""
        wanted = DeliveryRequestSerializer(data=request.data, context={"request": request})
        wanted.is_valid(raise_exception=True)
        made = deliveries.delivery_request(user=signed_in(request.user), **wanted.validated_data)
        return Response(DeliverySerializer(made).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, pagination_class=None, filter_backends=[])
    def file(self, request: Request, pk: str | None = None) -> FileResponse:
        """The finished file."""
        delivery = self.get_object()
        path = deliveries.delivery_file(delivery=delivery, user=signed_in(request.user))
        return FileResponse(path.open("rb"), as_attachment=True, filename=delivery.file_name)
