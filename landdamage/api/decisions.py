"""Changes to decide, evidence, subsidence and control polygons over HTTP."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_gis.fields import GeometryField

from landdamage.models import ChangePiece, ControlPolygon, Edition, Evidence, Restoration, Subsidence
from landdamage.services import decisions, evidence, subsidence
from minegis.access.permissions import Action, allowed, signed_in
from minegis.registry.models import Region

MOST_AT_ONCE = 5000  # changes in one bulk decision
CM2_PER_M2 = 10_000


class RestorationSerializer(serializers.ModelSerializer[Restoration]):
    """How ground was brought back, and what proves it."""

    class Meta:
        model = Restoration
        fields = ("restored_kind", "mode", "post_use", "accepted_on", "evidence")


class ChangeSerializer(serializers.ModelSerializer[ChangePiece]):
    """A change with its decision; the flag of ground outside the licence only for those who may know (else null)."""

    geometry = GeometryField(source="geom", read_only=True)
    outside_licence = serializers.SerializerMethodField()
    author = serializers.CharField(source="author.username", default=None, read_only=True)
    authors = serializers.SerializerMethodField()
    decided_by = serializers.CharField(source="decided_by.username", default=None, read_only=True)
    restoration = RestorationSerializer(read_only=True, default=None)

    class Meta:
        model = ChangePiece
        fields = (
            "piece_id", "edition", "mine", "kind", "prev_kind", "obs_kind", "prev_state", "obs_state", "area_cm2",
            "confidence", "prev_on", "obs_on", "outside_licence", "author", "authors", "decision", "reason",
            "decided_by", "decided_at", "lock", "restoration", "geometry",
        )  # fmt: skip
        read_only_fields = fields

    def get_outside_licence(self, piece: ChangePiece) -> bool | None:
        """Whether some of it lies beyond the licence boundary."""
        may = allowed(self.context["request"].user, Action.READ_OUTSIDE_LICENCE, piece.edition.region)
        return piece.outside_licence if may else None

    def get_authors(self, piece: ChangePiece) -> list[str]:
        """Everybody who drew some of what it shows; none of them may decide it."""
        return [row.person.username for row in piece.authors.all()]


class RestorationFactsSerializer(serializers.Serializer[Any]):
    """What a decision ``restored`` brings along."""

    mode = serializers.ChoiceField(Restoration.Mode.choices)
    restored_kind = serializers.ChoiceField(Restoration.Kind.choices, required=False, allow_blank=True, default="")
    post_use = serializers.CharField(required=False, allow_blank=True, default="", max_length=10)
    accepted_on = serializers.DateField(required=False, allow_null=True, default=None)
    evidence = serializers.ListField(child=serializers.UUIDField(), allow_empty=True)


class DecisionSerializer(serializers.Serializer[Any]):
    """A decision; empty takes it back."""

    decision = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(required=False, allow_blank=True, default="")
    restoration = RestorationFactsSerializer(required=False, allow_null=True, default=None)


class OneDecisionSerializer(DecisionSerializer):
    """A decision about one change, with the revision the caller saw."""

    lock = serializers.IntegerField()


class SeenSerializer(serializers.Serializer[Any]):
    """A change and the revision the caller saw."""

    piece_id = serializers.IntegerField()
    lock = serializers.IntegerField()


class BulkDecisionSerializer(DecisionSerializer):
    """One decision about many changes of one draft."""

    edition = serializers.UUIDField()
    changes = serializers.ListField(child=SeenSerializer(), allow_empty=False, max_length=MOST_AT_ONCE)


class PreviewRequestSerializer(serializers.Serializer[Any]):
    """What to preview."""

    edition = serializers.UUIDField()
    decision = serializers.CharField(allow_blank=True)
    changes = serializers.ListField(child=serializers.IntegerField(), allow_empty=False, max_length=MOST_AT_ONCE)


class PreviewSerializer(serializers.Serializer[Any]):
    """Totals per damage kind in cm² before and after."""

    pieces = serializers.IntegerField()
    area_cm2 = serializers.IntegerField()
    before = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    after = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))


class CountSerializer(serializers.Serializer[Any]):
    """How many changes were decided."""

    decided = serializers.IntegerField()


class ChangeFilter(django_filters.FilterSet):
    """Filters of the queue."""

    decided = django_filters.BooleanFilter(method="by_state", label="Has a decision")
    min_area_m2 = django_filters.NumberFilter(
        method="at_least", min_value=0, max_value=1e9, label="Smallest area in m²"
    )

    class Meta:
        model = ChangePiece
        fields = ("edition", "kind", "decision", "mine")

    def by_state(self, rows: QuerySet[ChangePiece], name: str, value: bool) -> QuerySet[ChangePiece]:
        """Decided ones or those that wait."""
        return rows.exclude(decision="") if value else rows.filter(decision="")

    def at_least(self, rows: QuerySet[ChangePiece], name: str, value: Any) -> QuerySet[ChangePiece]:
        """No smaller ones."""
        return rows.filter(area_cm2__gte=int(value * CM2_PER_M2))


class ChangeViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ChangePiece]):
    """Changes of the editions whose figures the user may read, largest first."""

    serializer_class = ChangeSerializer
    queryset = ChangePiece.objects.none()
    filterset_class = ChangeFilter
    ordering_fields = ("area_cm2", "confidence", "piece_id")
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ChangePiece]:
        """Only what the user may see."""
        rows = ChangePiece.objects.visible_to(self.request.user)
        joined = rows.select_related("edition__region", "author", "decided_by", "restoration")
        return joined.defer("edition__results", "edition__inputs", "edition__region__geom").prefetch_related(
            "restoration__evidence", "authors__person"
        )

    @extend_schema(request=OneDecisionSerializer, responses=ChangeSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: Request, pk: str | None = None) -> Response:
        """Decide one change."""
        given = OneDecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        piece = decisions.decide(
            piece=self.get_object(),
            decision=values["decision"],
            user=signed_in(request.user),
            lock=values["lock"],
            reason=values["reason"],
            restoration=_facts(request, values["restoration"]),
        )
        return Response(self.get_serializer(piece).data)

    @extend_schema(request=BulkDecisionSerializer, responses=CountSerializer)
    @action(detail=False, methods=["post"], url_path="decide-many")
    def decide_many(self, request: Request) -> Response:
        """Decide many changes of one draft alike: all of them or none."""
        given = BulkDecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        decided = decisions.decide_many(
            edition=_edition(request, values["edition"]),
            locks={seen["piece_id"]: seen["lock"] for seen in values["changes"]},
            decision=values["decision"],
            user=signed_in(request.user),
            reason=values["reason"],
            restoration=_facts(request, values["restoration"]),
        )
        return Response({"decided": decided})

    @extend_schema(request=PreviewRequestSerializer, responses=PreviewSerializer)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What a bulk decision would change in the totals; nothing is written."""
        given = PreviewRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        shown = decisions.preview(_edition(request, values["edition"]), values["changes"], values["decision"])
        return Response(PreviewSerializer(shown).data)


class EvidenceSerializer(serializers.ModelSerializer[Evidence]):
    """A file that proves something; never its path on the server."""

    region = serializers.CharField(source="region.code", read_only=True)
    uploaded_by = serializers.CharField(source="uploaded_by.username", default=None, read_only=True)

    class Meta:
        model = Evidence
        fields = (
            "evidence_id", "region", "file_name", "media_type", "sha256", "bytes", "note", "uploaded_by", "uploaded_at",
        )  # fmt: skip
        read_only_fields = fields


class EvidenceUploadSerializer(serializers.Serializer[Any]):
    """A file to keep: PDF, JPEG, PNG or Word document, at most 30 MiB."""

    region = serializers.SlugRelatedField(slug_field="code", queryset=Region.objects.filter(valid_to__isnull=True))
    file = serializers.FileField(allow_empty_file=True)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)


class EvidenceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Evidence]):
    """Evidence of the user's regions, and what they brought themselves."""

    serializer_class = EvidenceSerializer
    queryset = Evidence.objects.none()
    filterset_fields = ("media_type", "sha256")
    lookup_value_converter = "uuid"
    parser_classes = (MultiPartParser,)

    def get_queryset(self) -> QuerySet[Evidence]:
        """Only what the user may see."""
        return Evidence.objects.visible_to(self.request.user).select_related("region", "uploaded_by")

    @extend_schema(request={"multipart/form-data": EvidenceUploadSerializer}, responses={201: EvidenceSerializer})
    def create(self, request: Request) -> Response:
        """Keep a file."""
        given = EvidenceUploadSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        kept = evidence.evidence_add(
            region=values["region"],
            file=values["file"],
            file_name=values["file"].name,
            user=signed_in(request.user),
            note=values["note"],
        )
        return Response(EvidenceSerializer(kept).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def file(self, request: Request, pk: str | None = None) -> FileResponse:
        """The file itself, always as a download."""
        row = self.get_object()
        return FileResponse(
            evidence.evidence_open(row), as_attachment=True, filename=row.file_name, content_type=row.media_type
        )


class SubsidenceSerializer(serializers.ModelSerializer[Subsidence]):
    """Sunken ground; its state changes through the actions."""

    region: Any = serializers.SlugRelatedField(slug_field="code", queryset=Region.objects.filter(valid_to__isnull=True))
    geometry = GeometryField(source="geom")
    evidence: Any = serializers.PrimaryKeyRelatedField(many=True, queryset=Evidence.objects.none(), required=False)
    author = serializers.CharField(source="author.username", default=None, read_only=True)
    reviewer = serializers.CharField(source="reviewer.username", default=None, read_only=True)

    class Meta:
        model = Subsidence
        fields = (
            "subsidence_id", "region", "area_cm2", "surveyed_on", "ended_on", "method", "evidence", "state", "author",
            "reviewer", "review_note", "lock", "created_at", "geometry",
        )  # fmt: skip
        read_only_fields = (
            "subsidence_id", "area_cm2", "state", "author", "reviewer", "review_note", "created_at", "lock",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if request := self.context.get("request"):
            self.fields["evidence"].child_relation.queryset = Evidence.objects.visible_to(request.user)  # type: ignore[attr-defined]


class ReviewSerializer(serializers.Serializer[Any]):
    """A verdict: accepted, returned or rejected."""

    verdict = serializers.CharField()
    note = serializers.CharField(required=False, allow_blank=True, default="")
    lock = serializers.IntegerField()


class EndSerializer(serializers.Serializer[Any]):
    """The day accepted subsidence ended, and why one knows."""

    ended_on = serializers.DateField()
    note = serializers.CharField()
    lock = serializers.IntegerField()


class RevisionSerializer(serializers.Serializer[Any]):
    """The revision of the row that the caller saw."""

    lock = serializers.IntegerField()


class SubsidenceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Subsidence]):
    """Subsidence of the user's regions, and their own proposals."""

    serializer_class = SubsidenceSerializer
    queryset = Subsidence.objects.none()
    filterset_fields = ("state",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Subsidence]:
        """Only what the user may see."""
        rows = Subsidence.objects.visible_to(self.request.user)
        return rows.select_related("region", "author", "reviewer").prefetch_related("evidence")

    @extend_schema(responses={201: SubsidenceSerializer})
    def create(self, request: Request) -> Response:
        """Draw a draft."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = subsidence.subsidence_draw(user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=SubsidenceSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change a draft or a returned one; ``lock`` names the revision the caller saw."""
        given = self.get_serializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        fields = {name: value for name, value in given.validated_data.items() if name != "region"}
        return self._done(subsidence.subsidence_edit, lock=_lock(request), **fields)

    @extend_schema(request=RevisionSerializer, responses=SubsidenceSerializer)
    @action(detail=True, methods=["post"])
    def submit(self, request: Request, pk: str | None = None) -> Response:
        """Hand in for review."""
        return self._done(subsidence.subsidence_submit, lock=_lock(request))

    @extend_schema(request=ReviewSerializer, responses=SubsidenceSerializer)
    @action(detail=True, methods=["post"])
    def review(self, request: Request, pk: str | None = None) -> Response:
        """Accept, return or reject what another person drew."""
        given = ReviewSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._done(subsidence.subsidence_review, **given.validated_data)

    @extend_schema(request=EndSerializer, responses=SubsidenceSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: str | None = None) -> Response:
        """Say that accepted subsidence is over."""
        given = EndSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return self._done(subsidence.subsidence_end, **given.validated_data)

    @extend_schema(request=RevisionSerializer, responses={204: None})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str | None = None) -> Response:
        """Remove a draft."""
        subsidence.subsidence_delete(subsidence=self.get_object(), user=signed_in(request.user), lock=_lock(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _done(self, step: Any, **values: Any) -> Response:
        row = step(subsidence=self.get_object(), user=signed_in(self.request.user), **values)
        return Response(self.get_serializer(row).data)


class ControlSerializer(serializers.ModelSerializer[ControlPolygon]):
    """Ground known not to change."""

    region: Any = serializers.SlugRelatedField(slug_field="code", queryset=Region.objects.filter(valid_to__isnull=True))
    geometry = GeometryField(source="geom")

    class Meta:
        model = ControlPolygon
        fields = ("id", "region", "note", "created_at", "geometry")
        read_only_fields = ("id", "created_at")


class ControlViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, viewsets.GenericViewSet[ControlPolygon]
):
    """Control polygons of the user's regions."""

    serializer_class = ControlSerializer
    queryset = ControlPolygon.objects.none()
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ControlPolygon]:
        """Only what the user may see."""
        return ControlPolygon.objects.visible_to(self.request.user).select_related("region")

    @extend_schema(responses={201: ControlSerializer})
    def create(self, request: Request) -> Response:
        """Mark stable ground."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        row = subsidence.control_add(user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(row).data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: ControlPolygon) -> None:
        """Take it back."""
        subsidence.control_remove(control=instance, user=signed_in(self.request.user))


def _edition(request: Request, key: Any) -> Edition:
    edition = Edition.objects.visible_to(request.user).filter(pk=key).first()
    if edition is None:
        raise ValidationError({"edition": ["no such edition"]})
    return edition


def _facts(request: Request, given: dict[str, Any] | None) -> decisions.RestorationFacts | None:
    if given is None:
        return None
    proofs = list(Evidence.objects.visible_to(request.user).filter(pk__in=given["evidence"]))
    if len(proofs) != len(set(given["evidence"])):
        raise ValidationError({"restoration": {"evidence": ["no such evidence"]}})
    return decisions.RestorationFacts(**{**given, "evidence": proofs})


def _lock(request: Request) -> int:
    given = RevisionSerializer(data=request.data)
    given.is_valid(raise_exception=True)
    return int(given.validated_data["lock"])
