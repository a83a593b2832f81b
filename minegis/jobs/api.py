"""Jobs: list, detail, cancel, retry."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from minegis.errors import TABLE, ForbiddenError
from minegis.jobs import services
from minegis.jobs.models import Job
from minegis.jobs.permissions import may_cancel, may_retry
from minegis.problems import problem


class JobFilter(django_filters.FilterSet):
    """By state, kind, time and owner."""

    state = django_filters.MultipleChoiceFilter(choices=Job.State.choices)
    own = django_filters.BooleanFilter(method="only_own", label="Only jobs the caller submitted")
    created_after = django_filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")

    class Meta:
        model = Job
        fields = ["state", "kind", "own", "created_after"]

    def only_own(self, queryset: QuerySet[Job], name: str, value: bool) -> QuerySet[Job]:
        """The caller's jobs."""
        return queryset.filter(created_by=self.request.user) if value else queryset


class JobErrorSerializer(serializers.Serializer[Any]):
    """Why a job failed: the problem body of its code."""

    code = serializers.CharField()
    title = serializers.CharField()
    detail = serializers.CharField()
    message_zh = serializers.CharField()
    message_en = serializers.CharField()
    hint_zh = serializers.CharField()
    hint_en = serializers.CharField()


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job as its row has it."""

    region = serializers.CharField(source="region.code", default=None, allow_null=True, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True, read_only=True)
    error = serializers.SerializerMethodField()
    can_cancel = serializers.SerializerMethodField()
    can_retry = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id", "kind", "title", "state", "stage", "progress", "pace", "attempts", "max_attempts", "cancel_requested",
            "region", "created_by", "created_at", "started_at", "heartbeat_at", "finished_at", "result", "error",
            "can_cancel", "can_retry",
        ]  # fmt: skip

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: Job) -> dict[str, Any] | None:
        """The problem, or null."""
        if not job.error_code:
            return None
        return dict(JobErrorSerializer(problem(job.error_code, TABLE[job.error_code].status, **job.error_values)).data)

    def get_can_cancel(self, job: Job) -> bool:
        """It is active and the caller may stop it."""
        return job.is_active and not job.cancel_requested and may_cancel(self.context["request"].user, job)

    def get_can_retry(self, job: Job) -> bool:
        """It failed or was cancelled and the caller may queue it again."""
        ended_badly = job.state in (Job.State.FAILED, Job.State.CANCELLED)
        return ended_badly and may_retry(self.context["request"].user, job)


class JobViewSet(viewsets.ReadOnlyModelViewSet[Job]):
    """Long work."""

    queryset = Job.objects.select_related("region", "created_by")
    serializer_class = JobSerializer
    filterset_class = JobFilter
    ordering_fields = ["created_at", "finished_at", "state"]

    def get_queryset(self) -> QuerySet[Job]:
        """The caller's own jobs and those of the regions they work in."""
        return super().get_queryset().visible_to(self.request.user)  # type: ignore[attr-defined]

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel: a queued job at once, a running one at its next safe point."""
        job = self.get_object()
        if not may_cancel(request.user, job):
            raise ForbiddenError
        return Response(self.get_serializer(services.job_cancel(job=job)).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Queue a failed or cancelled job again."""
        job = self.get_object()
        if not may_retry(request.user, job):
            raise ForbiddenError
        return Response(self.get_serializer(services.job_retry(job=job)).data)
