"""Editions over HTTP: their life, their statement and matrix, the monitored areas."""

from __future__ import annotations

from typing import Any

import django_filters
import pandas as pd
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_gis.fields import GeometryField

from landdamage.models import Edition, MonitoredArea
from landdamage.selectors.editions import edition_statement, editions_visible
from landdamage.services import areas, editions
from minegis.access.permissions import signed_in
from minegis.registry.models import Mine, Region

SHOWN_RESULTS = (
    "units", "cells", "pieces", "regions", "incomplete", "mixed_sensor", "registration", "bias", "undecided_water",
    "out_of_season",
)  # fmt: skip
PARAMS = ("rmse_m", "min_area_m2", "epsilon_m", "water_mode", "auto_restore_after")


class EditionSerializer(serializers.ModelSerializer[Edition]):
    """An edition as lists show it."""

    region = serializers.CharField(source="region.code", read_only=True)
    based_on_label = serializers.SerializerMethodField()
    published_by = serializers.CharField(source="published_by.username", default=None, read_only=True)

    class Meta:
        model = Edition
        fields = (
            "edition_id", "region", "year", "version", "state", "based_on", "based_on_label", "supersedes",
            "is_opening", "params", "computed_at", "content_sha256", "code_version", "job", "change_note",
            "withdrawn_reason", "signed_bias", "lock", "created_at", "frozen_at", "published_at", "published_by",
        )  # fmt: skip
        read_only_fields = fields

    def get_based_on_label(self, edition: Edition) -> str:
        """Year, version and state of the book below; empty for a first book."""
        below = edition.based_on
        return f"{below.year} v{below.version} {below.state}" if below else ""


class EditionDetailSerializer(EditionSerializer):
    """An edition with its coverage, its bias and what its account met."""

    results = serializers.SerializerMethodField()

    class Meta(EditionSerializer.Meta):
        fields = (*EditionSerializer.Meta.fields, "results")  # type: ignore[assignment]

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_results(self, edition: Edition) -> dict[str, Any]:
        """Coverage per region, bias, waters of unknown origin."""
        return {name: edition.results[name] for name in SHOWN_RESULTS if name in edition.results}


class RulesSerializer(serializers.Serializer[Any]):
    """Thresholds other than the defaults; see ``accounting.rules.Rules``."""

    rmse_m = serializers.FloatField(required=False, min_value=0, max_value=100)
    min_area_m2 = serializers.FloatField(required=False, min_value=0, max_value=1e6)
    epsilon_m = serializers.FloatField(required=False, min_value=0, max_value=1000)
    water_mode = serializers.ChoiceField(["origin", "paper"], required=False)
    auto_restore_after = serializers.IntegerField(required=False, min_value=0, max_value=10)


class DraftSerializer(serializers.Serializer[Any]):
    """What a new draft needs."""

    region = serializers.SlugRelatedField(slug_field="code", queryset=Region.objects.filter(valid_to__isnull=True))
    year = serializers.IntegerField(min_value=1980, max_value=2100)
    based_on = serializers.UUIDField(required=False, allow_null=True, default=None)
    change_note = serializers.CharField(required=False, allow_blank=True, default="")
    params = RulesSerializer(required=False)


class LockSerializer(serializers.Serializer[Any]):
    """The revision of the row that the caller saw."""

    lock = serializers.IntegerField()


class PublishSerializer(LockSerializer):
    """Publishing, with the signature that a large bias needs."""

    sign_bias = serializers.BooleanField(default=False)


class WithdrawSerializer(LockSerializer):
    """Withdrawing, with its reason."""

    reason = serializers.CharField()


class StatementSerializer(serializers.Serializer[Any]):
    """Sums in cm² (integers): ``key`` is the kind or class, ``group`` the mine or region if grouped by one."""

    key = serializers.CharField()
    group = serializers.CharField(allow_null=True)
    sums = serializers.DictField(child=serializers.IntegerField())


class MatrixSerializer(serializers.Serializer[Any]):
    """Area in cm² that went from one state to another."""

    before = serializers.CharField()
    after = serializers.CharField()
    area_cm2 = serializers.IntegerField()


class EditionFilter(django_filters.FilterSet):
    """Filters of the list."""

    region = django_filters.CharFilter(field_name="region__code", lookup_expr="startswith")

    class Meta:
        model = Edition
        fields = ("year", "state")


IN_REGION = OpenApiParameter("region", OpenApiTypes.STR, description="GB/T 2260 code; subordinate regions included")
OF_MINE = OpenApiParameter("mine", OpenApiTypes.UUID, description="only this mine")
BY = OpenApiParameter("by", OpenApiTypes.STR, enum=["kind", "class", "mine", "region"])


class EditionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Edition]):
    """Editions of the books that the user may see."""

    serializer_class = EditionSerializer
    queryset = Edition.objects.none()
    filterset_class = EditionFilter
    ordering_fields = ("year", "version", "published_at")
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Edition]:
        """Drafts too for readers of statistics, else published editions."""
        rows = editions_visible(self.request.user)
        return rows.defer("results", "inputs") if self.action == "list" else rows

    def get_serializer_class(self) -> Any:
        """One edition comes with its results."""
        return EditionDetailSerializer if self.action == "retrieve" else EditionSerializer

    @extend_schema(request=DraftSerializer, responses={201: EditionDetailSerializer})
    def create(self, request: Request) -> Response:
        """Open the next version of a year."""
        given = DraftSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        below = None
        if values["based_on"]:
            below = editions_visible(request.user).filter(pk=values["based_on"]).first()
            if below is None:
                raise ValidationError({"based_on": ["no such edition"]})
        edition = editions.edition_draft(
            region=values["region"],
            year=values["year"],
            user=signed_in(request.user),
            based_on=below,
            change_note=values["change_note"],
            params=dict(values.get("params") or {}),
        )
        return Response(EditionDetailSerializer(edition).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=LockSerializer, responses={202: EditionDetailSerializer})
    @action(detail=True, methods=["post"])
    def compute(self, request: Request, pk: str | None = None) -> Response:
        """Queue the account; its job is named in the answer."""
        return self._step(LockSerializer, editions.edition_compute, status.HTTP_202_ACCEPTED)

    @extend_schema(request=LockSerializer, responses=EditionDetailSerializer)
    @action(detail=True, methods=["post"])
    def freeze(self, request: Request, pk: str | None = None) -> Response:
        """Lock the numbers."""
        return self._step(LockSerializer, editions.edition_freeze)

    @extend_schema(request=LockSerializer, responses=EditionDetailSerializer)
    @action(detail=True, methods=["post"])
    def unfreeze(self, request: Request, pk: str | None = None) -> Response:
        """Back to a draft."""
        return self._step(LockSerializer, editions.edition_unfreeze)

    @extend_schema(request=PublishSerializer, responses=EditionDetailSerializer)
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str | None = None) -> Response:
        """Publish; the published version of the year is superseded."""
        return self._step(PublishSerializer, editions.edition_publish)

    @extend_schema(request=WithdrawSerializer, responses=EditionDetailSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str | None = None) -> Response:
        """Take it out of use."""
        return self._step(WithdrawSerializer, editions.edition_withdraw)

    @extend_schema(request=LockSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str | None = None) -> Response:
        """Delete a draft."""
        given = LockSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        editions.edition_discard(edition=self.get_object(), user=signed_in(request.user), **given.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(parameters=[BY, IN_REGION, OF_MINE], responses=StatementSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def statement(self, request: Request, pk: str | None = None) -> Response:
        """The year's account in integer cm², by damage kind (default), class, mine or region."""
        by = request.query_params.get("by", "kind")
        if by not in ("kind", "class", "mine", "region"):
            raise ValidationError({"by": ["kind, class, mine or region"]})
        group = {"mine": "mine_id", "region": "region_code"}.get(by)
        account = edition_statement(self.get_object(), **self._part(), by=group)
        rows = []
        for key, row in (account.classes if by == "class" else account.kinds).iterrows():
            kind, of = (key[1], key[0]) if group else (key, None)
            sums = {str(name): int(value) for name, value in row.items()}
            rows.append({"key": str(kind), "group": None if pd.isna(of) else str(of), "sums": sums})
        return Response(StatementSerializer(rows, many=True).data)

    @extend_schema(parameters=[IN_REGION, OF_MINE], responses=MatrixSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def matrix(self, request: Request, pk: str | None = None) -> Response:
        """From which state to which, in integer cm²; pairs without ground are left out."""
        moved = edition_statement(self.get_object(), **self._part()).matrix.stack()
        rows = [
            {"before": before, "after": after, "area_cm2": int(area)}
            for (before, after), area in moved.items()  # type: ignore[misc]
            if area
        ]
        return Response(MatrixSerializer(rows, many=True).data)

    def _part(self) -> dict[str, Any]:
        region, mine = (self.request.query_params.get(name) or None for name in ("region", "mine"))
        if region and not (region.isdecimal() and len(region) in (6, 9)):
            raise ValidationError({"region": ["a GB/T 2260 code"]})
        if mine:
            mine = serializers.UUIDField().run_validation(mine)
            if not Mine.objects.filter(pk=mine).exists():
                raise ValidationError({"mine": ["no such mine"]})
        return {"region": region, "mine": mine}

    def _step(self, shape: type[LockSerializer], step: Any, code: int = status.HTTP_200_OK) -> Response:
        given = shape(data=self.request.data)
        given.is_valid(raise_exception=True)
        edition = step(edition=self.get_object(), user=signed_in(self.request.user), **given.validated_data)
        return Response(EditionDetailSerializer(edition).data, status=code)


class AreaSerializer(serializers.ModelSerializer[MonitoredArea]):
    """A version of the monitored area."""

    region: Any = serializers.SlugRelatedField(slug_field="code", queryset=Region.objects.filter(valid_to__isnull=True))
    extra = GeometryField(required=False, allow_null=True, default=None)

    class Meta:
        model = MonitoredArea
        fields = ("id", "region", "version", "extra", "note", "created_at")
        read_only_fields = ("id", "version", "created_at")
        ref_name = "MonitoredArea"


class MonitoredAreaViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[MonitoredArea]):
    """The monitored areas of the user's regions, newest version first."""

    serializer_class = AreaSerializer
    queryset = MonitoredArea.objects.none()
    filterset_fields = ("version",)
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[MonitoredArea]:
        """Only what the user may see."""
        return MonitoredArea.objects.visible_to(self.request.user).select_related("region").defer("region__geom")

    @extend_schema(responses={201: AreaSerializer})
    def create(self, request: Request) -> Response:
        """Draw a new version; drafts opened from now on use it."""
        given = AreaSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        area = areas.area_update(user=signed_in(request.user), **given.validated_data)
        return Response(AreaSerializer(area).data, status=status.HTTP_201_CREATED)
