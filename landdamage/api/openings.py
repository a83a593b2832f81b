"""Opening books over HTTP: send the file to see its faults, send it again with ``commit`` to book it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from landdamage.accounting.surveyed import EXTENTS
from landdamage.interchange.codes import BOOKABLE
from landdamage.interchange.read import SKIP, Choices
from landdamage.services.openings import Survey, opening_book, opening_check, region_of
from minegis.access.permissions import Action, require, signed_in
from minegis.errors import MineGISError

MAX_UPLOAD = 512 << 20  # a prefecture's patches are some 100 MB


class OpeningSerializer(serializers.Serializer[None]):
    """The file, what it is about, and the answers to what an earlier report asked."""

    file = serializers.FileField()
    region = serializers.CharField(max_length=9)
    year = serializers.IntegerField(min_value=1980, max_value=2100)
    layer = serializers.CharField(required=False, allow_blank=True, default="")
    crs = serializers.CharField(required=False, allow_blank=True, default="")
    encoding = serializers.ChoiceField(["", "utf-8", "gbk"], required=False, default="")
    column = serializers.CharField(required=False, allow_blank=True, default="")
    mapping = serializers.JSONField(required=False, default=dict)
    repair = serializers.BooleanField(required=False, default=False)
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
    commit = serializers.BooleanField(required=False, default=False)

    def validate_mapping(self, value: object) -> dict[str, str]:
        """An object from the classes of the file to states."""
        known = {SKIP, *(state.code for state in BOOKABLE)}
        if not isinstance(value, dict) or not set(value.values()) <= known:
            raise serializers.ValidationError(f"an object with values of: {', '.join(sorted(known))}")
        return {str(key): str(state) for key, state in value.items()}


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
        size = file.size + (beside.size if beside else 0)
        if size > MAX_UPLOAD:
            raise MineGISError("E-VEC-16", value=f"{size >> 20} MB", limit=f"{MAX_UPLOAD >> 20} MB")
        region = region_of(user, given["region"])
        answers = ("layer", "crs", "encoding", "column", "mapping", "repair", "clip")
        choices = Choices(**{name: given[name] for name in answers})
        with tempfile.TemporaryDirectory() as folder:
            path = _written(file, Path(folder) / "upload")
            survey = Survey(
                given["coverage"],
                _written(beside, Path(folder) / "coverage") if beside else None,
                beside.name if beside else "",
                given["coverage_layer"],
            )
            checked = opening_check(path=path, name=file.name, region=region, choices=choices, survey=survey, user=user)
        report = checked.as_dict()
        if not given["commit"] or not checked.usable:
            return Response(report, status.HTTP_422_UNPROCESSABLE_ENTITY if given["commit"] else status.HTTP_200_OK)
        edition = opening_book(checked=checked, region=region, year=given["year"], user=user)
        return Response({**report, "edition": str(edition.pk)}, status.HTTP_201_CREATED)


def _written(file: UploadedFile, path: Path) -> Path:
    with path.open("wb") as out:
        out.writelines(file.chunks())
    return path
