"""Labels on superpixels over HTTP: plates, their outlines, what one has said, and the raster of it."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.http import content_disposition_header
from django.views.decorators.gzip import gzip_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from landdamage.learning.superpixels.sheet import VALUES
from landdamage.models import LabelPlate, LabelSheet, Scene
from landdamage.selectors.labelling import labels_of, order_of, plates_visible, progress, sheet_of, sheet_raster
from landdamage.services import labelling
from landdamage.services.files import file_path
from minegis.access.permissions import Action, require, signed_in
from minegis.errors import MineGISError

MOST_KEYS = 2000  # sent at once after a lost link


class LabelPlateSerializer(serializers.ModelSerializer[LabelPlate]):
    """A window of a scene and its superpixels."""

    superpixels = serializers.SerializerMethodField()
    job_state = serializers.CharField(source="job.state", default=None, read_only=True)
    created_by = serializers.CharField(source="created_by.username", default=None, read_only=True)

    class Meta:
        model = LabelPlate
        fields = (
            "plate_id", "scene", "column", "row", "width", "height", "side_px", "state", "segments_sha256",
            "superpixels", "run", "bounds", "job", "job_state", "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_superpixels(self, row: LabelPlate) -> int:
        """How many there are."""
        return len(row.pixels)


class LabelPlateRequestSerializer(serializers.Serializer[Any]):
    """What is to be cut; without ``at`` the place where the current run is least sure, or the middle."""

    scene = serializers.UUIDField()
    at = serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2, required=False, default=None)
    window = serializers.IntegerField(required=False, default=labelling.WINDOW)
    side_px = serializers.IntegerField(required=False, default=labelling.SIDE)


class SaidSerializer(serializers.Serializer[Any]):
    """Label of one superpixel: class id 0-7, 255 unsure, 254 none."""

    superpixel = serializers.IntegerField(min_value=1)
    label = serializers.ChoiceField(sorted(VALUES))  # type: ignore[assignment]  # DRF's own attribute


class LabelsSayRequestSerializer(serializers.Serializer[Any]):
    """Labels in the order of the keys, and the version of the sheet that was seen."""

    version = serializers.IntegerField(min_value=0)
    labels = serializers.ListField(child=SaidSerializer(), min_length=1, max_length=MOST_KEYS)


class LabelsUndoRequestSerializer(serializers.Serializer[Any]):
    """The version of the sheet that was seen."""

    version = serializers.IntegerField(min_value=0)


class LabelsSerializer(serializers.Serializer[Any]):
    """The sheet of the person who asks."""

    version = serializers.IntegerField()
    labels = serializers.DictField(child=serializers.IntegerField(), help_text="superpixel -> class id or 255")
    undone = serializers.IntegerField(allow_null=True, help_text="superpixel whose label was taken back")
    share = serializers.FloatField(help_text="share of the ground spoken of, 0-1")


def _sheet_body(sheet: LabelSheet, undone: int | None = None) -> dict[str, Any]:
    labels = {str(number): label for number, label in sorted(labels_of(sheet).items())}
    share = progress(sheet.plate, sheet).share
    return {"version": sheet.version, "labels": labels, "undone": undone, "share": round(share, 6)}


class LabelPlateViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[LabelPlate]):
    """Plates the user may label."""

    serializer_class = LabelPlateSerializer
    queryset = LabelPlate.objects.none()
    filterset_fields = ("scene", "state")
    ordering_fields = ("created_at",)
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[LabelPlate]:
        """Only what the user may see."""
        return plates_visible(signed_in(self.request.user))

    @extend_schema(request=LabelPlateRequestSerializer, responses={202: LabelPlateSerializer})
    def create(self, request: Request) -> Response:
        """Queue the cutting of a window."""
        user = signed_in(request.user)
        require(user, Action.LABEL_SAMPLE)
        form = LabelPlateRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        scene = Scene.objects.visible_to(user).select_related("region").filter(pk=given["scene"]).first()
        if scene is None:
            raise MineGISError("E-API-04")
        made = labelling.plate_request(
            scene=scene,
            user=user,
            at=tuple(given["at"]) if given["at"] else None,
            window=given["window"],
            side_px=given["side_px"],
        )
        return Response(LabelPlateSerializer(made).data, status.HTTP_202_ACCEPTED)

    def _ready(self) -> LabelPlate:
        plate: LabelPlate = self.get_object()
        if plate.state != LabelPlate.State.READY:
            raise MineGISError("E-LAB-04", value=plate.get_state_display())
        return plate

    @extend_schema(responses={(200, "application/geo+json"): OpenApiTypes.OBJECT})
    @method_decorator(gzip_page)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def outlines(self, request: Request, pk: str | None = None) -> HttpResponse:
        """The superpixels as GeoJSON (EPSG:4490); a feature's id is the number of its superpixel."""
        plate = self._ready()
        answer = HttpResponse(file_path(plate.outlines_sha256).read_bytes(), content_type="application/geo+json")
        answer["Cache-Control"] = "private, max-age=86400"
        return answer

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    @action(detail=True, pagination_class=None, filter_backends=[])
    def order(self, request: Request, pk: str | None = None) -> Response:
        """Superpixels as they are offered (least sure first where there is a run), and the pixels of each."""
        plate = self._ready()
        return Response({"order": order_of(plate), "pixels": plate.pixels, "by_doubt": bool(plate.doubt)})

    @extend_schema(responses=LabelsSerializer)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def labels(self, request: Request, pk: str | None = None) -> Response:
        """What the person who asks has said."""
        return Response(_sheet_body(sheet_of(self._ready(), signed_in(request.user))))

    @extend_schema(request=LabelsSayRequestSerializer, responses=LabelsSerializer)
    @labels.mapping.post
    def labels_say(self, request: Request, pk: str | None = None) -> Response:
        """Say something; 409 (E-API-06) if another window has said something since."""
        form = LabelsSayRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = [(one["superpixel"], one["label"]) for one in form.validated_data["labels"]]
        sheet = labelling.labels_say(
            plate=self.get_object(),
            user=signed_in(request.user),
            version=form.validated_data["version"],
            labels=said,
        )
        return Response(_sheet_body(sheet))

    @extend_schema(request=LabelsUndoRequestSerializer, responses=LabelsSerializer)
    @action(detail=True, methods=["post"], pagination_class=None, filter_backends=[])
    def undo(self, request: Request, pk: str | None = None) -> Response:
        """Take the newest label that stands back; the log keeps both."""
        form = LabelsUndoRequestSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        sheet, undone = labelling.labels_undo(
            plate=self.get_object(), user=signed_in(request.user), version=form.validated_data["version"]
        )
        return Response(_sheet_body(sheet, undone or None))

    @extend_schema(responses={(200, "image/tiff"): OpenApiTypes.BINARY})
    @action(detail=True, pagination_class=None, filter_backends=[])
    def raster(self, request: Request, pk: str | None = None) -> HttpResponse:
        """What the person who asks has said, on the grid of the scene: class ids, 255 = unlabelled or unsure."""
        plate = self._ready()
        user = signed_in(request.user)
        body = sheet_raster(sheet_of(plate, user))
        answer = HttpResponse(body, content_type="image/tiff")
        stem = plate.scene.file_name.rpartition(".")[0] or plate.scene.file_name
        answer["Content-Disposition"] = content_disposition_header(True, f"{stem}-labels.tif") or "attachment"
        return answer
