"""Interpretation runs over HTTP: state, areas, patches as GeoJSON, delivery files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import UUID

import django_filters
from django.contrib.gis.geos import Polygon
from django.db import connection
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage import selectors, taxonomy
from landdamage.api import tiles
from landdamage.api.serializers import (
    AreaSerializer,
    PatchSerializer,
    RunSerializer,
    TailingsSerializer,
    WaterOriginSerializer,
)
from landdamage.models import InterpretationRun, Patch
from landdamage.services import delivery
from landdamage.services.files import file_path
from landdamage.services.tailings import tailings_review
from landdamage.services.water import water_decide
from minegis.access.permissions import Action, require, signed_in

MOST_PATCHES = 5000  # of one map view: more is unreadable there, and the largest are the ones that matter


class RunFilter(django_filters.FilterSet):
    """Filters of the list."""

    class Meta:
        model = InterpretationRun
        fields = ("scene", "year", "state", "is_current")


# Simplified to about a third of a screen pixel of the zoom level, by PostGIS, in one statement.
_GEOJSON_SQL = """
SELECT coalesce(json_agg(json_build_object(
    'type', 'Feature', 'id', patch_id,
    'geometry', ST_AsGeoJSON(coalesce(ST_SimplifyPreserveTopology(geom, %(tolerance)s), geom), 6)::json,
    'properties', json_build_object(
        'id', patch_id, 'class_code', class_code, 'damage_kind', damage_kind, 'water_origin', water_origin,
        'area_m2', round(area_cm2 / 10000.0, 2), 'confidence', round(confidence::numeric, 4),
        'confidence_p5', round(confidence_p5::numeric, 4), 'margin', round(margin::numeric, 4))
)), '[]'::json)::text
FROM (
    SELECT * FROM landdamage_patch
    WHERE run_id = %(run)s AND geom && ST_MakeEnvelope(%(w)s, %(s)s, %(e)s, %(n)s, 4490)
    ORDER BY area_cm2 DESC LIMIT %(most)s
) shown
"""


class RunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[InterpretationRun]):
    """Interpretation runs of the scenes the user may see."""

    serializer_class = RunSerializer
    filterset_class = RunFilter
    ordering_fields = ("created_at", "year")
    queryset = InterpretationRun.objects.none()
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[InterpretationRun]:
        """Only what the user may see."""
        return InterpretationRun.objects.visible_to(self.request.user).select_related("scene")

    @extend_schema(responses=AreaSerializer(many=True))
    @action(detail=True, pagination_class=None, filter_backends=[])
    def areas(self, request: Request, pk: str | None = None) -> Response:
        """Area per class."""
        require(request.user, Action.READ_STATISTICS, self.get_object().scene.region)
        return Response(AreaSerializer(selectors.run_areas(self.get_object()), many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("bbox", OpenApiTypes.STR, description="west,south,east,north in degrees"),
            OpenApiParameter("zoom", OpenApiTypes.INT, description="map zoom level, sets the simplification"),
        ],
        responses=OpenApiTypes.OBJECT,
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def patches(self, request: Request, pk: str | None = None) -> HttpResponse:
        """Patches of an extent as GeoJSON, at most 5000, the largest first."""
        run = self.get_object()
        require(request.user, Action.READ_STATISTICS, run.scene.region)
        west, south, east, north = _bbox(request.query_params.get("bbox", "-180,-90,180,90"))
        zoom = _integer(request.query_params.get("zoom", "22"), "zoom", 0, 24)
        tolerance = 360.0 / 256 / 2**zoom / 3
        with connection.cursor() as cursor:
            cursor.execute(
                _GEOJSON_SQL,
                {
                    "run": run.pk,
                    "w": west,
                    "s": south,
                    "e": east,
                    "n": north,
                    "most": MOST_PATCHES,
                    "tolerance": tolerance,
                },
            )
            (features,) = cursor.fetchone()
        truncated = (
            run.patches.filter(geom__bboverlaps=Polygon.from_bbox((west, south, east, north))).count() > MOST_PATCHES
        )
        body = f'{{"type":"FeatureCollection","truncated":{str(truncated).lower()},"features":{features}}}'
        response = HttpResponse(body, content_type="application/geo+json")
        response["Cache-Control"] = "private, no-cache"
        return response

    @extend_schema(
        parameters=[OpenApiParameter("as", OpenApiTypes.STR, enum=sorted(delivery.FORMATS), description="file format")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    @action(detail=True, pagination_class=None, filter_backends=[])
    def export(self, request: Request, pk: str | None = None) -> FileResponse:
        """The patches as a file: gpkg, geojson or csv."""
        run = self.get_object()
        require(request.user, Action.EXPORT_VECTORS, run.scene.region)
        kind = request.query_params.get("as", "gpkg")
        if kind not in delivery.FORMATS:
            raise ValidationError({"as": [f"one of {', '.join(sorted(delivery.FORMATS))}"]})
        with tempfile.TemporaryDirectory() as folder:
            path = delivery.run_export(run=run, folder=Path(folder), kind=kind)
            # The open handle outlives the folder: the file is gone from disk when the answer has been sent.
            return FileResponse(
                path.open("rb"),
                as_attachment=True,
                filename=f"{Path(run.scene.file_name).stem}_{run.year or 'undated'}{path.suffix}",
            )


class PatchFilter(django_filters.FilterSet):
    """Filters of the list."""

    class Meta:
        model = Patch
        fields = ("run", "class_code", "damage_kind", "mine")


class PatchViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Patch]):
    """Patches of the scenes the user may see."""

    serializer_class = PatchSerializer
    filterset_class = PatchFilter
    ordering_fields = ("area_cm2", "confidence", "patch_id")
    queryset = Patch.objects.none()

    def get_queryset(self) -> QuerySet[Patch]:
        """Only what the user may read figures of."""
        return selectors.readable_patches(self.request.user).select_related("review__reviewer")

    @extend_schema(request=WaterOriginSerializer, responses=PatchSerializer)
    @action(detail=True, methods=["post"], url_path="water-origin")
    def water_origin(self, request: Request, pk: str | None = None) -> Response:
        """Say whether a water is pit water, tailings water or natural; the next account of its year counts it so."""
        given = WaterOriginSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        patch = water_decide(patch=self.get_object(), user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(patch).data)

    @extend_schema(request=TailingsSerializer, responses=PatchSerializer)
    @action(detail=True, methods=["post"])
    def tailings(self, request: Request, pk: str | None = None) -> Response:
        """Say whether a tailings pond that the network found is one; no year is frozen before somebody did."""
        given = TailingsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        patch = tailings_review(patch=self.get_object(), user=signed_in(request.user), **given.validated_data)
        return Response(self.get_serializer(patch).data)


@extend_schema(
    parameters=[OpenApiParameter("classes", OpenApiTypes.STR, description="class ids to show, e.g. 1,2,7")],
    responses={(200, "image/png"): OpenApiTypes.BINARY},
)
@api_view()
def run_tile(request: Request, run_id: UUID, z: int, x: int, y: int) -> HttpResponse:
    """A coloured map tile of the class raster; ``?classes=1,2,7`` shows only those."""
    run = (
        InterpretationRun.objects.visible_to(request.user)
        .select_related("scene__region", "scene__uploader")
        .exclude(class_sha256="")
        .filter(pk=run_id)
        .first()
    )
    if run is None or z > tiles.DEEPEST:
        raise Http404
    require(request.user, Action.READ_IMAGE, run.scene.region, own=run.scene.uploader == request.user)
    wanted = request.query_params.get("classes")
    shown = frozenset(taxonomy.FOREGROUND_IDS)
    if wanted is not None:
        shown &= {int(part) for part in wanted.split(",") if part.isdecimal() and len(part) < 4}
    return tiles.class_tile(request, run.class_sha256, file_path(run.class_sha256), z, x, y, shown)


def _bbox(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise ValidationError({"bbox": ["west,south,east,north in degrees"]}) from None
    if not (west <= east and south <= north):  # also refuses NaN
        raise ValidationError({"bbox": ["west,south,east,north in degrees"]})
    return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)  # a map may show past the edge


def _integer(text: str, name: str, low: int, high: int) -> int:
    if not text.isdecimal() or len(text) > 9 or not low <= int(text) <= high:
        raise ValidationError({name: [f"a whole number from {low} to {high}"]})
    return int(text)
