"""Yearly figures over HTTP."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from landdamage import selectors
from landdamage.api.serializers import OverviewSerializer
from minegis.access.permissions import Action, require


class AreasView(APIView):
    """Areas per class, damage kind and mine of one year; unreviewed results of the network."""

    @extend_schema(
        parameters=[
            OpenApiParameter("year", OpenApiTypes.INT, description="default: the latest year with results"),
            OpenApiParameter("region", OpenApiTypes.STR, description="GB/T 2260 code, subordinate regions included"),
        ],
        responses=OverviewSerializer,
    )
    def get(self, request: Request) -> Response:
        """The figures of a year."""
        require(request.user, Action.READ_STATISTICS)
        known = selectors.years(request.user)
        text = request.query_params.get("year")
        if text is not None and not (text.isdecimal() and len(text) == 4):
            raise ValidationError({"year": ["a year of four digits"]})
        year = int(text) if text else (known[-1] if known else 0)
        figures = selectors.overview(request.user, year, request.query_params.get("region") or None)
        return Response(OverviewSerializer(figures).data)
