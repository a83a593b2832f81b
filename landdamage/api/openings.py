"""Opening books over HTTP: send the file to see its faults, send it again with ``commit`` to book it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from landdamage.accounting.surveyed import EXTENTS
from landdamage.api.vectors import VectorFileSerializer
from landdamage.interchange.codes import BOOKABLE
from landdamage.services.openings import Survey, opening_book, opening_check, region_of
from landdamage.services.vector_files import refuse_large, written
from minegis.access.permissions import Action, require, signed_in


class OpeningSerializer(VectorFileSerializer):
    """The file, what it is about, and the answers to what an earlier report asked."""

    MEANINGS = frozenset(state.code for state in BOOKABLE)

    year = serializers.IntegerField(min_value=1980, max_value=2100)
    clip = serializers.BooleanField(required=False, default=False)
    coverage = serializers.ChoiceField(
        ["", *EXTENTS],
        required=False,
        default="",
        help_text="What the survey covered; needed to book. whole: ground without a polygon is booked as undamaged. "
        "layer: only the ground of a layer is. unknown: such ground counts as never observed.",
    )
    coverage_file = serializers.FileField(
        required=False, default=None, allow_null=True, help_text="File with that layer; left out, it is in the file"
    )
    coverage_layer = serializers.CharField(required=False, allow_blank=True, default="")
    change_note = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=2000,
        help_text="What is different; needed where the year had been published and was withdrawn",
    )  # fmt: skip


class OpeningsView(APIView):
    """Polygons of an earlier year as a region's first book."""

    parser_classes = (MultiPartParser,)

    @extend_schema(request=OpeningSerializer, responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """Every fault of the file (200); with ``commit`` and none, the edition it became (201)."""
        user = signed_in(request.user)
        require(user, Action.BUILD_EDITION)
        form = OpeningSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        file, beside = given["file"], given["coverage_file"]
        refuse_large(file, beside)
        region = region_of(user, given["region"])
        with tempfile.TemporaryDirectory() as folder:
            path = written(file, Path(folder) / "upload")
            survey = Survey(
                given["coverage"],
                written(beside, Path(folder) / "coverage") if beside else None,
                beside.name if beside else "",
                given["coverage_layer"],
            )
            checked = opening_check(
                path=path, name=file.name, region=region, choices=form.choices(), survey=survey, user=user
            )
        report = checked.as_dict()
        if not given["commit"] or not checked.usable:
            return Response(report, status.HTTP_422_UNPROCESSABLE_ENTITY if given["commit"] else status.HTTP_200_OK)
        edition = opening_book(
            checked=checked, region=region, year=given["year"], user=user, change_note=given["change_note"]
        )
        return Response({**report, "edition": str(edition.pk)}, status.HTTP_201_CREATED)
