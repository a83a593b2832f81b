"""Models over HTTP: versions with their cards, comparisons, scores, promotion, trainings with their curves."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.models import ModelComparison, ModelDeed, ModelScore, TrainedModel, Training
from landdamage.selectors.sample_sets import sample_sets_visible
from landdamage.selectors.trained_models import comparisons_readable, confusion, models_readable, trainings_visible
from landdamage.services import trained_models, trainings
from landdamage.services.comparisons import comparison_request
from landdamage.services.files import received
from landdamage.services.openings import region_of
from minegis.access.permissions import Action, require, signed_in


class DeedSerializer(serializers.ModelSerializer[ModelDeed]):
    """What was done with a model."""

    user = serializers.CharField(source="user.username", default=None, read_only=True)

    class Meta:
        model = ModelDeed
        fields = ("kind", "user", "at", "reason", "replaced", "comparison", "in_spite")


class TrainedModelSerializer(serializers.ModelSerializer[TrainedModel]):
    """A version of a model; ``card`` says what it was trained on and how, ``used`` how many runs name it."""

    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)
    bands = serializers.ListField(child=serializers.CharField(), read_only=True)
    gsd_m = serializers.FloatField(read_only=True)
    used = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = TrainedModel
        fields = (
            "model_id", "name", "version", "role", "state", "origin", "bands", "gsd_m", "card", "weights_sha256",
            "bytes", "sample_set", "used", "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields


class ScoreSerializer(serializers.ModelSerializer[ModelScore]):
    """What a model gets right on a sample set's test tiles; ``confusion``: truth by row, ids of the taxonomy."""

    confusion = serializers.SerializerMethodField()

    class Meta:
        model = ModelScore
        fields = (
            "score_id", "model", "sample_set", "sample_set_sha256", "metrics", "seen_tiles", "confusion", "facts",
            "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_confusion(self, score: ModelScore) -> list[list[int]]:
        """Summed over all regions."""
        return confusion(score)


class ComparisonSerializer(serializers.ModelSerializer[ModelComparison]):
    """Two models on one sample set; ``difference``: candidate less promoted, with its 95 % interval."""

    candidate_score = ScoreSerializer(read_only=True)
    promoted_score = ScoreSerializer(read_only=True)
    job_state = serializers.CharField(source="job.state", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = ModelComparison
        fields = (
            "comparison_id", "candidate", "promoted", "sample_set", "sample_set_sha256", "state", "difference",
            "candidate_score", "promoted_score", "job", "job_state", "created_by", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class BringSerializer(serializers.Serializer[Any]):
    """A checkpoint: card (JSON) and weights (safetensors)."""

    card = serializers.FileField()
    weights = serializers.FileField()


class PromoteSerializer(serializers.Serializer[Any]):
    """``replaces``: the promoted model the caller saw, null if there was none."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)
    replaces = serializers.UUIDField(allow_null=True)


class RetireSerializer(serializers.Serializer[Any]):
    """Why it is taken out of use."""

    reason = serializers.CharField(allow_blank=True, max_length=2000)


class CompareSerializer(serializers.Serializer[Any]):
    """On whose test tiles."""

    sample_set = serializers.UUIDField()


class TrainingSerializer(serializers.ModelSerializer[Training]):
    """A training; its curves have an address of their own."""

    job_state = serializers.CharField(source="job.state", default=None, read_only=True)
    progress = serializers.FloatField(source="job.progress", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = Training
        fields = (
            "training_id", "name", "sample_set", "since", "choices", "state", "job", "job_state", "progress", "model",
            "comparison", "created_by", "created_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class TrainingRequestSerializer(serializers.Serializer[Any]):
    """On a sample set, or, with ``region``, on what was accepted there since a model or a date."""

    name = serializers.CharField(max_length=60)
    sample_set = serializers.UUIDField(required=False, default=None)
    region = serializers.CharField(max_length=9, required=False, default="")
    since = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    years = serializers.ListField(child=serializers.IntegerField(), required=False, default=list)
    params = serializers.DictField(required=False, default=dict)
    choices = serializers.DictField(required=False, default=dict)


class TrainedModelViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[TrainedModel]):
    """Models of this installation, for whoever may read about them."""

    serializer_class = TrainedModelSerializer
    queryset = TrainedModel.objects.none()
    filterset_fields = ("name", "state", "role", "origin")
    ordering_fields = ("created_at", "name")
    parser_classes = (JSONParser, MultiPartParser)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[TrainedModel]:
        """All of them or none."""
        return models_readable(signed_in(self.request.user))

    @extend_schema(request={"multipart/form-data": BringSerializer}, responses={202: OpenApiTypes.OBJECT})
    def create(self, request: Request) -> Response:
        """Bring a checkpoint: its card is checked now, its weights by a job that registers a candidate (202)."""
        user = signed_in(request.user)
        require(user, Action.ADD_MODEL)
        form = BringSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        with received(form.validated_data["weights"], most=trained_models.LARGEST_WEIGHTS, code="E-MOD-18") as path:
            assert path is not None
            job = trained_models.model_bring(user=user, card=form.validated_data["card"], weights=path)
        return Response({"job": str(job.pk)}, status.HTTP_202_ACCEPTED)

    @extend_schema(request=PromoteSerializer, responses=TrainedModelSerializer)
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: str | None = None) -> Response:
        """Make it the one that reads the scenes of its role."""
        form = PromoteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        seen = form.validated_data["replaces"]
        row = trained_models.model_promote(
            model=self.get_object(),
            user=signed_in(request.user),
            reason=form.validated_data["reason"],
            replaces=get_object_or_404(TrainedModel, pk=seen) if seen else None,
        )
        return Response(TrainedModelSerializer(row).data)

    @extend_schema(request=RetireSerializer, responses=TrainedModelSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, pk: str | None = None) -> Response:
        """Take it out of use."""
        form = RetireSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        row = trained_models.model_retire(
            model=self.get_object(), user=signed_in(request.user), reason=form.validated_data["reason"]
        )
        return Response(TrainedModelSerializer(row).data)

    @extend_schema(request=CompareSerializer, responses={202: ComparisonSerializer})
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, pk: str | None = None) -> Response:
        """Judge it and the promoted model of its role on the test tiles of a sample set (202)."""
        user = signed_in(request.user)
        form = CompareSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sample_set = get_object_or_404(sample_sets_visible(user), pk=form.validated_data["sample_set"])
        made = comparison_request(model=self.get_object(), sample_set=sample_set, user=user)
        return Response(ComparisonSerializer(made).data, status.HTTP_202_ACCEPTED)

    @extend_schema(responses=DeedSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def deeds(self, request: Request, pk: str | None = None) -> Response:
        """Who did what with it, newest first."""
        return Response(DeedSerializer(self.get_object().deeds.select_related("user"), many=True).data)


class ComparisonViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ModelComparison]):
    """Comparisons with both models' scores."""

    serializer_class = ComparisonSerializer
    queryset = ModelComparison.objects.none()
    filterset_fields = ("candidate", "promoted", "sample_set", "state")
    ordering_fields = ("created_at",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[ModelComparison]:
        """All of them or none."""
        return comparisons_readable(signed_in(self.request.user))


class TrainingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Training]):
    """Trainings on sample sets of the user's regions."""

    serializer_class = TrainingSerializer
    queryset = Training.objects.none()
    filterset_fields = ("state", "sample_set", "name")
    ordering_fields = ("created_at",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Training]:
        """Only what the user may see."""
        return trainings_visible(signed_in(self.request.user))

    @extend_schema(request=TrainingRequestSerializer, responses={202: TrainingSerializer})
    def create(self, request: Request) -> Response:
        """Queue a training (202), on a sample set or on accepted patches."""
        user = signed_in(request.user)
        require(user, Action.TRAIN_MODEL)
        form = TrainingRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        if given["sample_set"]:
            sample_set = get_object_or_404(sample_sets_visible(user), pk=given["sample_set"])
            made = trainings.training_request(
                sample_set=sample_set, user=user, name=given["name"], choices=given["choices"], since=given["since"]
            )
        elif given["region"]:
            made = trainings.learning_start(
                region=region_of(user, given["region"]),
                user=user,
                name=given["name"],
                since=given["since"],
                years=given["years"],
                params=given["params"],
                choices=given["choices"],
            )
        else:
            raise serializers.ValidationError({"sample_set": "this or region"})
        return Response(TrainingSerializer(made).data, status.HTTP_202_ACCEPTED)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def curves(self, request: Request, pk: str | None = None) -> Response:
        """Loss and scores by step, as (step, value), while it trains and afterwards."""
        return Response(trainings.training_curves(self.get_object()))
