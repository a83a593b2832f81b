"""Check samples over HTTP: drawing, labelling blind, settling, results."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.models import CheckPoint, CheckSample, Edition
from landdamage.services import sampling
from minegis.access.permissions import Action, requires, signed_in


class SampleSerializer(serializers.ModelSerializer[CheckSample]):
    """A check sample with its error matrix and adjusted areas."""

    class Meta:
        model = CheckSample
        fields = ("sample_id", "edition", "seed", "strata", "results", "created_at")
        read_only_fields = ("sample_id", "seed", "strata", "results", "created_at")


class SampleDrawSerializer(serializers.Serializer[Any]):
    """What a person may choose when drawing a sample."""

    edition = serializers.PrimaryKeyRelatedField(queryset=Edition.objects.none())
    points = serializers.IntegerField(required=False, allow_null=True, default=None)
    seed = serializers.IntegerField(required=False, allow_null=True, default=None, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if request := self.context.get("request"):
            self.fields["edition"].queryset = Edition.objects.visible_to(request.user)  # type: ignore[attr-defined]


class LabelSerializer(serializers.Serializer[Any]):
    """A label: kind before > kind now (``none>exc``), or ``unsure``."""

    label = serializers.CharField(max_length=20)  # type: ignore[assignment]


class PointSerializer(serializers.ModelSerializer[CheckPoint]):
    """A point as a labeller sees it: neither the map's class nor the other person's label."""

    longitude = serializers.FloatField(source="geom.x", read_only=True)
    latitude = serializers.FloatField(source="geom.y", read_only=True)
    own_label = serializers.SerializerMethodField()
    settled = serializers.SerializerMethodField()

    class Meta:
        model = CheckPoint
        fields = ("id", "number", "longitude", "latitude", "own_label", "settled")

    @extend_schema_field(serializers.CharField())
    def get_own_label(self, point: CheckPoint) -> str:
        """What the asking person labelled."""
        user = self.context["request"].user
        if point.first_by_id == user.pk:
            return point.first_label
        return point.second_label if point.second_by_id == user.pk else ""

    @extend_schema_field(serializers.BooleanField())
    def get_settled(self, point: CheckPoint) -> bool:
        """Whether the point needs no more labels."""
        return bool(point.agreed_label)


class SampleViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[CheckSample]):
    """Check samples of the editions the user may read."""

    serializer_class = SampleSerializer
    queryset = CheckSample.objects.none()
    filterset_fields = ("edition",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[CheckSample]:
        """Only what the user may see."""
        return CheckSample.objects.visible_to(self.request.user).select_related("edition__region")

    @extend_schema(request=SampleDrawSerializer, responses={201: SampleSerializer})
    def create(self, request: Request) -> Response:
        """Draw a sample of an edition."""
        wanted = SampleDrawSerializer(data=request.data, context={"request": request})
        wanted.is_valid(raise_exception=True)
        values = wanted.validated_data
        sample = sampling.sample_draw(
            edition=values["edition"], user=signed_in(request.user), total=values["points"], seed=values["seed"]
        )
        return Response(SampleSerializer(sample).data, status=status.HTTP_201_CREATED)


class PointViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[CheckPoint]):
    """Points to label; filter by sample."""

    serializer_class = PointSerializer
    queryset = CheckPoint.objects.none()
    filterset_fields = ("sample",)
    permission_classes = (requires(Action.LABEL_SAMPLE),)
    lookup_value_converter = "int"

    def check_object_permissions(self, request: Request, obj: Any) -> None:
        """The services ask for the right in the point's region, and log a refusal."""

    def get_queryset(self) -> QuerySet[CheckPoint]:
        """Only what the user may see."""
        return CheckPoint.objects.visible_to(self.request.user).select_related("sample__edition__region")

    @extend_schema(request=LabelSerializer, responses=PointSerializer)
    @action(detail=True, methods=["post"])
    def label(self, request: Request, pk: str | None = None) -> Response:
        """Record what one sees."""
        return self._write(request, settle=False)

    @extend_schema(request=LabelSerializer, responses=PointSerializer)
    @action(detail=True, methods=["post"])
    def settle(self, request: Request, pk: str | None = None) -> Response:
        """Settle a disagreement."""
        return self._write(request, settle=True)

    def _write(self, request: Request, *, settle: bool) -> Response:
        wanted = LabelSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        do = sampling.point_settle if settle else sampling.point_label
        point = do(point=self.get_object(), user=signed_in(request.user), label=wanted.validated_data["label"])
        return Response(PointSerializer(point, context={"request": request}).data)
